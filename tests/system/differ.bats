#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# differ.bats - snapshot diff, show and list --tree on a real machine: what a guest wrote is what differs, to the byte.

load lib
load guests

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: differ
	machine: {cpus: 2, memory: 512MiB}
	vms:
	  - {name: vm1, image: $GUESTS/shell.elf, memory: 64MiB, cpus: 2, snapshots: {memory: 32MiB}}
	  - {name: vm2, image: $GUESTS/heartbeat.elf, memory: 32MiB}
	END
	says vm1 '^shell: start'
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# poke ADDRESS VALUE
poke() {
	local at

	at=$(mark vm1)
	tell vm1 "poke $1 $2"
	says vm1 '^poke: done' "$at"
}

# code WANTED COMMAND...: the exit code, with stdout in $output.
code() {
	run "${@:2}"
	[ "$status" -eq "$1" ] || fails "exit code $status, not $1"
}

# The ranges of `snapshot diff ARGUMENTS` in the guest's memory from 32 MiB on: what these tests poke.
ranges() {
	avctl snapshot diff "$@" -o json |
		json '[(r["address"], r["pages"], r["in"]) for r in d["ranges"] if int(r["address"], 16) >= 0x42000000]'
}

@test "nothing differs between two snapshots of a paused VM, nor from the VM itself" {
	avctl pause vm1
	avctl -q snapshot take vm1 --name a
	avctl -q snapshot take vm1 --name b
	code 0 avctl snapshot diff vm1 a b
	expect_output '^0 pages'
	code 0 avctl snapshot diff vm1 a
	code 0 avctl snapshot diff vm1 b live -o json
	[ "$(json '(d["differs"], d["pages"], d["registers"], d["devices"])' <<<"$output")" = "(False, 0, [], [])" ]
	avctl resume vm1
	# Time alone makes a difference: the clock's.
	code 10 avctl snapshot diff vm1 a
	expect_output '^device clock differs'
}

@test "pages that a guest wrote are ranges, and in which side they are is told" {
	poke 0x42000000 1
	avctl -q snapshot take vm1 --name before
	poke 0x42000000 2
	poke 0x43000ff8 3
	poke 0x43001000 4
	avctl -q snapshot take vm1 --name after
	expect_equal "$(ranges vm1 before after)" \
		"[('0x42000000', 1, 'both'), ('0x43000000', 2, 'b')]" "from before to after"
	expect_equal "$(ranges vm1 after before)" \
		"[('0x42000000', 1, 'both'), ('0x43000000', 2, 'a')]" "from after to before"
	code 10 avctl snapshot diff vm1 before after
	expect_output '^  0x0043000000-0x0043001fff +2  only in after'
}

@test "--hex shows the bytes" {
	avctl snapshot diff vm1 before after --hex >hex || [ $? = 10 ]
	grep -A2 '^0x42000000$' hex >found
	diff - found <<-'END'
		0x42000000
		  - 01 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00 |................|
		  + 02 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00 |................|
	END
	grep -qx '0x43000ff0' hex
}

@test "what was written with the same bytes does not differ, but is counted" {
	avctl -q snapshot take vm1 --name same
	poke 0x42000000 2
	expect_equal "$(ranges vm1 same live)" "[]" "ranges"
	[ "$(avctl snapshot diff vm1 same -o json | json 'd["pages_same_contents"] >= 1')" = True ]
}

@test "registers differ by name" {
	avctl pause vm1
	avctl -q snapshot take vm1 --name here
	code 10 avctl snapshot diff vm1 boot here -o json
	json 'sorted(r["name"] for r in d["registers"] if r["vcpu"] == 0)' <<<"$output" >names
	grep -q "'pc'" names
	grep -q "'vbar_el1'" names
	# The PC that it has now is the one that the snapshot shows.
	avctl resume vm1
}

@test "undo is a side too, and what is not there is told" {
	avctl -q restore vm1 --name before
	code 10 avctl snapshot diff vm1 undo before
	code 3 avctl snapshot diff vm1 before 77
	code 3 avctl snapshot diff vm1 nothing
	code 2 avctl snapshot diff vm1 'A B'
	code 3 avctl snapshot diff vm9 0 1
	expect_equal "$(ranges vm1 before live)" "[]" "after a restore"
}

@test "a thousand pages apart: each is found" {
	avctl -q snapshot take vm1 --name few
	local at
	at=$(mark vm1)
	tell vm1 "touch 0x42000000 1000 7"
	says vm1 '^touch: 1000 pages' "$at"
	[ "$(avctl snapshot diff vm1 few -o json | json 'd["pages"] >= 1000')" = True ]
}

@test "show has the memory, and where each vCPU stands" {
	code 0 avctl snapshot show vm1 before
	expect_output '^Name +before$'
	expect_output '^Private memory +[0-9]'
	expect_output '^vCPU 0 +pc 0x[0-9a-f]+ pstate 0x[0-9a-f]+$'
	expect_output '^vCPU 1 +off$'
	avctl snapshot show vm1 before -o json >shown
	avctl agent state vm=vm1 "id=$(json 'd["id"]' <shown)" >parts
	grep -q "part=vcpu vcpu=0 .* pc=$(json 'd["vcpus"][0]["pc"]' <shown) " parts
	avctl snapshot tag vm1 before good >/dev/null
	[ "$(avctl snapshot list vm1 -o json | json '[s["name"] for s in d["snapshots"] if "good" in s["tags"]]')" = "['before']" ]
}

@test "prune deletes what no rule keeps" {
	avctl -q snapshot prune vm1 --keep-tag good -o json >pruned
	[ "$(json '[s["name"] for s in d["snapshots"] if s["action"] == "keep" and s["id"] != "undo"]' <pruned)" = "['before']" ]
	[ "$(avctl snapshot list vm1 -o json | json '[s["name"] for s in d["snapshots"] if s["id"] != "undo"]')" = "['before']" ]
}

@test "the tree says where the VM is" {
	avctl snapshot list vm1 --tree -o json >tree
	json 'str(d["trees"]["vm1"])' <tree | grep -q "'now'"
	json '[s["id"] for s in d["snapshots"]].count("boot")' <tree | grep -qx 1
	LC_ALL=C avctl snapshot list vm1 --tree >tree
	grep -q -e '-now ' tree
}

@test "the machine is as sound as before" {
	audit vm1 vm2
	heart_beats vm2
}
