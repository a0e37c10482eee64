#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# careless.bats - the careless user (Show 11 of issue 2): wrong YAML files, commands on a set that is down, `up` twice,
# killed QEMUs and killed avctls, two at once. cli.bats has the rest of the command line on a played machine.

load lib
load guests

setup_file() {
	machine_begin
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
	cat >good.yaml <<-END
	version: 1
	name: good
	machine: {cpus: 2, memory: 512MiB}
	vms:
	  - {name: vm1, image: $GUESTS/shell.elf, memory: 32MiB}
	  - {name: vm2, image: $GUESTS/shell.elf, memory: 32MiB}
	shm:
	  - {name: board, address: 0x70000000, size: 64KiB, members: {vm1: ro, vm2: rw}}
	END
}

teardown() {
	machine_here
	avctl -q -f good.yaml down
}

# refused LINE:COLUMN MESSAGE: bad.yaml (standard input) is wrong there, and starts nothing.
refused() {
	local at=$1 message=$2

	cat >bad.yaml
	run avctl -f bad.yaml up
	expect_status 5
	expect_output "bad.yaml:$at: error: .*$message"
	grep -qE '^ *\^' <<<"$output" || fails "no caret"
	[ -z "${3:-}" ] || expect_output "hint: .*$3"
	run avctl config check bad.yaml
	expect_status 5
	[ ! -e "$XDG_RUNTIME_DIR/avisor/bad" ] || fails "a folder was made"
}

head_of() {
	printf 'version: 1\nname: bad\nmachine: {cpus: 2, memory: 512MiB}\n'
}

vm() {
	printf '  - {name: %s, image: %s/shell.elf, memory: %s%s}\n' "$1" "$GUESTS" "${2:-32MiB}" "${3:-}"
}

@test "an unknown key is shown with its place and the near one" {
	{ head_of; echo "vms:"; vm vm1 32MiB ", memroy: 1"; } | refused '5:[0-9]+' 'memroy' 'memory'
}

@test "a duplicate key is shown" {
	{ head_of; echo "name: again"; echo "vms:"; vm vm1; } | refused '4:1' 'name'
}

@test "a bad size is shown" {
	{ head_of; echo "vms:"; vm vm1 32Mib; } | refused '5:[0-9]+' '32Mib'
	{ head_of; echo "vms:"; vm vm1 0x2000000k; } | refused '5:[0-9]+' '0x2000000k'
	{ head_of; echo "vms:"; vm vm1 33; } | refused '5:[0-9]+' 'memory'
}

@test "a bad choice is shown" {
	{ head_of; echo "vms:"; vm vm1 32MiB ", snapshots: {when-full: maybe}"; } | refused '5:[0-9]+' 'maybe'
}

@test "regions that overlap are both named" {
	{
		head_of
		echo "vms:"
		vm vm1
		echo "shm:"
		echo "  - {name: one, address: 0x70000000, size: 4MiB, members: {vm1: rw}}"
		echo "  - {name: two, address: 0x70200000, size: 64KiB, members: {vm1: rw}}"
	} | refused '[78]:[0-9]+' '(one.*two|two.*one)'
}

@test "RAM over a region is shown" {
	{
		printf 'version: 1\nname: bad\nmachine: {cpus: 2, memory: 4GiB}\nvms:\n'
		vm vm1 1GiB
		echo "shm:"
		echo "  - {name: one, address: 0x70000000, size: 64KiB, members: {vm1: rw}}"
	} | refused '[0-9]+:[0-9]+' 'one'
}

@test "a missing image is shown" {
	{ head_of; echo "vms:"; echo "  - {name: vm1, image: nothing.elf, memory: 32MiB}"; } |
		refused '5:[0-9]+' 'nothing.elf'
}

@test "two VMs with one name are shown" {
	{ head_of; echo "vms:"; vm vm1; vm vm1; } | refused '6:[0-9]+' 'vm1'
}

@test "too little memory is shown" {
	{ printf 'version: 1\nname: bad\nmachine: {cpus: 1, memory: 64MiB}\nvms:\n'; vm vm1 128MiB; } |
		refused '[0-9]+:[0-9]+' 'memory'
}

@test "more vCPUs than a VM can have are shown" {
	{ head_of; echo "vms:"; vm vm1 32MiB ", cpus: 9"; } | refused '5:[0-9]+' '1 to 8 vCPUs'
}

@test "physical CPUs for fewer vCPUs than there are, are shown" {
	{ head_of; echo "vms:"; vm vm1 32MiB ", cpus: 3, cpu: [0, 1]"; } | refused '5:[0-9]+' '2 physical CPUs for 3 vCPUs'
}

@test "a physical CPU that is not there is shown" {
	{ head_of; echo "vms:"; vm vm1 32MiB ", cpu: 2"; } | refused '5:[0-9]+' 'CPU'
}

@test "200 kB of brackets are refused at once" {
	SECONDS=0
	head -c 200000 /dev/zero | tr '\0' '[' | refused '1:[0-9]+' '.'
	[ $SECONDS -le 5 ]
}

@test "an empty file is refused" {
	: >bad.yaml
	run avctl -f bad.yaml up
	expect_status 5
	expect_output 'bad.yaml:1:1: error: '
}

