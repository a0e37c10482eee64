#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# smp.bats - VMs with several vCPUs (Show 3 of issue 3), spread over two physical CPUs and stacked on one.

load lib
load guests

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: smp
	machine: {cpus: 2, memory: 1GiB}
	vms:
	  - {name: wide, image: $GUESTS/smp.elf, memory: 32MiB, cpus: 2, cpu: [0, 1], snapshots: {keep: 8, memory: 64MiB}}
	  - {name: tall, image: $GUESTS/smp.elf, memory: 32MiB, cpus: 2, cpu: 1, snapshots: {keep: 8, memory: 64MiB}}
	  - {name: eight, image: $GUESTS/smp.elf, memory: 32MiB, cpus: 8, snapshots: {keep: 8, memory: 64MiB}}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

VMS="wide tall eight"

# does VM NAME [ARGUMENT]: the guest's command, done and right
does() {
	local at

	at=$(mark "$1")
	tell "$1" "$2${3:+ $3}"
	wait_for 60 said "$1" "^smp: $2: " "$at"
	says "$1" "^smp: $2: ok" "$at"
}

each_does() {
	local vm

	for vm in $VMS; do
		does "$vm" "$@"
	done
}

@test "each VM finds its vCPUs, and ps and status show them" {
	says wide '^smp: start, 2 vCPUs'
	says tall '^smp: start, 2 vCPUs'
	says eight '^smp: start, 8 vCPUs'
	run avctl ps
	expect_output '^wide +running +2 +0,1 '
	expect_output '^tall +running +2 +1,1 '
	expect_output '^eight +running +8 +[01],[01],[01],[01],[01],[01],[01],[01] '
	field_is vcpus eight 8
	run avctl status wide
	expect_output '^vCPU power +(on|waiting),off$'
	expect_output '^Physical CPUs +0,1$'
}

@test "two vCPUs sum to 719400 by CPU_ON and join" {
	each_does sum
	says wide '^179700 \+ 539700 = 719400$'
}

@test "PSCI answers as the table in abi/README.md says, with vCPUs on and off" {
	each_does psci
}

@test "SGIs reach the vCPUs that are named, or all others" {
	each_does sgi
}

@test "a vCPU is turned off and on again fifty times, and is reset each time" {
	each_does again
}

@test "vCPUs wake each other from WFI, by SGIs and by a device's interrupt, and none is lost" {
	each_does pong "${SOAK:+20}1000"
	each_does uart "${SOAK:+2}200"
	each_does many
}
