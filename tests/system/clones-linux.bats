#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# clones-linux.bats - ten clones of a booted Linux (Show 9 of issue 4). Needs `make linux-guest`. That their random bytes differ is
# told, not asked for: Linux alone mixes nothing in when it is cloned (CAVEATS.md).

load lib
load guests

COUNT=10

setup_file() {
	machine_begin
	[ -s "$AVISOR_BUILD/linux/initrd" ] || {
		say "no kernel in $AVISOR_BUILD/linux: make linux-guest"
		return 1
	}
	set_up <<-END
	version: 1
	name: lclones
	machine: {cpus: 2, memory: 1GiB}
	vms:
	  - name: linux
	    image: $AVISOR_BUILD/linux/vmlinuz
	    initrd: $AVISOR_BUILD/linux/initrd
	    bootargs: console=ttyAMA0 quiet
	    memory: 256MiB
	    snapshots: {memory: 64MiB}
	spare: {count: $COUNT, budget: 24MiB}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

order() {
	(cd "$XDG_RUNTIME_DIR/avisor/lclones" && printf '%s\n' "$2" | socat -u - UNIX-CONNECT:spare$1.console)
}

@test "ten clones of a booted Linux run at once, have names of their own, and take less memory than one" {
	local n one before taken

	avctl wait linux 'log=linux$ ' -t 120s
	avctl pause linux
	avctl snapshot take linux --name booted
	one=$(field frames_used linux)
	before=$(field frames_free)
	for n in $(seq $COUNT); do
		avctl clone linux --name booted c$n -q >/dev/null
	done
	for n in $(seq $COUNT); do
		order $n "hostname c$n; echo I-am \$(hostname); head -c 16 /dev/urandom | md5sum"
	done
	for n in $(seq $COUNT); do
		avctl wait c$n "log=I-am c$n" -t 60s
		avctl wait c$n 'log=  -' -t 60s
		log c$n | grep -E '^[0-9a-f]{32}  -' >>random
	done
	taken=$((before - $(field frames_free)))
	echo "# one Linux: $((one * 4)) KiB, $COUNT clones of it: $((taken * 4)) KiB more; $(sort -u random | wc -l) of $COUNT random bytes differ" >&3
	[ "$taken" -lt "$one" ]
	order 4 'echo c > /proc/sysrq-trigger'
	for n in 1 2 3 5 6 7 8 9 10; do
		order $n "echo still-\$(hostname)"
		avctl wait c$n "log=still-c$n" -t 60s
		audit c$n
	done
	avctl rm $(seq -f 'c%g' $COUNT) >/dev/null
	expect_equal "$(field frames_free)" "$before" "free frames"
	audit linux
}
