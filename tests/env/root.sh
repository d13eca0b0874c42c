# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Stage root: a Debian root with all tools, at $CACHE/root.

root_key() {
	cat "$ENV_DIR"/packages/{root,backports,python}.list "$ENV_DIR/root.sh" |
		hash_of "$SUITE" "$KERNEL_PACKAGE" "$(uname -m)"
}

# The one thing this project installs on the machine itself.
install_mmdebstrap() {
	command -v mmdebstrap >/dev/null && return
	command -v apt-get >/dev/null ||
		die "the command 'mmdebstrap' is missing: install the package 'mmdebstrap'"
	say "$STEP installing mmdebstrap on this machine"
	run_logged mmdebstrap progress_last_line apt_install mmdebstrap ||
		die "mmdebstrap could not be installed: install it by hand"
}

apt_install() {
	export DEBIAN_FRONTEND=noninteractive
	apt-get install -y --no-install-recommends "$1" ||
		{ apt-get update && apt-get install -y --no-install-recommends "$1"; }
}

# apt_proxies: the machine's own proxy settings, as lines of apt.conf.
apt_proxies() {
	local option value
	for option in Acquire::http::Proxy Acquire::https::Proxy; do
		value=$(apt-config shell v "$option" 2>/dev/null | sed "s/^v='\(.*\)'$/\1/")
		[ -z "$value" ] || printf '%s "%s";\n' "$option" "$value"
	done
}

bootstrap_root() {
	local new=$1 mirror=$2
	mmdebstrap --variant=apt --include=ca-certificates "$SUITE" "$new" \
		"deb $mirror $SUITE main"
	cat >"$new/etc/apt/sources.list" <<-X
		deb $mirror $SUITE main
		deb $mirror $SUITE-updates main
		deb $mirror $SUITE-backports main
	X
	apt_proxies >"$new/etc/apt/apt.conf.d/90proxy"
	# Translations, manual pages and documentation are of no use here.
	printf 'Acquire::Languages "none";\n' >"$new/etc/apt/apt.conf.d/91languages"
	printf 'path-exclude=/usr/share/%s/*\n' doc man locale info >"$new/etc/dpkg/dpkg.cfg.d/slim"
	# Half a root is thrown away, so it need not survive a power failure.
	printf 'force-unsafe-io\n' >"$new/etc/dpkg/dpkg.cfg.d/fast"
}

fill_root() {
	local new=$1 in_root=("$ENV_DIR/enter" --writable --root "$1") packages
	export DEBIAN_FRONTEND=noninteractive
	"${in_root[@]}" apt-get update
	mapfile -t packages < <(list "$ENV_DIR/packages/root.list")
	"${in_root[@]}" apt-get install -y --no-install-recommends "${packages[@]}"
	mapfile -t packages < <(list "$ENV_DIR/packages/backports.list")
	"${in_root[@]}" apt-get install -y --no-install-recommends -t "$SUITE-backports" \
		"${packages[@]}" "$KERNEL_PACKAGE"
	mapfile -t packages < <(list "$ENV_DIR/packages/python.list")
	"${in_root[@]}" python3 -m venv /opt/lint
	"${in_root[@]}" /opt/lint/bin/pip install --no-cache-dir "${packages[@]}"
	"${in_root[@]}" apt-get clean
}

build_root() {
	set -e
	local new=$CACHE/root.new mirror=$1
	rm -rf --one-file-system "$new"
	bootstrap_root "$new" "$mirror"
	fill_root "$new"
	# What later stages depend on: they are rebuilt when these change.
	# shellcheck disable=SC2016 # dpkg-query's variables, not the shell's
	"$ENV_DIR/enter" --root "$new" dpkg-query -W -f '${Package} ${Version}\n' \
		rustc bindgen clang lld "$KERNEL_PACKAGE" dt-schema >"$CACHE/root.versions.new"
}

# Puts the new root into place, when nothing runs in the old one any more: that
# would lose its mounts.
swap_root() {
	exec 8>"$CACHE/lock.use"
	if ! flock -n 8; then
		say "$STEP waiting for what still runs in the old root"
		flock 8
	fi
	rm -rf --one-file-system "$CACHE/root"
	mv "$CACHE/root.new" "$CACHE/root"
	mv "$CACHE/root.versions.new" "$CACHE/root.versions"
	exec 8>&-
}

stage_root() {
	local key mirror
	key=$(root_key)
	needed root "$key" || return 0
	install_mmdebstrap
	mirror=$(debian_mirror)
	say "$STEP Debian $SUITE with compilers and QEMU, into $CACHE/root"
	stage_begin root
	run_logged root progress_last_line build_root "$mirror"
	swap_root
	stage_done root "$key"
}
