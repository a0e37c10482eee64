#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# board.bats - what a guest may expect of the board where drivers seldom go: more interrupts than list registers, levels
# that outlast their interrupt, a prompt without a newline before a busy loop.

load lib
load guests

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: board
	machine: {cpus: 3, memory: 512MiB}
	vms:
	  - {name: pending, image: $GUESTS/pending.elf, memory: 32MiB, cpu: 1}
	  - {name: poll, image: $GUESTS/poll.elf, memory: 32MiB, cpu: 2}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

@test "twelve interrupts pending at once all arrive, with four list registers" {
	says pending '^pending round=20 '
	log pending | awk '/^pending round=/ { split($2, round, "="); split($3, taken, "="); n++
		if (taken[2] != 12 * round[2]) bad++ } END { exit !(n >= 20 && !bad) }'
}

@test "a level that is still up at the end of its interrupt comes again" {
	says pending '^pending round=20 '
	[ "$(log pending | grep '^pending levels=' | sort -u)" = 'pending levels=3' ]
	avctl pause pending
	avctl resume pending
	says pending '^pending levels=3' "$(mark pending)"
}

@test "a prompt without a newline is seen although the guest is busy looking for the answer" {
	says poll '^poll 0> $'
	tell poll 'first'
	says poll '^poll 0> \[first\]$'
	says poll '^poll 1> $'
}
