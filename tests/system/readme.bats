#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# readme.bats - README.md, done: its quick start typed into a terminal, its set started, its tables as avctl prints them.
# `make demo`, the quick start's first line, is demo.bats's.

load lib
load guests

setup_file() {
	machine_begin
	mkdir clone
	cp -r "$AVISOR_TOP/configs" "$AVISOR_TOP/README.md" clone
	ln -s "$AVISOR_BUILD" clone/build
	export README="$AVISOR_TEST/clone/README.md" TMUX_SERVER="readme-$$"
}

teardown_file() {
	tmux -L "$TMUX_SERVER" kill-server 2>/dev/null || true
	machine_end
}

setup() {
	cd "$AVISOR_TEST/clone" || return 1
}

# block LANGUAGE: the first of README's code blocks in it
block() {
	awk -v fence="\`\`\`$1" '$0 == fence { inside = 1; next } /^```/ { if (inside) exit } inside' "$README"
}

screen() {
	tmux -L "$TMUX_SERVER" capture-pane -p
}

screen_has() {
	screen | grep -qE -e "$1"
}

# header COMMAND: the line under `$ COMMAND` in README, blanks squeezed
header() {
	grep -F -A 1 -x "\$ $1" "$README" | sed -n '2{s/ \+/ /g;s/^ //;p;}'
}

@test "the quick start works as it stands, typed by somebody who looks at the panel and hits q" {
	{
		block sh | grep -v '^make demo ' # the rest is for a shell in the clone
		echo "echo all of it went well"
	} >../quick-start.sh
	grep -q '^avctl -f configs/duo.yaml up' ../quick-start.sh
	grep -q 'shm watch' ../quick-start.sh
	tmux -L "$TMUX_SERVER" -f /dev/null new-session -d -x 100 -y 30 "bash -e ../quick-start.sh; echo \"exit \$?\"; exec sleep 1000" \
		{AVISOR_LOCK_FD}<&-
	wait_for 60 screen_has 'LIVE.*help' || fails "no panel: $(screen)"
	tmux -L "$TMUX_SERVER" send-keys q
	wait_for 30 screen_has '^exit 0' || fails "the end: $(screen)"
	screen_has '^all of it went well'
	screen_has '^vm2@0 clean'
	screen_has '^duo is down'
}

@test "what the README shows of ps and snapshot list is what they print" {
	machine_up configs/duo.yaml
	avctl -s duo snapshot take vm2 --name clean -q
	for command in "avctl ps" "avctl snapshot list vm2"; do
		[ -n "$(header "$command")" ]
		expect_equal "$(avctl -s duo ${command#avctl } | head -n 1 | sed 's/ \+/ /g;s/^ //;s/ $//')" "$(header "$command")" "$command"
	done
	avctl -s duo down
}

@test "the set that the README writes starts with the guest that it names" {
	block yaml | sed 's,image: kernel.elf .*,image: build/guests/shell.elf,' >mine.yaml
	grep -q 'build/guests/shell.elf' mine.yaml
	avctl -f mine.yaml config check
	machine_up mine.yaml
	printf 'help\n' | avctl console vm1 -q >said 2>&1
	grep -q 'touch' said
	avctl -f mine.yaml down
}
