#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# words.bats - what avctl answers to words that are wrong, late or one too many, and what it prints where nobody looks.
# On a machine played by fake_qemu.py, like cli.bats.

load played

@test "down of a name that no set ever had is not found, and says which run" {
	code 3 avctl -s tpyo down
	says 'no set "tpyo" is running'
	up
	code 3 avctl -s dou down
	says "did you mean avctl -s duo?"
	says "the sets that run: duo"
	code 3 avctl -s '' down
	code 3 avctl -s ../avisor/duo down
	code 0 avctl ps
}

@test "down of a set that is down already is no error" {
	code 0 avctl down
	says "no set is running: nothing to end"
	code 0 avctl -f duo.yaml down
	says 'set "duo" is not running: nothing to end'
	up
	sed 's/name: duo/name: other/' duo.yaml >other.yaml
	code 0 avctl -f other.yaml down
	says 'set "other" is not running: nothing to end'
	code 0 avctl -s duo down
	prints "duo is down"
	code 0 avctl -s duo down
	says 'set "duo" is not running: nothing to end'
	code 5 avctl -f nothing.yaml down
}

@test "down of another file with the same name ends nothing" {
	up
	cp duo.yaml copy.yaml
	code 4 avctl -f copy.yaml down
	says "runs, but from another file"
	says "hint: avctl -s duo down"
	code 0 avctl ps
}

@test "input piped into a VM that does not run is not sent, and says what to do" {
	up
	printf 'hello\n' >keys
	for line in "pause paused resume" "stop stopped start"; do
		set -- $line
		code 0 avctl $1 vm1
		code 4 avctl console vm1 <keys
		says "vm1 is $2 and reads no input: nothing was sent"
		says "hint: avctl $3 vm1"
		[[ $(avctl logs vm1) != *HELLO* ]]
		code 0 avctl $3 vm1
	done
	avctl agent fake crash=vm1
	code 4 avctl console vm1 <keys
	says "vm1 is crashed"
	code 4 avctl -o json console vm1 <keys
	[ "$(grep '^{' <<<"$errors" | json 'd["error"]["code"]')" = 4 ]
	# No input is no mistake: what it said last is shown.
	code 0 avctl console vm1 </dev/null
	prints "vm1.console says hello"
	avctl -q start vm1
	code 0 avctl console vm1 <keys
	prints HELLO
}

@test "a machine whose agent does not answer keeps its consoles" {
	up
	avctl agent fake mute=1
	printf 'hello\n' >keys
	code 0 avctl console vm1 <keys
	prints HELLO
	avctl agent fake mute=0
}

@test "a terminal on a paused VM is told that nobody reads" {
	up
	avctl pause vm1
	printf '\035' >keys
	script -qec "'$AVCTL' console vm1" /dev/null <keys >said
	grep -q 'vm1 is paused: nobody reads what you type (avctl resume vm1)' said
}

@test "a deleted parent stands in brackets, and JSON says so" {
	up
	for i in 0 1 2; do
		avctl -q snapshot take vm1 >/dev/null
	done
	avctl snapshot delete vm1 1
	code 0 avctl snapshot list vm1
	prints "(1)"
	avctl snapshot list vm1 -o json >list
	[ "$(json '[(s["id"], s["parent"], s["parent_deleted"]) for s in d["snapshots"]]' <list)" = \
		"[(0, 'boot', False), (2, 1, True)]" ]
	! avctl help snapshot list | grep -F '*'
}

@test "help on a word that is no verb is a usage error with the near one" {
	for word in tpyo "snapshot tpyo" "ps nonsense"; do
		code 2 avctl help $word
		[ -z "$output" ]
	done
	code 2 avctl help resotre
	says "did you mean avctl restore?"
	code 2 avctl help snapshot tkae
	says "did you mean avctl snapshot take?"
	code 0 avctl help -
	prints "Usage: avctl -"
}

@test "the man page names only exit codes that verbs have, and is formatted on a terminal" {
	avctl man >avctl.1
	sed -n '/^.SH EXIT STATUS/,/^.SH ENV/p' avctl.1 >exits
	for status in 0 1 2 3 4 5 6 7 8 130; do
		grep -qx "\\\\fB$status\\\\fR" exits
	done
	for status in 9 10; do
		[ "$(grep -cx "\\\\fB$status\\\\fR" exits)" = "$(avctl man | grep -c "^Exit codes:.* $status[. ]" | sed 's/^[1-9].*/1/')" ]
	done
	command -v man >/dev/null || skip "no man(1)"
	MANPAGER=cat PAGER=cat script -qec "stty cols 80; '$AVCTL' man" /dev/null </dev/null >shown
	! grep -q '^\.S[HS] ' shown
	grep -q 'NAME' shown
}

