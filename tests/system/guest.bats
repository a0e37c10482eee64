#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# guest.bats - Linux with avisor.ko and avisor-agentd (issue 3). Needs `make linux-guest`.
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
	act module "${SOAK:+10}10000"
	avctl -s guest down
}
