#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# oracle.bats - random operations on running VMs against a model that knows every page (Show 4 of issue 4).

load lib
load guests

OPERATIONS=${SOAK:+20000}
OPERATIONS=${OPERATIONS:-1000}

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: oracle
	machine: {cpus: 2, memory: 208MiB}
	vms:
	  - {name: one, image: $GUESTS/oracle.elf, memory: 16MiB, cpus: 1, snapshots: {keep: 7, memory: 12MiB}}
	  - {name: two, image: $GUESTS/oracle.elf, memory: 16MiB, cpus: 2, snapshots: {keep: 7, copy-back: true}}
	  - {name: four, image: $GUESTS/oracle.elf, memory: 16MiB, cpus: 4, snapshots: {keep: 7}}
	spare: {count: 3, budget: 4MiB}
	shm:
	  - {name: desk, size: 96KiB, members: {one: rw, two: rw, four: rw}}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

@test "$OPERATIONS random operations on 1, 2 and 4 vCPUs: each page as the model says, an audit after each, nothing leaked" {
	local seed=${AV_SEED:-$RANDOM}

	echo "seed $seed"
	run timeout $((120 + OPERATIONS / 4)) python3 "$BATS_TEST_DIRNAME/oracle.py" "$XDG_RUNTIME_DIR/avisor/oracle" \
		"$(field ram_file)" "$seed" "$OPERATIONS" {AVISOR_LOCK_FD}<&-
	echo "$output"
	say "$(tail -n 1 <<<"$output")"
	[ "$status" -eq 0 ] || say "hypervisor:" "$(hypervisor_log | tail -n 15)" "$(avctl ps 2>&1)" "$(avctl events 2>&1 | tail -n 12)"
	expect_status 0
	[ "$(tail -n 1 <<<"$output" | json 'd["copied_back"]["two"] != "0" and d["copied_back"]["one"] == "0"')" = True ]
}
