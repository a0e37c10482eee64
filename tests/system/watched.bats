#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# watched.bats - whoever watches a region does not slow its guests (Show 7 of issue 5). QEMU counts instructions: under
# -icount a tick of the guest's counter is 16 instructions, and the same work takes the same ticks.

load lib
load guests

setup_file() {
	machine_begin
	export AVCTL_QEMU_ARGS='-icount shift=0,sleep=off'
	set_up <<-END
	version: 1
	name: watched
	machine: {cpus: 1, memory: 256MiB}
	vms:
	  - {name: writer, image: $GUESTS/watched.elf, memory: 32MiB}
	shm:
	  - name: board
	    size: 64KiB
	    members: {writer: rw}
	    fields:
	      - {name: seq, at: 4, type: u32}
	      - {name: last, at: 200, type: u64}
	      - {name: ticks, at: 208, type: u64}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# The least ticks that the guest's work took in the rounds from now on, 200 of them.
least_ticks() {
	local seq

	avctl shm poke board ticks=0 --yes >/dev/null
	seq=$(avctl shm peek board seq)
	avctl shm watch board --until "seq>=$((seq + 200))" --interval 2s --timeout 60s >/dev/null
	avctl shm peek board ticks
}

@test "the same work takes a guest as many instructions watched 30 times a second as not watched" {
	local alone watched

	avctl shm watch board --until 'seq>=10' --timeout 30s >/dev/null
	alone=$(least_ticks)
	tmux -S tmux.sock -f /dev/null new-session -d -x 80 -y 24 \
		"exec env TERM=screen-256color '$AVISOR_BUILD/avctl' shm watch board --interval 33ms" {AVISOR_LOCK_FD}<&-
	wait_for 10 eval "tmux -S tmux.sock capture-pane -p | grep -q 'LIVE  30 Hz'"
	watched=$(least_ticks)
	tmux -S tmux.sock capture-pane -p | grep -q '[1-9][0-9]* \(newest \)\?changes kept'
	tmux -S tmux.sock kill-server
	echo "# 100,000 rounds of work: $alone ticks alone, $watched watched" >&3
	[ "$alone" -gt 10000 ]
	[ "$alone" -eq "$watched" ]
}
