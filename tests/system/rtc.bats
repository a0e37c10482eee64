#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# rtc.bats - the PL031: wall time, a match that wakes a sleeping guest, and what a restore leaves of it.

load lib
load guests

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: rtc
	machine: {cpus: 1, memory: 256MiB}
	vms:
	  - {name: rtc, image: $GUESTS/rtc.elf, memory: 32MiB, snapshots: {keep: 4}}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# ahead [MARK]: the guest's seconds minus the host's, in the next line it says
ahead() {
	local at now

	at=$(mark rtc)
	wait_for 20 said rtc '^rtc now=[0-9]+ late=[0-9]+$' "$at"
	now=$(log rtc | tail -n "+$((at + 1))" | sed -n 's/^rtc now=\([0-9]*\) late=.*/\1/p' | tail -n 1)
	echo $((now - $(date +%s)))
}

near() {
	[ "$1" -ge $(($2 - 3)) ] && [ "$1" -le $(($2 + 3)) ] || fails "$1 seconds ahead, not $2"
}

@test "it is QEMU's, and shows the time" {
	says rtc '^rtc id 31 10 14 0 d f0 5 b1$'
	says rtc '^rtc cr=1 imsc=0 ris=0 mis=0$'
	near "$(ahead)" 0
}

@test "its match wakes the guest, again and again" {
	local at

	at=$(mark rtc)
	wait_for 30 said rtc '^rtc now=.* late=' "$((at + 2))"
}

@test "a restore leaves the time right, and takes back what the guest had set" {
	local snapshot

	avctl snapshot take rtc --name before
	type_bytes rtc s
	wait_for 20 eval 'near "$(ahead)" 3600'
	avctl snapshot take rtc --name ahead
	avctl restore rtc --name before --no-undo
	near "$(ahead)" 0
	avctl restore rtc --name ahead --no-undo
	near "$(ahead)" 3600
}
