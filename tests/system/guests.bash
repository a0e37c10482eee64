# SPDX-License-Identifier: MIT
# guests.bash - on top of lib.bash: one set in ./avctl.yaml, and what its guests say and do, seen through avctl.
#
#	setup_file()     { machine_begin; set_up <<-END ... END }
#	teardown_file()  { machine_end; }
#	setup()          { machine_here; }

# The set on standard input, started.
set_up() {
	cat >avctl.yaml
	machine_up avctl.yaml
}

# log VM: all that its console said, without carriage returns.
log() {
	avctl logs "$1" | tr -d '\r'
}

hypervisor_log() {
	avctl logs --hypervisor
}

# mark VM: how many lines its console has said. said VM REGEX [MARK]: has it, after so many lines?
mark() {
	log "$1" | wc -l
}

said() {
	log "$1" | tail -n "+$((${3:-0} + 1))" | grep -E -e "$2" >/dev/null
}

never_said() {
	if said "$@"; then
		fails "$1 said $2"
	fi
}

# says VM REGEX [MARK]: waits until it has.
says() {
	wait_for 20 said "$1" "$2" "${3:-0}" && return 0
	say "console of $1, at last:" "$(log "$1" | tail -n 15)" "hypervisor:" "$(hypervisor_log | tail -n 12)"
	return 1
}

# tell VM TEXT: a line to its console. type_bytes VM TEXT: the bytes as they are.
tell() {
	printf '%s\n' "$2" | avctl console "$1" --replay 0 -q --timeout 5s >/dev/null
}

type_bytes() {
	printf '%s' "$2" | avctl console "$1" --replay 0 -q --timeout 5s >/dev/null
}

# field KEY [VM]: a number or word of `avctl status`, of the machine or of a VM.
field() {
	avctl status ${2:+"$2"} -o json | sed -n "s/^ *\"$1\": \"\\{0,1\\}\\([^\",]*\\)\"\\{0,1\\},\\{0,1\\}\$/\\1/p"
}

# field_is KEY VM VALUE
field_is() {
	expect_equal "$(field "$1" "$2")" "$3" "$1 of $2"
}

# agent LINE...: requests on the control port as abi/avisor/agent.h has them, over one connection. Prints the replies; fails at the
# first that is an error.
agent() {
	local folder

	folder=$(echo "$XDG_RUNTIME_DIR"/avisor/*/)
	python3 - "$folder" "$@" <<-'END'
	import os, socket, sys

	os.chdir(sys.argv[1])
	port = socket.socket(socket.AF_UNIX)
	port.settimeout(20)
	port.connect("control")
	replies = port.makefile()
	for number, request in enumerate(sys.argv[2:]):
	    own = f"5e57{number:x} "
	    port.sendall(f"\n{own}{request}\n".encode())
	    for line in replies:
	        if line.startswith(own):
	            print(line[len(own):].rstrip())
	            if not line.startswith(own + "row "):
	                break
	    if not line.startswith(own + "ok"):
	        sys.exit(1)
	END
}

# free_frames VM...: the machine's free frames, these VMs as at first boot and paused, nothing waiting to be freed.
free_frames() {
	local vm

	avctl restart --paused "$@" >/dev/null || return 1
	for vm in "$@"; do
		agent "drain vm=$vm" >/dev/null || return 1
	done
	field frames_free
}

# never_wrong VM: none of its lines says FAILED, TORN or EXCEPTION
never_wrong() {
	never_said "$1" 'FAILED|TORN|EXCEPTION' || {
		say "$(log "$1" | grep -E -B 1 'FAILED|TORN|EXCEPTION')"
		return 1
	}
}

# restored_in_turns VM...: each is taken as `armed` and goes back to it 20 times, and each time to one taken just then, too; 2,020 under SOAK=1
restored_in_turns() {
	local vm round

	for vm; do
		avctl -q snapshot take "$vm" --name armed --pin
	done
	for ((round = 0; round < ${SOAK:+20}20; round++)); do
		for vm; do
			printf 'restore %s --name armed --no-undo\nsnapshot take %s\nrestore %s --latest\n' "$vm" "$vm" "$vm"
		done
	done | avctl -q - >/dev/null
}

# audit VM...: the hypervisor counts everything again and compares.
audit() {
	local vm

	for vm in "$@"; do
		agent "audit vm=$vm" || fails "audit of $vm"
	done
}

# heart_is_unbroken VM: it counted on by ones from its one start, with its one nonce, never a second late.
heart_is_unbroken() {
	log "$1" | awk '
		/^heartbeat: start/ { starts++ }
		/^heartbeat nonce=[0-9a-f]+ count=[0-9]+ gap_max_ms=[0-9]+$/ {
			split($2, nonce, "="); split($3, count, "="); split($4, gap, "=")
			if (seen && (nonce[2] != last || count[2] != seen + 1)) bad = bad "\n# after " seen ": " $0
			last = nonce[2]; seen = count[2]; longest = gap[2]
		}
		END {
			if (starts != 1 || !seen || bad || longest > 1000) {
				print "# heart: starts=" starts " beats=" seen " longest gap=" longest " ms" bad
				exit 1
			}
		}'
}

# heart_beats VM: it goes on now, and was never broken.
heart_beats() {
	local at

	at=$(mark "$1")
	says "$1" '^heartbeat nonce=.* count=' "$at"
	says "$1" '^heartbeat nonce=.* count=' "$((at + 2))"
	heart_is_unbroken "$1"
}