@test "events leave no trailing blanks and tell a crash's reason in full" {
	up
	avctl pause vm2
	avctl snapshot take vm1
	avctl agent fake crash=vm1 "reason=a reason that is longer than an event has room for"
	code 0 avctl events
	prints "a reason that is longer than an event has room for pc=0x40080123"
	! grep -n ' $' <<<"$output"
	avctl events -o json | json '[e["text"] for e in d["events"] if e["kind"] == "crash"]' | grep -q 'room for'
	# Afterwards only the event is left of it.
	avctl -q start vm1
	code 0 avctl events
	prints "a reason that is longer..."
}

@test "a word too many is taken for the option that was meant" {
	up
	code 2 avctl snapshot take vm1 clean
	says "did you mean --name clean?"
	code 2 avctl restore vm1 clean
	says "did you mean --name clean?"
	code 2 avctl restore vm1 3
	says "did you mean --id 3?"
	code 2 avctl pause
	code 2 avctl status vm1 vm2
	says "what is \"vm2\"?"
}

@test "wait takes what was printed before, and with --new only what comes" {
	up
	code 0 avctl wait vm1 "log=says hello"
	code 7 avctl wait vm1 "log=says hello" --new --timeout 200ms
	(
		sleep 0.3
		printf 'says hello\n' | "$AVCTL" -q console vm1 >/dev/null 2>&1
	) &
	code 0 avctl wait vm1 "log=SAYS" --new --timeout 10s
	wait
	code 2 avctl wait vm1 running --new
	says "log=TEXT"
}

@test "a misspelled key is one error" {
	sed -i '0,/memory: 32MiB/s//memroy: 32MiB/' duo.yaml
	code 5 avctl config check duo.yaml
	[ "$(grep -c ': error:' errors)" = 1 ]
	says 'did you mean "memory"?'
	sed -i 's/memroy/memory/' duo.yaml
}

@test "words in another order get the right one" {
	up
	while IFS='|' read -r line hint; do
		code 2 avctl $line
		says "$hint"
	done <<-END
	vm1 restore|the verb comes first: avctl restore vm1
	snapshot vm1 take|the verb comes first: avctl snapshot take vm1
	vm1 snapshot take|the verb comes first: avctl snapshot take vm1
	take vm1|did you mean avctl snapshot take?
	snapshot vm1|hint: avctl help snapshot
	wait running vm1|avctl wait vm1 'running'
	restore vm1 undo|did you mean --undo?
	restore vm1 latest|did you mean --latest?
	END
	code 2 avctl quit
	[[ $errors != *"did you mean"* ]]
	code 3 avctl restore VM1 --latest
	says "did you mean vm1?"
}

@test "values that cannot be are refused before anything is done" {
	up
	while read -r wanted line; do
		eval "code $wanted avctl $line"
		[ -z "$output" ]
		says "avctl: error: "
	done <<-'END'
	2 restore vm1 --id -3
	2 restore vm1 --id ''
	2 restore vm1 --id 99999999999999999999999
	3 restore vm1 --id 18446744073709551615
	2 restore vm1 --id 1.5
	2 restore vm1 --name ''
	2 restore vm1 --name 'Größe'
	3 restore '' --latest
	3 restore 'ünï' --latest
	2 snapshot take vm1 --name -pin
	2 snapshot take vm1 --name 'A B'
	2 snapshot delete vm1 ''
	2 snapshot delete vm1 -1
	2 snapshot prune vm1 --keep-last -1
	2 wait vm1 log=
	2 wait vm1 running -t -5
	2 wait vm1 running -t 5x
	2 wait vm1 running -t 1e400
	2 logs vm1 --tail -1
	2 logs vm1 -n x
	2 events --since -1
	2 console vm1 --escape abc
	2 -f duo.yaml -s other ps
	2 -f '' ps
	2 ps -o ''
	2 --version
	2 -v
	2 $'\xff\xfe'
	END
	[ "$(avctl snapshot list vm1 -o name)" = "" ]
	code 5 avctl config check .
	grep -q 'Is a directory' errors
	# What is inherited by a batch may be overruled.
	echo "-s duo ps" | "$AVCTL" -f duo.yaml - >/dev/null
}

@test "an option that holds one value is refused when it is given twice" {
	up
	code 2 avctl snapshot prune vm1 --keep-last 1 --keep-tag good --keep-tag release
	says "--keep-tag is given twice"
	mkdir data
	code 2 avctl serve --root data --max-file 0 vm1
	says "nothing could be written"
}
