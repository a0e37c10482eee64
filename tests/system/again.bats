#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# again.bats - a restore is not a reboot, again and again, and memory comes back to the last frame (Show 9 of issue 2).

load lib
load guests

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: again
	machine: {cpus: 2, memory: 1GiB}
	vms:
	  - {name: vm1, image: $GUESTS/nonce.elf, memory: 64MiB}
	  - {name: vm2, image: $GUESTS/sparse.elf, memory: 512MiB}
	  - {name: vm3, image: $GUESTS/heartbeat.elf, memory: 32MiB}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# take: the id of a new snapshot
take() {
	avctl snapshot take vm1 -o name
}

console_bytes_are() {
	[ "$(field console_bytes vm1)" -ge "$1" ]
}

# The guest has printed at least one whole line more.
goes_on() {
	wait_for 20 console_bytes_are $(($(field console_bytes vm1) + 220))
}

# hashes FROM: the console from that line on. The nonce is one, and a count comes with the same hash in every timeline.
# Prints `LINES COUNTS REWINDS`.
hashes() {
	log vm1 | tail -n "+$1" | python3 -c '
import re, sys

MASK = (1 << 64) - 1

def guest_hash(word, start): # of one word
    value = (start ^ word) * 0x100000001b3 & MASK
    return value ^ value >> 29

line = re.compile(r"nonce=([0-9a-f]{16}) count=(\d+) hash=([0-9a-f]{16}) check=([0-9a-f]{16})")
nonces, first, lines, rewinds, last, cut = {}, {}, 0, 0, -1, 0

for text in sys.stdin:
    found = line.fullmatch(text.rstrip("\n"))
    if not found:
        cut += 1
        continue
    nonce, count, value, check = found.groups()
    if int(check, 16) != guest_hash(int(value, 16), int(nonce, 16) + int(count) & MASK):
        cut += 1 # made of two pieces
        continue
    first.setdefault(int(count), {}).setdefault((value, check), 0)
    first[int(count)][(value, check)] += 1
    nonces[nonce] = nonces.get(nonce, 0) + 1
    rewinds += int(count) <= last
    last = int(count)
    lines += 1
wrong = {c: v for c, v in first.items() if len(v) != 1}
if len(nonces) != 1 or wrong or cut > 1001: # each of the restores may cut one, and the end of the log
    print("nonces", nonces, "cut", cut, "of", lines, "differing", list(wrong.items())[:5])
    sys.exit(1)
print(lines, len(first), rewinds)'
}

@test "1,000 takes and restores: one nonce, a counter that goes on from the snapshot, the same pages each time" {
	local before after id old i ids=() lines counts rewinds

	says vm1 '^nonce=.* count='
	before=$(free_frames vm1)
	i=$(mark vm1)
	avctl resume vm1
	says vm1 '^nonce=.* count=3 ' "$i"
	for ((i = 1; i <= 1000; i++)); do
		id=$(take)
		[ "$id" -eq $((i - 1)) ] || fails "id $id in round $i"
		ids+=("$id")
		[ $((i % 10)) -ne 0 ] || goes_on
		old=$id
		# To the base mostly, every third time to another, and now and then with the present kept as undo.
		[ $((i % 3)) -ne 0 ] || old=${ids[$((i * 7919 % ${#ids[@]}))]}
		if [ $((i % 7)) -eq 0 ]; then
			avctl restore vm1 --id "$old" -q >/dev/null || fails "restore in round $i"
		else
			avctl restore vm1 --id "$old" --no-undo >/dev/null || fails "restore in round $i"
		fi
		[ $((i % 10)) -ne 5 ] || goes_on
	done
	goes_on
	field_is snapshots vm1 1000
	read -r lines counts rewinds <<<"$(hashes "$(log vm1 | grep -n 'nonce: start' | tail -n 1 | cut -d : -f 1)")"
	echo "lines $lines, counts $counts, rewinds $rewinds"
	[ "$rewinds" -ge 200 ]
	[ "$lines" -gt $((counts + 200)) ]
	audit vm1
	# All away: exactly the frames of the start are free.
	avctl snapshot prune vm1 --keep-last 1 -q >/dev/null
	avctl snapshot delete vm1 "$id" -q # the last one
	avctl snapshot delete vm1 undo
	[ -z "$(avctl snapshot list vm1 -o name -q)" ]
	audit vm1
	after=$(free_frames vm1)
	expect_equal "$after" "$before" "free frames"
	heart_beats vm3
}

# go PAGES: one run of the sparse guest; its committed pages grow by exactly as many.
go() {
	local before at

	before=$(field ram_pages vm2)
	at=$(mark vm2)
	tell vm2 go
	says vm2 "^sparse: pages=$1 wrong=0 Success!" "$at"
	field_is ram_pages vm2 $((before + $1))
}

@test "a guest that touches sparse addresses reads what it wrote, and committed pages are the pages touched" {
	says vm2 '^sparse: ready'
	go 3
	go 1000
	# Not one more for a snapshot and a restore of it.
	local id pages

	pages=$(field ram_pages vm2)
	id=$(avctl snapshot take vm2 -o name)
	avctl restore vm2 --id "$id" --no-undo
	field_is ram_pages vm2 "$pages"
	[ "$(field ram_size vm2)" -eq $((512 * 1024 * 1024)) ]
	audit vm2
	avctl restart --paused vm2
	[ "$(field ram_pages vm2)" -lt 20 ]
}
