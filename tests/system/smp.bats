#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# smp.bats - VMs with several vCPUs (Show 3 of issue 3), spread over two physical CPUs and stacked on one.

load lib
load guests

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: smp
	machine: {cpus: 2, memory: 1GiB}
	vms:
	  - {name: wide, image: $GUESTS/smp.elf, memory: 32MiB, cpus: 2, cpu: [0, 1], snapshots: {keep: 8, memory: 64MiB}}
	  - {name: tall, image: $GUESTS/smp.elf, memory: 32MiB, cpus: 2, cpu: 1, snapshots: {keep: 8, memory: 64MiB}}
	  - {name: eight, image: $GUESTS/smp.elf, memory: 32MiB, cpus: 8, snapshots: {keep: 8, memory: 64MiB}}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

VMS="wide tall eight"

# As guests.bash has it, but for guests that never stop talking.
tell() {
	printf '%s\n' "$2" | avctl console "$1" --replay 0 -q --timeout 1s >/dev/null
}

type_bytes() {
	printf '%s' "$2" | avctl console "$1" --replay 0 -q --timeout 1s >/dev/null
}

# does VM NAME [ARGUMENT]: the guest's command, done and right
does() {
	local at

	at=$(mark "$1")
	tell "$1" "$2${3:+ $3}"
	wait_for "${SOAK:+10}60" said "$1" "^smp: $2: " "$at"
	says "$1" "^smp: $2: ok" "$at"
}

each_does() {
	local vm

	for vm in $VMS; do
		does "$vm" "$@"
	done
}

@test "each VM finds its vCPUs, and ps and status show them" {
	says wide '^smp: start, 2 vCPUs'
	says tall '^smp: start, 2 vCPUs'
	says eight '^smp: start, 8 vCPUs'
	run avctl ps
	expect_output '^wide +running +2 +0,1 '
	expect_output '^tall +running +2 +1,1 '
	expect_output '^eight +running +8 +[01],[01],[01],[01],[01],[01],[01],[01] '
	field_is vcpus eight 8
	run avctl status wide
	expect_output '^vCPU power +(on|waiting),off$'
	expect_output '^Physical CPUs +0,1$'
}

@test "two vCPUs sum to 719400 by CPU_ON and join" {
	each_does sum
	says wide '^179700 \+ 539700 = 719400$'
}

@test "PSCI answers as the table in abi/README.md says, with vCPUs on and off" {
	each_does psci
}

@test "SGIs reach the vCPUs that are named, or all others" {
	each_does sgi
}

@test "a vCPU is turned off and on again fifty times, and is reset each time" {
	each_does again
}

@test "vCPUs wake each other from WFI, by SGIs and by a device's interrupt, and none is lost" {
	each_does pong "${SOAK:+1}1000"
	each_does uart "${SOAK:+2}200"
	each_does many
}

@test "what one vCPU finds in its own tables is not another's on the same CPU" {
	each_does own "$([ -n "${SOAK:-}" ] && echo 100000 || echo 2000)"
}

# begins VM COMMAND: it runs, and says so at least twice. ends VM NAME: a key is pressed, it says that nothing was wrong.
begins() {
	local at

	at=$(mark "$1")
	tell "$1" "$2"
	says "$1" "^${2%% *}: [0-9]+ rounds" "$((at + 1))"
}

ends() {
	local at

	at=$(mark "$1")
	type_bytes "$1" q
	wait_for 20 said "$1" "^smp: $2: " "$at"
	never_said "$1" '^TORN'
	says "$1" "^smp: $2: ok" "$at"
	tell "$1" '' # the key is not part of the next command
}

# goes_on VM NAME: beats come, from now on
goes_on() {
	local at

	at=$(mark "$1")
	says "$1" "^$2: [0-9]+ rounds" "$((at + 1))"
	never_said "$1" '^TORN'
}

# restored_while NAME ROUNDS VM...: the command runs in all of them, each is restored so often, and nothing tears
restored_while() {
	local name=$1 rounds=$2 round vm
	shift 2

	for vm; do
		begins "$vm" "$name"
		avctl -q snapshot take "$vm" --name "$name" --pin
	done
	for ((round = 0; round < rounds; round += 20)); do
		for vm; do
			for ((i = 0; i < 9; i++)); do
				printf 'restore %s --name %s --no-undo\n' "$vm" "$name"
			done
			printf 'snapshot take %s\nrestore %s --latest\n' "$vm" "$vm"
		done | avctl -q - >/dev/null
		for vm; do
			goes_on "$vm" "$name"
			for ((i = 0; i < 10; i++)); do
				printf 'restore %s --latest\n' "$vm"
			done | avctl -q - >/dev/null
		done
	done
	for vm; do
		goes_on "$vm" "$name"
		ends "$vm" "$name"
		avctl -q snapshot unpin "$vm" "$name"
		avctl -q snapshot delete "$vm" "$name"
	done
	audit "$@"
}

@test "a restore is one cut through all vCPUs: a ping-pong with sequence numbers never tears" {
	restored_while cut "$([ -n "${SOAK:-}" ] && echo 1000 || echo 100)" wide tall
}

@test "no vCPU sees a page of before the restore, or misses one" {
	restored_while pages "$([ -n "${SOAK:-}" ] && echo 500 || echo 100)" wide tall eight
}

