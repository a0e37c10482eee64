#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# control.bats - avctl commands a machine whose guests do their worst (Show 6 of issue 2). Two physical CPUs; on each
# of them two guests spin with interrupts masked the whole time, the control VM lives on one of them.

load lib
load guests

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: control
	machine: {cpus: 2, memory: 512MiB}
	vms:
	  - {name: here, image: $GUESTS/shell.elf, memory: 32MiB, cpu: 0}
	  - {name: there, image: $GUESTS/shell.elf, memory: 32MiB, cpu: 1}
	  - {name: spin0, image: $GUESTS/shell.elf, memory: 32MiB, cpu: 0}
	  - {name: spin1, image: $GUESTS/shell.elf, memory: 32MiB, cpu: 1}
	  - {name: also0, image: $GUESTS/shell.elf, memory: 32MiB, cpu: 0}
	  - {name: also1, image: $GUESTS/shell.elf, memory: 32MiB, cpu: 1}
	END
	for vm in here there; do
		says $vm '^shell: start'
		avctl -q snapshot take $vm --name good
	done
	for vm in spin0 spin1 also0 also1; do
		says $vm '^shell: start'
		tell $vm spin
		says $vm '^spin: now'
	done
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# in_time COMMAND...: succeeds, and took less than a second.
in_time() {
	local before=${EPOCHREALTIME/[.,]/} took

	"$@" || return 1
	took=$(((${EPOCHREALTIME/[.,]/} - before) / 1000))
	[ $took -lt 1000 ] || fails "$*: $took ms"
}

# comes_back VM: restored in time, it answers on its console and its memory is the snapshot's.
comes_back() {
	local at

	at=$(mark "$1")
	in_time avctl -q restore "$1" --name good
	field_is state "$1" running
	tell "$1" 'nonce'
	says "$1" '^nonce' "$at"
	never_said "$1" '^shell: start' "$at"
}

still_spinning() {
	local vm

	for vm in spin0 spin1 also0 also1; do
		field_is state $vm running
		never_said $vm 'CAME BACK'
	done
}

@test "a crashed VM is brought back in less than a second while all others spin" {
	for vm in here there; do
		tell $vm crash
		wait_for 10 field_is state $vm crashed
		run avctl ps
		expect_output "^$vm +crashed"
		comes_back $vm
	done
	still_spinning
}

@test "a VM that spins with interrupts masked is brought back" {
	for vm in here there; do
		at=$(mark $vm)
		tell $vm spin
		says $vm '^spin: now' "$at"
		comes_back $vm
	done
	still_spinning
}

@test "a paused VM is brought back" {
	for vm in here there; do
		in_time avctl -q pause $vm
		field_is state $vm paused
		comes_back $vm
	done
}

@test "a stopped VM is brought back" {
	for vm in here there; do
		in_time avctl -q stop $vm
		field_is state $vm stopped
		comes_back $vm
	done
}

@test "a VM that waits for an interrupt that never comes is brought back" {
	for vm in here there; do
		at=$(mark $vm)
		tell $vm wfi
		says $vm '^wfi: now' "$at"
		comes_back $vm
	done
}

@test "every other command is answered in less than a second too" {
	in_time avctl ps
	in_time avctl status spin0
	in_time avctl -q snapshot take spin0
	in_time avctl -q snapshot take spin1
	in_time avctl snapshot list
	in_time avctl -q restore spin0 --latest
	in_time avctl -q pause spin1
	in_time avctl -q resume spin1
	in_time avctl events
	still_spinning
}

@test "a crashed control agent loses nothing: the next command works" {
	[ "$(avctl status -o json | json 'd["debug"]')" = True ] || skip "no debug build"
	before=$(avctl snapshot list here -o name | wc -l)
	restarts=$(avctl status -o json | json 'd["control_restarts"]')
	for i in 1 2 3; do
		agent "hook name=crash"
		avctl -q snapshot take here
		[ "$(avctl snapshot list here -o name | wc -l)" = $((before + i)) ]
	done
	agent "hook name=crash"
	generation=$(avctl status here -o json | json 'd["generation"]')
	avctl -q restore here --name good
	[ "$(avctl status here -o json | json 'd["generation"]')" = $((generation + 1)) ]
	agent "hook name=crash"
	avctl -q restore here --undo
	[ "$(avctl status here -o json | json 'd["generation"]')" = $((generation + 2)) ]
	[ "$(avctl status -o json | json 'd["control_restarts"]')" -ge $((restarts + 4)) ]
	run avctl events
	expect_output 'control-restart'
	still_spinning
}

@test "an agent that never waits again is ended by the watchdog within 2 s, and the next command works" {
	[ "$(avctl status -o json | json 'd["debug"]')" = True ] || skip "no debug build"
	restarts=$(field control_restarts)
	before=$(avctl snapshot list here -o name | wc -l)
	agent "hook name=hang"
	started=${EPOCHREALTIME/[.,]/}
	avctl -q snapshot take here --timeout 20s
	took=$(((${EPOCHREALTIME/[.,]/} - started) / 1000))
	[ $took -ge 1000 ] && [ $took -le 4000 ] || fails "took $took ms"
	expect_equal "$(field control_restarts)" $((restarts + 1))
	expect_equal "$(avctl snapshot list here -o name | wc -l)" $((before + 1))
	run avctl events
	expect_output 'control-restart.*2 s'
	still_spinning
}

@test "the control VM itself cannot be paused, snapshotted or restored" {
	for line in "pause control" "stop control" "restart control" "snapshot take control" "restore control --boot"; do
		run avctl $line
		expect_status 4
	done
	for line in "pause vm=control" "take vm=control" "restore vm=control boot=1" "restart vm=control" "stop vm=control"; do
		run agent "$line"
		expect_output 'code=DENIED'
	done
	avctl ps
}

@test "the agent answers the next good line after an overlong, a binary, a half and a flood of lines" {
	python3 - "$(echo "$XDG_RUNTIME_DIR"/avisor/control)" <<-'END'
	import os, socket, sys
	os.chdir(sys.argv[1])

	def talk(junk, request):
	    port = socket.socket(socket.AF_UNIX)
	    port.settimeout(20)
	    port.connect("control")
	    port.sendall(junk + b"\n" + request + b" ping\n")
	    for line in port.makefile("rb"):
	        if line.startswith(request + b" ok"):
	            return
	    raise SystemExit("no answer after " + repr(junk[:20]))

	talk(b"", b"a1")
	talk(b"x" * 5000, b"a2")
	talk(b"1 ping " + b"k=v " * 3000, b"a3")
	talk(bytes(range(256)) * 64, b"a4")
	talk(b"1 take vm=\"never ends", b"a5")
	talk(b"zz ping\n1 nonsense\n1 take\n1 take vm=\n1 take vm=nobody\n1 restore vm=here id=99999999999999999999", b"a6")
	half = socket.socket(socket.AF_UNIX)
	half.connect("control")
	half.sendall(b"77 take vm=he")
	half.close()
	talk(b"", b"a7")
	flood = socket.socket(socket.AF_UNIX)
	flood.settimeout(20)
	flood.connect("control")
	lines = b"".join(b"%x ping\n" % i for i in range(1, 3001))
	import threading
	threading.Thread(target=flood.sendall, args=(lines,), daemon=True).start()
	seen = 0
	for line in flood.makefile("rb"):
	    seen += b" ok" in line
	    if line.startswith(b"bb8 ok"):
	        break
	assert seen == 3000, seen
	flood.close()
	talk(b"", b"a8")
	END
	avctl ps
	still_spinning
}
