#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# doorbell.bats - flags between VMs: masked, waited for, at full speed from two VMs, and as a storm (Show 5 of issue 5).
# 50,000 rings in check, 1,000,000 in soak. The storm has a machine of its own, of one CPU, that counts instructions: there
# late means late, whatever else the host does.

load lib
load guests

setup_file() {
	local rings=25000

	[ -z "${SOAK:-}" ] || rings=500000
	machine_begin
	set_up <<-END
	version: 1
	name: bells
	machine: {cpus: 2, memory: 512MiB}
	vms:
	  - {name: ear, image: $GUESTS/doorbell.elf, memory: 16MiB, cpus: 2}
	  - {name: one, image: $GUESTS/doorbell.elf, memory: 16MiB, cpu: 0}
	  - {name: two, image: $GUESTS/doorbell.elf, memory: 16MiB, cpu: 1}
	shm:
	  - {name: bell, size: 8KiB, init: "$rings", members: {ear: rw, one: rw, two: rw}}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# part_ends NAME SECONDS: the listener said it is right.
part_ends() {
	wait_for "$2" said ear "^$1: " || fails "$1 does not end" "$(log ear)" "$(log one)" "$(log two)"
	said ear "^$1: ok" || fails "$1 went wrong" "$(log ear)"
}

@test "a wait ends by its flag, by its deadline or by an interrupt, and by nothing else" {
	part_ends waits 20
}

@test "one call rings, waits and takes what it waited for" {
	part_ends calls 20
}

@test "an interrupt goes to the vCPU that the receiver chose" {
	part_ends routed 20
}

@test "64 flags rung while masked arrive once each, by one interrupt" {
	part_ends masked 20
}

@test "two VMs ring at full speed, and nothing rung after the last look is missing" {
	part_ends race "${SOAK:+6}60"
	log ear | grep 'rings,' >&2
	says one '^ringer: ok'
	says two '^ringer: ok'
	audit ear one two
}

# The last one: it ends the first machine.
@test "a storm on one VM leaves the timer of a neighbour on the same CPU within 5%" {
	local vm

	avctl down
	export AVCTL_QEMU_ARGS='-icount shift=0,sleep=off'
	set_up <<-END
	version: 1
	name: storm
	machine: {cpus: 1, memory: 256MiB}
	vms:
	$(for vm in ear one two three four; do
		echo "  - {name: $vm, image: $GUESTS/storm.elf, memory: 16MiB}"
	done)
	shm:
	  - {name: bell, size: 4KiB, members: {ear: rw, one: rw, two: rw, three: rw, four: rw}}
	END
	wait_for 60 said two '^storm: (ok|FAILED)' || fails "no end" "$(log two)"
	log two | grep '^storm: ' >&2
	said two '^storm: ok'
}
