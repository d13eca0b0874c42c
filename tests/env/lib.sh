# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034 # sourced: variables are used elsewhere
# What the scripts of tests/env have in common: where things are, how steps
# report, and how a stage knows that it is up to date.
#
# Variables a user may set:
#   BAM_DMUX_CACHE   everything that is built or fetched
#                    (default ${XDG_CACHE_HOME:-$HOME/.cache}/bam-dmux)
#   BAM_DMUX_MIRROR  Debian mirror (default: the one this machine's apt uses)
#   BAM_DMUX_JOBS    parallel jobs (default: number of processors)

set -euo pipefail

ENV_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
CHECKOUT=$(cd "$ENV_DIR/../.." && pwd -P)
CACHE=${BAM_DMUX_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/bam-dmux}
JOBS=${BAM_DMUX_JOBS:-$(nproc)}
KERNEL_PACKAGE=linux-source-7.3
SUITE=trixie
readonly ENV_DIR CHECKOUT CACHE JOBS KERNEL_PACKAGE SUITE

say() {
	printf '%s\n' "$*"
}

die() {
	printf 'bam-dmux: %s\n' "$*" >&2
	exit 1
}

# Name of the checkout's own directory in the cache. What is built from the
# sources is kept apart per checkout, since two of them may be in use at once.
checkout_id() {
	printf '%s' "$CHECKOUT" | sha256sum | cut -c1-12
}

# Whether this runs in the root already, by way of tests/env/enter.
inside_root() {
	[ -n "${BAM_DMUX_INSIDE:-}" ]
}

# need_root: everything here mounts, and mounting takes root.
need_root() {
	[ "$(id -u)" = 0 ] ||
		die "this needs root (namespaces, mounts, a TUN device): run it as root or with sudo"
}

# need_command COMMAND PACKAGE
need_command() {
	command -v "$1" >/dev/null ||
		die "the command '$1' is missing: install the package '$2'"
}

# duration SECONDS: in words.
duration() {
	if [ "$1" -ge 60 ]; then
		printf '%d min %02d s' $(($1 / 60)) $(($1 % 60))
	else
		printf '%d s' "$1"
	fi
}

# Where run_logged writes: stages are everybody's.
LOGS=$CACHE/log

# own_logs: from now on to the checkout's own directory, for what is built from it.
own_logs() {
	LOGS=$CACHE/build/log
	inside_root || LOGS=$CACHE/checkouts/$(checkout_id)/build/log
}

# logs_outside: the same directory as the user knows it.
logs_outside() {
	case $LOGS in
	/cache/build/*) printf '%s' "${BAM_DMUX_OUTSIDE_CHECKOUT:-$CACHE}/build/log" ;;
	/cache/*) printf '%s' "${BAM_DMUX_OUTSIDE:-$CACHE}/log" ;;
	*) printf '%s' "$LOGS" ;;
	esac
}

# run_logged NAME PROGRESS COMMAND...
# Runs the command with its output in $LOGS/NAME.log. Says every 20 s
# (every 2 s on a terminal) how far it is, in the words PROGRESS prints when it
# is called with the log as its argument. A failure shows the log's last lines.
# NB when the command is a function, call this as a plain command: in a condition
# (if, ||) the shell would ignore "set -e" in that function.
run_logged() {
	local name=$1 progress=$2 log pid status=0 start=$SECONDS said=$SECONDS every=20
	shift 2
	log=$LOGS/$name.log
	mkdir -p "$LOGS"
	[ ! -t 1 ] || every=2
	# A process group of its own, to be ended as a whole.
	set -m
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	set +m
	# shellcheck disable=SC2064 # the pid of now is meant
	trap "kill -- -$pid 2>/dev/null; exit 130" INT TERM
	while kill -0 "$pid" 2>/dev/null; do
		# A signal to all of the group ends it too; the trap is to be run all the same.
		sleep 0.2 || :
		if [ $((SECONDS - said)) -ge "$every" ]; then
			said=$SECONDS
			if [ -t 1 ]; then
				printf '\r\033[K%.*s' 100 "$STEP $("$progress" "$log")"
			else
				say "$STEP $("$progress" "$log") ($(duration $((SECONDS - start))))"
			fi
		fi
	done
	wait "$pid" || status=$?
	trap - INT TERM
	[ ! -t 1 ] || printf '\r\033[K'
	if [ "$status" != 0 ]; then
		say "$STEP FAILED (status $status); the last lines of $(logs_outside)/$name.log:"
		tail -n 20 "$log" | sed 's/^/    /'
		return "$status"
	fi
}

# progress_last_line LOG: the last thing the command said.
progress_last_line() {
	tail -n 1 "$1" | tr -cd '[:print:]' | cut -c1-70
}

# hash_of WORD... : a key for the words and for the files read from stdin.
hash_of() {
	{
		printf '%s\n' "$@"
		cat
	} | sha256sum | cut -d' ' -f1
}

# stage_is_current NAME KEY / stage_begin NAME / stage_done NAME KEY
# A stamp is written when all of a stage is in place and removed before any of
# it is touched, so a stage that was interrupted is never taken for done.
stage_is_current() {
	[ "$(cat "$CACHE/stamps/$1" 2>/dev/null)" = "$2" ]
}

stage_begin() {
	mkdir -p "$CACHE/stamps"
	rm -f "$CACHE/stamps/$1"
}

stage_done() {
	printf '%s\n' "$2" >"$CACHE/stamps/$1.new"
	mv "$CACHE/stamps/$1.new" "$CACHE/stamps/$1"
}

# debian_mirror: where the machine's own apt gets Debian's main archive from.
debian_mirror() {
	local mirror=${BAM_DMUX_MIRROR:-}
	if [ -z "$mirror" ] && command -v apt-get >/dev/null; then
		# shellcheck disable=SC2016 # apt's variables, not the shell's
		mirror=$(apt-get indextargets --format \
			'$(CREATED_BY) $(ORIGIN) $(COMPONENT) $(RELEASE) $(REPO_URI)' |
			awk '$1 == "Packages" && $2 == "Debian" && $3 == "main" &&
			     $4 !~ /-/ { print $5; exit }')
	fi
	[ -n "$mirror" ] || die "no Debian mirror in this machine's apt configuration" \
		"(run 'apt-get update'?): set BAM_DMUX_MIRROR to the URL of one"
	printf '%s\n' "${mirror%/}"
}

# list FILE: the words of a package list, without comments.
list() {
	sed -e 's/#.*//' "$1" | tr -s ' \t\n' '\n' | sed '/^$/d'
}

# copy_sources DIR: what the modules are built from, copied by content: a time says
# little when a checkout may go back to older files. A copy that differs gets the
# time of now, and make does the rest.
copy_sources() {
	mkdir -p "$1"
	(cd "$CHECKOUT" && rsync -rlpcR --delete \
		--exclude=bindings_generated.rs --exclude='*.mod.c' --include='*/' \
		--include='*.'{rs,c,h,dtso,dtsi,dts} --include=Kbuild --include=Kconfig \
		--include=bindgen_parameters --exclude='*' \
		Kbuild Kconfig src bindings dts tests/board tests/kunit "$1/")
}