@test "all mistakes of a file are shown in one run, in order" {
	{
		head_of
		echo "vms:"
		vm vm1 32Mib
		vm vm1 32MiB ", cpu: 7"
		echo "  - {name: Vm3, image: nothing.elf, memory: 32MiB, colour: red}"
		echo "shm:"
		echo "  - {name: one, size: 64KiB, members: {vm9: rw}}"
	} >bad.yaml
	run avctl config check bad.yaml
	expect_status 5
	[ "$(grep -c 'bad.yaml:[0-9]*:[0-9]*: error:' <<<"$output")" -ge 6 ] || fails "too few"
	lines=$(sed -n 's/^[^ ]*bad.yaml:\([0-9]*\):[0-9]*: error:.*/\1/p' <<<"$output")
	[ "$lines" = "$(sort -n <<<"$lines")" ] || fails "not in order"
}

@test "commands on a set that is down are told how to start it" {
	for line in ps "snapshot take vm1" "snapshot list" "restore vm1 --latest" "restart vm1" "console vm1" "shm dump board" \
		"shm watch board --once" "events" "wait vm1 running"; do
		run avctl -f good.yaml $line
		expect_status 6
		expect_output 'hint: avctl -f good.yaml up'
	done
	run avctl -f good.yaml down
	expect_status 0
}

@test "an unknown VM, id, name or region is told, with what there is" {
	machine_up good.yaml
	for line in "restore vm3 --latest" "snapshot take vm3" "status vm3" "console vm3" "wait vm3 running"; do
		run avctl $line
		expect_status 3
		expect_output 'hint: did you mean vm'
	done
	for line in "restore vm1 --id 7" "restore vm1 --name nothing" "restore vm1 --latest" "snapshot delete vm1 7" \
		"snapshot pin vm1 7" "snapshot rename vm1 7 x" "restore vm1 --undo"; do
		run avctl $line
		expect_status 3
		expect_output 'hint: avctl snapshot list vm1'
	done
	run avctl shm dump bord
	expect_status 3
	expect_output 'board'
}

@test "up twice is up once" {
	machine_up good.yaml
	pid=$(avctl status -o json | json 'd["pid"]')
	run avctl -f good.yaml up
	expect_status 0
	expect_output 'already'
	[ "$(avctl status -o json | json 'd["pid"]')" = "$pid" ]
}

@test "after QEMU was killed ps says so and up works" {
	machine_up good.yaml
	pid=$(avctl status -o json | json 'd["pid"]')
	kill -KILL "$pid"
	wait_for 10 test -e "$XDG_RUNTIME_DIR/avisor/good/exit"
	run avctl ps
	expect_status 6
	expect_output 'killed by signal 9'
	expect_output 'hint: avctl -f .*good.yaml up'
	run avctl snapshot take vm1
	expect_status 6
	machine_up good.yaml
	avctl -q snapshot take vm1
	run avctl snapshot list vm1 -o name
	expect_equal "$output" 0
}

@test "avctl killed in the middle of a take leaves the set usable, and no snapshot is doubled" {
	machine_up good.yaml
	for i in $(seq 30); do
		"$AVISOR_BUILD/avctl" -q snapshot take vm1 --name "n$i" {AVISOR_LOCK_FD}<&- >/dev/null 2>&1 &
		read -r -t "0.00$((i % 10))" <> <(:) || :
		kill -KILL $! 2>/dev/null || :
		wait $! 2>/dev/null || :
	done
	avctl -q snapshot take vm1 --name last
	names=$(avctl snapshot list vm1 -o json | json '"\n".join(s["name"] for s in d["snapshots"])')
	[ "$(sort <<<"$names")" = "$(sort -u <<<"$names")" ] || fails "doubled: $names"
	grep -qx last <<<"$names"
	agent "audit vm=vm1"
	avctl ps
}

@test "two avctl at once wait for each other" {
	machine_up good.yaml
	for i in 1 2 3 4 5 6 7 8; do
		avctl -q snapshot take vm1 -o name >id.$i &
		avctl -q snapshot take vm2 -o name >other.$i &
	done
	wait
	expect_equal "$(cat id.* | sort -n | tr '\n' ' ')" "0 1 2 3 4 5 6 7 "
	expect_equal "$(cat other.* | sort -n | tr '\n' ' ')" "0 1 2 3 4 5 6 7 "
	expect_equal "$(avctl snapshot list vm1 -o name | wc -l)" 8
}

@test "two up at once start one machine" {
	avctl -q -f good.yaml up >/dev/null &
	avctl -q -f good.yaml up >/dev/null &
	wait -n
	wait -n
	expect_equal "$(pgrep -fc "name avisor-good .*$XDG_STATE_HOME")" 1
	avctl ps
}

@test "up that is killed while it starts is repaired by the next one" {
	for delay in 005 010 020 040 080 160; do
		"$AVISOR_BUILD/avctl" -q -f good.yaml up {AVISOR_LOCK_FD}<&- >/dev/null 2>&1 &
		read -r -t "0.$delay" <> <(:) || :
		kill -KILL $! 2>/dev/null || :
		wait $! 2>/dev/null || :
		machine_up good.yaml
		avctl ps >/dev/null
		avctl -q -f good.yaml down
		expect_equal "$(ls "$XDG_RUNTIME_DIR/avisor/good")" lock
		expect_equal "$(pgrep -fc "name avisor-good .*$XDG_STATE_HOME")" 0
	done
}
