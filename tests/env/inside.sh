# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The first process of a namespace made by tests/env/enter: mounts what the root
# needs, then runs the command in it. Not to be run by hand.

# In braces, so that the shell has read all of it before it runs any of it: the file
# may change (git pull) while a long command runs.
{
set -euo pipefail

root=$ENTER_ROOT

# One device node of the machine, or an explanation for whoever misses it.
device() {
	local path=/dev/$1
	[ -e "$path" ] || return 0
	mkdir -p "$(dirname "$root$path")"
	: >"$root$path"
	mount --bind "$path" "$root$path"
}

mount --bind "$root" "$root"
mkdir -p "$root/src" "$root/cache"
if [ ! -e "$root/etc/resolv.conf" ] || [ -L "$root/etc/resolv.conf" ]; then
	rm -f "$root/etc/resolv.conf"
	: >"$root/etc/resolv.conf"
fi
if [ -e /etc/resolv.conf ]; then
	mount --bind "$(readlink -f /etc/resolv.conf)" "$root/etc/resolv.conf"
fi
if [ "$ENTER_MODE" = ro ]; then
	mount -o remount,bind,ro "$root"
fi

mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o mode=755 dev "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for n in 0:stdin 1:stdout 2:stderr; do
	ln -s "/proc/self/fd/${n%:*}" "$root/dev/${n#*:}"
done
for n in null zero full random urandom tty; do
	device "$n"
done
# The TUN driver makes its node when it is loaded; not every machine has it loaded.
[ -e /dev/net/tun ] || modprobe tun 2>/dev/null || true
device net/tun

for n in tmp run var/tmp root; do
	mount -t tmpfs -o mode=1777 tmpfs "$root/$n"
done
mount --bind "$ENTER_CHECKOUT" "$root/src"
mount --bind "$ENTER_CACHE" "$root/cache"
# The certificates this machine trusts: they may be more than Debian's.
for n in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
	if [ -e "$n" ]; then
		cp -L "$n" "$root/run/certificates.crt"
		break
	fi
done
for n in build modules target; do
	mount --bind "$ENTER_WORK/$n" "$root/cache/$n"
done

# In a network namespace of its own the loopback device comes up dead.
if [ -e /sys/class/net/lo ] && command -v ip >/dev/null; then
	ip link set lo up 2>/dev/null || true
else
	chroot "$root" ip link set lo up 2>/dev/null || true
fi

variables=(
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/lint/bin
	HOME=/root USER=root LOGNAME=root LC_ALL=C.UTF-8 "TERM=${TERM:-dumb}"
	CARGO_HOME=/cache/cargo CARGO_TARGET_DIR=/cache/target
	RUFF_CACHE_DIR=/cache/build/ruff PYTHONDONTWRITEBYTECODE=1
	BAM_DMUX_CACHE=/cache BAM_DMUX_INSIDE=1
	# What /cache and the checkout's own part of it are called outside: for messages.
	"BAM_DMUX_OUTSIDE=$ENTER_CACHE" "BAM_DMUX_OUTSIDE_CHECKOUT=$ENTER_WORK"
	"BAM_DMUX_COMMIT=$ENTER_COMMIT"
)
if [ -e "$root/run/certificates.crt" ]; then
	for n in SSL_CERT_FILE CURL_CA_BUNDLE CARGO_HTTP_CAINFO PIP_CERT; do
		variables+=("$n=/run/certificates.crt")
	done
fi
# Settings of the project's own, and how this machine reaches the outside.
for n in BAM_DMUX_JOBS BAM_DMUX_MIRROR DRIVER KERNEL ARGS CI NO_COLOR DEBIAN_FRONTEND \
	PROPTEST_CASES RUST_BACKTRACE PIP_INDEX_URL https_proxy no_proxy \
	HTTP_PROXY HTTPS_PROXY NO_PROXY; do
	[ -z "${!n:-}" ] || variables+=("$n=${!n}")
done

# Not exec: a first process gets no signal that it has no handler for.
status=0
# shellcheck disable=SC2016 # for the shell in the root
chroot "$root" /usr/bin/env -i "${variables[@]}" \
	/bin/sh -c 'cd "$1" && shift && exec "$@"' sh "$ENTER_DIR" "$@" || status=$?
exit "$status"
}