@test "two VMs that take and restore themselves and are taken and restored meanwhile never deadlock" {
	local rounds=${SOAK:+10000} vm id end at
	rounds=${rounds:-500}
	end=$((SECONDS + 120 + rounds / 4))

	for vm in wide tall; do
		id=$(avctl snapshot take "$vm" -o name)
		at=$(mark "$vm")
		tell "$vm" "storm $((${id#*@} + rounds))"
		says "$vm" '^storm: [1-9]' "$at"
	done
	while ! { said wide '^smp: storm: ' && said tall '^smp: storm: '; }; do
		printf 'snapshot take wide\nrestore tall --latest\nsnapshot take tall\nrestore wide --latest\n' |
			avctl -q - --keep-going >/dev/null 2>&1 || true
		[ "$SECONDS" -lt $end ] || fails "$(avctl ps)"
	done
	for vm in wide tall; do
		says "$vm" '^smp: storm: ok'
		never_said "$vm" '^TORN'
	done
	audit wide tall
}

# ended VM STATE COMMAND: it says that, and is then in that state; a restart brings it back
ended() {
	local at

	tell "$1" "$3"
	avctl wait "$1" "$2" --timeout 20s
	at=$(mark "$1")
	avctl -q restart "$1" >/dev/null
	says "$1" 'smp: start' "$at"
	does "$1" sum
}

@test "a VM ends with all its vCPUs, whichever of them ends it, and comes back by a restart" {
	local vm at

	for vm in $VMS; do
		ended "$vm" crashed crash
		ended "$vm" crashed 'crash 1'
		ended "$vm" stopped off
		ended "$vm" stopped last
		at=$(mark "$vm")
		tell "$vm" 'off 1'
		says "$vm" 'smp: start' "$at" # not at the start of a line: vCPU 1 was talking
		does "$vm" sum
	done
}

@test "pause, resume, stop, start and restart with vCPUs that spin or sleep on different CPUs" {
	local vm busy at

	for vm in $VMS; do
		for busy in 0 1; do
			does "$vm" park $busy
			avctl -q pause "$vm"
			field_is state "$vm" paused
			avctl -q resume "$vm"
			at=$(mark "$vm")
			tell "$vm" nothing
			says "$vm" '^smp: no command nothing' "$at"
			avctl -q snapshot take "$vm" --name parked
			avctl -q stop "$vm"
			field_is state "$vm" stopped
			avctl -q start "$vm"
			does "$vm" sum
			avctl -q restore "$vm" --name parked
			tell "$vm" nothing
			says "$vm" '^smp: no command nothing' "$((at + 1))"
			avctl -q snapshot delete "$vm" parked
			at=$(mark "$vm")
			avctl -q restart "$vm" >/dev/null
			says "$vm" '^smp: start' "$at"
		done
	done
}

@test "a VM whose vCPU 0 is off has its console and its snapshots, too" {
	local vm at

	for vm in $VMS; do
		does "$vm" move
		does "$vm" many
		avctl -q snapshot take "$vm" --name moved >/dev/null
		does "$vm" many
		at=$(mark "$vm")
		avctl -q restore "$vm" --name moved >/dev/null
		does "$vm" many
		avctl -q snapshot delete "$vm" moved >/dev/null
		avctl -q restart "$vm" >/dev/null
		says "$vm" 'smp: start' "$at"
	done
}

# cpu_ms VM: the time it has had, in whole ms
cpu_ms() {
	avctl status "$1" -o json | json 'int(d["stats"]["cpu_ms"])'
}

# The same of all, at one moment.
all_cpu_ms() {
	printf 'status %s -o json\n' $VMS | avctl -q - | sed -n 's/^ *"cpu_ms": \([0-9]*\).*/\1/p' | tr '\n' ' '
	echo
}

# had_since VM THEN MS: it has had the CPU for so long since
had_since() {
	[ $(($(cpu_ms "$1") - $2)) -ge "$3" ]
}

# With 1 vCPU of wide, 1 of tall and 4 of eight that spin on CPU 1, and 3 of eight on CPU 0, for each second a vCPU of the first
# two has, eight has 4 on CPU 1 and 6 on CPU 0.
# shares_are_equal: over the next 600 ms of tall
shares_are_equal() {
	local vm before=() after=()

	read -ra before < <(all_cpu_ms)
	wait_for 60 had_since tall "${before[1]}" 600
	read -ra after < <(all_cpu_ms)
	for vm in 0 1 2; do
		after[vm]=$((after[vm] - before[vm]))
	done
	say "ms: ${after[*]}"
	python3 -c '
import sys
wide, tall, eight = map(int, sys.argv[1:])
sys.exit(not (abs(wide - tall) < 0.1 * wide and abs(eight - 10 * wide) < 0.1 * eight))' "${after[@]}"
}

@test "vCPUs that spin have equal shares of their physical CPU, whatever VM they are of" {
	local vm look

	for vm in $VMS; do
		does "$vm" park 1
	done
	# A host that takes a CPU away from QEMU for a while takes it from whose turn it is: one good look is enough.
	for look in 1 2 3 4 5; do
		! shares_are_equal || break
		[ "$look" -lt 5 ] || fails "the shares are not equal"
	done
	avctl -q restart $VMS >/dev/null
}
