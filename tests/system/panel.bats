#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# panel.bats - the watch panel, screen by screen and key by key, against tests/system/screens/ (Show 7 of issue 5).
# Starts no QEMU. The panel's clock stands still: its "." key takes the next look, a tenth of a second later.
# UPDATE_SCREENS=1 writes the screens anew; look at them before you commit them.

load panel

setup()
{
	panel_setup
	cat >>avctl.yaml <<-END
	      - {name: state, at: 0x110, type: u8, enum: {idle: 0, busy: 1}}
	      - {name: temps, at: 0x120, type: "i16[4]"}
	      - {name: net, at: 0x130, type: u32, endian: big, hex: true}
	      - {name: slot, at: 0x200, count: 2, length: 16, fields: [{name: owner, type: u32}, {name: text, type: "char[8]"}]}
	END
	poke 512 '\001\000\000\000first'
}

teardown()
{
	panel_teardown
}

# terminal_of WIDTH HEIGHT SETTINGS...
terminal_of()
{
	terminal "${@:3}"
	tmux -S tmux.sock resize-window -x "$1" -y "$2"
	type_keys clear Enter
}

# The panel, its first look taken.
start_still()
{
	type_keys "clear; stty -a >before; '$AVCTL' shm watch --fixed-clock 1700000000 $*; echo rc=\$?; stty -a >after" Enter
	until_screen 'LIVE'
	until_screen 'Ciallo|first'
}

