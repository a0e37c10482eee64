#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# cli.bats - avctl as a user meets it, on a machine played by fake_qemu.py: help, exit codes, hints, formats, and
# what survives a broken connection or a killed avctl. No QEMU runs here.

load played

@test "every verb has help with usage, examples and exit codes" {
	local verbs
	verbs=$(avctl help | sed -n 's/^  \([a-z-]\+\( [a-z]\+\)\?\)  .*/\1/p' | grep -v '^-')
	[ "$(wc -l <<<"$verbs")" -ge 30 ]
	while read -r verb; do
		code 0 avctl help $verb
		prints "Usage: avctl $verb"
		prints "Examples:"
		prints "Exit codes:"
		[ -z "$errors" ]
	done <<<"$verbs"
}

@test "no verb at all is a usage error, on stderr" {
	code 2 avctl
	[ -z "$output" ]
	says "Usage: avctl"
}

@test "a misspelled verb, option or VM gets a suggestion" {
	code 2 avctl snapshto take vm1
	says "did you mean avctl snapshot"
	code 2 avctl snapshot tak vm1
	says "did you mean avctl snapshot take?"
	code 2 avctl ps --outptu json
	says "did you mean --output?"
	up
	code 3 avctl restore vm11 --latest
	says "did you mean vm1?"
}

@test "commands on a set that is down say so and name the next command" {
	for line in "ps" "status" "status vm1" "pause vm1" "resume vm1" "stop vm1" "start vm1" "restart vm1" \
		"snapshot take vm1" "snapshot list" "snapshot delete vm1 0" "snapshot prune vm1" "restore vm1 --latest" \
		"wait vm1 running" "events" "console vm1" "shm list" "shm dump board"; do
		code 6 avctl -f duo.yaml $line
		says "is not running"
		says "hint: avctl -f duo.yaml up"
		[ -z "$output" ]
	done
	code 6 avctl -s duo ps
	code 6 avctl ps
	code 0 avctl -f duo.yaml down
	says "set \"duo\" is not running: nothing to end"
	code 5 avctl -f nothing.yaml ps
}

@test "up -n prints the QEMU command and changes nothing" {
	code 0 avctl -f duo.yaml up -n
	prints "name=vm1.console"
	prints "-sandbox on,obsolete=deny"
	[ ! -e "$XDG_RUNTIME_DIR/avisor" ]
	[ ! -e "$XDG_STATE_HOME" ]
	code 0 avctl -f duo.yaml up -n -o json
	json 'd["argv"][0]' <<<"$output" | grep -q fake_qemu
	# What it prints is a command that a shell takes.
	bash -n <<<"$(avctl -f duo.yaml up -n)"
}

@test "up is idempotent, down removes all but the logs" {
	code 0 avctl -f duo.yaml up
	prints "duo is up: vm1, vm2"
	says "waiting for the control agent"
	ram=$(avctl status -o json | json 'd["ram_file"]')
	pid=$(avctl status -o json | json 'd["pid"]')
	[ "$(stat -c %a "$ram")" = 600 ]
	[ "$(stat -c %a "$XDG_RUNTIME_DIR/avisor/duo")" = 700 ]
	code 0 avctl -f duo.yaml up
	prints "already"
	[ "$(avctl status -o json | json 'd["pid"]')" = "$pid" ]
	code 0 avctl down
	[ ! -e "$ram" ]
	[ "$(ls "$XDG_RUNTIME_DIR/avisor/duo")" = lock ]
	[ ! -e "/proc/$pid" ]
	code 0 avctl -f duo.yaml logs vm1
	prints "vm1.console says hello"
}

@test "a set of the same name from another file is refused" {
	up
	sed 's/32MiB/64MiB/' duo.yaml >other.yaml
	code 4 avctl -f other.yaml up
	says "is running already, from"
	code 6 avctl -f other.yaml ps
	says "hint: avctl -s duo"
}

@test "a changed file is noticed" {
	up
	echo "# changed" >>duo.yaml
	code 0 avctl -f duo.yaml up
	says "has changed since"
}

@test "after QEMU is killed ps tells the truth and up works" {
	up
	kill -9 "$(avctl status -o json | json 'd["pid"]')"
	for i in $(seq 100); do
		[ -e "$XDG_RUNTIME_DIR/avisor/duo/exit" ] && break
		sleep 0.05
	done
	code 6 avctl ps
	says "killed by signal 9"
	says "hint: avctl -f"
	code 6 avctl snapshot take vm1
	code 0 avctl ps --sets
	prints "dead"
	code 0 avctl -f duo.yaml up
	says "cleaning up after the last run"
	code 0 avctl ps
}

