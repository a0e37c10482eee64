#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# states.bats - each cell of the table of states in abi/README.md: a VM is brought into the state, the operation is asked
# for on the control port and, where avctl has a verb, by avctl; state, reply and exit code are compared with the cell.

load lib
load guests

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: states
	machine: {cpus: 2, memory: 512MiB}
	vms:
	  - {name: vm, image: $GUESTS/shell.elf, memory: 8MiB, snapshots: {memory: 512KiB, when-full: refuse}}
	  - {name: heart, image: $GUESTS/heartbeat.elf, memory: 32MiB}
	END
	table >"$AVISOR_TEST/table"
	prepare
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# The table: `operation|running|paused|starved|crashed|stopped` a line, no spaces around the bars.
table() {
	sed -n '/^| operation | running |/,/^$/p' "$AVISOR_TOP/abi/README.md" | sed -e '2d' -e 's/ *| */|/g' -e 's/^|//' -e 's/|$//' \
		-e '/^$/d'
}

# cell OPERATION STATE
cell() {
	awk -F'|' -v operation="$1" -v state="$2" '
		NR == 1 { for (i = 2; i <= NF; i++) if ($i == state) column = i }
		$1 == operation { print $column }' "$AVISOR_TEST/table"
}

state() {
	ask "vm vm=vm" | sed -n 's/.* state=\([a-z]*\) .*/\1/p'
}

state_is() {
	[ "$(state)" = "$1" ]
}

# ask LINE: a request to the control agent by the hidden verb, which is quicker than agent() of guests.bash.
ask() {
	avctl agent $1
}

# What a state is reached from, pinned: a shell that waits, one about to do what crashes it, one that has written most of
# its RAM.
prepare() {
	says vm 'shell: start'
	keep idle
	tell vm crash
	wait_for 20 state_is crashed
	keep crashing
	prepare_full
}

prepare_full() {
	local at

	ask "restore vm=vm name=idle" >/dev/null
	at=$(mark vm)
	tell vm 'touch 0x40300000 1280 1'
	says vm 'touch: 1280 pages' "$at"
	keep full
}

keep() {
	ask "take vm=vm name=$1" >/dev/null
	ask "set vm=vm name=$1 pinned=1" >/dev/null
}

# Every snapshot but those three, boot and undo.
others() {
	ask "snapshots vm=vm" | grep '^row id=[0-9]' | grep -vE ' name=(idle|crashing|full) ' | sed 's/^row id=\([0-9]*\) .*/\1/'
}

# reach STATE [COMMAND]: from anywhere; COMMAND is what starves it. There is one snapshot besides those three, of a waiting shell or a full VM, and no undo.
reach() {
	local id until_starved=${2:-touch 0x40300000 1280 2}

	for id in $(others); do
		ask "set vm=vm id=$id pinned=0" >/dev/null
		ask "delete vm=vm id=$id" >/dev/null
	done
	ask "delete vm=vm undo=1" >/dev/null 2>&1 || :
	[ "$1" != starved ] || ask "snapshots vm=vm" | grep -q ' name=full ' || prepare_full # a test may have deleted it
	ask "restore vm=vm name=$([ "$1" = starved ] && echo full || echo idle)" >/dev/null
	ask "take vm=vm" >/dev/null
	ask "drain vm=vm" >/dev/null
	case $1 in
	paused) ask "pause vm=vm" >/dev/null ;;
	stopped) ask "stop vm=vm" >/dev/null ;;
	crashed) ask "restore vm=vm name=crashing" >/dev/null ;;
	starved) type_at_once "$until_starved" ;; # the whole of RAM twice is more than the budget
	esac
	wait_for 20 state_is "$1"
}

# `tell` looks half a second what the guest says to it; this does not.
type_at_once() {
	(cd "$XDG_RUNTIME_DIR/avisor/states" && printf '%s\n' "$1" | socat -u - UNIX-CONNECT:vm.console)
}

# request OPERATION: the line that asks for it.
request() {
	case $1 in
	"start paused") echo "start vm=vm paused=1" ;;
	"restart paused") echo "restart vm=vm paused=1" ;;
	restore) echo "restore vm=vm latest=1" ;;
	"restore paused") echo "restore vm=vm latest=1 paused=1" ;;
	"undo of a restore") echo "restore vm=vm undo=1" ;;
	delete) echo "delete vm=vm id=$2" ;;
	"rename, pin") echo "set vm=vm id=$2 new_name=other pinned=1" ;;
	"info, list, audit") echo "audit vm=vm" ;;
	*) echo "$1 vm=vm" ;;
	esac
}

# verb OPERATION: the avctl command that does it.
verb() {
	case $1 in
	"start paused") echo "start --paused vm" ;;
	"restart paused") echo "restart --paused vm" ;;
	restore) echo "restore vm --latest" ;;
	"restore paused") echo "restore vm --latest --paused" ;;
	"undo of a restore") echo "restore vm --undo" ;;
	take) echo "snapshot take vm" ;;
	delete) echo "snapshot delete vm $2" ;;
	"rename, pin") echo "snapshot pin vm $2" ;;
	"info, list, audit") echo "snapshot list vm" ;;
	*) echo "$1 vm" ;;
	esac
}

# Is it so already, for avctl?
already() {
	case "$1 of $2" in
	"pause of paused" | "resume of running" | "stop of stopped" | "start of running" | "start paused of paused") return 0 ;;
	esac
	return 1
}

# exit_code OPERATION STATE CELL
exit_code() {
	case $3 in
	WRONG_STATE) if already "$1" "$2"; then echo 0; else echo 4; fi ;;
	NOT_FOUND) echo 3 ;;
	NO_MEMORY) echo 1 ;;
	*) echo 0 ;;
	esac
}