# look [TEXT]: press "." and wait until a line matches TEXT
look()
{
	type_keys .
	[ $# -eq 0 ] || until_screen "$1"
}

# golden NAME [capture options]: the screen is as in screens/NAME
golden()
{
	local name=$1 wanted=$BATS_TEST_DIRNAME/screens/$1 deadline=$((SECONDS + 10))

	shift
	if [ "${UPDATE_SCREENS:-}" = 1 ]; then
		sleep 0.5
		mkdir -p "$BATS_TEST_DIRNAME/screens"
		screen "$@" >"$wanted"
		return
	fi
	until screen "$@" | cmp -s - "$wanted"; do
		if [ $SECONDS -ge $deadline ]; then
			screen "$@" | diff "$wanted" - | sed 's/\x1b/^[/g'
			return 1
		fi
		sleep 0.05
	done
}

# What guests write between two looks.
guests_write()
{
	poke 256 '\350\003'
	poke 288 '\007\000\371\377'
	look '1000'
	poke 0 'Hello, shared memory!'
	poke 272 '\001'
	look 'Hello, shared'
}

quit()
{
	type_keys q
	restored 0
}

@test "golden: 80x24 in colour" {
	terminal_of 80 24 TERM=screen-256color LC_ALL=C.UTF-8
	start_still
	guests_write
	golden 80x24-colour -e
	quit
}

@test "golden: 60x12" {
	terminal_of 60 12 TERM=screen-256color LC_ALL=C.UTF-8 NO_COLOR=1
	start_still
	guests_write
	golden 60x12
	quit
}

@test "golden: 200x50" {
	terminal_of 200 50 TERM=screen-256color LC_ALL=C.UTF-8 NO_COLOR=1
	start_still
	guests_write
	golden 200x50
	quit
}

@test "golden: vt100, attributes and no colour" {
	terminal_of 80 24 TERM=vt100 LC_ALL=C.UTF-8
	start_still
	guests_write
	golden 80x24-vt100 -e
	not_on_screen $'\e\\[3[1-7]m' -e
	quit
}

@test "golden: C locale and --ascii, ASCII only" {
	terminal_of 80 24 TERM=screen-256color LC_ALL=C
	start_still --ascii
	guests_write
	golden 80x24-c-ascii
	screen >shown
	! LC_ALL=C grep -P '[^\x00-\x7f]' shown
	quit
}

@test "golden: help, at the smallest size and scrolled to its end" {
	terminal_of 60 12 TERM=screen-256color LC_ALL=C.UTF-8 NO_COLOR=1
	start_still
	type_keys '?'
	until_screen ' keys '
	golden 60x12-help
	type_keys PageDown PageDown PageDown
	until_screen 'only reads memory'
	type_keys x
	until_screen 'LIVE'
	not_on_screen ' keys '
	quit
}

@test "golden: the past, and the difference to a mark" {
	terminal_of 80 24 TERM=screen-256color LC_ALL=C.UTF-8 NO_COLOR=1
	start_still
	guests_write
	type_keys '['
	until_screen 'PAST -1'
	until_screen '\|Ciallo!'
	golden 80x24-past -e
	type_keys ']'
	until_screen 'PAUSED'
	until_screen '\|Hello, shared me'
	type_keys Space m
	until_screen '0 B not as at 22:13:2'
	poke 5 '!!'
	look '2 B not as at'
	golden 80x24-mark -e
	type_keys M
	until_screen 'view 0x0'
	quit
}

@test "keys: moving, pages, ends" {
	terminal_of 80 24 TERM=screen-256color
	start_still
	type_keys Down Right Right
	until_screen '@0x0012'
	type_keys j l k h h Up
	until_screen '@0x0001'
	type_keys Left
	until_screen '@0x0000'
	type_keys Right
	until_screen '@0x0001'
	type_keys PageDown
	until_screen '@0x00a1'
	type_keys PageUp
	until_screen '@0x0001'
	type_keys End
	until_screen '@0xffff'
	until_screen '0000fff0 .*'
	type_keys Home
	until_screen '@0x0000'
	quit
}

@test "keys: fields, go to, search forwards, backwards and for numbers" {
	terminal_of 80 24 TERM=screen-256color
	poke 4096 'needle'
	poke 8192 'needle'
	poke 12288 '\350\003\000\000'
	start_still
	type_keys Tab
	until_screen '@0x0100 head'
	type_keys Tab Tab Tab Tab
	until_screen '@0x0200 slot\[0\].owner'
	until_screen '>\+0200 slot\[0\].owner'
	type_keys BTab
	until_screen '@0x0130 net'
	type_keys g 'slot[1].text' Enter
	until_screen '@0x0214'
	type_keys g 0x70001000 Enter
	until_screen '@0x1000'
	type_keys g +16 Enter
	until_screen '@0x1010'
	type_keys g nonsense Enter
	until_screen 'not in this region: nonsense'
	type_keys Home / needle Enter
	until_screen 'found at 0x1000$'
	type_keys n
	until_screen 'found at 0x2000$'
	type_keys n
	until_screen 'found at 0x1000, from the start'
	type_keys N
	until_screen 'found at 0x2000, from the end'
	type_keys / u32:1000 Enter
	until_screen 'found at 0x3000'
	type_keys / '=6e 65 65' Enter
	until_screen 'found at 0x1000, from the start'
	type_keys / nowhere Enter
	until_screen 'not found'
	quit
}

@test "keys: freeze, past, stress, follow, values, pace, save" {
	terminal_of 80 24 TERM=screen-256color
	start_still
	guests_write
	type_keys '{'
	until_screen 'PAST -2'
	type_keys '['
	until_screen 'this is the first state'
	type_keys '}'
	until_screen 'PAUSED'
	type_keys ']'
	until_screen 'the newest state'
	type_keys Space
	until_screen 'LIVE'
	type_keys d
	until_screen 'marked: what is not as at the mark'
	type_keys d d
	until_screen 'marked: what changed, by its age'
	type_keys f
	until_screen 'following the last change: on'
	poke 40000 'x'
	look '@0x9c40'
	type_keys f z
	until_screen 'faint zeros: on'
	type_keys Home e
	until_screen 'big-endian values at the cursor: on'
	type_keys x
	until_screen 'hexadecimal values at the cursor: on'
	type_keys l
	until_screen 'u16 0x656c'
	type_keys +
	until_screen '20 Hz'
	type_keys -
	until_screen '10 Hz'
	type_keys =
	until_screen '20 Hz'
	type_keys - -
	until_screen '5 Hz'
	type_keys w saved.bin Enter
	until_screen '65536 bytes from 0x0 on are in saved.bin'
	cmp saved.bin <(dd if=ram bs=65536 skip=1 count=1 status=none)
	type_keys w saved.bin Enter
	until_screen 'cannot write saved.bin: File exists'
	type_keys Escape
	restored 0
}

# One more key in the panel's table is one more to try here.
@test "the keys above are all that the help lists" {
	sed -n '/^const struct shm_panel_key shm_panel_keys/,/^};/p' "$BATS_TEST_DIRNAME/../../avctl/tui/shm_panel_keys.c" |
		sed -n 's/^[^"]*"\([^"]*\)".*/\1/p' | grep -v '^a page up' | tr ' ' '\n' | sort >listed
	printf '%s\n' Up Down k j Left Right h l PgUp PgDn Home End Tab Shift-Tab g / n N Space . '[' ']' '{' '}' m M d f z e x + = - \
		w '?' Esc q | sort | diff - listed
}

@test "the mouse chooses a byte and scrolls, and --no-mouse leaves it alone" {
	terminal_of 80 24 TERM=screen-256color
	start_still
	tmux -S tmux.sock display-message -p '#{mouse_any_flag}' >flag
	[ "$(cat flag)" = 1 ]
	# A press of button 1 in column 15 (0x20 + 15), row 7.
	type_keys -H 1b 5b 4d 20 2f 27
	until_screen '@0x0011'
	# The wheel.
	type_keys -H 1b 5b 4d 61 2f 27
	until_screen '@0x0041'
	type_keys -H 1b 5b 4d 60 2f 27
	until_screen '@0x0011'
	quit
	[ "$(tmux -S tmux.sock display-message -p '#{mouse_any_flag}')" = 0 ]
	start_still --no-mouse
	[ "$(tmux -S tmux.sock display-message -p '#{mouse_any_flag}')" = 0 ]
	quit
}

@test "a crash leaves no mouse reports behind" {
	terminal_of 80 24 TERM=screen-256color
	start_still
	kill -SEGV "$(pgrep -P "$(tmux -S tmux.sock display-message -p '#{pane_pid}')" avctl)"
	restored 139
	[ "$(tmux -S tmux.sock display-message -p '#{mouse_any_flag}')" = 0 ]
}

@test "the list of regions shows rates, sorts and opens" {
	terminal_of 80 24 TERM=screen-256color
	cat >>avctl.yaml <<-END
	  - {name: ant, size: 4KiB, address: 0x70200000, members: {vm1: rw, vm2: rw}}
	END
	type_keys "clear; '$AVCTL' shm watch" Enter
	until_screen '2 regions, as in the file'
	sleep 0.6
	poke 0 'changed'
	until_screen ' board .* 64 KiB +[1-9][0-9]* +0\.[0-9] s +vm2'
	until_screen ' ant .* 4 KiB +0 +- +- +vm1 rw'
	type_keys s
	until_screen 'by name'
	type_keys Up Enter
	until_screen ' ant  0x70200000'
	type_keys Escape
	until_screen '2 regions'
	type_keys q
	until_screen 'ready> *$'
}

@test "16 MiB watched ten times a second take less than a tenth of a core" {
	local pid ticks i

	cat >avctl.yaml <<-END
	version: 1
	machine: {cpus: 1, memory: 1GiB}
	name: large
	vms:
	  - {name: vm1, image: flat.bin, memory: 64MiB, load: 0x40000000, entry: 0x40000000}
	shm:
	  - {name: large, size: 16MiB, members: {vm1: rw}, fields: [{name: first, type: u64}]}
	END
	truncate -s 17M ram
	dd if=/dev/urandom of=ram bs=1M seek=0 count=17 conv=notrunc status=none
	terminal_of 80 24 TERM=screen-256color
	type_keys "clear; '$AVCTL' shm watch" Enter
	until_screen 'LIVE  10 Hz'
	pid=$(pgrep -P "$(tmux -S tmux.sock display-message -p '#{pane_pid}')" avctl)
	ticks=$(awk '{print $14 + $15}' "/proc/$pid/stat")
	for ((i = 0; i < 50; i++)); do
		poke $((i * 300000)) "$(date +%N)"
		sleep 0.1
	done
	ticks=$(($(awk '{print $14 + $15}' "/proc/$pid/stat") - ticks))
	echo "# $ticks of 500 hundredths of a second" >&3
	until_screen '[1-9][0-9]* changes kept'
	type_keys q
	[ "$ticks" -lt 50 ]
}
