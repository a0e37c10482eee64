#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# demo.sh BUILD_DIR - the whole of Avisor in a minute: every command is shown as it is typed, then what it prints.
# $AVCTL_LIBDIR has the hypervisor to run, else BUILD_DIR. Checks what it shows, ends with 1 when anything is not as it
# should be, and leaves nothing behind.
set -u
configs=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "${1:-$configs/../build}")
dir=$(mktemp -d "${TMPDIR:-/tmp}/avisor-demo.XXXXXX") || exit 1
export PATH="$build:$PATH" XDG_RUNTIME_DIR="$dir/run" XDG_STATE_HOME="$dir/state"
unset AVCTL_SET AVCTL_RAM_DIR
[ -z "${AVCTL_LIBDIR:-}" ] || AVCTL_LIBDIR=$(realpath "$AVCTL_LIBDIR") || exit 1
mkdir -m 700 "$XDG_RUNTIME_DIR" "$XDG_STATE_HOME"
out=$dir/out
if [ -t 1 ]; then
	bold=$'\e[1m' dim=$'\e[36m' plain=$'\e[0m'
else
	bold='' dim='' plain=''
fi

# The machine ends and the folder goes, however this ends.
clean_up() {
	trap - EXIT
	timeout 20 avctl -s demo down >/dev/null 2>&1
	cd / && rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

fail() {
	echo
	echo "demo: FAILED: $*"
	exit 1
}

say() {
	echo
	printf '%s# %s%s\n' "$dim" "$@" "$plain"
}

# type COMMAND...: shows it, runs it, shows what it prints; its standard output stays in $out.
type() {
	local code

	printf '%s$' "$bold"
	for word; do
		case $word in *[!A-Za-z0-9_./=:@,+-]*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac
	done
	printf '%s\n' "$plain"
	timeout 30 "$@" >"$out" </dev/null
	code=$?
	cat "$out"
	[ $code -eq 0 ] || fail "\`$*\` ended with $code"
}

# enter VM TEXT: a line typed on a VM's console.
enter() {
	printf '%s$ echo "%s" | avctl console %s --replay 0%s\n' "$bold" "$2" "$1" "$plain"
	printf '%s\n' "$2" | timeout 30 avctl console "$1" --replay 0 -q >"$out" || fail "the console of $1 does not answer"
	tr -d '\r' <"$out" | grep -v -e '^> *$' -e "^$2\$"
}

# The number after KEY= in the last line that was printed; the last line of a console.
number() {
	sed -n "s/.*$1=\\([0-9a-f]*\\).*/\\1/p" "$out" | tail -n 1
}

last() {
	type avctl logs "$1" --tail 1
}

# counts -lt|-ge N: waits until counter has printed such a count.
counts() {
	for ((try = 0; try < 200; try++)); do
		avctl logs counter --tail 1 >"$out"
		[ "$(number count)" "$1" "$2" ] && return
		sleep 0.05
	done
	fail "no count $1 $2 in time"
}

part() {
	echo
	printf '%s== %s%s\n' "$bold" "$*" "$plain"
}

cd "$dir" || exit 1
# The set as it is in configs/, with the images of this build.
sed "s|\\.\\./build/|$build/|" "$configs/demo.yaml" >avctl.yaml || exit 1

part "1. A set of virtual machines from one YAML file"
type grep -v '^#' "$configs/demo.yaml"
type avctl config check
type avctl up
type avctl ps
[ "$(grep -c running "$out")" -eq 3 ] || fail "not all VMs run"

part "2. Back in time: a restore is not a reboot"
say "counter printed a random number (its nonce) when it booted, and counts. Both live in its memory only."
type avctl wait counter log=count=5 -q
type avctl snapshot take counter --name early
type avctl wait counter log=count=25 -q
last counter
nonce=$(number nonce) before=$(number count)
say "Now it goes back: the same nonce, so it has not booted again, but a smaller count."
type avctl restore counter --name early
counts -lt "$before"
last counter
after=$(number count)
[ "$(number nonce)" = "$nonce" ] || fail "another nonce: it was rebooted"
[ "$after" -lt "$before" ] || fail "it counts on from $before"
say "What it was before the restore was kept as \`undo\`. So the restore can be taken back:"
type avctl restore counter --undo
counts -ge "$before"
last counter
[ "$(number nonce)" = "$nonce" ] || fail "another nonce: it was rebooted"
[ "$(number count)" -ge "$before" ] || fail "the undo did not bring $before back"

part "3. Many snapshots: each holds only the pages that changed"
say "shell does what its console says. It writes 256 pages (1 MiB), then a few more between snapshots."
enter shell 'touch 0x42000000 256 1'
grep -q '256 pages' "$out" || fail "no pages were written"
for i in 0 1 2 3 4 5; do
	type avctl snapshot take shell --name "step$i"
	if [ $i -lt 5 ]; then
		enter shell "touch 0x42000000 $((8 * (i + 1))) $((i + 2))"
	fi
done
type avctl snapshot list shell
[ "$(grep -c ' step[0-5] ' "$out")" -eq 6 ] || fail "six snapshots were taken"
say "Any of them is one command away, and going back deletes none."
type avctl restore shell --name step0
enter shell 'verify 0x42000000 256 1'
grep -q '256 pages, 0 wrong ok' "$out" || fail "step0 does not have its pages"
type avctl snapshot delete shell step1 step2
type avctl restore shell --id 5
enter shell 'verify 0x42000000 40 6'
grep -q '40 pages, 0 wrong ok' "$out" || fail "step5 does not have its pages"

part "4. Memory that two VMs share"
type avctl shm list
type avctl shm dump board --length 32
grep -q 'Ciallo!' "$out" || fail "the region does not start with Ciallo!"
last reader
say "writer is paused since the start: nobody has written. Let it go."
type avctl resume writer
type avctl wait writer log=wrote -q
type avctl shm dump board --length 32
grep -q 'Hello, shared me' "$out" || fail "the region did not change"
type avctl wait reader 'log=Hello, shared memory!' -q
last reader
say "A region belongs to all its members: restarting one of them does not rewind it."
type avctl restart writer
type avctl shm dump board --length 32
grep -q 'Hello, shared me' "$out" || fail "the restart rewound the region"

part "5. Pause: time stands still for the VM"
type avctl pause counter
last counter
count=$(number count)
sleep 1
say "A second later:"
last counter
[ "$(number count)" = "$count" ] || fail "it counts while it is paused"
type avctl resume counter
type avctl wait counter "log=count=$((count + 3))" -q
last counter

part "6. A VM that crashes comes back; nobody else notices"
enter shell nonce
nonce=$(number nonce)
type avctl snapshot take shell --name healthy
printf '%s$ echo crash | avctl console shell --replay 0%s\n' "$bold" "$plain"
printf 'crash\n' | timeout 30 avctl console shell --replay 0 -q >/dev/null
type avctl wait shell crashed -q
type avctl ps
say "Why? The reason, the place and the instruction are kept with it."
type avctl events shell
grep -q crash "$out" || fail "no event tells of the crash"
type avctl restore shell --name healthy
enter shell nonce
[ "$(number nonce)" = "$nonce" ] || fail "another nonce: it was rebooted"
type avctl ps
[ "$(grep -c running "$out")" -eq 4 ] || fail "not all VMs run"

part "7. The end"
type avctl down
say "All of it is in memory; nothing is left. Try it yourself: avctl -f configs/shell.yaml up; avctl console vm1"
echo "demo: all steps done in $SECONDS s"