@test "a machine that ends while it starts is explained, and leaves nothing" {
	FAKE_DIE=3 code 1 avctl -f duo.yaml up
	says "fake_qemu: cannot do that"
	[ "$(ls "$XDG_RUNTIME_DIR/avisor/duo")" = lock ]
	AVCTL_QEMU=/nonexistent code 1 avctl -f duo.yaml up
	says "apt install qemu-system-arm"
	FAKE_DELAY=60 code 7 avctl -f duo.yaml up --timeout 300ms
	[ "$(ls "$XDG_RUNTIME_DIR/avisor/duo")" = lock ]
}

@test "up that is killed in the middle leaves a set that works" {
	for delay in 0 0.02 0.05 0.1; do
		FAKE_DELAY=0.3 "$AVCTL" -q -f duo.yaml up &
		sleep $delay
		kill -9 $! || true
		wait $! || true
		code 0 avctl -q -f duo.yaml up
		code 0 avctl -f duo.yaml ps
		code 0 avctl -f duo.yaml down
		[ "$(ls "$XDG_RUNTIME_DIR/avisor/duo")" = lock ]
	done
	! pgrep -f "name avisor-duo.*$BATS_TEST_TMPDIR"
}

@test "no room for the RAM file is refused with what was tried" {
	for folder in /dev/shm /var/tmp; do
		[ "$(df --output=avail -B1G $folder | tail -1)" -lt 64 ] || skip "$folder has room for everything"
	done
	sed -i 's/memory: 256MiB}/memory: 64GiB}/' duo.yaml
	code 1 avctl -f duo.yaml up
	says "no folder has room"
	says "/dev/shm ("
	says "AVCTL_RAM_DIR"
	sed -i 's/memory: 64GiB}/memory: 256MiB}/' duo.yaml
}

@test "a wrong YAML file starts nothing and shows all errors" {
	sed -i 's/name: vm2/name: vm1/; s/cpus: 2,/cpus: 2, nonsense: 1,/' duo.yaml
	code 5 avctl -f duo.yaml up
	[ "$(grep -c 'duo.yaml:[0-9]*:[0-9]*: error:' errors)" -ge 2 ]
	[ ! -e "$XDG_RUNTIME_DIR/avisor" ]
	code 5 avctl config check duo.yaml
	code 5 avctl config check duo.yaml -o json
	json 'len(d["errors"]) >= 2' <<<"$errors" | grep -q True
	code 5 avctl config check /nonexistent.yaml
	sed -i 's/nonsense: 1,//; 0,/name: vm1/! s/name: vm1/name: vm2/' duo.yaml
}

@test "config check, show and schema are fine with a good file" {
	code 0 avctl config check duo.yaml
	prints "2 VMs, 1 region"
	code 0 avctl config show duo.yaml -o json
	json 'd["name"]' <<<"$output" | grep -qx duo
	avctl config show duo.yaml >again.yaml
	code 0 avctl config check again.yaml
	code 0 avctl config schema
	python3 -m json.tool <<<"$output" >/dev/null
}

@test "snapshots are taken, listed, pinned, renamed, pruned and deleted" {
	up
	code 0 avctl snapshot take vm1
	prints "vm1@0"
	[ "$(avctl snapshot take vm1 --name clean --pin -o name)" = 1 ]
	[ "$(avctl snapshot take vm1 -o json | json 'd["id"]')" = 2 ]
	code 4 avctl snapshot take vm1 --name clean
	code 2 avctl snapshot take vm1 --name 7
	code 2 avctl snapshot take vm1 --name latest
	avctl snapshot take vm1
	[ "$(avctl snapshot list vm1 -o name | tr '\n' ' ')" = "0 1 2 3 " ]
	avctl snapshot list -o json | json '[s["id"] for s in d["snapshots"] if s["pinned"]]' | grep -qx '\[1\]'
	[ "$(avctl snapshot list vm1 -o jsonl | wc -l)" = 4 ]
	code 0 avctl snapshot prune vm1 --keep-last 1 -n -o json
	[ "$(json '[s["id"] for s in d["snapshots"] if s["action"] == "delete"]' <<<"$output")" = "[0, 2]" ]
	[ "$(avctl snapshot list vm1 -o name | wc -l)" = 4 ]
	# Without --keep-last: what the YAML says, 2.
	code 0 avctl snapshot prune vm1
	[ "$(avctl snapshot list vm1 -o name | tr '\n' ' ')" = "1 2 3 " ]
	code 2 avctl snapshot prune vm2
	says "no snapshots.keep"
	code 4 avctl snapshot delete vm1 clean
	says "pinned"
	code 0 avctl snapshot unpin vm1 clean
	code 0 avctl snapshot rename vm1 1 other
	prints "renamed to other"
	code 3 avctl snapshot delete vm1 clean
	code 0 avctl snapshot delete vm1 other
	code 8 avctl snapshot delete vm1 2 77
	code 3 avctl snapshot delete vm1 77
	says "no snapshot 77 of vm1"
	says "hint: avctl snapshot list vm1"
	code 2 avctl snapshot delete vm1
}

