#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# debug.bats - breakpoints, watchpoints and single steps that guests set for themselves, switched with their vCPUs: three VMs with the
# same code at the same addresses on two CPUs, one of them on both (issue 3, fidelity).

load lib
load guests

setup_file() {
	machine_begin
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

VMS="debug1 debug2 debug3"
CHECKS=13

# stopped_on CPU-MODEL
stopped_on() {
	local vm

	set_up <<-END
	version: 1
	name: debug
	machine: {cpu: "$1", cpus: 2, memory: 512MiB}
	vms:
	  - {name: debug1, image: $GUESTS/debug.elf, memory: 32MiB, cpus: 2, cpu: [0, 1], snapshots: {keep: 30, memory: 64MiB}}
	  - {name: debug2, image: $GUESTS/debug.elf, memory: 32MiB, cpu: 1, snapshots: {keep: 30, memory: 64MiB}}
	  - {name: debug3, image: $GUESTS/debug.elf, memory: 32MiB, cpu: 1, snapshots: {keep: 30, memory: 64MiB}}
	  - {name: heart, image: $GUESTS/heartbeat.elf, memory: 32MiB, cpu: 1}
	END
	for vm in $VMS; do
		wait_for 60 said $vm '^debug: goes on'
		never_wrong $vm
		expect_equal "$(log $vm | grep -c '^debug: .*: ok$')" $CHECKS "checks of $vm"
	done
	says debug1 '^debug: goes on with 2'
}

# go_on: each vCPU gets on, and nothing was wrong
go_on() {
	local vm at

	for vm in $VMS; do
		at=$(mark $vm)
		wait_for 60 said $vm '^debug: rounds [0-9]+ [0-9]+' "$((at + 2))"
		never_wrong $vm
	done
}

@test "each VM is stopped where it wants to be, and steps over what the hypervisor emulates" {
	stopped_on cortex-a57
	go_on
	heart_beats heart
}

@test "what is armed is its vCPU's own: restores, switches and neighbours leave it right" {
	restored_in_turns $VMS
	go_on
	audit $VMS
}

@test "snapshot diff tells the debug registers" {
	avctl -q pause debug2
	avctl -q snapshot take debug2 --name still
	run avctl snapshot diff debug2 still live
	expect_status 0
	run avctl snapshot diff debug2 boot still
	expect_output '^device debug differs'
	avctl -q resume debug2
	go_on
}

@test "a restart clears them" {
	local vm at

	for vm in $VMS; do
		at=$(mark $vm)
		avctl -q restart $vm
		wait_for 60 said $vm '^debug: reset: ok' "$at"
		wait_for 60 said $vm '^debug: goes on' "$at"
		never_wrong $vm
	done
	go_on
	avctl -q down
}

@test "the same on max" {
	stopped_on max,pauth-impdef=on
	go_on
	avctl -q down
}
