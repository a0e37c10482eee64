#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# clones-linux.bats - ten clones of a booted Linux (Show 9 of issue 4). Needs `make linux-guest`. Each looks at its random bytes once its
# avisor-agentd has said that it was restored, which is when it has mixed in the new identity (CAVEATS.md).

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

# In clone $1, once its agent has noticed: its name and what its generator gives.
introduce() {
	order "$1" "hostname c$1; until dmesg | grep -q 'agentd: restored, gen'; do sleep 0.1; done; echo I-am \$(hostname) \$(head -c 16 /dev/urandom | md5sum)"
}

@test "ten clones of a booted Linux run at once, each with a name and random bytes of its own, and together take less memory than one" {
	local n one before taken

	avctl wait linux 'log=linux$ ' -t 120s
	# The agent is there: what it does from now on is the same in all.
	tell linux 'until dmesg | grep -q "agentd: here"; do sleep 0.1; done; echo agent-$((40 + 2))'
	avctl wait linux 'log=agent-42' -t 60s
	avctl pause linux
	avctl snapshot take linux --name booted
	one=$(field frames_used linux)
	before=$(field frames_free)
	for n in $(seq $COUNT); do
		avctl clone linux --name booted c$n -q >/dev/null
	done
	for n in $(seq $COUNT); do
		introduce $n
	done
	for n in $(seq $COUNT); do
		wait_for 120 said c$n '^I-am c[0-9]+ [0-9a-f]{32}'
		log c$n | grep -oE '^I-am c[0-9]+ [0-9a-f]{32}' >>said
	done
	taken=$((before - $(field frames_free)))
	say "$(cat said)"
	expect_equal "$(cut -d' ' -f2 said | sort -u | wc -l)" $COUNT "different names"
	expect_equal "$(cut -d' ' -f3 said | sort -u | wc -l)" $COUNT "different random bytes"
	echo "# one Linux: $((one * 4)) KiB, $COUNT clones of it: $((taken * 4)) KiB more" >&3
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
