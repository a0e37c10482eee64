#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# restart.bats - restart by hvc #4 and by `avctl restart` (Show 3 of issue 2).

load lib
load guests

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: restart
	machine: {cpus: 2, memory: 512MiB}
	vms:
	  - {name: vm1, image: $GUESTS/restart.elf, memory: 64MiB}
	  - {name: vm2, image: $GUESTS/restart2.elf, memory: 32MiB}
	  - {name: vm3, image: $GUESTS/heartbeat.elf, memory: 32MiB}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# A guest restarts itself 12 times, then is ready.
RESTARTS=12

# banners VM NAME: all banners in order, each with memory as at first boot; no two boots with one nonce
banners_are_whole() {
	log "$1" | awk -v name="$2:" '
		/banner generation=/ {
			if ($1 != name || $3 != "generation=" n++ || $5 != "bss=ok" || $6 != "data=ok" || $7 != "heap=ok" || seen[$4]++) {
				print "# " $0
				bad = 1
			}
		}
		/CAME BACK/ { bad = 1 }
		END { exit bad || !n }'
}

@test "a guest that restarts itself by hvc #4 boots again with memory as at first boot, for two images" {
	says vm1 '^restart: ready'
	says vm2 '^restart2: ready'
	banners_are_whole vm1 restart
	banners_are_whole vm2 restart2
	[ "$(log vm1 | grep -c '^restart: banner')" -eq $((RESTARTS + 1)) ]
	[ "$(log vm2 | grep -c '^restart2: banner')" -eq $((RESTARTS + 1)) ]
	field_is restarts vm1 $RESTARTS
	field_is state vm1 running
	# And once more, now that all its memory was spoilt, as often as the console says.
	type_bytes vm1 r
	says vm1 "^restart: banner generation=$((RESTARTS + 1)) "
	banners_are_whole vm1 restart
	heart_beats vm3
}

@test "avctl restart boots a running guest and a paused one again with memory as at first boot" {
	local vm generation name

	for vm in vm1 vm2; do
		name=$([ $vm = vm1 ] && echo restart || echo restart2)
		for state in running paused; do
			[ $state = running ] || avctl pause $vm
			generation=$(field generation $vm)
			avctl restart $vm
			says $vm "^$name: banner generation=$((generation + 1)) "
			says $vm "^$name: ready" "$(log $vm | grep -n "generation=$((generation + 1)) " | cut -d : -f 1)"
			field_is state $vm running
		done
		banners_are_whole $vm $name
	done
	heart_beats vm3
}

@test "restart --paused waits for resume" {
	local generation at

	generation=$(($(field generation vm2) + 1))
	at=$(mark vm2)
	avctl restart --paused vm2
	field_is state vm2 paused
	field_is generation vm2 $generation
	heart_beats vm3
	[ "$(mark vm2)" -eq "$at" ]
	avctl resume vm2
	says vm2 "^restart2: banner generation=$generation "
	says vm2 '^restart2: ready' "$at"
	banners_are_whole vm2 restart2
}

@test "200 restarts in a row work, in the middle of a boot too, and cost not one frame" {
	local before after generation at i

	before=$(free_frames vm1 vm2)
	at=$(mark vm1)
	avctl resume vm1 vm2
	says vm1 "^restart: ready" "$at"
	generation=$(field generation vm1)
	for ((i = 1; i <= 200; i++)); do
		avctl restart vm1 >/dev/null || fails "restart $i"
		# Every other one is left until it has booted and spoilt its memory.
		[ $((i % 2)) -eq 1 ] || says vm1 "restart: banner generation=$((generation + i)) .* bss=ok data=ok heap=ok"
	done
	field_is generation vm1 $((generation + 200))
	run log vm1
	[[ "$output" != *'=BAD'* && "$output" != *'CAME BACK'* ]]
	audit vm1 vm2 vm3
	after=$(free_frames vm1 vm2)
	expect_equal "$after" "$before" "free frames"
	heart_beats vm3
}
