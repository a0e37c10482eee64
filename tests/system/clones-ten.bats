#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# clones-ten.bats - ten clones of a VM that has much in memory run at once, each with an identity of its own, and all of them
# together take less memory than the one they were made from.

load lib
load guests

COUNT=10
PAGES=8000

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: ten
	machine: {cpus: 2, memory: 512MiB}
	vms:
	  - {name: sh, image: $GUESTS/shell.elf, memory: 64MiB, snapshots: {memory: 16MiB}}
	spare: {count: $COUNT, budget: 4MiB}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# order N TEXT: to clone number N; `tell` looks half a second what the guest says.
order() {
	(cd "$XDG_RUNTIME_DIR/avisor/ten" && printf '%s\n' "$2" | socat -u - UNIX-CONNECT:spare$1.console)
}

all() {
	seq -f 'c%g' $COUNT
}

# What each answered to IDENTITY (x1 to x3), a line each.
identities() {
	local vm

	for vm in $(all); do
		log "$vm" | grep -E '^hvc' | tail -n 1
	done
}

@test "ten clones run at once, each its own, and take less memory than one VM" {
	local n one before taken vm

	tell sh "touch 0x40400000 $PAGES 5"
	says sh "touch: $PAGES pages"
	avctl snapshot take sh --name full
	one=$(field frames_used sh)
	before=$(field frames_free)
	for n in $(seq $COUNT); do
		avctl clone sh --name full c$n -q >/dev/null
	done
	for n in $(seq $COUNT); do
		order $n "verify 0x40400000 $PAGES 5"
		order $n "touch 0x40400000 40 $n"
		order $n "verify 0x40400000 40 $n"
		order $n 'hvc 0 0xc6000005 0 0 0 0 0 0'
	done
	for vm in $(all); do
		says $vm "verify: $PAGES pages, 0 wrong ok"
		says $vm 'verify: 40 pages, 0 wrong ok'
		says $vm '^hvc'
	done
	identities >identities
	expect_equal "$(sort -u identities | wc -l)" $COUNT "identities"
	taken=$((before - $(field frames_free)))
	echo "# one VM: $((one * 4)) KiB, $COUNT clones of it: $((taken * 4)) KiB more" >&3
	[ "$taken" -lt "$one" ]
	# The source does not see what they wrote.
	tell sh "verify 0x40400000 $PAGES 5"
	says sh "verify: $PAGES pages, 0 wrong ok"
	audit sh $(all)
}

@test "the crash of one harms none, and when all are gone nothing is left of them" {
	local n vm at

	order 4 crash
	avctl wait c4 crashed -t 20s
	for n in 1 2 3 5 6 7 8 9 10; do
		at=$(mark c$n)
		order $n "echo here-$n"
		says c$n "here-$n" "$at"
	done
	avctl rm $(all) >/dev/null
	agent "drain vm=sh"
	expect_equal "$(avctl ps -o name | wc -l)" 1 "VMs"
	for n in $(seq $COUNT); do
		avctl ps -a -o json | json "next(v['state'] for v in d['vms'] if v['name'] == 'spare$n')" | grep -x empty >/dev/null
	done
	audit sh
}
