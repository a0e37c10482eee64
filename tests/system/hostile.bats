#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# hostile.bats - guests that ask for everything they must not get, beside ones that must not notice (Show 12 of issue 2),
# and bundles with a bit turned over. Junk lines to the agent are in control.bats, each bit of a manifest in unit manifest.

load lib
load guests

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: hostile
	machine: {cpus: 2, memory: 768MiB}
	vms:
	  - {name: bad1, image: $GUESTS/hostile.elf, memory: 128MiB, cpu: 0, start: paused}
	  - {name: bad2, image: $GUESTS/hostile.elf, memory: 128MiB, cpu: 1, start: paused}
	  - {name: good1, image: $GUESTS/heartbeat.elf, memory: 32MiB, cpu: 0}
	  - {name: good2, image: $GUESTS/heartbeat.elf, memory: 32MiB, cpu: 1}
	shm:
	  - {name: pulse, address: 0x70000000, size: 64KiB, members: {good1: rw, bad1: ro, bad2: ro}}
	END
	free_frames bad1 bad2 >"$AVISOR_TEST/free"
	export ROUNDS=$([ -n "${SOAK:-}" ] && echo 20 || echo 1)
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

no_bug() {
	if hypervisor_log | grep '^BUG on CPU'; then
		fails "the hypervisor found a bug in itself"
	fi
}

# done_or_given_up VM MARK: it did its worst to the end, or the hypervisor has given it up.
done_or_given_up() {
	said "$1" '^hostile: done' "$2" || [ "$(field state "$1")" = crashed ]
}

@test "100,000 random calls, device accesses, registers and queues end in the guest that made them" {
	for ((round = 0; round < ROUNDS; round++)); do
		at1=$(mark bad1) at2=$(mark bad2)
		avctl -q restart bad1 bad2
		for vm in bad1 bad2; do
			at=$([ $vm = bad1 ] && echo "$at1" || echo "$at2")
			wait_for 240 done_or_given_up $vm "$at" || {
				say "$(log $vm | tail -n 3)" "$(hypervisor_log | tail -n 12)"
				return 1
			}
			echo "# $vm: $(log $vm | grep -a 'hostile: start' | tail -n 1)" >&3
			field_is state $vm running
			says $vm '^hostile: alive' "$at"
			expect_equal "$(log $vm | tail -n "+$((at + 1))" | grep -ac 'hostile: start seed=')" 1
		done
	done
	no_bug
}

@test "the neighbours' hearts have not missed a beat" {
	heart_beats good1
	heart_beats good2
	before=$(avctl shm dump pulse)
	says good1 '^heartbeat' "$(($(mark good1) + 2))"
	[ "$(avctl shm dump pulse)" != "$before" ]
}

@test "every count of the hypervisor is right" {
	audit bad1 bad2 good1 good2
	no_bug
}

@test "the hostile VMs can still be taken, restored and restarted" {
	for vm in bad1 bad2; do
		avctl -q snapshot take $vm --name after
		at=$(mark $vm)
		says $vm '^hostile: alive' "$at"
		avctl -q stop $vm
		at=$(mark $vm)
		avctl -q restore $vm --name after
		says $vm '^hostile: alive' "$at"
		never_said $vm '^hostile: start' "$at"
	done
}

@test "all memory comes back when what they took is deleted" {
	for vm in bad1 bad2; do
		avctl snapshot list $vm -o json | python3 -c '
import json, sys
for snapshot in json.load(sys.stdin)["snapshots"]:
    if str(snapshot["id"]).isdigit():
        for verb in ("unpin", "delete"):
            print("snapshot", verb, sys.argv[1], snapshot["id"])
' $vm >commands
		say "$vm: $(($(wc -l <commands) / 2)) snapshots"
		avctl -q - <commands >/dev/null
		agent "delete vm=$vm undo=1" >/dev/null || :
	done
	expect_equal "$(free_frames bad1 bad2)" "$(cat free)" "free frames"
	heart_is_unbroken good1
	heart_is_unbroken good2
	avctl -q down
}

@test "a bundle with a bit turned over is refused by name, or boots; never silence, never a fault" {
	cat >flip.yaml <<-END
	version: 1
	name: flip
	machine: {cpus: 1, memory: 64MiB}
	vms:
	  - {name: vm1, image: $GUESTS/hello.elf, memory: 8MiB}
	  - {name: vm2, image: $GUESTS/hello.elf, memory: 8MiB}
	shm:
	  - {name: board, size: 8KiB, members: {vm1: ro, vm2: rw}}
	END
	machine_up flip.yaml
	cp --sparse=always "$(sed -n 's/.*"ram_file": *"\([^"]*\)".*/\1/p' "$XDG_RUNTIME_DIR/avisor/flip/machine.json")" flip.ram
	avctl -q -f flip.yaml down
	python3 "$AVISOR_TOP/tests/system/flip.py" "$AVISOR_BUILD/hypervisor.elf" flip.ram "$([ -n "${SOAK:-}" ] && echo 1000 || echo 40)" \
		{AVISOR_LOCK_FD}<&- | tee /dev/fd/3
	[ "${PIPESTATUS[0]}" -eq 0 ]
}
