#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# clones.bats - VMs made from snapshots: each goes on by itself, what they share stays, and nothing is left of a removed one.

load lib
load guests

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: clones
	machine: {cpus: 2, memory: 512MiB}
	vms:
	  - {name: vm1, image: $GUESTS/heartbeat.elf, memory: 32MiB}
	  - {name: sh, image: $GUESTS/shell.elf, memory: 16MiB}
	  - {name: large, image: $GUESTS/shell.elf, memory: 64MiB, start: paused}
	shm:
	  - {name: board, size: 4KiB, members: {sh: rw}}
	spare: {count: 4, memory: 32MiB, budget: 8MiB}
	END
	says vm1 ' count=5 '
	avctl snapshot take vm1 --name warm --pin
	says sh 'shell: start'
	avctl snapshot take sh --name idle --pin
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

teardown() {
	avctl rm $(clones) >/dev/null 2>&1 || :
}

# The clones there are, those of clones first.
clones() {
	avctl ps -o json | json "' '.join(v['name'] for v in reversed(d['vms']) if v.get('source'))"
}

nonce() {
	log "$1" | sed -n 's/^heartbeat nonce=\([0-9a-f]*\) .*/\1/p' | sort -u
}

first_count() {
	log "$1" | sed -n 's/^heartbeat nonce=.* count=\([0-9]*\) .*/\1/p' | head -n 1
}

# Counts on by ones, whatever it began with, and does so now.
counts_on() {
	local at

	at=$(mark "$1")
	says "$1" '^heartbeat nonce=' "$((at + 1))"
	log "$1" | awk -F'count=' '/^heartbeat nonce=/ { split($2, w, " "); if (seen && w[1] != seen + 1) exit 1; seen = w[1] }'
}

@test "clones and their source each go on from the snapshot, and a crash of one harms none" {
	local from

	counts_on vm1 # beyond the snapshot: a clone's first count is one that it has had since
	from=$(log vm1 | sed -n 's/^heartbeat nonce=.* count=\([0-9]*\) .*/\1/p' | tail -n 1)
	run avctl clone vm1 --name warm a
	expect_status 0
	expect_output '^a from vm1@0 \(generation 1, '
	avctl clone vm1 --id 0 b
	avctl clone sh --name idle c
	for vm in vm1 a b; do
		counts_on $vm
	done
	expect_equal "$(nonce a)$(nonce b)" "$(nonce vm1)$(nonce vm1)" "nonces"
	[ "$(first_count a)" -le "$from" ]
	[ "$(first_count b)" -le "$from" ]
	tell c crash
	avctl wait c crashed -t 20s
	avctl stop b
	counts_on vm1
	avctl restart vm1 sh
	avctl restore vm1 --name warm -q
	counts_on a
	says vm1 '^heartbeat nonce=' "$(mark vm1)"
	field_is state c crashed
	audit vm1 sh a b c
}

@test "each clone has an identity and a generation of its own, greater than its source's" {
	avctl restore sh --name idle -q
	avctl clone sh --name idle a
	avctl clone sh --name idle b
	[ "$(field generation a)" -gt "$(field generation sh)" ]
	for vm in sh a b; do
		tell $vm nonce
		says $vm '^nonce'
	done
	avctl ps -o json | json "len(set((v['source'], v['source_id']) for v in d['vms'] if v.get('source')))" | grep -x 1
	# Another one in the same slot has another identity.
	first=$(field generation b)
	avctl rm b
	avctl clone sh --name idle b
	[ "$(field generation b)" -gt "$first" ]
}

@test "a snapshot that a clone was made from cannot go, whatever is pinned" {
	avctl snapshot take vm1 --name held
	avctl clone vm1 --name held a
	run avctl snapshot delete vm1 held
	expect_status 4
	expect_output 'held: its clones share its pages: a \(from [0-9]*\)$'
	expect_output 'hint: avctl rm NAME'
	avctl snapshot take vm1 --name newer
	run avctl snapshot prune vm1 --keep-last 1
	expect_status 0
	expect_output 'held .*keep .*held by a clone'
	avctl snapshot show vm1 held | grep -q '^Clones *1'
	avctl rm a
	avctl snapshot delete vm1 held
}

