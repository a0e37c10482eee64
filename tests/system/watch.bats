#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# watch.bats - `avctl shm` as a user sees it, in tmux, on a RAM file that the test writes as a guest would.
# Starts no QEMU. Every wait is for a condition, with a deadline.

load panel

setup()
{
	panel_setup
}

teardown()
{
	panel_teardown
}

@test "changed bytes stand out in reverse, and later no more" {
	terminal TERM=screen-256color
	start_watch
	until_screen '00000000  43 69 61 6c 6c 6f 21 00 .*\|Ciallo!'
	poke 0 'Hello, shared memory!'
	until_screen $'\e\\[[0-9;]*7m(\e\\[31m)?48' -e
	until_screen '"Hello, shared memory!"'
	# The text has faded to plain after five seconds.
	until_screen '\|.{0,20}Hello, shared me' -e
	type_keys q
	restored 0
}

@test "without colours the attributes are still there" {
	terminal TERM=screen-256color NO_COLOR=1
	start_watch
	poke 0 'Hello'
	until_screen $'\e\\[7m48' -e
	not_on_screen $'\e\\[3[1-7]m' -e
	type_keys q
	restored 0
}

@test "a vt100 and a C locale get plain characters" {
	terminal TERM=vt100 LC_ALL=C
	start_watch
	until_screen '^-- fields ---'
	poke 0 'Hello'
	until_screen '\|Hello'
	type_keys q
	restored 0
}

@test "--ascii puts changes in brackets" {
	terminal TERM=screen-256color
	start_watch --ascii
	poke 0 'H'
	until_screen '\[48\]69'
	type_keys q
	restored 0
}

@test "a terminal that is dumb gets lines" {
	terminal TERM=dumb
	type_keys "'$AVCTL' shm watch --count 1" Enter
	until_screen 'no addressable screen'
	sleep 0.2 # the first sample has no sign of its own
	poke 0 'X'
	until_screen '"old":"43","new":"58"'
}

@test "space pauses and the panel can be moved in meanwhile" {
	terminal TERM=screen-256color
	start_watch
	type_keys Space
	until_screen 'PAUSED'
	screen -e | grep -qE $'\e\\[[0-9;]*7m PAUSED'
	poke 0 'X'
	type_keys g 512 Enter
	until_screen '@0x0200'
	type_keys Home
	until_screen '\|Ciallo!'
	type_keys Space
	until_screen '\|Xiallo!'
	type_keys q
	restored 0
}

@test "the panel follows the size of the terminal and recovers from one that is too small" {
	terminal TERM=screen-256color
	start_watch
	tmux -S tmux.sock resize-window -x 130 -y 30
	until_screen '0123456789abcdef.*message +char.64.'
	tmux -S tmux.sock resize-window -x 50 -y 8
	until_screen '50x8 is too small'
	tmux -S tmux.sock resize-window -x 60 -y 12
	until_screen '\|Ciallo!\.\|'
	tmux -S tmux.sock resize-window -x 80 -y 24
	until_screen '\|Ciallo!\.\.\.\.\.\.\.\.\.\|'
	type_keys '?'
	until_screen 'other key closes this help'
	type_keys x q
	restored 0
}

@test "the terminal is restored after TERM, HUP, INT and a crash" {
	local pid signal code

	terminal TERM=screen-256color
	for signal in TERM HUP INT SEGV ABRT; do
		case $signal in
		SEGV) code=139 ;;
		ABRT) code=134 ;;
		*) code=130 ;;
		esac
		type_keys clear Enter
		rm -f after
		start_watch
		pid=$(pgrep -P "$(tmux -S tmux.sock display-message -p '#{pane_pid}')" avctl)
		kill -$signal "$pid"
		restored $code
	done
}

@test "Ctrl-Z gives the terminal back and fg brings the panel again" {
	terminal TERM=screen-256color
	start_watch
	type_keys C-z
	until_screen 'Stopped'
	not_on_screen LIVE
	type_keys fg Enter
	until_screen 'LIVE'
	type_keys q
	until_screen 'ready> *$'
}

@test "the panel says when the set has ended and keeps the last bytes" {
	terminal TERM=screen-256color
	start_watch
	rm ram
	until_screen 'ENDED'
	until_screen '\|Ciallo!'
	type_keys q
	restored 0
}

@test "what a guest writes never reaches the terminal as an escape sequence" {
	poke 0 '\033]0;evil\007\033[2J\233'
	run "$AVCTL" shm dump board
	[ "$status" -eq 0 ]
	[[ "$output" == *'message = "\x1b]0;evil\x07\x1b[2J\x9b'* ]]
	[[ "$output" != *$'\e'* ]]
	terminal TERM=screen-256color
	start_watch
	until_screen '\|\.\]0;evil\.\.\[2J'
	[ "$(tmux -S tmux.sock display-message -p '#{pane_title}')" != evil ]
	type_keys q
	restored 0
}

@test "dump prints hex with fields, raw bytes, and JSON" {
	run "$AVCTL" shm dump board
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == '00000000  43 69 61 6c 6c 6f 21 00  00 00 00 00 00 00 00 00  |Ciallo!.........|' ]]
	[[ "$output" == *'message = "Ciallo!"'* ]]
	"$AVCTL" shm dump board -o raw >raw
	cmp raw <(dd if=ram bs=65536 skip=1 count=1 status=none)
	"$AVCTL" shm dump board -o json >json
	grep -q '"schema": "avctl/1"' json
	grep -q '"message": "Ciallo!"' json
}

