#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# peek.bats - `avctl shm list|peek|poke` on a RAM file that the test writes as a guest would. Starts no QEMU.

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
}

teardown()
{
	panel_teardown
}

# bytes OFFSET COUNT: what is in the region, in hex
bytes()
{
	dd if=ram bs=1 skip=$((65536 + $1)) count="$2" status=none | od -An -tx1 | tr -d ' \n'
}

@test "peek prints a value, an element, a structure, a place, or all" {
	poke 256 '\052\000\000\000'
	poke 288 '\001\000\377\377'
	poke 304 '\000\000\001\002'
	poke 528 '\007\000\000\000abc'
	run "$AVCTL" shm peek board head
	[ "$status" -eq 0 ]
	[ "$output" = 42 ]
	[ "$("$AVCTL" shm peek board 'temps[1]')" = -1 ]
	[ "$("$AVCTL" shm peek board temps)" = '[1, -1, 0, 0]' ]
	[ "$("$AVCTL" shm peek board net)" = 0x00000102 ]
	[ "$("$AVCTL" shm peek board u16@0x100)" = 42 ]
	[ "$("$AVCTL" shm peek board 'slot[1]')" = $'slot[1].owner = 7\nslot[1].text = "abc"' ]
	run "$AVCTL" shm peek board
	[ "${lines[0]}" = 'message = "Ciallo!"' ]
	[ "${lines[2]}" = 'state = idle' ]
	[ "${#lines[@]}" -eq 9 ]
	run "$AVCTL" shm peek board state temps u8@0 -o json
	python3 -c 'import json, sys
d = json.loads(sys.argv[1])
assert d["schema"] == "avctl/1" and d["region"] == "board"
assert d["fields"] == {"state": "idle", "temps": [1, -1, 0, 0], "u8@0": 67}, d' "$output"
}

@test "peek refuses what is not there and says what is near" {
	run "$AVCTL" shm peek board haed
	[ "$status" -eq 3 ]
	[[ "$output" == *'no field "haed"'*'did you mean head?'* ]]
	run "$AVCTL" shm peek board 'temps[4]'
	[ "$status" -eq 3 ]
	[[ "$output" == *'has 4 elements'* ]]
	run "$AVCTL" shm peek board u32@65535
	[ "$status" -eq 3 ]
	run "$AVCTL" shm peek bord head
	[ "$status" -eq 3 ]
}

@test "poke says old and new, and writes nothing else" {
	poke 252 '\021\021\021\021\005\000\000\000\021\021\021\021'
	run "$AVCTL" shm poke board head=7 --yes
	[ "$status" -eq 0 ]
	[ "$output" = 'board head: 5 -> 7' ]
	[ "$(bytes 252 12)" = 111111110700000011111111 ]
	"$AVCTL" shm poke board state=busy 'temps[2]=-2' net=0x01020304 'slot[0].text=hi' --yes -o json >json
	python3 - <<-END
	import json
	changes = json.load(open("json"))["changes"]
	assert changes[0] == {"field": "state", "old": "idle", "new": "busy"}, changes
	assert changes[1]["new"] == -2 and changes[3]["new"] == "hi"
	END
	[ "$(bytes 272 1)" = 01 ]
	[ "$(bytes 288 8)" = 00000000feff0000 ]
	[ "$(bytes 304 4)" = 01020304 ]
	[ "$(bytes 516 9)" = 686900000000000000 ]
}

@test "poke without a terminal needs --yes, and writes all or nothing" {
	run "$AVCTL" shm poke board head=7
	[ "$status" -eq 2 ]
	[[ "$output" == *'--yes'* ]]
	for bad in head=-1 head=4294967296 head head= nothing=1 temps=1 'slot[0].text=123456789' state=lazy; do
		run "$AVCTL" shm poke board 'message=overwritten' "$bad" --yes
		[ "$status" -ne 0 ]
		[ "$(bytes 0 7)" = 4369616c6c6f21 ]
	done
	chmod 400 ram
	if [ "$(id -u)" -ne 0 ]; then
		run "$AVCTL" shm poke board head=7 --yes
		[ "$status" -eq 6 ]
	fi
}

@test "poke asks at the terminal" {
	terminal TERM=screen-256color
	type_keys "'$AVCTL' shm poke board head=9" Enter
	until_screen 'board head: 0 -> 9'
	until_screen 'write it\? \[y/N\]'
	type_keys n Enter
	until_screen 'nothing was written'
	[ "$(bytes 256 1)" = 00 ]
	type_keys clear Enter
	type_keys "'$AVCTL' shm poke board head=9" Enter
	until_screen 'write it\?'
	type_keys y Enter
	until_screen 'ready> *$'
	[ "$(bytes 256 1)" = 09 ]
}

@test "list tells how much changes and who writes" {
	local pid

	cat >>avctl.yaml <<-END
	  - {name: both, size: 4KiB, address: 0x70200000, members: {vm1: rw, vm2: rw}}
	END
	# no value comes twice: two looks never see the same
	(for ((i = 0; i < 3000; i++)); do poke 1024 "$(printf '\\%03o\\%03o' $((i % 256)) $((i / 256)))"; done) &
	pid=$!
	run "$AVCTL" shm list --interval 500ms
	kill $pid
	wait $pid || true
	[[ "$output" =~ board\ .*vm1\ ro\ +vm2\ rw\ +[1-9][0-9]*\ B/s\ +vm2 ]]
	[[ "$output" =~ both\ .*vm1\ rw\ +vm2\ rw\ +0\ B/s\ +- ]]
	run "$AVCTL" shm list -o json --interval 0s
	python3 -c 'import json, sys
board, both = json.loads(sys.argv[1])["regions"]
assert board["writer"] == "vm2" and both["writer"] is None
assert board["changed_per_s"] is None and board["fields"] == 9, board' "$output"
	run "$AVCTL" shm list --interval soon
	[ "$status" -eq 2 ]
}
