# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Stage guest: the files of the phone, from Debian's arm64 packages (unpacked, not
# run), at $CACHE/guest. tests/env/initramfs makes an archive of them.

guest_key() {
	cat "$ENV_DIR/packages/guest.list" "$ENV_DIR/guest.sh" | hash_of guest "$SUITE"
}

# What no test looks at, and what would only make the archive slower to unpack.
trim_guest() {
	local dir=$1
	rm -rf "$dir"/var/{cache,lib,log} "$dir"/boot "$dir"/usr/games "$dir"/etc/{init.d,rc?.d} \
		"$dir"/usr/share/{doc,man,info,locale,lintian,bash-completion,zoneinfo,bug,menu} \
		"$dir"/usr/share/{common-licenses,doc-base,perl5,gcc,gdb} \
		"$dir"/usr/lib/aarch64-linux-gnu/{gconv,perl-base,e2fsprogs} \
		"$dir"/usr/bin/perl* "$dir"/usr/lib/{systemd,init,udev}
	find "$dir/usr/lib" -name '*.a' -delete
}

build_guest() {
	set -e
	local new=$CACHE/guest.new packages
	packages=$(list "$ENV_DIR/packages/guest.list" | paste -sd,)
	rm -rf --one-file-system "$new" "$CACHE/guest"
	mmdebstrap --architectures=arm64 --variant=extract --include="$packages" \
		"$SUITE" "$new" "deb $1 $SUITE main"
	trim_guest "$new"
	local name
	# busybox for all that no package brought.
	for name in $("$ENV_DIR/enter" cat /usr/share/bam-dmux/applets 2>/dev/null); do
		:
	done
	mv "$new" "$CACHE/guest"
}

stage_guest() {
	local key mirror
	key=$(guest_key)
	if stage_is_current guest "$key"; then
		return
	fi
	install_mmdebstrap
	mirror=$(debian_mirror)
	say "$STEP arm64 guest files, into $CACHE/guest"
	stage_begin guest
	run_logged guest progress_last_line build_guest "$mirror" || exit 1
	stage_done guest "$key"
}
