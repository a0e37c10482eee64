#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# sets.bats - set snapshots that are given up for room, that hold a crashed VM, and whose making is asked for twice.

load lib
load guests

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: sets
	machine: {cpus: 1, memory: 192MiB}
	vms:
	  - {name: a, image: $GUESTS/shell.elf, memory: 16MiB, snapshots: {keep: 3}}
	  - {name: b, image: $GUESTS/shell.elf, memory: 16MiB}
	shm:
	  - {name: board, size: 4KiB, members: {a: rw, b: rw}, fields: [{name: word, type: u64}]}
	END
	says a '^shell'
	says b '^shell'
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# The names of the sets, and of a VM's snapshots.
sets() {
	avctl snapshot list --sets -o json | json "' '.join(s['name'] for s in d['snapshots'] if s['id'] != 'undo')"
}

names() {
	avctl snapshot list "$1" -o json | json "' '.join(s['name'] for s in d['snapshots'] if s['name'])"
}

evicted() {
	avctl events --since "$1" -o json | json "' '.join(sorted((e['vm'] or '-') for e in d['events'] if e['kind'] == 'evict'))"
}

next_event() {
	avctl events -o json | json "d['next']"
}

forget_sets() {
	local name

	for name in $(sets); do
		avctl snapshot delete --all "$name" -q >/dev/null
	done
}

@test "with only parts left, a take gives up the oldest set as a whole, and says so" {
	local n at

	for n in one two three; do
		avctl snapshot take --all --name $n -q >/dev/null
	done
	at=$(next_event)
	run avctl snapshot take --all --name four
	expect_status 0
	expect_output '1 .*evicted to make room: avctl events tells which'
	expect_equal "$(sets)" "two three four" "sets"
	expect_equal "$(evicted "$at")" "- a b" "who lost one"
	# Of one VM alone: b loses its part, too.
	run avctl snapshot take a --name alone
	expect_status 0
	expect_equal "$(sets)" "three four" "sets"
	expect_equal "$(names a)" "three four alone" "snapshots of a"
	expect_equal "$(names b)" "three four" "snapshots of b"
	# What is no part goes first.
	avctl snapshot take --all --name five -q >/dev/null
	expect_equal "$(names a)" "three four five" "snapshots of a"
	# A pinned part keeps its set.
	avctl snapshot pin b three -q >/dev/null
	avctl snapshot take --all --name six -q >/dev/null
	expect_equal "$(sets)" "three five six" "sets"
	avctl snapshot pin b five -q >/dev/null
	avctl snapshot pin b six -q >/dev/null
	run avctl snapshot take --all --name seven
	expect_status 1
	expect_output '^avctl: error: a: as many snapshots as `keep` allows, and none that may be evicted'
	expect_output '^hint: avctl snapshot list a: delete or unpin one; or a higher `keep`'
	expect_equal "$(sets)" "three five six" "sets"
	avctl snapshot unpin b three -q >/dev/null
	avctl snapshot unpin b five -q >/dev/null
	avctl snapshot unpin b six -q >/dev/null
	audit a b
	forget_sets
}

@test "what goes back with --all can be undone, and is shown as that" {
	avctl snapshot take --all --name one -q >/dev/null
	avctl restore --all --name one -q >/dev/null
	run avctl snapshot list --sets
	expect_output '^undo .* a:undo,b:undo$'
	run avctl snapshot delete --all
	expect_status 2
	expect_output 'which set snapshot'
	expect_output '^hint: avctl snapshot list --sets'
	forget_sets
}

@test "a guest that asks for more snapshots than it may costs its neighbour no set" {
	local n

	for n in one two three; do
		avctl snapshot take --all --name $n -q >/dev/null
	done
	tell a 'hvc 0 0xc6000020 0xffffffff 0 0 0 0 0'
	says a '^hvc: 0xfffffffffffffff6'
	expect_equal "$(sets)" "one two three" "sets"
	forget_sets
}

@test "a set with a crashed VM in it: it crashes again, the others go on" {
	local at

	avctl shm poke board word=7 --yes -q >/dev/null
	tell a crash
	avctl wait a crashed -t 20s
	avctl snapshot take --all --name broken -q >/dev/null
	avctl restart a -q >/dev/null
	avctl shm poke board word=8 --yes -q >/dev/null
	at=$(mark b)
	avctl restore --all --name broken -q >/dev/null
	avctl wait a crashed -t 20s
	expect_equal "$(avctl shm peek board word)" 7 "word"
	tell b 'echo alive'
	says b '^alive' "$at"
	# And back to what it was before.
	avctl restore --all --undo -q >/dev/null
	field_is state a running
	expect_equal "$(avctl shm peek board word)" 8 "word"
	audit a b
	forget_sets
}

@test "asked again after a lost answer, there is one set, with the same number" {
	local first again

	first=$(agent "take-all name=once request=5eed5eed")
	again=$(agent "take-all name=once request=5eed5eed")
	[[ $again =~ found=1 ]] || fails "second answer: $again"
	expect_equal "$(sed -n 's/.* id=\([0-9]*\).*/\1/p' <<<"$again")" "$(sed -n 's/.* id=\([0-9]*\).*/\1/p' <<<"$first")" "id"
	expect_equal "$(sets)" once "sets"
	expect_equal "$(names a) $(names b)" "once once" "parts"
	forget_sets
}
