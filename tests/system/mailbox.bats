#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# mailbox.bats - three VMs and three named channels (Show 3 of issue 5), and an allocator that three VMs share (Show 4). The guests
# check each message and each block themselves; 8 seconds, 60 under SOAK=1.

load lib
load guests

setup_file() { machine_begin; }
teardown_file() { machine_end; }
setup() { machine_here; }

value() {
	avctl shm dump board -o json | json "d['fields']['$1']"
}

at_least() {
	[ "$(value "$1")" -ge "$2" ]
}

# set_of NAME IMAGE SIZE FIELDS
set_of() {
	local vm

	set_up <<-END
	version: 1
	name: $1
	machine: {cpus: 2, memory: 512MiB}
	vms:
	$(for vm in 1 2 3; do
		echo "  - {name: vm$vm, image: $GUESTS/$2.elf, memory: 16MiB, cpu: $((vm % 2))}"
	done)
	shm:
	  - {name: board, size: $3, members: {vm1: rw, vm2: rw, vm3: rw}${4:+, fields: [$4]}}
	END
}

@test "every message is whole, in order, none lost or doubled, never more received than sent" {
	local end vm looks=0 counts seconds=8

	set_of mailbox mailbox 128KiB '{name: over, at: 0, type: u64}, {name: received, at: 64, type: "u64[9]"},
		{name: sent, at: 136, type: "u64[9]"}, {name: waits, at: 208, type: "u64[3]"}'
	[ -z "${SOAK:-}" ] || seconds=60
	end=$((SECONDS + $seconds))
	while [ $SECONDS -lt $end ]; do
		# received lies before sent: it is copied first, so it is the older one
		counts=$(avctl shm dump board -o json | json "all(r <= s for r, s in zip(d['fields']['received'], d['fields']['sent']))")
		expect_equal "$counts" True "received <= sent"
		looks=$((looks + 1))
		read -r -t 0.2 <> <(:) || :
	done
	avctl shm poke board over=1 --yes
	for vm in vm1 vm2 vm3; do
		says $vm '^mailbox: end'
		never_said $vm 'WRONG|panic'
	done
	expect_equal "$(avctl shm dump board -o json | json "d['fields']['sent'] == d['fields']['received']")" True "all that was sent was received"
	expect_equal "$(avctl shm dump board -o json | json "min(x for i, x in enumerate(d['fields']['sent']) if i % 4) > 100")" True "each sent to each"
	echo "# $looks looks, $(avctl shm dump board -o json | json "sum(d['fields']['sent'])") messages, waits $(value waits)" >&3
	avctl down
}

@test "blocks of three VMs are zero and never overlap, and those of a past life come back" {
	local vm at

	set_of heap heap 64KiB ''
	for vm in vm1 vm2 vm3; do
		says $vm '^heap: [0-9]*000 rounds'
	done
	for vm in vm2 vm3 vm2; do
		at=$(mark $vm)
		avctl restart $vm
		says $vm '^heap: start, epoch [0-9]+, reaped' "$at"
		says $vm '^heap: [0-9]*000 rounds' "$at"
	done
	for vm in vm1 vm2 vm3; do
		at=$(mark $vm)
		says $vm '^heap: [0-9]*000 rounds' "$at"
		never_said $vm 'WRONG|panic'
	done
	expect_equal "$(log vm2 | grep -c '^heap: start')" 3 "lives of vm2"
}
