# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Stage guest: the files of the phone, from Debian's arm64 packages (unpacked, not
# run), at $CACHE/guest; tests/env/initramfs makes an archive of them.

guest_key() {
	cat "$ENV_DIR/packages/guest.list" "$ENV_DIR/guest.sh" "$ENV_DIR/trim-guest" | hash_of guest "$SUITE"
}

build_guest() {
	set -e
	local tree=$CACHE/guest.tree packages
	packages=$(list "$ENV_DIR/packages/guest.list" | paste -sd,)
	rm -rf --one-file-system "$tree" "$CACHE/guest" "$CACHE/guest.new"
	mmdebstrap --architectures=arm64 --variant=extract --include="$packages" \
		"$SUITE" "$tree" "deb $1 $SUITE main"
	"$ENV_DIR/enter" /src/tests/env/trim-guest /cache/guest.tree /cache/guest.new
	rm -rf --one-file-system "$tree"
	mv "$CACHE/guest.new" "$CACHE/guest"
}

stage_guest() {
	local key mirror
	key=$(guest_key)
	needed guest "$key" || return 0
	install_mmdebstrap
	mirror=$(debian_mirror)
	say "$STEP arm64 guest files, into $CACHE/guest"
	stage_begin guest
	run_logged guest progress_last_line build_guest "$mirror"
	stage_done guest "$key"
}