@test "list names regions and rights" {
	run "$AVCTL" shm list
	[ "$status" -eq 0 ]
	[[ "$output" =~ board\ +0x70000000\ +64\ KiB\ +2\ +vm1\ ro\ +vm2\ rw ]]
	run "$AVCTL" shm list -o jsonl
	[[ "$output" == *'"rights":"rw"'* ]]
}

@test "changes are lines of JSON when stdout is not a terminal" {
	"$AVCTL" shm watch --fixed-clock 1700000000 --interval 20ms --count 1 --timeout 10s >changes &
	local pid=$!

	sleep 0.3 # the first sample has no sign of its own
	poke 256 '\001'
	wait $pid
	[[ "$(cat changes)" =~ ^\{\"t\":\"2023-11-14T22:13:2[0-9.]*Z\",\"region\":\"board\",\"off\":256,\"old\":\"00\",\"new\":\"01\",\"fields\":\{\"head\":1\},\"writer\":\"vm2\"\}$ ]]
}

@test "--once prints the region and its fields as they are, for people and for programs" {
	run "$AVCTL" shm watch board --once
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == '00000000  43 69 61 6c 6c 6f 21 00 '* ]]
	[[ "$output" == *'message = "Ciallo!"'* ]]
	"$AVCTL" shm watch board --once >once
	"$AVCTL" shm dump board | cmp - once
	"$AVCTL" shm watch board --once -o json | python3 -c 'import json, sys
d = json.load(sys.stdin)
assert d["schema"] == "avctl/1" and d["fields"] == {"message": "Ciallo!", "head": 0}, d'
	run "$AVCTL" shm watch board -o json
	[ "$status" -eq 2 ]
	[[ "$output" == *'--once -o json'* ]]
}

@test "a watch whose reader goes away, or that is interrupted, ends by itself" {
	(for ((i = 0; i < 400; i++)); do poke 1024 "$(printf '\\%03o\\%03o' $((i % 256)) $((i / 256)))"; sleep 0.005; done) &
	local writer=$! status=0
	timeout 10 "$AVCTL" shm watch board --interval 5ms | head -n 1 >line || status=$?
	grep -q '"off":1024' line
	[ "$status" -eq 0 ]
	timeout --preserve-status -s INT 1 "$AVCTL" shm watch board --interval 5ms >lines || status=$?
	[ "$status" -eq 130 ]
	[ -s lines ]
	kill $writer 2>/dev/null || true
	wait $writer || true
}

@test "--until ends with 0 when it holds and with 7 when its time is over" {
	poke 256 '\350\003'
	run "$AVCTL" shm watch --until 'head>=1000' --timeout 5s
	[ "$status" -eq 0 ]
	run "$AVCTL" shm watch --until 'head>1000 && message~Ciallo' --timeout 200ms
	[ "$status" -eq 7 ]
	run "$AVCTL" shm watch --until 'nothere>1'
	[ "$status" -eq 2 ]
	[[ "$output" == *'has no field "nothere"'* ]]
}

@test "unknown regions, ranges and formats are refused with a hint" {
	run "$AVCTL" shm dump bord
	[ "$status" -eq 3 ]
	[[ "$output" == *'did you mean board?'* ]]
	run "$AVCTL" shm dump board --at 65536 --length 1
	[ "$status" -eq 2 ]
	run "$AVCTL" shm dump board -o xml
	[ "$status" -eq 2 ]
	run "$AVCTL" shm watch --interval 0
	[ "$status" -eq 2 ]
}

@test "with several regions and no name there is a list to choose from" {
	cat >>avctl.yaml <<-END
	  - name: ring
	    size: 64KiB
	    address: 0x70200000
	    members: {vm1: rw, vm2: rw}
	END
	run "$AVCTL" shm watch
	echo "$output"
	[ "$status" -eq 2 ]
	[[ "$output" == *'board, ring'* ]]
	terminal TERM=screen-256color
	type_keys "'$AVCTL' shm watch" Enter
	until_screen '2 regions'
	type_keys j Enter
	until_screen ' ring  0x70200000'
	type_keys Escape
	until_screen '2 regions'
	type_keys k Enter
	until_screen ' board  0x70000000'
	type_keys q
	until_screen 'ready> *$'
}

@test "the stream holds every change: replayed, it gives the bytes that are there" {
	local pid

	cp ram first
	"$AVCTL" shm watch -o jsonl --interval 10ms --timeout 2s >changes 2>/dev/null &
	pid=$!
	sleep 0.3 # the first sample has no sign of its own
	python3 - <<-END
	import os, random
	random.seed(5)
	with open("ram", "r+b", buffering=0) as ram:
	    for i in range(300):
	        at = random.choice([random.randrange(65536), 16384 * random.randrange(1, 4) - 3])
	        ram.seek(65536 + at)
	        ram.write(os.urandom(min(random.choice([1, 2, 6, 700, 20000]), 65536 - at)))
	END
	wait $pid || [ $? -eq 7 ]
	python3 - <<-END
	import json
	region, there = (bytearray(open(name, "rb").read()[65536:131072]) for name in ("first", "ram"))
	count = 0
	for line in open("changes"):
	    change = json.loads(line)
	    old, new, at = bytes.fromhex(change["old"]), bytes.fromhex(change["new"]), change["off"]
	    assert region[at:at + len(old)] == old, change
	    region[at:at + len(new)] = new
	    count += 1
	assert count > 10 and region == there, count
	END
}
