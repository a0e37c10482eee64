#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shm.bats - memory that VMs share, from YAML to the panel, with real guests (Show 5 of issue 2).
# Every wait is for a condition, with a deadline. One machine serves all tests of the file.

setup_file()
{
	local top=$BATS_TEST_DIRNAME/../..

	export AVCTL=$(realpath "${AVCTL:-$top/${B:-build}/avctl}")
	export GUESTS=$(dirname "$AVCTL")/guests
	export XDG_RUNTIME_DIR=$BATS_FILE_TMPDIR/run XDG_STATE_HOME=$BATS_FILE_TMPDIR/state
	unset AVCTL_TEST_RAM_FILE AVCTL_TEST_AT AVCTL_SET NO_COLOR
	mkdir -m 700 "$XDG_RUNTIME_DIR"
	cd "$BATS_FILE_TMPDIR"
	cat >avctl.yaml <<-END
	version: 1
	name: shmtest
	machine: {cpus: 2, memory: 512MiB}
	vms:
	  - {name: vm1, image: $GUESTS/shm-reader.elf, memory: 32MiB}
	  - {name: vm2, image: $GUESTS/shm-writer.elf, memory: 32MiB, start: paused}
	  - {name: vm3, image: $GUESTS/ro-writer.elf, memory: 32MiB}
	shm:
	  - name: board
	    address: 0x70000000
	    size: 64KiB
	    init: "Ciallo!"
	    members: {vm1: ro, vm2: rw, vm3: ro}
	    fields:
	      - {name: message, at: 0, type: string, length: 64}
	      - {name: count, at: 64, type: u64}
	END
	"$AVCTL" up --timeout 60s
}

teardown_file()
{
	cd "$BATS_FILE_TMPDIR"
	"$AVCTL" down
}

setup()
{
	cd "$BATS_FILE_TMPDIR"
}

teardown()
{
	if [ -S tmux.sock ]; then
		tmux -S tmux.sock kill-server || true
	fi
}

count()
{
	"$AVCTL" shm dump board -o json |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["fields"]["count"])'
}

until_screen()
{
	local regex=$1 deadline=$((SECONDS + 15))

	shift
	until tmux -S tmux.sock capture-pane -p "$@" | grep -qE -- "$regex"; do
		if [ $SECONDS -ge $deadline ]; then
			echo "never seen: $regex"
			tmux -S tmux.sock capture-pane -p "$@"
			return 1
		fi
		sleep 0.02
	done
}

@test "the reader, the dump and the panel see the initial bytes, then what the writer wrote" {
	"$AVCTL" wait vm1 'log=Shared memory: Ciallo!' --timeout 10s
	run "$AVCTL" shm dump board
	[[ "$output" == *'|Ciallo!.........|'*'message = "Ciallo!"'* ]]
	tmux -S tmux.sock -f /dev/null new-session -d -x 80 -y 24 \
		"TERM=screen-256color '$AVCTL' shm watch board"
	until_screen '\|Ciallo!\.'
	"$AVCTL" resume vm2
	"$AVCTL" shm watch board --until 'message=="Hello, shared memory!"' --timeout 20s >changes
	grep -q '"off":0,"old":"436961","new":"48656c"' changes
	until_screen '\|Hello, shared me\|'
	until_screen 'message +char.64. "Hello, shared memory!"'
	# The count changes ten times a second: it never fades.
	until_screen $'^(\e\\[[0-9;]*m)*.?(\e\\[[0-9;]*m)*.?00000040.*\e\\[[0-9;]*7m' -e
	"$AVCTL" wait vm1 'log=Shared memory: Hello, shared memory!' --timeout 10s
	run "$AVCTL" shm dump board
	[[ "$output" == *'|Hello, shared me|'* ]]
}

@test "a member with ro that writes gets an abort, changes nothing and lives" {
	"$AVCTL" wait vm3 'log=ro-writer: write refused' --timeout 10s
	"$AVCTL" wait vm3 'log=ro-writer: alive 3 unchanged' --timeout 10s
	run "$AVCTL" logs vm3
	[[ "$output" != *'WENT THROUGH'* ]]
	# An external abort (DFSC 0x10) of a write (WnR), taken from EL1.
	[[ "$output" == *'write refused esr=0x96000050 far=0x70000000'* ]]
	"$AVCTL" wait vm3 running --timeout 1s
}

@test "restarting the writer does not rewind the region" {
	"$AVCTL" shm watch board --until 'count>=5' --timeout 20s >/dev/null
	local before
	before=$(count)
	"$AVCTL" restart vm2
	local after
	after=$(count)
	[ "$after" -ge "$before" ]
	"$AVCTL" shm watch board --until "count>$((after + 3))" --timeout 20s >changes
	# It never went down: every change of the count is one up.
	python3 - <<-END
	import json
	counts = [json.loads(line).get("fields", {}).get("count") for line in open("changes")]
	counts = [c for c in counts if c is not None]
	assert counts == sorted(counts) and counts[0] >= $before, counts
	END
}

@test "restoring the writer does not rewind the region" {
	local id before
	id=$("$AVCTL" snapshot take vm2 -o name)
	before=$(($(count) + 10))
	"$AVCTL" shm watch board --until "count>=$before" --timeout 20s >/dev/null
	"$AVCTL" restore vm2 --id "$id"
	[ "$(count)" -ge "$before" ]
	"$AVCTL" shm watch board --until "count>$((before + 3))" --timeout 20s >/dev/null
}

@test "the panel says so when the machine goes down" {
	tmux -S tmux.sock -f /dev/null new-session -d -x 80 -y 24 \
		"TERM=screen-256color '$AVCTL' shm watch board; exec sh"
	until_screen 'LIVE'
	"$AVCTL" down
	until_screen 'ENDED'
	tmux -S tmux.sock send-keys q
	run "$AVCTL" shm dump board
	[ "$status" -eq 6 ]
}
