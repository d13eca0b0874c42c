# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Stage source: the kernel's source from Debian's package, at $CACHE/kernel/src.
# It is only ever read: kernels and modules are built elsewhere.

source_key() {
	grep "^$KERNEL_PACKAGE " "$CACHE/root.versions" | hash_of source
}

unpack_source() {
	set -e
	rm -rf "$CACHE/kernel/src.new" "$CACHE/kernel/src"
	mkdir -p "$CACHE/kernel/src.new"
	"$ENV_DIR/enter" tar -C /cache/kernel/src.new --strip-components=1 \
		--no-same-owner -xf "/usr/src/$KERNEL_PACKAGE.tar.xz"
	mv "$CACHE/kernel/src.new" "$CACHE/kernel/src"
}

progress_source() {
	printf '%s files' "$(find "$CACHE/kernel/src.new" -type f 2>/dev/null | wc -l)"
}

stage_source() {
	local key
	key=$(source_key)
	needed source "$key" || return 0
	say "$STEP kernel source of $KERNEL_PACKAGE, into $CACHE/kernel/src"
	stage_begin source
	run_logged source progress_source unpack_source
	stage_done source "$key"
}
