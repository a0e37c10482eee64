#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# many.bats - many snapshots of one VM, room for five (Show 2 of issue 2).

load lib
load guests

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: many
	machine: {cpus: 2, memory: 512MiB}
	vms:
	  - {name: vm1, image: $GUESTS/many-steps.elf, memory: 64MiB, snapshots: {keep: 5, when-full: evict-oldest}}
	  - {name: vm2, image: $GUESTS/heartbeat.elf, memory: 32MiB}
	  - {name: vm3, image: $GUESTS/many.elf, memory: 64MiB, snapshots: {keep: 5, when-full: evict-oldest}}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# list VM: `id parent unique shared base` of each snapshot, a line each, from the JSON; then the table must name the same ids.
list() {
	local ids

	avctl snapshot list "$1" -o json | python3 -c '
import json, sys
for s in json.load(sys.stdin)["snapshots"]:
    print(s["id"], s["parent"], s["unique_pages"], s["shared_pages"], "base" if s["base"] else "-")' >list
	ids=$(avctl snapshot list "$1" | awk 'NR > 1 { printf "%s ", $1 }')
	[ "$ids" = "$(awk '{ printf "%s ", $1 }' list)" ] || return 1
	cat list
}

# tree VM: `id<parent` of all of them, in order.
tree() {
	list "$1" >/dev/null && awk '{ printf "%s%s<%s", sep, $1, $2; sep = " " }' list
}

tree_is() {
	expect_equal "$(tree "$1")" "$2" "tree of $1"
}

unique_of() {
	awk -v id="$1" '$1 == id { print $3 }' list
}

shared_of() {
	awk -v id="$1" '$1 == id { print $4 }' list
}

is_base() {
	[ "$(awk '$5 == "base" { print $1 }' list)" = "$1" ]
}

# step REGEX: one more of the guest's steps, until it has said so.
step() {
	local at

	at=$(mark vm1)
	type_bytes vm1 s
	says vm1 "$1" "$at"
}

@test "five checkpoints have ids 0 to 4, each the parent of the next, and list shows what each holds" {
	local i own previous expected=""

	says vm1 '^many: start'
	for i in 0 1 2 3 4; do
		step "^ckpt #$i, current=$((10 * (i + 1)))\$"
		wait_for 10 field_is snapshots vm1 $((i + 1))
		expected="$expected${expected:+ }$i<$([ "$i" -eq 0 ] && echo boot || echo $((i - 1)))"
		[ "$(tree vm1 | sed 's/<None/<boot/')" = "$expected" ]
		is_base "$i"
		[ "$(shared_of "$i")" -ge $((16 * (i + 1))) ]
	done
	cat list
	# The next one filled all the pages of this one anew: its 16 * (i + 1) pages are its alone, besides a few of the
	# guest's own (stack, data), the same number for each.
	own=$(unique_of 0)
	[ "$own" -ge 16 ] && [ "$own" -le 32 ]
	for i in 1 2 3; do
		[ "$(unique_of "$i")" -eq $((own + 16 * i)) ]
	done
	# The newest one shares its pages with the VM, which has written only a few since.
	[ "$(unique_of 4)" -le 16 ]
	[ "$(shared_of 4)" -ge 80 ]
}

@test "restore(1) goes on at the third checkpoint, and the ids 5, 6 and 7 take the place of 0, 1 and 2" {
	local i

	step '^restore\(1\), current=50$'
	# Back in the loop after checkpoint 1: it waits there for its next step. Nothing was deleted, 1 is the base.
	wait_for 10 field_is generation vm1 1
	[ "$(tree vm1 | wc -w)" -eq 5 ]
	is_base 1
	step '^ckpt #2, current=30$'
	wait_for 10 tree_is vm1 "1<0 2<1 3<2 4<3 5<1"
	is_base 5
	step '^ckpt #3, current=40$'
	wait_for 10 tree_is vm1 "2<1 3<2 4<3 5<1 6<5"
	is_base 6
	step '^ckpt #4, current=50$'
	wait_for 10 tree_is vm1 "3<2 4<3 5<1 6<5 7<6"
	is_base 7
	cat list
	# What was deleted takes no page of the others: each filled its own.
	for i in 3 5 6; do
		[ "$(unique_of "$i")" -ge 48 ]
	done
	[ "$(avctl events vm1 -o jsonl | grep -c '"kind": *"evict"')" -eq 3 ]
	for i in 0 1 2; do
		avctl events vm1 | grep -qE " evict +@$i *\$"
		hypervisor_log | grep -q "vm1: snapshot $i evicted\$"
	done
	audit vm1
}

@test "a restore of an evicted id is refused by name while the guest and its neighbour run on" {
	local at

	step '^restore\(1\) refused, current=50$'
	hypervisor_log | grep 'vm1: restore: invalid snapshot id 1$'
	[ "$(field generation vm1)" -eq 1 ]
	tree_is vm1 "3<2 4<3 5<1 6<5 7<6"
	at=$(mark vm1)
	says vm1 '^many: alive ' "$at"
	run avctl restore vm1 --id 1
	[ "$status" -eq 3 ]
	[[ "$output" == *'1'* && "$output" == *'avctl snapshot list'* ]]
	heart_beats vm2
}

@test "the same without a pause ends with the same snapshots" {
	says vm3 '^restore\(1\) refused, current=50$'
	tree_is vm3 "3<2 4<3 5<1 6<5 7<6"
	[ "$(log vm3 | grep '^ckpt' | tr '\n' ' ')" = "ckpt #0, current=10 ckpt #1, current=20 ckpt #2, current=30 \
ckpt #3, current=40 ckpt #4, current=50 ckpt #2, current=30 ckpt #3, current=40 ckpt #4, current=50 " ]
	hypervisor_log | grep 'vm3: restore: invalid snapshot id 1$'
	audit vm3
}

@test "snapshots of either branch go on with their own value" {
	local at

	# A restore may cut a line that the guest was writing: what follows need not start a line.
	# 3 and 7 are of different branches; each step after them fills and takes anew, so the oldest go.
	avctl restore vm1 --id 3 --no-undo
	at=$(mark vm1)
	type_bytes vm1 s
	says vm1 'ckpt #4, current=50$' "$at"
	wait_for 10 tree_is vm1 "4<3 5<1 6<5 7<6 8<3"
	avctl restore vm1 --id 5 --no-undo
	at=$(mark vm1)
	type_bytes vm1 s
	says vm1 'ckpt #3, current=40$' "$at"
	wait_for 10 tree_is vm1 "5<1 6<5 7<6 8<3 9<5"
	avctl restore vm1 --latest --no-undo
	at=$(mark vm1)
	type_bytes vm1 s
	says vm1 'ckpt #4, current=50$' "$at"
	wait_for 10 tree_is vm1 "6<5 7<6 8<3 9<5 10<9"
	audit vm1
	heart_beats vm2
}