@test "a removed clone gives every frame back, and its slot takes another VM" {
	local before

	before=$(free_frames vm1 sh)
	avctl clone vm1 --name warm a
	says a '^heartbeat nonce='
	avctl snapshot take a --name mine
	avctl clone a --name mine b
	says b '^heartbeat nonce='
	avctl restore b --boot -q
	avctl clone sh --boot c
	says c 'shell: start'
	tell c 'touch 0x40300000 600 7'
	says c 'touch: 600 pages'
	run avctl rm a
	expect_status 4
	audit a b c
	avctl rm b a c
	expect_equal "$(free_frames vm1 sh)" "$before" "free frames"
	avctl resume vm1 sh
	audit vm1 sh
}

@test "a clone's snapshots are its own: taken, restored, undone, deleted; a restart goes back to where it was made" {
	avctl clone sh --name idle a
	avctl snapshot take a --name one
	tell a 'poke 0x40300000 7'
	avctl restore a --name one
	tell a 'peek 0x40300000'
	says a '0x0*$'
	avctl restore a --undo
	at=$(mark a)
	tell a 'peek 0x40300000'
	says a '7$' "$at"
	run avctl snapshot list a
	expect_output '^ *0 one '
	avctl restart a
	never_said a 'shell: start'
	avctl snapshot delete a one
	avctl snapshot list sh | grep -q idle
	audit a sh
}

@test "what a clone printed is its own log, also when it is gone and another has the slot" {
	avctl clone sh --name idle a
	tell a 'echo from-a'
	says a 'from-a'
	avctl rm a
	avctl clone sh --name idle b
	tell b 'echo from-b'
	says b 'from-b'
	avctl wait b log=from-b -t 20s
	log a | grep -q from-a
	! log a | grep -q from-b
	! log b | grep -q from-a
}

@test "a clone is in none of its source's regions, and is told" {
	avctl clone sh --name idle a
	avctl events a | grep -q 'region-lost.*board'
	avctl events a | grep -q ' clone .*a=2 b=[0-9]* a$'
	tell a 'peek 0x70000000'
	says a '^EXCEPTION|abort'
}

@test "what cannot be is refused with what to do" {
	run avctl clone vm1 --name warm sh
	expect_status 4
	expect_output 'there is a VM "sh" already'
	run avctl clone vm1 --name warm Bad
	expect_status 2
	run avctl clone vm1 a
	expect_status 2
	run avctl clone vm1 --id 77 a
	expect_status 3
	run avctl logs a2
	expect_status 3
	run avctl clone large --boot a
	expect_status 1
	expect_output 'large is larger than a spare slot takes'
	expect_output 'hint: spare: \{count: 4, memory: 64MiB'
	run avctl rm vm1
	expect_status 4
	run avctl rm nobody
	expect_status 3
	for vm in a b c d; do
		avctl clone vm1 --name warm $vm --paused
	done
	field_is state d paused
	run avctl clone vm1 --name warm e
	expect_status 1
	expect_output 'all 4 spare slots are in use'
	run avctl ps -o name
	expect_equal "$(wc -l <<<"$output")" 7 "VMs"
}

@test "a clone whose avctl is killed is there or it is not" {
	local i vm

	for i in 1 2 3 4; do
		avctl clone vm1 --name warm k$i >/dev/null 2>&1 &
		kill -9 $!
		wait $! 2>/dev/null || :
	done
	for vm in $(clones); do
		counts_on $vm
		audit $vm
	done
	avctl rm $(clones) 2>/dev/null || :
	expect_equal "$(clones)" "" "clones"
	avctl clone vm1 --name warm after
	counts_on after
}
