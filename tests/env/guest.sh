# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Stage guest: the files of the phone, from Debian's arm64 packages (unpacked, not
# run), as archives at $CACHE/layers: base.cpio, from which every phone boots, and
# userspace.cpio, which is brought into a phone that asks for it.

guest_key() {
	cat "$ENV_DIR/packages/guest.list" "$ENV_DIR/guest.sh" "$ENV_DIR/trim-guest" |
		hash_of layers "$SUITE"
}

build_guest() {
	set -e
	local tree=$CACHE/guest.tree packages
	packages=$(list "$ENV_DIR/packages/guest.list" | paste -sd,)
	rm -rf --one-file-system "$tree" "$CACHE/layers" "$CACHE/layers.new"
	mmdebstrap --architectures=arm64 --variant=extract --include="$packages" \
		"$SUITE" "$tree" "deb $1 $SUITE main"
	"$ENV_DIR/enter" /src/tests/env/trim-guest /cache/guest.tree /cache/layers.new
	rm -rf --one-file-system "$tree"
	mv "$CACHE/layers.new" "$CACHE/layers"
}

stage_guest() {
	local key mirror
	key=$(guest_key)
	needed layers "$key" || return 0
	install_mmdebstrap
	mirror=$(debian_mirror)
	say "$STEP arm64 guest files, into $CACHE/layers"
	stage_begin layers
	run_logged guest progress_last_line build_guest "$mirror"
	stage_done layers "$key"
}
