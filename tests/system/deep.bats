#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# deep.bats - many snapshots of one VM and of several, deleted in any order, and every frame back (Show 5 of issue 4).

load lib
load guests

MANY=${SOAK:+1000}
MANY=${MANY:-200}
EACH=${SOAK:+50}
EACH=${EACH:-12}
ALL=(vm1 vm2 vm3 vm4 vm5 vm6 vm7 vm8)

setup_file() {
	machine_begin
	{
		cat <<-END
		version: 1
		name: deep
		machine: {cpus: 2, memory: 1GiB}
		vms:
		END
		for i in 1 2 3 4 5 6 7 8; do
			echo "  - {name: vm$i, image: $GUESTS/nonce.elf, memory: 16MiB}"
		done
	} >deep.yaml
	set_up <deep.yaml
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# in_any_order SEED: the lines of stdin in an order that the seed decides.
in_any_order() {
	python3 -c 'import random, sys; l = sys.stdin.readlines(); random.Random(sys.argv[1]).shuffle(l); sys.stdout.writelines(l)' "$1"
}

@test "$MANY snapshots of one VM: each 16 KiB at most when nothing ran, gone in any order, to the frame" {
	local before idle after id seed=$RANDOM

	echo "seed $seed"
	before=$(free_frames "${ALL[@]}")
	for ((i = 0; i < 16; i++)); do
		avctl snapshot take vm1 -o name >/dev/null
	done
	idle=$(((before - $(field frames_free)) * 4096 / 16))
	echo "a snapshot of a VM that stands still: $idle bytes"
	[ "$idle" -le 16384 ]
	avctl resume vm1
	for ((i = 16; i < MANY; i++)); do
		avctl snapshot take vm1 -o name >/dev/null
	done
	field_is snapshots vm1 "$MANY"
	audit vm1
	# Back to some of them: each is there, whatever lies between.
	for id in 3 $((MANY / 2)) $((MANY - 1)) 17; do
		avctl restore vm1 --id "$id" --no-undo >/dev/null
		field_is base vm1 "$id"
	done
	avctl snapshot list vm1 -o name -q | in_any_order "$seed" | while read -r id; do
		avctl snapshot delete vm1 "$id" >/dev/null </dev/null || exit 1
	done
	field_is snapshots vm1 0
	audit vm1
	after=$(free_frames "${ALL[@]}")
	expect_equal "$after" "$before" "free frames"
}

@test "8 VMs with $EACH snapshots each, deleted in any order among them all, to the frame" {
	local before after vm id seed=$RANDOM

	echo "seed $seed"
	before=$(free_frames "${ALL[@]}")
	avctl resume "${ALL[@]}"
	for ((i = 0; i < EACH; i++)); do
		for vm in "${ALL[@]}"; do
			avctl snapshot take "$vm" -o name >/dev/null
		done
	done
	audit "${ALL[@]}"
	for vm in "${ALL[@]}"; do
		field_is snapshots "$vm" "$EACH"
		avctl snapshot list "$vm" -o name -q | sed "s/^/$vm /"
	done | in_any_order "$seed" >order
	[ "$(wc -l <order)" -eq $((8 * EACH)) ]
	while read -r vm id; do
		avctl snapshot delete "$vm" "$id" >/dev/null </dev/null || fails "delete of $vm $id"
	done <order
	audit "${ALL[@]}"
	after=$(free_frames "${ALL[@]}")
	expect_equal "$after" "$before" "free frames"
}
