# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Parts of a run, beside each other as far as they do not need each other. Sourced,
# after lib.sh.

PARTS=()
# By name: names of the parts that have to be done before, the command, how far it is
# (waiting, running, ok, FAILED, not run), its process, when it began, the seconds it took.
declare -A PART_NEEDS PART_COMMAND PART_STATE PART_PROCESS PART_BEGAN PART_SECONDS
# What the names of parts are padded to.
PART_WIDTH=14

# part NAME NEEDS COMMAND...: NEEDS are names with commas between them, of parts that
# were named before. Nothing is started yet.
part() {
	PARTS+=("$1")
	PART_NEEDS[$1]=$2
	local command=("${@:3}")
	PART_COMMAND[$1]=${command[*]@Q}
	PART_STATE[$1]=waiting
	PART_SECONDS[$1]=0
}

# run_parts: all of them. What fails keeps only those from running that need it.
# Returns 1 if one of them failed.
run_parts() {
	local name
	# The end of one part may come as a signal to all of them.
	trap 'end_parts; exit 130' INT TERM
	while :; do
		for name in "${PARTS[@]}"; do
			[ "${PART_STATE[$name]}" != waiting ] || try_part "$name"
		done
		[[ " ${PART_STATE[*]} " == *" running "* ]] || break
		await_part
	done
	trap - INT TERM
	for name in "${PARTS[@]}"; do
		[ "${PART_STATE[$name]}" = ok ] || return 1
	done
}

# try_part NAME: start it if all that it needs is there, give it up if that cannot be.
try_part() {
	local need needs
	IFS=, read -ra needs <<<"${PART_NEEDS[$1]}"
	for need in "${needs[@]}"; do
		case ${PART_STATE[$need]} in
		ok) ;;
		FAILED | 'not run')
			PART_STATE[$1]='not run'
			say "$(prefix "$1")not run, since it needs '$need'"
			return
			;;
		*) return 0 ;;
		esac
	done
	PART_STATE[$1]=running
	PART_BEGAN[$1]=$SECONDS
	# A process group of its own, to be ended as a whole.
	set -m
	run_part "$1" </dev/null &
	set +m
	PART_PROCESS[$1]=$!
}

prefix() {
	printf '%-*s| ' "$PART_WIDTH" "$1"
}

# run_part NAME: its command, with its name before each line. No pipe: in the subshell of
# one bash 5.2 does not run the traps of run_logged.
run_part() {
	local prefixer
	trap - INT TERM
	exec > >(sed -u "s/^/$(prefix "$1")/") 2>&1
	prefixer=$!
	# shellcheck disable=SC2064 # the process of now is meant
	trap "status=\$?; exec >&- 2>&-; wait $prefixer; exit \$status" EXIT
	eval "${PART_COMMAND[$1]}"
}

# await_part: until one ends.
await_part() {
	local process status=0 name
	wait -n -p process || status=$?
	for name in "${PARTS[@]}"; do
		[ "${PART_STATE[$name]} ${PART_PROCESS[$name]:-}" = "running $process" ] || continue
		PART_SECONDS[$name]=$((SECONDS - PART_BEGAN[$name]))
		PART_STATE[$name]=ok
		[ $status = 0 ] || PART_STATE[$name]=FAILED
		say "$(prefix "$name")${PART_STATE[$name]} ($(duration "${PART_SECONDS[$name]}"))"
	done
}

end_parts() {
	local name
	for name in "${PARTS[@]}"; do
		[ "${PART_STATE[$name]}" != running ] ||
			kill -TERM -- "-${PART_PROCESS[$name]}" 2>/dev/null || true
	done
	wait
}

# show_parts: how each of them went. They overlap, so their times have no sum.
show_parts() {
	local name
	say ""
	say "summary (parts run beside each other):"
	for name in "${PARTS[@]}"; do
		printf '  %-28s %12s  %s\n' "$name" "$(duration "${PART_SECONDS[$name]}")" \
			"${PART_STATE[$name]}"
	done
	printf '  %-28s %12s\n' "all" "$(duration "$SECONDS")"
}
