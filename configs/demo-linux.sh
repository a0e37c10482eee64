#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# demo-linux.sh BUILD_DIR - Linux as a guest, with configs/rt-and-linux.yaml: every command is shown as it is typed, then what it
# prints. $AVCTL_LIBDIR has the hypervisor to run, else BUILD_DIR. Ends with 1 when a step fails, and leaves nothing behind.
set -u
configs=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "${1:-$configs/../build}")
dir=$(mktemp -d "${TMPDIR:-/tmp}/avisor-demo.XXXXXX") || exit 1
export PATH="$build:$PATH" XDG_RUNTIME_DIR="$dir/run" XDG_STATE_HOME="$dir/state"
unset AVCTL_SET AVCTL_RAM_DIR
[ -z "${AVCTL_LIBDIR:-}" ] || AVCTL_LIBDIR=$(realpath "$AVCTL_LIBDIR") || exit 1
mkdir -m 700 "$XDG_RUNTIME_DIR" "$XDG_STATE_HOME"

clean_up() {
	trap - EXIT
	timeout 20 avctl -s rt-and-linux down >/dev/null 2>&1
	cd / && rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# type COMMAND...: shows it, runs it
type() {
	printf '$ %s\n' "$*"
	timeout 90 "$@" </dev/null || {
		echo "demo-linux: FAILED: \`$*\` ended with $?"
		exit 1
	}
}

# linux COMMAND: on Linux's console; waits until it has ended well
lines=0
linux() {
	lines=$((lines + 1))
	printf 'linux$ %s\n' "$1"
	printf '%s && echo step-%s"%s"\n' "$1" '' "$lines" | timeout 30 avctl console linux --replay 0 -q >/dev/null
	timeout 90 avctl wait linux log="step-$lines" -t 80s >/dev/null || {
		echo "demo-linux: FAILED: $1"
		avctl logs linux --tail 20
		exit 1
	}
	avctl logs linux --tail 40 | tr -d '\r' | grep -a -B 3 "^step-$lines\$" | grep -av -e '^step-' -e 'linux\$'
}

cd "$dir" || exit 1
sed "s|\\.\\./build/|$build/|" "$configs/rt-and-linux.yaml" >avctl.yaml || exit 1

echo "# A bare-metal VM and Debian's unmodified kernel share a region."
type avctl up
type avctl wait linux "log=avisor-linux: up" -t 80s
type avctl ps
echo "# Linux sends messages through it, and gets each back, in order and whole."
linux "guest-test exchange 10000"
echo "# A snapshot with hooks run and file systems still, then back to it: other random numbers, the right time."
type avctl snapshot take linux --quiesce --name still
for _ in 1 2; do
	type avctl restore linux --name still
	linux "until dmesg | grep -q agentd:.restored; do usleep 9999; done; head -c 9 /dev/urandom | base64; date -u"
	type date -u
done
type avctl down
echo "# Done. Try it yourself: avctl -f configs/rt-and-linux.yaml up; avctl console linux"
