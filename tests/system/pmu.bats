#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# pmu.bats - the performance counters of guests, switched with their vCPUs: three VMs that count, on two CPUs, and one beside
# them that does not (issue 3, fidelity).

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

VMS="pmu1 pmu2 pmu3"

# counts_on CPU-MODEL
counts_on() {
	local vm

	set_up <<-END
	version: 1
	name: pmu
	machine: {cpu: "$1", cpus: 2, memory: 512MiB}
	vms:
	  - {name: pmu1, image: $GUESTS/pmu.elf, memory: 32MiB, cpu: 0, snapshots: {keep: 30, memory: 64MiB}}
	  - {name: pmu2, image: $GUESTS/pmu.elf, memory: 32MiB, cpu: 1, snapshots: {keep: 30, memory: 64MiB}}
	  - {name: pmu3, image: $GUESTS/pmu.elf, memory: 32MiB, cpu: 1, snapshots: {keep: 30, memory: 64MiB}}
	  - {name: heart, image: $GUESTS/heartbeat.elf, memory: 32MiB, cpu: 1}
	END
	for vm in $VMS; do
		wait_for 60 said $vm '^pmu: counts'
		never_wrong $vm
		expect_equal "$(log $vm | grep -c '^pmu: .*: ok$')" 16 "checks of $vm"
	done
}

@test "each VM finds its counters, and counts, is interrupted and goes back in time with them" {
	counts_on cortex-a57
	heart_beats heart
}

@test "a counter is its VM's own: restores, switches and neighbours leave it right" {
	local vm

	restored_in_turns $VMS
	for vm in $VMS; do
		says $vm '^pmu: share' "$(mark $vm)"
		never_wrong $vm
	done
	audit $VMS
}

# Two spin on CPU 1: neither counts while the other runs.
@test "cycles are counted while the VM runs, and not while another does" {
	local vm at

	for vm in pmu2 pmu3; do
		at=$(mark $vm)
		wait_for 60 said $vm '^pmu: share' "$((at + 2))"
		log $vm | tail -n "+$((at + 1))" | sed -n 's/^pmu: share \([0-9]*\)%/\1/p' | awk '
			{ sum += $1; n++ } END { print "# share: " sum / n " %"; exit !(n && sum / n > 25 && sum / n < 75) }' >&3
	done
	avctl -q down
}

@test "the same counters on max,pauth-impdef=on" {
	counts_on max,pauth-impdef=on
	avctl -q down
}

@test "without a PMU in the machine the ID register says so, and its registers are UNDEFINED" {
	set_up <<-END
	version: 1
	name: pmu
	machine: {cpu: "cortex-a57,pmu=off", cpus: 1, memory: 512MiB}
	vms:
	  - {name: pmu1, image: $GUESTS/pmu.elf, memory: 32MiB}
	END
	says pmu1 '^pmu: none, UNDEFINED'
	avctl -q down
}
