#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# files.bats - snapshots in files: what a guest was goes on in another machine, and no damaged or strange file touches anything.

load lib
load guests

setup_file() {
	machine_begin
	write_set fx 32MiB 1 >fx.yaml
	write_set other 64MiB 1 >other.yaml
	write_set smp 32MiB 2 >smp.yaml
	machine_up fx.yaml
	says vm1 '^nonce=.* count=30 '
	avctl snapshot take vm1 --name clean
	avctl snapshot export vm1 --id clean first.avs
}

# write_set NAME MEMORY CPUS
write_set() {
	cat <<-END
	version: 1
	name: $1
	machine: {cpus: 2, memory: 512MiB}
	vms:
	  - {name: vm1, image: $GUESTS/nonce.elf, memory: $2, cpus: $3, snapshots: {memory: 96MiB}}
	  - {name: vm2, image: $GUESTS/heartbeat.elf, memory: 32MiB, snapshots: {memory: 64MiB}}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# The nonce and the count of the last whole line of vm1.
last_line() {
	log vm1 | grep -aE '^nonce=[0-9a-f]{16} count=[0-9]+ hash=[0-9a-f]{16} check=[0-9a-f]{16}$' | tail -n 1
}

# Each line of vm1's log that is whole has the hash that its count has in the file $1 too, if it is there.
same_story() {
	log vm1 | grep -aE '^nonce=.* check=[0-9a-f]{16}$' | cat - "$1" | sort -u | awk '{ print $1, $2 }' | uniq -d
}

frames() {
	avctl agent drain vm=vm1 >/dev/null
	avctl agent audit vm=vm1
}

refused() {
	run avctl "$@"
	expect_status 9
}

@test "a snapshot goes through a file into a fresh machine, and the guest goes on where it was" {
	local nonce

	nonce=$(last_line | cut -d' ' -f1)
	log vm1 | grep -aE '^nonce=.* check=[0-9a-f]{16}$' >story
	avctl snapshot verify first.avs | grep 'whole: vm1 clean, 1 vCPU'
	expect_equal "$(stat -c %a first.avs)" 600
	avctl down
	avctl -f fx.yaml up --from vm1=first.avs
	says vm1 "^$nonce count=60 "
	run grep -c 'nonce: start' <(log vm1)
	expect_equal "$output" 0 "boots"
	[ "$(log vm1 | grep -aoE ' count=[0-9]+' | head -n 1 | cut -d= -f2)" -ge 30 ]
	run same_story story
	expect_equal "$output" "" "counts with two hashes"
	expect_equal "$(avctl snapshot list vm1 -o json | json '[s["name"] for s in d["snapshots"]]')" "['clean']"
	says vm2 '^heartbeat nonce='
	audit vm1 vm2
}

@test "the guest runs on while it is exported, and what is exported is the snapshot" {
	local before after

	avctl snapshot take vm1 --name now
	before=$(log vm1 | wc -l)
	avctl snapshot export vm1 --id now now.avs
	wait_for 20 eval '[ "$(log vm1 | wc -l)" -gt '"$before"' ]'
	expect_equal "$(avctl ps -o json | json '[v["state"] for v in d["vms"] if v["name"] == "vm1"]')" "['running']"
	avctl snapshot import vm1 now.avs --name back
	avctl snapshot diff vm1 now back || fails "the import is another state"
	avctl snapshot export vm1 --id back again.avs
	expect_equal "$(avctl snapshot verify again.avs -o json | json 'd["pages"]')" \
		"$(avctl snapshot verify now.avs -o json | json 'd["pages"]')" pages
	after=$(log vm1 | wc -l)
	avctl restore vm1 --name back
	wait_for 20 eval '[ "$(log vm1 | wc -l)" -gt '"$after"' ]'
	run same_story story
	expect_equal "$output" "" "counts with two hashes"
	audit vm1
}

# flip FILE OFFSET: one bit of that byte
flip() {
	python3 -c 'import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2])); b = f.read(1)[0]; f.seek(int(sys.argv[2])); f.write(bytes([b ^ 0x10]))' "$1" "$2"
}

@test "a damaged file is refused with the field's name, and the running set is untouched" {
	local list field at size

	list=$(avctl snapshot list vm1 -o json | json 'sorted(str(s["id"]) for s in d["snapshots"])')
	size=$(stat -c %s first.avs)
	while read -r field at; do
		cp first.avs bad.avs
		flip bad.avs "$at"
		refused snapshot import vm1 bad.avs
		expect_output "bad.avs: $field: "
	done <<-END
	magic 0
	format_major 8
	header_size 12
	platform 24
	ram_base 56
	ram_size 65
	vcpu_count 72
	state_layout 80
	midr 104
	id_registers 300
	page_count 728
	file_size 752
	checksum 767
	chunk.0 768
	chunk.0 900
	trailer $((size - 1))
	trailer $((size - 400))
	END
	for at in 0 1 767 768 800 $((size / 2)) $((size - 784)) $((size - 1)); do
		head -c "$at" first.avs >bad.avs
		refused snapshot import vm1 bad.avs
		expect_output 'bad.avs: file_size: '
	done
	{ cat first.avs; echo; } >bad.avs
	refused snapshot verify bad.avs
	expect_output 'file_size'
	refused -f fx.yaml snapshot verify /etc/passwd
	expect_equal "$(avctl snapshot list vm1 -o json | json 'sorted(str(s["id"]) for s in d["snapshots"])')" "$list"
	audit vm1
}

@test "a file that does not fit is refused with the field's name, and up starts nothing" {
	avctl down
	refused -f other.yaml up --from vm1=first.avs
	expect_output 'first.avs does not fit vm1: ram_size is 32 MiB in the file and 64 MiB here'
	refused -f smp.yaml up --from vm1=first.avs
	expect_output 'first.avs does not fit vm1: vcpu_count '
	cp first.avs bad.avs
	flip bad.avs 1000
	refused -f fx.yaml up --from vm1=bad.avs
	run avctl -f fx.yaml up --from vm9=first.avs
	expect_status 3
	run avctl -f fx.yaml up --from first.avs
	expect_status 2
	run avctl ps --sets -o name
	expect_equal "$output" "" "sets that run"
	machine_up fx.yaml
	run avctl -f fx.yaml up --from vm1=first.avs
	expect_status 4
}

@test "an import that was cut short leaves nothing after the next command" {
	local before
	avctl pause vm1
	before=$(frames)
	avctl agent import-begin vm=vm1
	expect_equal "$(avctl agent import-abort)" 'ok dropped=0' # the connection dropped it
	for _ in 1 2 3 4 5 6; do
		timeout -s KILL "0.0$((RANDOM % 40 + 10))" "$AVISOR_BUILD/avctl" snapshot import vm1 first.avs --name cut \
			>/dev/null 2>&1 {AVISOR_LOCK_FD}<&- || :
		avctl snapshot delete vm1 cut >/dev/null 2>&1 || : # it may have been done
	done
	expect_equal "$(frames)" "$before" frames
	avctl resume vm1
	audit vm1
}

@test "a killed export leaves the old file or the new one, and nothing beside it" {
	local i

	mkdir out
	avctl snapshot take vm1 --name last
	cp first.avs out/x.avs
	for i in 1 2 3 4 5 6 7 8 9; do
		timeout -s KILL "0.0$((RANDOM % 60 + 10))" "$AVISOR_BUILD/avctl" snapshot export vm1 out/x.avs \
			>/dev/null 2>&1 {AVISOR_LOCK_FD}<&- || :
		avctl snapshot verify out/x.avs >/dev/null || fails "half a file"
	done
	ls out >left
	grep -vE '^x\.avs(\.[0-9]+\.part)?$' left && fails "left over: $(cat left)"
	run avctl snapshot export vm1 /nowhere/x.avs
	expect_status 1
	echo 'version: 1 # mine' >out/mine.yaml
	run avctl snapshot export vm1 out/mine.yaml
	expect_status 1
	expect_output 'out/mine.yaml: is there and no snapshot.s file: not replaced'
	grep -q mine out/mine.yaml
	run avctl snapshot export vm1 --id 77 out/y.avs
	expect_status 3
	[ ! -e out/y.avs ]
}
