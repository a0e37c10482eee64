# SPDX-License-Identifier: MIT
# lib.bash - what the system tests share. `load lib` in a bats file, then
#
#	setup_file()    { machine_begin; }		private folders, the machine-wide lock: one QEMU at a time
#	teardown_file() { machine_end; }		every set of this file is down, nothing is left
#
# Nothing here sleeps for a time: wait_for looks again until a deadline. Every avctl has a timeout.

AVISOR_TOP=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
AVISOR_BUILD=$(realpath "${AVISOR_BUILD:-$AVISOR_TOP/${B:-build}}")
export AVISOR_TOP AVISOR_BUILD GUESTS="$AVISOR_BUILD/guests"

# Private folders for this file, $AVISOR_TEST among them, which is the working directory of every test that starts with
# machine_here. Short names: a socket's path has at most 107 bytes.
machine_begin() {
	local lock=${AVISOR_QEMU_LOCK:-/tmp/avisor-qemu.lock}

	AVISOR_TEST=$(mktemp -d "${TMPDIR:-/tmp}/avisor.XXXXXX") || return 1
	export AVISOR_TEST XDG_RUNTIME_DIR="$AVISOR_TEST/run" XDG_STATE_HOME="$AVISOR_TEST/state"
	mkdir -m 700 "$XDG_RUNTIME_DIR" "$XDG_STATE_HOME"
	unset AVCTL_SET AVCTL_RAM_DIR AVCTL_LIBDIR AVCTL_QEMU AVCTL_QEMU_ARGS AVCTL_TEST_RAM_FILE AVCTL_TEST_AT NO_COLOR
	cd "$AVISOR_TEST" || return 1
	[ -e "$lock" ] || : 2>/dev/null >>"$lock"
	exec {AVISOR_LOCK_FD}<"$lock"
	export AVISOR_LOCK_FD
	flock -w 1800 "$AVISOR_LOCK_FD" || say "another test has kept $lock for 30 minutes"
}

machine_here() {
	cd "$AVISOR_TEST" || return 1
}

# Ends every set that runs in this file's private folders; by its recorded pid when avctl cannot. Fails when avctl could not, and
# when the hypervisor found a bug in itself.
machine_end() {
	local folder pid status=0

	for folder in "$XDG_RUNTIME_DIR"/avisor/*/; do
		[ -e "$folder/machine.json" ] || continue
		pid=$(machine_pid "$folder")
		if grep -qs 'signal 6' "$folder/exit"; then
			mkdir -p "$AVISOR_BUILD/check" # check.sh runs the file once more
			cp "$XDG_STATE_HOME/avisor/$(basename "$folder")/qemu.log" \
				"$AVISOR_BUILD/check/$(basename "$BATS_TEST_FILENAME").qemu-abort"
		fi
		if grep -qs '^BUG on CPU' "$XDG_STATE_HOME/avisor/$(basename "$folder")/hypervisor.log"; then
			say "$(tail -n 30 "$XDG_STATE_HOME/avisor/$(basename "$folder")/hypervisor.log")"
			status=1
		fi
		avctl -s "$(basename "$folder")" down >/dev/null 2>"$AVISOR_TEST/down.err" && continue
		say "avctl down failed: $(cat "$AVISOR_TEST/down.err")"
		status=1
		if [ -n "$pid" ] && grep -qz '^qemu-system' "/proc/$pid/cmdline" 2>/dev/null; then
			kill -KILL "$pid"
		fi
		rm -f "$(sed -n 's/.*"ram_file": *"\([^"]*\)".*/\1/p' "$folder/machine.json")"
	done
	cd /
	rm -rf "$AVISOR_TEST"
	exec {AVISOR_LOCK_FD}<&-
	return $status
}

# The pid of QEMU that the record in folder $1 names.
machine_pid() {
	sed -n 's/.*"pid": *\([0-9]\+\).*/\1/p' "$1/machine.json" | head -n 1
}

# avctl as a user runs it, but never for ever and never with the lock in its hands (QEMU would keep it).
avctl() {
	timeout --kill-after=5 "${AVCTL_LIMIT:-60}" "$AVISOR_BUILD/avctl" "$@" {AVISOR_LOCK_FD}<&-
}

# machine_up FILE: starts the set. QEMU 7.2 may abort by itself on an rcu assertion (DESIGN 12): then once more, and it is said.
machine_up() {
	local try error="$AVISOR_TEST/up.err"

	for try in 1 2; do
		avctl -f "$1" up --timeout 60s >/dev/null 2>"$error" && return 0
		if [ $try = 2 ] || ! grep -qE 'rcu.*Assertion|signal 6' "$error"; then
			break
		fi
		say "QEMU aborted by itself; once more: $(tail -n 2 "$error")"
	done
	say "$(cat "$error")"
	return 1
}

# wait_for SECONDS COMMAND...: runs COMMAND until it is true; fails, telling its last output, when SECONDS have gone by.
wait_for() {
	local deadline=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000)) output
	shift
	until output=$("$@" 2>&1); do
		if [ "${EPOCHREALTIME/[.,]/}" -gt "$deadline" ]; then
			say "not in time: $*" "$output"
			return 1
		fi
		read -r -t 0.02 <> <(:) || : # lets others run between two looks
	done
}

# Lines for whoever reads the log of a test.
say() {
	printf '%s\n' "$@" | sed 's/^/# /' >&2
}

# The console log of VM $2 in set $1, as QEMU recorded it.
console_log() {
	cat "$XDG_STATE_HOME/avisor/$1/$2.console.log"
}

# True when the console log of VM $2 in set $1 has a line that matches $3.
console_has() {
	grep -qaE -e "$3" "$XDG_STATE_HOME/avisor/$1/$2.console.log"
}

# Assertions that say what they saw. With bats' `run`: $status and $output.
fails() {
	say "$@" "status: ${status:-}" "output:" "${output:-}"
	return 1
}

# expect_status CODE
expect_status() {
	[ "$status" -eq "$1" ] || fails "expected exit code $1"
}

# expect_output REGEX: some line of $output matches
expect_output() {
	grep -qE -e "$1" <<<"$output" || fails "expected a line matching: $1"
}

# expect_equal GOT WANTED WHAT
expect_equal() {
	[ "$1" = "$2" ] || fails "${3:-value}: got '$1', wanted '$2'"
}

# json EXPRESSION: the value of a Python expression over the JSON document `d` read from standard input
json() {
	python3 -c 'import json, sys; d = json.load(sys.stdin); v = eval(sys.argv[1]); print(v if v is not None else "")' "$1"
}
