#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# checkpoint.bats - a checkpoint and restores of it by hvc #1 and #2 (Show 1 of issue 2).

load lib
load guests

setup_file() {
	machine_begin
	on_cpu cortex-a57
}

on_cpu() {
	set_up <<-END
	version: 1
	name: checkpoint
	machine: {cpus: 2, memory: 512MiB, cpu: "$1"}
	vms:
	  - {name: vm1, image: $GUESTS/checkpoint.elf, memory: 64MiB}
	  - {name: vm2, image: $GUESTS/heartbeat.elf, memory: 32MiB}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

canary_survives() {
	says vm1 '^checkpoint: done'
	# The first time, and after each of four restores.
	expect_equal "$(log vm1 | grep '^canary ')" "$(printf 'canary round=%d ok\n' 0 1 2 3 4)"
	run log vm1
	[[ "$output" != *BAD* && "$output" != *'CAME BACK'* ]]
}

@test "registers, FP registers and EL1 system registers are after each restore as at the checkpoint" {
	canary_survives
}

@test "each restore prints the static and the register variable of the checkpoint again" {
	says vm1 '^checkpoint: done'
	[ "$(log vm1 | grep -c '^Before checkpoint, i(static)=0, j(register)=1131796$')" -eq 1 ]
	[ "$(log vm1 | grep -c '^After checkpoint, i=0, j=1131796$')" -eq 5 ]
	[ "$(log vm1 | grep -c '^After checkpoint')" -eq 5 ]
	[ "$(log vm1 | grep -c '^Changed, i=10, j=20$')" -eq 5 ]
}

# What a cortex-a57 does not have, or as zeros only.
FIXED='hidden keys amair_el1 afsr0_el1 afsr1_el1'

@test "a register that alone differs comes back, too" {
	says vm1 '^checkpoint: done'
	run log vm1
	[[ "$output" != *BAD* ]]
	expect_equal "$(log vm1 | awk '$1 == "alone" && $3 == "fixed" { print $2 }' | xargs)" "$FIXED"
	[ "$(log vm1 | grep -c '^alone .* changed$')" -eq 29 ]
	# Four restores in each of the other scenes, and one for each register.
	[ "$(field generation vm1)" -eq $((4 + 4 + 29 + 5)) ]
}

@test "the hypervisor says which ids were taken and restored, and goes on with guest and neighbour" {
	says vm1 '^checkpoint: done'
	[ "$(hypervisor_log | grep -c 'vm1: checkpoint: ID=[012]$')" -eq 3 ]
	[ "$(hypervisor_log | grep -c 'vm1: restore: ID=0$')" -eq 4 ]
	[ "$(hypervisor_log | grep -c 'vm1: restore: ID=1$')" -eq 4 ]
	[ "$(hypervisor_log | grep -c 'vm1: restore: ID=2$')" -eq 34 ]
	local at
	at=$(mark vm1)
	says vm1 '^checkpoint: alive ' "$at"
	heart_beats vm2
	audit vm1 vm2
}

@test "so they are on a PE of today, keys of pointer authentication among them" {
	avctl down
	on_cpu max,pauth-impdef=on
	canary_survives
	said vm1 '^checkpoint: start, pointer authentication keys: yes'
	said vm1 '^checkpoint: hidden registers: 2'
	[ "$(log vm1 | grep -c '^After checkpoint, i=0, j=1131796$')" -eq 5 ]
	expect_equal "$(log vm1 | awk '$1 == "alone" && $3 == "fixed" { print $2 }' | xargs)" 'amair_el1 afsr0_el1 afsr1_el1'
	[ "$(log vm1 | grep -c '^alone .* changed$')" -eq 31 ]
	heart_beats vm2
	audit vm1 vm2
}
