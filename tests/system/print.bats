#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# print.bats - strings in the hypervisor's log by hvc #3 (Show 4 of issue 2).

load lib
load guests

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: print
	machine: {cpus: 2, memory: 512MiB}
	vms:
	  - {name: vm1, image: $GUESTS/print.elf, memory: 64MiB}
	  - {name: vm2, image: $GUESTS/shell.elf, memory: 32MiB}
	  - {name: vm3, image: $GUESTS/heartbeat.elf, memory: 32MiB}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# printed VM TEXT: its line in the hypervisor's log
printed() {
	hypervisor_log | grep -qE "^\[ *[0-9]+\.[0-9]{6}\] $1: print: $2\$"
}

refused() {
	hypervisor_log | grep -qE "\] vm1: print refused: $1\$"
}

@test "strings on the stack, behind another address, over two pages and constant appear in the log, tagged by VM" {
	says vm1 '^print: done'
	wait_for 10 printed vm1 'good: a constant'
	printed vm1 'good: Hello, Hypervisor! from the stack'
	printed vm1 'good: Hello, Hypervisor! through another address'
	printed vm1 'good: a string over the end of a page'
	[ "$(hypervisor_log | grep -c 'print: ')" -eq 4 ]
}

@test "what another VM prints has its own tag" {
	says vm2 'shell: start'
	tell vm2 'print good: Hello from the other one'
	wait_for 10 printed vm2 'good: Hello from the other one'
}

@test "bad pointers, unterminated strings and strings into a page that is not there are refused and not shown" {
	says vm1 '^print: done'
	wait_for 10 refused 'bad pointer \(0xffffffffffffffff\)'
	refused 'it runs into a page that is not there \(0x4040000fec\)'
	refused 'no end within 512 bytes \(0x42000000\)'
	for address in 0x4040001000 0x0 0x9000000 0x3fffff000 0xffff0012345678 0xffff000012345678; do
		refused "bad pointer \($address\)"
	done
	[ "$(hypervisor_log | grep -c 'print refused')" -eq 9 ]
	run hypervisor_log
	[[ "$output" != *BAD* && "$output" != *BBBB* ]]
}

@test "the guest goes on after each, and so does its neighbour" {
	local at

	says vm1 '^print: done'
	[ "$(log vm1 | grep -c '^print: went on$')" -eq 13 ]
	at=$(mark vm1)
	says vm1 '^print: alive ' "$at"
	field_is state vm1 running
	heart_beats vm3
	audit vm1 vm2 vm3
}
