#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# files-linux.bats - a Linux goes through a file into another machine and goes on where it was; exports and imports of it are killed at
# points spread over the time they take. Needs `make linux-guest`.

load lib
load guests

POINTS=${SOAK:+40}
POINTS=${POINTS:-5}

setup_file() {
	machine_begin
	[ -s "$AVISOR_BUILD/linux/initrd" ] || {
		say "no kernel in $AVISOR_BUILD/linux: make linux-guest"
		return 1
	}
	set_up <<-END
	version: 1
	name: lf
	machine: {cpus: 2, memory: 1GiB}
	vms:
	  - name: linux
	    image: $AVISOR_BUILD/linux/vmlinuz
	    initrd: $AVISOR_BUILD/linux/initrd
	    bootargs: console=ttyAMA0 quiet
	    memory: 192MiB
	    snapshots: {memory: 320MiB}
	END
	avctl wait linux 'log=linux$ ' -t 120s
	tell linux 'secret=$(head -c 8 /dev/urandom | md5sum | cut -c1-16); echo secret-is-$secret-; echo uptime-$(cut -d. -f1 /proc/uptime)-'
	says linux '^secret-is-[0-9a-f]{16}-'
	says linux '^uptime-[0-9]+-'
	avctl pause linux
	avctl snapshot take linux --name booted -q >/dev/null
	avctl snapshot export linux --id booted linux.avs -q
	log linux | grep -aoE '^secret-is-[0-9a-f]{16}-' >secret
	log linux | grep -aoE '^uptime-[0-9]+-' | tr -dc 0-9 >uptime
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# Microseconds that a command takes.
duration() {
	local start=${EPOCHREALTIME/[.,]/}

	"$@" >/dev/null
	echo $((${EPOCHREALTIME/[.,]/} - start))
}

# killed US COMMAND...: avctl, killed after so long. True when it had ended by itself.
killed() {
	local after

	printf -v after '%d.%06d' $(($1 / 1000000)) $(($1 % 1000000))
	shift
	timeout -s KILL "$after" "$AVISOR_BUILD/avctl" "$@" >/dev/null 2>&1 {AVISOR_LOCK_FD}<&-
}

frames() {
	agent "drain vm=linux" >/dev/null
	agent "audit vm=linux"
	field frames_free
}

@test "an export killed at $POINTS points of its time leaves the old file or the new one" {
	local all i ended=0

	mkdir -p out
	all=$(duration avctl snapshot export linux --id booted out/x.avs -q)
	cp linux.avs old.avs
	for ((i = 1; i <= POINTS; i++)); do
		rm -f out/*
		cp old.avs out/x.avs
		if killed $((all * i / POINTS)) snapshot export linux --id booted out/x.avs; then
			ended=$((ended + 1))
		else
			cmp -s old.avs out/x.avs || avctl snapshot verify out/x.avs >/dev/null || fails "half a file after $i/$POINTS of $all us"
		fi
		ls out | grep -vE '^x\.avs$' && fails "left over: $(ls out)"
	done
	echo "export takes $((all / 1000)) ms; $ended of $POINTS had ended"
	[ "$ended" -lt "$POINTS" ]
}

@test "an import killed at $POINTS points of its time leaves nothing after the next command" {
	local all i before ended=0

	before=$(frames)
	all=$(duration avctl snapshot import linux linux.avs --name whole -q)
	avctl snapshot delete linux whole -q >/dev/null
	expect_equal "$(frames)" "$before" "free frames after an import and a delete"
	for ((i = 1; i <= POINTS; i++)); do
		if killed $((all * i / POINTS)) snapshot import linux linux.avs --name cut; then
			ended=$((ended + 1))
		fi
		avctl snapshot delete linux cut -q >/dev/null 2>&1 || : # it may have been done
		expect_equal "$(frames)" "$before" "free frames after $i/$POINTS of $all us"
	done
	echo "import takes $((all / 1000)) ms; $ended of $POINTS had ended"
	[ "$ended" -lt "$POINTS" ]
}

@test "Linux goes on in another machine where it was: a variable of its shell, its uptime, no boot" {
	local before secret

	secret=$(cat secret)
	before=$(cat uptime)
	avctl down
	avctl -f avctl.yaml up --from linux=linux.avs
	tell linux 'echo again-$secret-; echo uptime-$(cut -d. -f1 /proc/uptime)-'
	says linux '^uptime-[0-9]+-'
	says linux "^again-${secret#secret-is-}"
	never_said linux 'avisor-linux: up'
	# Not less than in the snapshot, and a minute more at most.
	expect_equal "$(log linux | grep -aoE '^uptime-[0-9]+-' | tail -n 1 | tr -dc 0-9 |
		awk -v before="$before" '{ print ($1 >= before && $1 <= before + 60) ? "in time" : $1 " after " before }')" "in time" uptime
	audit linux
}