@test "restore goes by id, name, latest, boot and undo, and says how to go back" {
	up
	code 3 avctl restore vm1 --latest
	avctl snapshot take vm1 --name clean
	code 0 avctl restore vm1 --id 0
	prints "vm1@0"
	says "avctl restore vm1 --undo"
	code 4 avctl snapshot pin vm1 undo
	says "the next restore replaces it"
	code 4 avctl snapshot rename vm1 undo other
	code 0 avctl restore vm1 --undo
	code 0 avctl restore vm1 --name clean --no-undo
	[ -z "$errors" ]
	code 0 avctl restore vm1 --boot -o json
	[ "$(json 'd["id"], d["undo"]' <<<"$output")" = "('boot', 'kept')" ]
	code 0 avctl restore vm1 --latest --paused
	[ "$(avctl ps -o json | json 'd["vms"][0]["state"]')" = paused ]
	code 3 avctl restore vm1 --id 9
	code 3 avctl restore vm1 --name nothing
	code 2 avctl restore vm1
	code 2 avctl restore vm1 --latest --boot
	code 3 avctl restore vm9 --latest
	code 4 avctl restore control --latest
}

@test "states change, and what is so already is no error" {
	up
	code 0 avctl pause vm1 vm2
	code 0 avctl pause vm1
	says "paused already"
	code 0 avctl resume vm1
	code 0 avctl stop vm1
	code 4 avctl pause vm1
	says "vm1 is stopped"
	code 0 avctl start vm1
	code 0 avctl restart --paused vm1
	[ "$(avctl status vm1 -o json | json 'd["state"]')" = paused ]
	# Names are looked up before anything is done.
	code 3 avctl resume vm1 vm9
	[ "$(avctl status vm1 -o json | json 'd["state"]')" = paused ]
	code 0 avctl stop vm2
	code 8 avctl resume vm1 vm2
}

@test "a crashed VM is shown with its reason, made harmless" {
	up
	avctl agent fake crash=vm1
	code 0 avctl ps
	prints "crashed"
	[[ $output != *$'\033'* ]]
	code 0 avctl status vm1 -o json
	[ "$(json 'd["pc"]' <<<"$output")" = 0x40080123 ]
	code 0 avctl wait vm1 crashed
	code 0 avctl events vm1
	prints "wild jump"
	code 0 avctl start vm1
}

@test "all that is printed is valid JSON with -o json" {
	up
	avctl snapshot take vm1
	for line in "ps" "ps -a" "ps --sets" "status" "status vm1" "snapshot list" "snapshot list vm1 -a" "events" \
		"version" "doctor" "config show duo.yaml" "config check duo.yaml" "snapshot prune vm1 -n" "pause vm1" \
		"restore vm1 --latest" "snapshot pin vm1 0" "shm list"; do
		code 0 avctl -o json $line
		json 'True' <<<"$output" >/dev/null || { echo "$line: $output"; false; }
		code 0 avctl -o jsonl $line
		while read -r one; do
			json 'True' <<<"$one" >/dev/null || { echo "$line: $one"; false; }
		done <<<"$output"
	done
	code 3 avctl -o json restore vm1 --id 99
	[ -z "$output" ]
	[ "$(json 'd["error"]["code"]' <<<"$errors")" = 3 ]
}