latest() {
	others | tail -n 1
}

# before OPERATION STATE: what must be so before it is asked for.
before() {
	case "$1 of $2" in
	"undo of a restore of "*)
		ask "restore vm=vm latest=1 keep_undo=1" >/dev/null
		;;
	"delete of starved")
		# The pages are shared by two snapshots: only the second delete frees enough to go on for long.
		ask "delete vm=vm id=$(latest)" >/dev/null
		wait_for 20 state_is starved
		ask "set vm=vm name=full pinned=0" >/dev/null
		;;
	esac
}

# Which one `delete` and the like are tried on.
victim() {
	if [ "$1 of $2" = "delete of starved" ]; then
		ask "snapshots vm=vm" | sed -n 's/^row id=\([0-9]*\) .* name=full .*/\1/p'
	else
		latest
	fi
}

# after STATE CELL: the state that there must be now.
after() {
	case $2 in
	[A-Z]*) echo "$1" ;;
	*) echo "$2" ;;
	esac
}

# try OPERATION STATE: both ways.
try() {
	local expected code wanted

	expected=$(cell "$1" "$2")
	[ -n "$expected" ] || fails "no cell for $1 of $2"
	reach "$2"
	before "$1" "$2"
	wanted=$(after "$(state)" "$expected")
	run ask "$(request "$1" "$(victim "$1" "$2")")"
	say "$1 of $2: $output"
	if [[ "$expected" == [A-Z]* ]]; then
		[[ "$output" == "err code=$expected "* ]] || fails "$1 of $2: not $expected: $output"
	else
		[ "$status" -eq 0 ] || fails "$1 of $2: $output"
	fi
	expect_equal "$(state)" "$wanted" "state after $1 of $2"
	prepared

	reach "$2"
	before "$1" "$2"
	code=$(exit_code "$1" "$2" "$expected")
	run avctl $(verb "$1" "$(victim "$1" "$2")")
	expect_equal "$status" "$code" "exit code of $1 of $2 ($output)"
	expect_equal "$(state)" "$wanted" "state after avctl $1 of $2"
	prepared
}

prepared() {
	ask "snapshots vm=vm" | grep -q ' name=full ' || prepare_full
}

# every cell of a column
column() {
	local operation

	while IFS='|' read -r operation _; do
		case $operation in
		operation | crash) continue ;; # `crash` has no verb: errors.bats
		esac
		try "$operation" "$1"
	done <"$AVISOR_TEST/table"
	ask "audit vm=vm"
	heart_beats heart
}

@test "abi/README.md has a cell for each operation in each state" {
	expect_equal "$(head -n 1 table)" "operation|running|paused|starved|crashed|stopped" "the states"
	[ "$(wc -l <table)" -eq 16 ]
	[ "$(grep -cE '^([^|]+\|){5}[^|]+$' table)" -eq 16 ]
}

@test "operations of a running VM end as the table says" {
	column running
}

@test "operations of a paused VM end as the table says" {
	column paused
}

@test "operations of a starved VM end as the table says" {
	column starved
}

@test "operations of a crashed VM end as the table says" {
	column crashed
}

@test "operations of a stopped VM end as the table says" {
	column stopped
}

@test "undo of a crashed VM's restore brings back what it crashed of" {
	local before

	reach crashed
	before=$(ask "vm vm=vm" | grep -o 'reason=.*')
	[[ "$before" == *'device access'* ]]
	avctl restore vm --latest -q
	wait_for 10 state_is running
	[ "$(ask "vm vm=vm" | grep -c 'reason=')" -eq 0 ]
	avctl restore vm --undo -q
	state_is crashed
	expect_equal "$(ask "vm vm=vm" | grep -o 'reason=.*')" "$before" "the reason"
}

@test "a restore leads to running whatever the snapshot recorded, also behind a SYSTEM_OFF" {
	local at id

	reach running
	tell vm off
	wait_for 10 state_is stopped
	avctl snapshot take vm --name off -q
	[ "$(avctl snapshot list vm | awk '$2 == "off" { print $NF, $(NF - 1) }')" = "yes stopped" ]
	at=$(mark vm)
	avctl restore vm --name off -q
	state_is running
	says vm 'off: CAME BACK' "$at"
}

@test "a VM that is alone stops at its last CPU_OFF" {
	reach running
	tell vm cpu-off
	wait_for 10 state_is stopped
}

@test "a starved VM goes on at the instruction that found no page when a delete gives one back" {
	local at

	reach starved
	at=$(mark vm)
	before delete starved
	avctl snapshot delete vm full -q
	state_is running
	says vm 'touch: 1280 pages' "$at"
	tell vm 'verify 0x40300000 1280 2'
	says vm 'verify: 1280 pages, 0 wrong ok' "$at"
}

@test "a call whose answer finds no page starves the VM and is made again" {
	local at

	reach starved 'touch-by-call 0x40300000 1280'
	at=$(mark vm)
	before delete starved
	avctl snapshot delete vm full -q
	state_is running
	says vm 'touch-by-call: 1280 pages, 0 wrong ok' "$at"
	heart_beats heart
}

@test "a VM that makes many events loses only its own" {
	local first

	reach running
	ask "pause vm=heart" >/dev/null
	ask "resume vm=heart" >/dev/null
	first=$(avctl events heart -o json | json 'len(d["events"])')
	for _ in $(seq 400); do
		echo "agent pause vm=vm"
		echo "agent resume vm=vm"
	done | avctl - >/dev/null
	expect_equal "$(avctl events heart -o json | json 'len(d["events"])')" "$first" "events of heart"
	expect_equal "$(avctl events vm -o json | json 'len(d["events"])')" 256 "events of vm"
}
