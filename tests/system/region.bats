#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# region.bats - regions got by key at run time, sections, the state table (Shows 1, 4 and 9 of issue 5).
# 100 rounds of the isolation show in check, 1,000 in soak.

load lib
load guests

NINE="c1 c2 c3 c4 c5 c6 c7 c8 c9"

setup_file() {
	local vm

	machine_begin
	{
		cat <<-END
		version: 1
		name: regions
		machine: {cpus: 2, memory: 1GiB, shm: 2MiB}
		vms:
		  - {name: t0, image: $GUESTS/tenant.elf, memory: 8MiB, snapshots: {memory: 2MiB}}
		  - {name: t1, image: $GUESTS/tenant.elf, memory: 8MiB, snapshots: {memory: 2MiB}}
		  - {name: s0, image: $GUESTS/sections.elf, memory: 8MiB, snapshots: {memory: 2MiB}}
		  - {name: s1, image: $GUESTS/sections.elf, memory: 8MiB, snapshots: {memory: 2MiB}}
		  - {name: s2, image: $GUESTS/sections.elf, memory: 8MiB, snapshots: {memory: 2MiB}}
		  - {name: p0, image: $GUESTS/peer.elf, memory: 8MiB, snapshots: {memory: 2MiB}}
		  - {name: p1, image: $GUESTS/shell.elf, memory: 8MiB, snapshots: {memory: 2MiB}}
		END
		for vm in $NINE; do
			echo "  - {name: $vm, image: $GUESTS/consensus.elf, memory: 8MiB, snapshots: {memory: 2MiB}}"
		done
		cat <<-END
		shm:
		  - name: desk
		    size: 4KiB
		    members: {t0: rw, t1: rw}
		    fields: [{name: go, at: 0, type: u64}, {name: done, at: 8, type: u64}, {name: bad, at: 16, type: u64},
		             {name: lost, at: 24, type: u64}, {name: kept, at: 32, type: u64}]
		  - {name: cut, size: 8KiB, output: 8KiB, members: {s0: rw, s1: rw, s2: ro}}
		  - {name: pair, size: 4KiB, members: {p0: rw, p1: rw}}
		END
	} | set_up
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

all_exited() {
	local vm

	for vm in $NINE; do
		said "$vm" '^consensus: exited' || return 1
	done
}

pages_used() {
	agent machine | sed -n 's/.* shm_used=\([0-9]*\).*/\1/p'
}

no_pages_used() {
	[ "$(pages_used)" = 0 ]
}

@test "nine VMs elect nine winners by exchange in a region they got by key, and its pages are free afterwards" {
	local vm

	wait_for 60 all_exited || log c1
	for vm in $NINE; do
		said "$vm" '^consensus: exited ok' || fails "$vm: $(log "$vm")"
		log "$vm" | sed -n 's/^consensus: selected at round //p'
	done | sort | tr '\n' ' ' >rounds
	expect_equal "$(cat rounds)" "0 1 2 3 4 5 6 7 8 " "rounds that had a winner"
	for vm in $NINE; do
		log "$vm" | grep '^consensus: back elsewhere' || :
	done >back
	expect_equal "$(wc -l <back)" 1 "VMs that left and came back"
	no_pages_used
	[ "$(agent 'events since=1' | grep -c ' kind=attach ')" -ge 1 ]
	audit $NINE
}

@test "a member writes the common section and its own, aborts at any other page, lives, and reads all" {
	local vm

	for vm in s0 s1 s2; do
		says "$vm" '^sections: member . tried'
	done
	for vm in s0 s1 s2; do
		says "$vm" '^sections: round [0-9]+ ok' "$(mark "$vm")"
		never_said "$vm" 'WRONG|FAILED'
	done
	avctl shm dump cut >dump
	[ "$(agent regions | sed -n 's/.* name=cut .* members=\([^ ]*\) .* common=8192 output=8192 .*/\1/p')" = s0:rw,s1:rw,s2:ro ]
	audit s0 s1 s2
}

# peer_says STATE MARK: p0 has seen p1 change to it.
peer_says() {
	says p0 "^peer: member 1 generation $1\$" "$2"
}

@test "peers are told of each other's states and generations, by the state table and a doorbell" {
	local at before

	says p0 '^peer: member 1 generation 0 running$'
	at=$(mark p0)
	avctl pause p1
	peer_says '0 paused' "$at"
	avctl resume p1
	peer_says '0 running' "$at"
	avctl stop p1
	peer_says '0 stopped' "$at"
	avctl start p1
	peer_says '1 running' "$at"
	avctl snapshot take p1 -q
	avctl restore p1 --latest
	peer_says '2 running' "$at"
	before=$(mark p1)
	avctl restart p1
	peer_says '3 running' "$at"
	says p1 'shell: start' "$before"
	tell p1 crash
	peer_says '3 crashed' "$at"
	avctl restore p1 --latest --paused
	peer_says '4 paused' "$at"
	avctl restore p1 --latest
	peer_says '5 running' "$at"
	audit p0 p1
}

@test "a restore keeps the flags that are pending, adds those of the snapshot, and takes its mask" {
	says p0 '^peer: rewound with pending 0x3 mask 0x100$'
}

@test "who goes back to a snapshot finds its own bytes or a hole, never another's: random rounds, counted after each" {
	local round rounds=100

	[ -z "${SOAK:-}" ] || rounds=1000
	for ((round = 1; round <= rounds; round++)); do
		avctl shm poke desk "go=$round" --yes >/dev/null
		avctl shm watch desk --until "done==$round" --interval 2ms --timeout 20s >/dev/null ||
			fails "round $round: $(log t0) $(log t1)"
		agent machine 'audit vm=t0' 'audit vm=t1' >counted || fails "round $round: $(cat counted)"
		grep -q ' shm_used=0\b' counted || fails "round $round: $(cat counted)"
	done
	expect_equal "$(avctl shm peek desk bad)" 0 "wrong finds"
	[ "$(avctl shm peek desk lost)" -gt $((rounds / 5)) ]
	[ "$(avctl shm peek desk kept)" -gt $((rounds / 5)) ]
	[ "$(agent "events since=1" | grep -c ' kind=region-lost ')" -ge 1 ] || agent "machine"
}

@test "who stops, crashes or restarts gives up what it had got, and an attached region outlives one of its members" {
	no_pages_used
	avctl restart c1 c2 -q
	wait_for 20 pages_are_used
	avctl stop c1
	avctl restart c3 -q
	[ "$(pages_used)" -gt 0 ]
	avctl stop c2
	avctl restart p1 -q
	[ "$(pages_used)" -gt 0 ]
	avctl stop c3
	no_pages_used
	audit $NINE
}

pages_are_used() {
	[ "$(pages_used)" -gt 0 ] && said c1 '^consensus: member' && said c2 '^consensus: member'
}
