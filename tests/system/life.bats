#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# life.bats - guests that turn themselves off or reset themselves (Show 8 of issue 2).

load lib
load guests

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: life
	machine: {cpus: 2, memory: 512MiB}
	vms:
	  - {name: vm1, image: $GUESTS/shell.elf, memory: 32MiB}
	  - {name: vm2, image: $GUESTS/reset-loop.elf, memory: 32MiB, start: paused}
	  - {name: heart1, image: $GUESTS/heartbeat.elf, memory: 32MiB, cpus: 1}
	  - {name: heart2, image: $GUESTS/heartbeat.elf, memory: 32MiB, cpus: 1}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

nonce() {
	log vm1 | sed -n 's/^shell: start nonce=\([0-9a-f]*\).*/\1/p' | tail -n 1
}

hearts_beat() {
	heart_beats heart1
	heart_beats heart2
}

# turns_off COMMAND: the guest does it, is stopped, its neighbours run; start boots it anew.
turns_off() {
	local at old

	says vm1 '^shell: start'
	old=$(nonce)
	at=$(mark vm1)
	tell vm1 "$1"
	wait_for 10 field_is state vm1 stopped
	says vm1 "^$1: now" "$at"
	[ "$(avctl ps -o json | json '[v["state"] for v in d["vms"] if v["name"] == "vm1"][0]')" = stopped ]
	run avctl resume vm1
	expect_status 4
	hearts_beat
	field_is state vm1 stopped
	never_said vm1 'CAME BACK'
	at=$(mark vm1)
	avctl start vm1
	says vm1 '^shell: start nonce=' "$at"
	[ "$(nonce)" != "$old" ]
	field_is state vm1 running
}

@test "SYSTEM_OFF by hvc stops the VM, its neighbours run, and start boots it again" {
	turns_off off
}

@test "SYSTEM_OFF by smc stops the VM, its neighbours run, and start boots it again" {
	turns_off off-smc
}

@test "CPU_OFF of the only vCPU stops the VM, its neighbours run, and start boots it again" {
	turns_off cpu-off
}

@test "a VM that turned itself off can be restored to before" {
	local id old

	says vm1 '^shell: start'
	old=$(nonce)
	id=$(avctl snapshot take vm1 -o name)
	tell vm1 off
	wait_for 10 field_is state vm1 stopped
	avctl restore vm1 --id "$id"
	field_is state vm1 running
	tell vm1 nonce
	says vm1 "^nonce=$old "
	avctl snapshot delete vm1 "$id" undo
}

@test "SYSTEM_RESET boots the VM again and counts as a restart" {
	local old at restarts

	old=$(nonce)
	at=$(mark vm1)
	restarts=$(field restarts vm1)
	tell vm1 reset
	says vm1 '^shell: start nonce=' "$at"
	[ "$(nonce)" != "$old" ]
	field_is restarts vm1 $((restarts + 1))
	field_is state vm1 running
	never_said vm1 'CAME BACK'
	hearts_beat
}

@test "a loop of resets ends crashed with that reason after ten, and its neighbours run" {
	local round

	avctl resume vm2
	for round in 1 2; do
		wait_for 20 field_is state vm2 crashed
		[ "$(log vm2 | grep -c '^reset-loop: generation=')" -eq $((11 * round)) ]
		[[ "$(field reason vm2)" == 'reset loop'* ]]
		run avctl ps
		expect_output '^vm2 +crashed .*reset loop'
		avctl events vm2 -o jsonl | grep -q 'reset loop'
		never_said vm2 'CAME BACK'
		hearts_beat
		# A crashed VM can be booted again; this one will end as before.
		[ $round -eq 2 ] || avctl start vm2
	done
	audit vm1 vm2 heart1 heart2
}

@test "avctl restart does not count as a reset" {
	local i

	for ((i = 0; i < 15; i++)); do
		avctl restart vm1 >/dev/null
	done
	says vm1 '^shell: start' "$(mark vm1)" || field_is state vm1 running
	field_is state vm1 running
}
