#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# rally.bats - snapshots of the whole set, over two VMs that send a ball to and fro through a region (Show 8 of issue 4), on one
# and on two physical CPUs. What is not of one moment a guest finds and says: tests/guests/pingpong.c.
# 50 restores on each machine in check, 500 in soak.

load lib
load guests

setup_file() {
	machine_begin
	on_cpus 1
}

# on_cpus N: ping has two vCPUs, beat shares nothing.
on_cpus() {
	set_up <<-END
	version: 1
	name: rally
	machine: {cpus: $1, memory: 512MiB, sets: 1MiB}
	vms:
	  - {name: ping, image: $GUESTS/pingpong.elf, memory: 16MiB, cpus: 2, snapshots: {memory: 16MiB}}
	  - {name: pong, image: $GUESTS/pingpong.elf, memory: 16MiB, snapshots: {memory: 16MiB}}
	  - {name: beat, image: $GUESTS/heartbeat.elf, memory: 8MiB, snapshots: {keep: 3, memory: 4MiB, when-full: refuse}}
	shm:
	  - name: court
	    size: 32KiB
	    members: {ping: rw, pong: rw}
	    fields: [{name: turn, type: u64}, {name: seq, type: u64}]
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

seq_now() {
	avctl shm peek court seq
}

beyond() {
	[ "$(seq_now)" -gt "$1" ]
}

# rally_goes_on [FROM]: the ball is played on, and beyond number FROM.
rally_goes_on() {
	wait_for 20 beyond "${1:-$(seq_now)}" && return 0
	say "ping: $(log ping | tail -n 3)" "pong: $(log pong | tail -n 3)"
	return 1
}

never_torn() {
	never_said ping TORN
	never_said pong TORN
}

# take NAME: prints its number
take() {
	avctl snapshot take --all --name "$1" -o name
}

generation() {
	field generation "$1"
}

# rally ROUNDS: as many restores, of a cut that moves on; every tenth is looked at before anything runs.
rally() {
	local round cut="" at before

	rally_goes_on 100
	before=$(generation pong)
	for ((round = 0; round < $1; round++)); do
		if [ $((round % 25)) = 0 ]; then
			[ -z "$cut" ] || avctl snapshot delete --all cut -q >/dev/null
			take cut >/dev/null
			cut=1
			avctl restore --all --name cut --paused --no-undo -q >/dev/null
			at=$(seq_now)
			avctl resume ping pong beat -q >/dev/null
			before=$((before + 1))
		fi
		rally_goes_on $((at + round * 37 % 50))
		if [ $((round % 10)) = 9 ]; then
			avctl restore --all --name cut --paused --no-undo -q >/dev/null
			expect_equal "$(seq_now)" "$at" "the ball's number right after a restore"
			avctl resume ping pong beat -q >/dev/null
		else
			avctl restore --all --name cut --no-undo -q >/dev/null
		fi
	done
	rally_goes_on $((at + 100))
	never_torn
	expect_equal "$(generation pong)" "$((before + $1))" "generation of pong"
	avctl snapshot delete --all cut -q >/dev/null
	audit ping pong beat
}

rounds() {
	[ -n "${SOAK:-}" ] && echo 500 || echo 50
}

@test "on one CPU: memory, vCPUs, doorbells and region are of one moment after each restore" {
	says ping '^pingpong: start, member 0, two vCPUs'
	rally "$(rounds)"
}

@test "a restore of one VM alone tears the pair apart, which both would say; the set makes it whole again" {
	local at

	take whole >/dev/null
	rally_goes_on $(($(seq_now) + 40))
	avctl restore pong --name whole -q >/dev/null
	wait_for 20 someone_says_torn
	avctl restore --all --name whole -q >/dev/null
	at=$(($(mark ping) + $(mark pong)))
	rally_goes_on $(($(seq_now) + 200))
	expect_equal "$(($(mark ping) + $(mark pong)))" "$at" "lines said since"
	avctl snapshot delete --all whole -q >/dev/null
}

someone_says_torn() {
	said ping TORN || said pong TORN
}

# parts NAME: which VMs have a snapshot of that name, in order
parts() {
	avctl snapshot list -o json | json "' '.join(sorted(s['vm'] for s in d['snapshots'] if s['name'] == '$1'))"
}

sets() {
	avctl snapshot list --sets -o json | json "' '.join(str(s['name']) for s in d['snapshots'] if s['id'] != 'undo')"
}

@test "a set snapshot is there as a whole or not at all: one VM that has no room refuses for all, and is named" {
	avctl snapshot take beat --name one -q >/dev/null
	avctl snapshot take beat --name two -q >/dev/null
	avctl snapshot take beat --name three -q >/dev/null
	run avctl snapshot take --all --name nope
	expect_status 1
	expect_output '^avctl: error: beat: '
	expect_equal "$(parts nope)" "" "VMs that took part"
	expect_equal "$(sets)" "" "set snapshots"
	avctl snapshot delete beat three -q >/dev/null
	run avctl snapshot take --all --name two
	expect_status 4
	expect_equal "$(sets)" "" "set snapshots"
	take some >/dev/null
	expect_equal "$(parts some)" "beat ping pong" "VMs that took part"
	avctl snapshot delete beat one two -q >/dev/null
	avctl snapshot delete --all some -q >/dev/null
	expect_equal "$(parts some)" "" "VMs with a part"
	audit ping pong beat
}

@test "no part goes alone; wrong words are errors with a hint" {
	take kept >/dev/null
	run avctl snapshot delete ping kept
	expect_status 4
	expect_output 'part of a set snapshot'
	run avctl snapshot prune ping --keep-last 0
	run avctl snapshot prune ping --keep-within 1s
	expect_output 'part of set snapshot'
	expect_equal "$(parts kept)" "beat ping pong" "VMs with a part"
	run avctl snapshot take --all ping
	expect_status 2
	expect_output '^hint: '
	run avctl restore --all ping --latest
	expect_status 2
	run avctl restore --all
	expect_status 2
	run avctl restore --all --name nobody
	expect_status 3
	expect_output '^hint: avctl snapshot list --sets'
	run avctl snapshot take --all --name kept
	expect_status 4
	avctl snapshot pin pong kept -q >/dev/null
	run avctl snapshot delete --all kept
	expect_status 4
	expect_equal "$(parts kept)" "beat ping pong" "VMs with a part"
	avctl snapshot unpin pong kept -q >/dev/null
	avctl snapshot delete --all kept -q >/dev/null
}

@test "paused and stopped VMs are part of it; all run after a restore; undo gives back what they were" {
	avctl pause ping -q >/dev/null
	avctl stop pong -q >/dev/null
	take still >/dev/null
	avctl restore --all --name still --paused --no-undo -q >/dev/null
	expect_equal "$(field state ping) $(field state pong) $(field state beat)" "paused paused paused" "states"
	avctl resume ping pong beat -q >/dev/null
	rally_goes_on
	avctl stop beat -q >/dev/null
	avctl restore --all --name still -q >/dev/null
	expect_equal "$(field state ping) $(field state pong) $(field state beat)" "running running running" "states"
	rally_goes_on
	avctl restore --all --undo -q >/dev/null
	expect_equal "$(field state ping) $(field state pong) $(field state beat)" "running running stopped" "states"
	avctl restore --all --name still --no-undo -q >/dev/null
	rally_goes_on
	avctl snapshot delete --all still -q >/dev/null
	audit ping pong beat
}

@test "avctl killed at any moment leaves a whole set snapshot or none" {
	local i name

	for i in 1 2 4 6 8 10 12 14 16 20 30; do
		name=k$i
		timeout -s KILL "0.$(printf %03d "$i")" "$AVISOR_BUILD/avctl" snapshot take --all --name "$name" \
			>/dev/null 2>&1 {AVISOR_LOCK_FD}<&- || :
		case " $(sets) " in
		*" $name "*)
			expect_equal "$(parts "$name")" "beat ping pong" "VMs with a part of $name"
			avctl snapshot delete --all "$name" -q >/dev/null
			;;
		*) expect_equal "$(parts "$name")" "" "VMs with a part of $name" ;;
		esac
	done
	rally_goes_on
	audit ping pong beat
}

@test "on two CPUs as well" {
	avctl down
	on_cpus 2
	says ping '^pingpong: start, member 0, two vCPUs'
	rally "$(rounds)"
	heart_is_there
}

# It goes on, from the same start: its count went back with the others.
heart_is_there() {
	local at

	at=$(mark beat)
	says beat '^heartbeat nonce=' "$at"
	expect_equal "$(log beat | grep -c '^heartbeat: start')" 1 "starts of beat"
	expect_equal "$(log beat | sed -n 's/^heartbeat nonce=\([0-9a-f]*\) .*/\1/p' | sort -u | wc -l)" 1 "nonces of beat"
}