@test "a lost answer doubles no snapshot and undoes no undo" {
	up
	avctl agent fake drop=1
	code 0 avctl snapshot take vm1
	prints "vm1@0"
	[ "$(avctl snapshot list vm1 -o name)" = 0 ]
	avctl agent fake drop=2
	code 0 avctl restore vm1 --id 0
	[ "$(avctl status vm1 -o json | json 'd["generation"]')" = 1 ]
	avctl agent fake drop=1
	code 0 avctl pause vm1
	avctl agent fake drop=1
	code 0 avctl snapshot delete vm1 0
	avctl agent fake reboot=1
	code 0 avctl snapshot take vm1
	avctl agent fake reboot=1
	code 0 avctl restore vm1 --latest
	[ "$(avctl status vm1 -o json | json 'd["generation"]')" = 2 ]
}

@test "an agent that does not answer ends in a timeout" {
	up
	avctl agent fake mute=1
	code 7 avctl ps --timeout 300ms
	says "does not answer"
	avctl agent fake mute=0
	code 0 avctl ps
}

@test "many avctl at once wait for each other, and one that waits too long names the holder" {
	up
	for i in 1 2 3 4 5 6 7 8; do
		"$AVCTL" -q snapshot take vm1 -o name >id.$i &
	done
	wait
	[ "$(cat id.* | sort -n | tr '\n' ' ')" = "0 1 2 3 4 5 6 7 " ]
	avctl agent fake mute=1
	"$AVCTL" snapshot take vm2 --timeout 3s 2>/dev/null &
	for i in $(seq 100); do
		grep -q 'snapshot take' "$XDG_RUNTIME_DIR/avisor/duo/lock" && break
		sleep 0.02
	done
	code 4 avctl ps --timeout 200ms
	says "is locked by avctl pid $! (snapshot take"
	kill -9 $!
	wait $! || true
	avctl agent fake mute=0
	code 0 avctl ps
}

@test "avctl that is killed in the middle of a take leaves the set usable" {
	up
	for i in 1 2 3 4 5 6 7 8 9 10; do
		"$AVCTL" -q snapshot take vm1 >/dev/null &
		sleep 0.00$i
		kill -9 $! 2>/dev/null || true
		wait $! || true
	done
	code 0 avctl snapshot take vm1
	code 0 avctl ps
}

@test "wait ends with the state, with a text on the console, or in time" {
	up
	code 0 avctl wait vm1 running
	code 7 avctl wait vm1 paused --timeout 200ms
	says "vm1 is running, not paused"
	(sleep 0.2; "$AVCTL" -q pause vm1 >/dev/null) &
	code 0 avctl wait vm1 paused --timeout 10s
	wait
	code 0 avctl wait vm1 "log=says hello" --timeout 1s
	code 7 avctl wait vm1 "log=never" --timeout 200ms
	code 2 avctl wait vm1 pasued
	says "did you mean paused?"
}

@test "the console sends, shows the log, and is locked for a second one" {
	up
	printf 'hello there\n' >keys
	output=$("$AVCTL" console vm1 <keys 2>errors)
	prints "vm1.console says hello"
	prints "HELLO THERE"
	grep -q 'leave with ^\]' errors
	mkfifo nothing_typed
	"$AVCTL" console vm1 <>nothing_typed >/dev/null 2>&1 &
	for i in $(seq 100); do
		[ "$(<"$XDG_RUNTIME_DIR/avisor/duo/vm1.console.lock")" = $! ] && break
		sleep 0.02
	done
	holder=$(<"$XDG_RUNTIME_DIR/avisor/duo/vm1.console.lock")
	code 4 avctl console vm1
	says "is open in avctl pid $holder"
	code 0 avctl console vm1 --read-only --timeout 300ms
	prints "HELLO THERE"
	[ "$holder" = $! ]
	kill "$holder"
	wait "$holder" || true
	code 3 avctl console vm9
	code 2 avctl console vm1 --port nothing
}

@test "the console gives the terminal back" {
	up
	command -v script >/dev/null || skip "no script(1)"
	printf 'abc\035' >keys
	script -qec "stty -a >before; '$AVCTL' console vm1 2>/dev/null; stty -a >after" /dev/null <keys >/dev/null
	cmp before after
}

