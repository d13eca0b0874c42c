# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Stages kernel-base, kernel-debug, kernel-kcsan and kernel-full: arm64 kernels from the
# fragments in config/, at $CACHE/kernel/<name>. The full one is prepared for modules, but
# not built.

# kernel_fragments NAME: later ones override earlier ones.
kernel_fragments() {
	case $1 in
	base) printf '%s\n' base.config ;;
	debug | kcsan) printf '%s\n' base.config "$1.config" ;;
	full) printf '%s\n' full.config ;;
	*) die "there is no kernel '$1': base, debug, kcsan and full are what there is" ;;
	esac
}

# kernel_start NAME: what the fragments are laid over.
kernel_start() {
	case $1 in
	full) echo allmodconfig ;;
	*) echo tinyconfig ;;
	esac
}

# kernel_targets NAME
kernel_targets() {
	case $1 in
	full) echo modules_prepare ;;
	*) echo Image modules ;;
	esac
}

# About how many objects there are to build: for the progress report only.
kernel_objects() {
	case $1 in
	base) echo 1150 ;;
	debug | kcsan) echo 1180 ;;
	full) echo 50 ;;
	esac
}

kernel_key() {
	local fragments
	mapfile -t fragments < <(kernel_fragments "$1")
	(
		cd "$ENV_DIR/config" && cat "${fragments[@]}" "$CACHE/root.versions" \
			"$ENV_DIR/kernel.sh" "$ENV_DIR/check-config"
	) | hash_of kernel "$1"
}

kernel_make() {
	"$ENV_DIR/enter" --dir /cache/kernel/src make O="/cache/kernel/$1" ARCH=arm64 LLVM=1 \
		KBUILD_BUILD_USER=bam-dmux KBUILD_BUILD_HOST=bam-dmux "${@:2}"
}

configure_kernel() {
	set -e
	local name=$1 dir=$CACHE/kernel/$1 fragments
	mapfile -t fragments < <(kernel_fragments "$name" | sed 's,^,/src/tests/env/config/,')
	mkdir -p "$dir"
	kernel_make "$name" -s "$(kernel_start "$name")"
	"$ENV_DIR/enter" --dir /cache/kernel/src scripts/kconfig/merge_config.sh -m \
		-O "/cache/kernel/$name" "/cache/kernel/$name/.config" "${fragments[@]}"
	kernel_make "$name" -s olddefconfig
	"$ENV_DIR/enter" /src/tests/env/check-config "/cache/kernel/$name/.config" "${fragments[@]}"
}

compile_kernel() {
	set -e
	local targets
	read -ra targets < <(kernel_targets "$1")
	kernel_make "$1" -j"$JOBS" "${targets[@]}"
}

progress_base() {
	progress_objects "$1" base
}

progress_debug() {
	progress_objects "$1" debug
}

progress_kcsan() {
	progress_objects "$1" kcsan
}

progress_full() {
	progress_objects "$1" full
}

progress_objects() {
	printf '%s of about %s objects' \
		"$(grep -cE '^  (CC|AS|RUSTC)( \[M\])?  ' "$1" || true)" "$(kernel_objects "$2")"
}

stage_kernel() {
	local name=$1 dir=$CACHE/kernel/$1 key versions
	key=$(kernel_key "$name")
	needed "kernel-$name" "$key" || return 0
	say "$STEP kernel $name, into $dir"
	stage_begin "kernel-$name"
	# Objects of another compiler or source are not to be trusted; after a
	# change of the configuration the kernel's own build knows what to redo.
	versions=$(hash_of versions <"$CACHE/root.versions")
	if [ "$(cat "$dir/.bam-dmux-versions" 2>/dev/null)" != "$versions" ]; then
		rm -rf "$dir"
	fi
	run_logged "kernel-$name-config" progress_last_line configure_kernel "$name"
	printf '%s\n' "$versions" >"$dir/.bam-dmux-versions"
	run_logged "kernel-$name" "progress_$name" compile_kernel "$name"
	stage_done "kernel-$name" "$key"
}
