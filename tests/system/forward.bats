#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# forward.bats - files of the host for bare-metal guests: `avctl serve` (Show 6 of issue 5).
# Five VMs share one region of four slots. The guests are told on their consoles what to do.

load lib
load guests

setup_file() {
	machine_begin
	mkdir -p data/sub
	echo 'a host file' >data/motd
	echo 'the secret' >secret
	ln -s ../secret data/out
	ln -s /etc/passwd data/absolute
	mkfifo data/fifo
	set_up <<-END
	version: 1
	name: forward
	machine: {cpus: 2, memory: 512MiB}
	vms:
	  - {name: vm1, image: $GUESTS/files.elf, memory: 16MiB, cpu: 1}
	  - {name: vm2, image: $GUESTS/files.elf, memory: 16MiB, cpu: 1}
	  - {name: vm3, image: $GUESTS/files.elf, memory: 16MiB, cpu: 1}
	  - {name: vm4, image: $GUESTS/files.elf, memory: 16MiB, cpu: 1}
	  - {name: vm5, image: $GUESTS/files.elf, memory: 16MiB, cpu: 1}
	shm:
	  - {name: files, size: 256KiB, members: {vm1: rw, vm2: rw, vm3: rw, vm4: rw, vm5: rw}}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

teardown() {
	server_ends
}

# serves [ARGUMENTS]: a server in the background, until teardown.
serves() {
	"$AVISOR_BUILD/avctl" serve --root data -v "$@" >server.log 2>server.err {AVISOR_LOCK_FD}<&- 3>&- &
	SERVER=$!
	wait_for 20 grep -q '^serving\|"serving"' server.log || fails "$(cat server.err)"
}

# server_ends [SIGNAL]: its exit code in $ended.
server_ends() {
	ended=
	[ -n "${SERVER:-}" ] || return 0
	kill "-${1:-TERM}" "$SERVER" 2>/dev/null || :
	ended=0
	wait "$SERVER" || ended=$?
	SERVER=
}

# does VM COMMAND REGEX: tells it, waits for a line of its answer, and leaves then: by itself a console stays half a second longer.
does() {
	local at console status=0

	at=$(mark "$1")
	"$AVISOR_BUILD/avctl" console "$1" --replay 0 -q --timeout 30s <<<"$2" >/dev/null 2>console.err {AVISOR_LOCK_FD}<&- 3>&- &
	console=$!
	says "$1" "^files: $3" "$at" || status=1
	kill $console 2>/dev/null || :
	wait $console || :
	[ $status = 0 ] || fails "$1 $2: $(cat console.err)"
}

# A slot for VM, whatever it had before.
connected() {
	does "$1" connect 'connect: ok'
}

server_files() {
	ls -l "/proc/$SERVER/fd" | grep -c "$AVISOR_TEST/data/" || :
}

server_has_files() {
	expect_equal "$(server_files)" "$1" 'open files of the server'
}

@test "a guest writes a file, reads it back, and prints a file of the host" {
	serves
	connected vm1
	does vm1 'put hello.txt written by a guest' 'put: ok 18'
	[ "$(cat data/hello.txt)" = 'written by a guest' ]
	does vm1 'cat hello.txt' 'written by a guest$'
	does vm1 'cat motd' 'a host file\$$'
	does vm1 'stat motd' 'type 1, 12 bytes'
	does vm1 'mkdir sub/made' 'mkdir: ok'
	does vm1 'ls sub' '- 2 made$'
	does vm1 'rmdir sub/made' 'rmdir: ok'
	does vm1 'rm hello.txt' 'rm: ok'
	[ ! -e data/hello.txt ]
	does vm1 'cat hello.txt' 'cat: NOT_FOUND'
	grep -q '^vm1\[[0-3]\] open "motd" -> #' server.log
	server_has_files 0
}

@test "two requests are in flight: a read that waits holds up no other" {
	local at
	serves
	connected vm1
	connected vm2
	exec 9<>data/fifo
	at=$(mark vm1)
	tell vm1 'both fifo motd'
	says vm1 '^files: file says 12 "a host file' "$at"
	says vm1 'the FIFO waits' "$at"
	does vm2 'cat motd' 'a host file'
	echo 'and now the FIFO' >&9
	says vm1 '^files: FIFO says 17 "and now the FIFO' "$at"
	exec 9>&-
}

@test "no path leads out of the folder" {
	serves
	connected vm1
	for path in ../../etc/passwd ../secret /etc/passwd sub/../../secret ../made; do
		does vm1 "try $path" "try $path: OUTSIDE OUTSIDE OUTSIDE OUTSIDE OUTSIDE"
	done
	# A link can be removed, and is then the guest's to make anew; its target never.
	for path in out absolute; do
		does vm1 "try $path" "try $path: OUTSIDE OUTSIDE OUTSIDE OK OK"
	done
	[ ! -e made ]
	[ "$(cat secret)" = 'the secret' ]
	! log vm1 | grep -e 'root:' -e 'the secret'
}

@test "4 GiB lengths, wild handles, calls and flags are refused" {
	serves
	connected vm1
	does vm1 wild 'wild: done'
	log vm1 | sed -n 's/^files: wild \(.*\): \([A-Z_]*\)$/\1=\2/p' | tail -n 9 >wild
	diff wild - <<-'END'
	read of 4 GiB=INVALID
	write of 4 GiB=INVALID
	path of 2^64 - 1=INVALID
	offset of -2=INVALID
	handle of 0x80000001=BAD_HANDLE
	handle of another time=BAD_HANDLE
	call of 2^32 - 1=NOT_SUPPORTED
	flags of 2^32 - 1=INVALID
	write far out=TOO_BIG
	END
}

@test "a guest that scribbles over its slot hurts neither the server nor a neighbour" {
	serves
	connected vm1
	connected vm2
	for i in 1 2 3; do
		does vm1 scribble 'scribbled'
		does vm2 'cat motd' 'a host file'
		connected vm1
	done
	does vm1 'cat motd' 'a host file'
	kill -0 "$SERVER"
}

@test "the fifth client is refused, until one leaves or dies" {
	serves
	for vm in vm1 vm2 vm3 vm4; do
		connected $vm
	done
	does vm5 connect 'connect: BUSY'
	does vm2 leave left
	connected vm5
	does vm2 connect 'connect: BUSY'
	# A crash, a stop, a restart, a restore: each gives the slot and the open files back.
	does vm3 'keep motd' 'keep: ok'
	does vm3 'keep motd' 'keep: ok'
	server_has_files 2
	avctl stop vm3
	wait_for 10 server_has_files 0
	connected vm2
	does vm2 'keep motd' 'keep: ok'
	server_has_files 1
	at=$(mark vm2)
	avctl restart vm2
	wait_for 10 server_has_files 0
	says vm2 'files: start' "$at"
	connected vm2
	does vm2 'keep motd' 'keep: ok'
	server_has_files 1
	tell vm2 crash
	wait_for 10 server_has_files 0
	avctl start vm3
	connected vm3
	avctl start vm2
}

@test "a restored guest has no files of its other life, and connects again" {
	serves
	connected vm1
	does vm1 'keep motd' 'keep: ok'
	id=$(avctl snapshot take vm1 -o name)
	does vm1 'keep motd' 'keep: ok'
	server_has_files 2
	avctl restore vm1 --id "$id" -q
	wait_for 10 server_has_files 0
	does vm1 'cat motd' 'cat: GONE'
	connected vm1
	does vm1 'cat motd' 'a host file'
}

@test "a server that is killed in the middle, or ends, is an error and no hang" {
	serves
	connected vm1
	exec 9<>data/fifo
	for signal in KILL TERM; do
		at=$(mark vm1)
		tell vm1 'both fifo motd'
		says vm1 'the FIFO waits' "$at"
		server_ends $signal
		says vm1 '^files: both: GONE' "$at"
		does vm1 'cat motd' 'cat: GONE'
		does vm1 connect 'connect: GONE'
		serves
		connected vm1
		does vm1 'cat motd' 'a host file'
	done
	exec 9>&-
	server_ends INT
	[ "$ended" = 130 ]
}

@test "read-only, and only some VMs; a second server; JSON" {
	serves --read-only vm1 vm2 -o jsonl
	connected vm1
	does vm1 'cat motd' 'a host file'
	does vm1 'put new x' 'put: READ_ONLY'
	does vm1 'rm motd' 'rm: READ_ONLY'
	does vm3 connect 'connect: DENIED'
	run avctl serve --root data
	expect_status 4
	expect_output "is served by avctl pid $SERVER"
	server_ends
	[ "$ended" = 0 ]
	python3 - <<-'END'
	import json
	lines = [json.loads(line) for line in open("server.log")]
	assert lines[0]["event"] == "serving" and lines[0]["vms"] == ["vm1", "vm2"] and lines[0]["read_only"], lines[0]
	assert any(l["event"] == "client" and l["vm"] == "vm1" for l in lines)
	assert any(l.get("call") == "open" and l["path"] == "motd" and l["result"] > 0 for l in lines)
	assert any(l.get("error") == "READ_ONLY" for l in lines)
	assert lines[-1]["event"] == "ended" and lines[-1]["calls"] > 3, lines[-1]
	END
}

@test "what cannot be served is said" {
	run avctl serve
	expect_status 2
	run avctl serve --root nothing vm1
	expect_status 3
	run avctl serve --root data vm9
	expect_status 3
	run avctl serve --root data --shm file vm1
	expect_status 3
	expect_output 'did you mean files'
	run avctl serve --root data --max-file lots
	expect_status 2
	# Who reaches the RAM file, the sockets or the logs reaches the machine.
	for folder in / . "$XDG_RUNTIME_DIR/avisor/forward" "$XDG_STATE_HOME"; do
		run avctl serve --root "$folder"
		expect_status 2
		expect_output "which is the machine's"
	done
}

@test "an idle server costs next to nothing" {
	serves
	connected vm1
	sleep 2 # what is measured is time itself
	before=$(awk '{print $14 + $15}' "/proc/$SERVER/stat")
	sleep 3
	after=$(awk '{print $14 + $15}' "/proc/$SERVER/stat")
	say "idle, with a client: $((after - before)) hundredths of a second in 3 s"
	# Under 5% of a core.
	[ $((after - before)) -lt 15 ] || fails "$((after - before)) hundredths of a second in 3 s"
}

@test "many calls in a row take their time from neither server nor guest" {
	serves
	connected vm1
	does vm1 "time ${SOAK:+20}1000" 'time: [0-9]*1000 calls, [0-9]+ ns each'
	say "$(log vm1 | grep '^files: time:' | tail -n 1)"
}

@test "the server ends with the set" {
	serves
	connected vm1
	avctl down
	wait_for 10 eval '! kill -0 "$SERVER" 2>/dev/null'
	server_ends
	[ "$ended" = 6 ] || fails "ended with $ended"
	grep -q 'set "forward" has ended' server.err
}
