#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# guest.bats - Linux with avisor.ko and avisor-agentd (Shows 5 to 7 of issue 3). Needs `make linux-guest`.
# The typing is done by guest.py.

load lib

setup_file() {
	machine_begin
	[ -s "$AVISOR_BUILD/linux/test.initrd" ] || {
		say "no kernel in $AVISOR_BUILD/linux: make linux-guest"
		return 1
	}
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# A test that failed leaves its machine: the next one starts its own.
teardown() {
	avctl -s guest down >/dev/null 2>&1 || true
}

# guest_up: one Linux VM in a set called guest
guest_up() {
	cat >guest.yaml <<-END
	version: 1
	name: guest
	machine: {cpus: 1, memory: 1GiB}
	vms:
	  - name: linux
	    image: $AVISOR_BUILD/linux/vmlinuz
	    initrd: $AVISOR_BUILD/linux/test.initrd
	    bootargs: console=ttyAMA0 quiet
	    memory: 256MiB
	    snapshots: {keep: 8}
	END
	machine_up guest.yaml
}

# act MODE ROUNDS: see guest.py
act() {
	AVCTL_SET=guest timeout --kill-after=5 "${SOAK:+1}600" python3 -B "$BATS_TEST_DIRNAME/guest.py" "$1" \
		"$AVISOR_BUILD/avctl" "$2" linux {AVISOR_LOCK_FD}<&-
}

@test "avisor.ko loads on Debian's kernel as it is, the agent says hello, bad ioctls are refused, and an ordinary user cannot open /dev/avisor" {
	guest_up
	act module "$([ -n "${SOAK:-}" ] && echo 100000 || echo 10000)"
	avctl -s guest down
}

@test "two restores of one snapshot give different random bytes, monotonic time goes on, wall time is right" {
	guest_up
	act fresh "${SOAK:+1}2"
	avctl -s guest down
}

@test "snapshots taken --quiesce of a file system under load are clean; hooks run in order, and hang no longer than they may" {
	guest_up
	act quiesce $([ -n "${SOAK:-}" ] && echo 20 || echo 2)
	avctl -s guest down
}

@test "a debugger in Linux steps, watches and breaks, armed over a restore, too" {
	guest_up
	act debug $([ -n "${SOAK:-}" ] && echo 1000 || echo 20)
	avctl -s guest down
}

@test "Linux and a bare-metal VM pass messages through a region, in order and whole (configs/rt-and-linux.yaml)" {
	sed -e "s,\.\./build,$AVISOR_BUILD," -e 's/^name: .*/name: guest/' "$AVISOR_TOP/configs/rt-and-linux.yaml" >guest.yaml
	machine_up guest.yaml
	act exchange $([ -n "${SOAK:-}" ] && echo 1000000 || echo 10000)
	avctl -s guest down
}