@test "logs are tailed, followed and kept" {
	up
	printf 'one\ntwo\nthree\n' >keys
	"$AVCTL" -q console vm1 <keys >/dev/null 2>&1
	[ "$(avctl logs vm1 --tail 2)" = "$(printf 'TWO\nTHREE')" ]
	code 0 avctl logs --hypervisor
	prints "avisor: up"
	code 0 avctl logs --qemu
	code 3 avctl logs vm9
	code 2 avctl logs vm1 --qemu
	timeout 1 "$AVCTL" logs -f vm1 >followed || true
	grep -q THREE followed
}

@test "commands from standard input stop at the first failure, or do not" {
	up
	output=$(printf 'snapshot take vm1 -o name\n\n# a comment\nrestore vm1 --id 7\nps\n' | "$AVCTL" - 2>errors) &&
		false || [ $? = 3 ]
	[ "$output" = 0 ]
	output=$(printf "restore vm1 --id 7\nsnapshot take vm1 --name 'x1' -o name\n" | "$AVCTL" - -k 2>errors) &&
		false || [ $? = 3 ]
	[ "$output" = 1 ]
	printf 'ps "\n' | "$AVCTL" - 2>errors && false || [ $? = 2 ]
	echo ps | "$AVCTL" - >/dev/null
}

@test "completion offers verbs, options, VMs, ids, names and regions" {
	up
	avctl snapshot take vm1 --name clean
	[ "$(avctl __complete snap)" = snapshot ]
	[ "$(avctl __complete snapshot pr)" = prune ]
	[ "$(avctl __complete pause '' | tr '\n' ' ')" = "vm1 vm2 " ]
	[ "$(avctl __complete restore vm1 --id '' | tr '\n' ' ')" = "undo 0 " ] ||
		[ "$(avctl __complete restore vm1 --id '')" = 0 ]
	[ "$(avctl __complete restore vm1 --name '')" = clean ]
	[ "$(avctl __complete snapshot delete vm1 '')" = 0 ]
	[ "$(avctl __complete shm dump '')" = board ]
	[ "$(avctl __complete restore vm1 --la)" = --latest ]
	[ "$(avctl __complete ps -o js | tr '\n' ' ')" = "json jsonl " ]
	[ "$(avctl __complete -f '')" = :file ]
	code 0 bash -c "source <('$AVCTL' completion bash); COMP_WORDS=('$AVCTL' pause ''); COMP_CWORD=2; _avctl; echo \${COMPREPLY[*]}"
	[ "$output" = "vm1 vm2" ]
	# A machine that does not answer holds up nobody who presses Tab.
	avctl agent fake mute=1
	SECONDS=0
	avctl __complete restore vm1 --id ''
	[ $SECONDS -le 1 ]
	avctl agent fake mute=0
}

@test "the man page has every verb" {
	avctl man >avctl.1
	while read -r verb; do
		grep -q "^.SS avctl ${verb//-/\\\\-}" avctl.1 || { echo "no $verb"; false; }
	done < <(avctl help | sed -n 's/^  \([a-z]\+\( [a-z]\+\)\?\)  .*/\1/p')
	! command -v man >/dev/null || man --warnings -l avctl.1 2>&1 >/dev/null | (! grep .)
}

@test "events are followed with short connections" {
	up
	timeout 2 "$AVCTL" events -f -o jsonl >followed &
	follower=$!
	sleep 0.3
	code 0 avctl snapshot take vm1
	code 0 avctl events -f --until take --timeout 5s
	prints "@0"
	wait $follower || true
	grep -q '"kind": *"take"' followed
}

@test "interrupted commands end with 130" {
	up
	"$AVCTL" -q wait vm1 paused 2>/dev/null &
	pid=$!
	sleep 0.3
	# A background job of a script ignores SIGINT; avctl asks for it all the same.
	kill -INT $pid
	wait $pid && false || [ $? = 130 ]
}

@test "colours come only when they are wanted" {
	up
	avctl agent fake crash=vm1
	[[ $(avctl ps --color always) == *$'\033['* ]]
	[[ $(avctl ps) != *$'\033['* ]]
	[[ $(CLICOLOR_FORCE=1 avctl ps) == *$'\033['* ]]
	[[ $(NO_COLOR=1 CLICOLOR_FORCE=1 avctl ps) != *$'\033['* ]]
}

@test "doctor names what is missing" {
	code 0 avctl doctor
	prints "hypervisor.elf"
	AVCTL_LIBDIR=/nonexistent code 1 avctl doctor
	prints "broken"
	AVCTL_LIBDIR=/nonexistent code 1 avctl -f duo.yaml up
	says "AVCTL_LIBDIR"
}
