#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# ticks.bats - virtual timers of VMs that share one physical CPU (Show 7 of issue 2). Ticks are counted by the guests and
# held against each guest's own counter and against host time.

load lib
load guests

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: ticks
	machine: {cpus: 2, memory: 512MiB}
	vms:
	  - {name: t10, image: $GUESTS/ticks10.elf, memory: 32MiB, cpu: 1}
	  - {name: t25, image: $GUESTS/ticks25.elf, memory: 32MiB, cpu: 1}
	  - {name: t50, image: $GUESTS/ticks50.elf, memory: 32MiB, cpu: 1}
	  - {name: shell, image: $GUESTS/shell.elf, memory: 32MiB, cpu: 1}
	END
	says shell '^shell: start'
	for vm in t10 t25 t50; do
		says $vm '^ticks hz='
	done
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# ticks_are_right SECONDS: over so long, each guest's ticks are within 5% of what its own counter and the host's say.
ticks_are_right() {
	python3 - "$XDG_STATE_HOME/avisor/ticks" "$1" <<-'END'
	import re, sys, time

	folder, seconds = sys.argv[1], float(sys.argv[2])
	line = re.compile(rb"ticks hz=(\d+) ticks=(\d+) expected=(\d+) ms=(\d+) late_max_us=(\d+) close=(\d+)\r?\n")
	files = {vm: open(f"{folder}/{vm}.console.log", "rb") for vm in ("t10", "t25", "t50")}
	first, last, rest = {}, {}, {}
	for vm, file in files.items():
	    file.seek(0, 2)
	    rest[vm] = b""
	deadline = time.monotonic() + seconds + 15
	while len(last) < 3:
	    now = time.monotonic()
	    if now > deadline:
	        sys.exit(f"# no ticks: from {first} to {last}")
	    for vm, file in files.items():
	        rest[vm] += file.read()
	        for found in line.finditer(rest[vm]):
	            sample = [now] + [int(group) for group in found.groups()]
	            first.setdefault(vm, sample)
	            if vm not in last and sample[0] - first[vm][0] >= seconds - 0.2:
	                last[vm] = sample
	        rest[vm] = rest[vm][rest[vm].rfind(b"\n") + 1:]
	    time.sleep(0.005)
	bad = 0
	for vm in files:
	    start, end = first[vm], last[vm]
	    hz, ticks = end[1], end[2] - start[2]
	    own, host = hz * (end[4] - start[4]) / 1000, hz * (end[0] - start[0])
	    print(f"# {vm}: {ticks} ticks, {own:.1f} by its counter, {host:.1f} by the host's; latest {end[5]} us")
	    bad += abs(ticks - own) > 0.05 * own or abs(ticks - host) > 0.05 * host
	sys.exit(bad != 0)
	END
}

# last_of VM KEY: of its latest whole line.
last_of() {
	log "$1" | grep -E '^ticks hz=.* close=[0-9]+$' | tail -n 1 | sed -E "s/.* $2=([0-9]+).*/\\1/"
}

# next_of VM MARK KEY...: of its first whole line after MARK.
next_of() {
	local vm=$1 at=$2 line
	shift 2

	says "$vm" '^ticks hz=.* close=[0-9]+$' "$at"
	line=$(log "$vm" | tail -n "+$((at + 1))" | grep -m 1 -E '^ticks hz=.* close=[0-9]+$')
	for key; do
		sed -E "s/.* $key=([0-9]+).*/\\1/" <<<"$line"
	done
}

@test "three VMs on one CPU get their ticks within 5%" {
	ticks_are_right "$([ -n "${SOAK:-}" ] && echo 60 || echo 10)"
}

@test "a masked spinner on their CPU does not stop them" {
	avctl -q snapshot take shell --name good
	tell shell spin
	says shell '^spin: now'
	ticks_are_right "$([ -n "${SOAK:-}" ] && echo 60 || echo 10)"
	at=$(mark shell)
	avctl -q restore shell --name good
	tell shell nonce
	says shell '^nonce=' "$at"
}

# rewound VM HZ: take, go on for some seconds, restore: its counter goes on from the take, no tick is made up for or lost.
rewound() {
	local vm=$1 hz=$2 before at after ticks expected ms late

	before=$(last_of "$vm" ms)
	avctl -q snapshot take "$vm" --name then
	at=$(mark "$vm")
	wait_for 20 said "$vm" "^ticks hz=$hz ticks=.* ms=$((before / 1000 + 4))[0-9]{3} " "$at"
	at=$(mark "$vm")
	avctl -q restore "$vm" --name then
	mapfile -t after < <(next_of "$vm" "$((at + 1))" ticks expected ms late_max_us)
	ticks=${after[0]} expected=${after[1]} ms=${after[2]} late=${after[3]}
	say "$vm: $before ms, then ${after[*]}"
	[ "$ms" -gt "$before" ] && [ "$ms" -le $((before + 3500)) ] || fails "$vm: its counter was at $before ms, now $ms"
	[ $((ticks - expected)) -ge -2 ] && [ $((ticks - expected)) -le 1 ] || fails "$vm: $ticks ticks, expected $expected"
	[ "$late" -lt 500000 ] || fails "$vm: a tick was $late us late"
	avctl -q snapshot delete "$vm" then
}

@test "after a restore no tick is lost or made up for, and the counter goes on from the snapshot" {
	for ((i = 0; i < ${SOAK:+20} + 1; i++)); do
		rewound t10 10
		rewound t25 25
		rewound t50 50
	done
	ticks_are_right 4
}

@test "after a pause no tick is made up for: the counter stood still" {
	local before=() at

	before=$(last_of t50 ms)
	avctl -q pause t50
	at=$(mark t10)
	wait_for 20 said t10 '^ticks hz=' $((at + 2))
	at=$(mark t50)
	avctl -q resume t50
	mapfile -t after < <(next_of t50 "$at" ticks expected ms late_max_us)
	[ "${after[2]}" -le $((before + 2500)) ] || fails "it ran on: $before ms, then ${after[2]}"
	[ $((after[0] - after[1])) -ge -2 ] && [ $((after[0] - after[1])) -le 1 ] || fails "${after[*]}"
}

@test "a timer that was due while its VM lay in a snapshot comes once it is restored" {
	avctl -q restore shell --name good
	for i in 1 2 3 4 5; do
		at=$(mark shell)
		avctl -q restore shell --name good
		tell shell nonce
		says shell '^nonce=.* count=[0-9]+' "$at"
		first=$(log shell | sed -nE 's/^nonce=.* count=([0-9]+) .*/\1/p' | tail -n 1)
		at=$(mark shell)
		counts_on() {
			tell shell nonce
			[ "$(log shell | sed -nE 's/^nonce=.* count=([0-9]+) .*/\1/p' | tail -n 1)" -gt $((first + 20)) ]
		}
		wait_for 10 counts_on
	done
}

@test "a timer set to the end of the counter stops neither QEMU nor anyone else" {
	at=$(mark shell)
	tell shell 'word 0xd51be340 0xfffffffffffffff0' # CNTV_CVAL_EL0; the timer is enabled
	says shell '^word: ' "$at"
	avctl ps >/dev/null
	for vm in t10 t25 t50; do
		at=$(mark $vm)
		says $vm '^ticks hz=' $((at + 1))
	done
	at=$(mark shell)
	avctl -q restore shell --boot
	says shell 'shell: start' "$at"
}
