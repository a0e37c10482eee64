#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# errors.bats - every error that abi/README.md documents for a call has been seen: from an ordinary VM and from one in
# place of the control VM (tests/guests/errors.c).

load lib
load guests

setup_file() {
	machine_begin
	mkdir "$AVISOR_TEST/lib"
	ln -s "$AVISOR_BUILD/hypervisor.elf" "$AVISOR_TEST/lib/hypervisor.elf"
	ln -s "$GUESTS/errors.elf" "$AVISOR_TEST/lib/control.elf"
	export AVCTL_LIBDIR="$AVISOR_TEST/lib"
	set_up <<-END
	version: 1
	name: errors
	machine: {cpus: 2, memory: 512MiB, sets: 12KiB}
	vms:
	  - {name: target, image: $GUESTS/heartbeat.elf, memory: 32MiB, snapshots: {keep: 3}}
	  - {name: errors, image: $GUESTS/errors.elf, memory: 8MiB, snapshots: {keep: 4, memory: 512KiB, when-full: refuse}}
	  - {name: abi, image: $GUESTS/abi.elf, memory: 64MiB, snapshots: {memory: 16MiB}}
	shm:
	  - {name: mine, size: 4KiB, members: {errors: rw}}
	  - {name: theirs, size: 4KiB, members: {target: rw}}
	spare: {count: 2, memory: 32MiB, budget: 4MiB}
	END
	wait_for 60 all_done || log errors
	said_by_both >"$AVISOR_TEST/seen"
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

all_done() {
	said errors '^errors: done ' && hypervisor_log | grep -q 'control: print: errors: done '
}

# CALL ERROR, a line each, as the guests saw them; of the one in the control VM's place from a run that came to its end.
said_by_both() {
	{
		log errors | sed -n 's/^errors: //p'
		hypervisor_log | sed -n 's/.*control: print: errors: //p' |
			awk '/^start / { run = "" } { run = run $0 "\n" } /^done / { whole = run } END { printf "%s", whole }'
	} | sort -u
}

# CALL ERROR, a line each, as documented. `any` is what every call has.
documented() {
	awk '
		/^## Calling/ { call = "any" }
		/^## The calls/ { call = "" }
		/^## hvc/ { exit }
		/^### Status/ { call = "" }
		/^### [A-Z_]+$/ { call = $2 }
		/^\| `[A-Z_]+` \|/ && call != "" { gsub(/[`|]/, " "); print call, $1 }' "$AVISOR_TOP/abi/README.md" | sort -u
}

# What no machine of this build can answer, with the reason.
out_of_reach() {
	echo 'AUDIT INTEGRITY'		# a bug of the hypervisor: host tests spoil a count (tests/unit)
	# a VM that is full to the last frame, from outside: host tests (tests/unit/test_import.c)
	echo 'IMPORT_BEGIN NO_MEMORY'
	echo 'IMPORT_PAGES NO_MEMORY'
	echo 'TEST_HOOK NOT_SUPPORTED'	# release builds
}

@test "both guests went through all they had to try, and no call answered wrongly" {
	grep -x 'done ok' seen
	run grep '^WRONG ' seen
	expect_equal "$output" "" "wrong answers"
	[ "$(wc -l <seen)" -gt 40 ]
}

@test "abi/README.md has a section for each call, with its number and privilege" {
	local name number privilege

	while read -r name number privilege; do
		awk -v name="$name" '$0 == "### " name { getline; getline; print }' "$AVISOR_TOP/abi/README.md" |
			grep -q "^$number, $(tr A-Z a-z <<<"$privilege")[.;]" || fails "$name is not $number, $privilege"
	done < <(sed -n 's/^AV_HVC(\([A-Z_]*\), *\(0x[0-9a-f]*\), *[0-9], *\([A-Z]*\))$/\1 \2 \3/p' \
		"$AVISOR_TOP/abi/avisor/hypercalls.def")
	[ -n "$name" ] || [ "$(grep -c '^AV_HVC(' "$AVISOR_TOP/abi/avisor/hypercalls.def")" -gt 20 ]
}

@test "every documented error was seen" {
	documented >documented
	[ "$(wc -l <documented)" -gt 45 ]
	run comm -23 <(sort documented) <(cat seen <(out_of_reach) | sort -u)
	expect_equal "$output" "" "documented, but not seen"
}

@test "no error was seen that is not documented" {
	documented >documented
	run comm -13 <(sort documented) <(grep -E '^(any|[A-Z_]+) [A-Z_]+$' seen | grep -v ' OK$' | sort -u)
	expect_equal "$output" "" "seen, but not documented"
}

@test "each call answers an ordinary VM as it should, also over the end of a page and of RAM" {
	says abi '^abi: done, [0-9]* wrong'
	run grep -E '^abi: (WRONG|done)' <(log abi)
	expect_equal "$output" "abi: done, 0 wrong" "what tests/guests/abi.c says"
	says abi '^abi: came back from the snapshot'
}

@test "the machine is as sound as before" {
	audit target errors abi
	heart_is_running
}

heart_is_running() {
	local at

	at=$(mark target)
	says target '^heartbeat nonce=' "$at"
}
