# SPDX-License-Identifier: MIT
# panel.bash - `avctl shm` and its panel in tmux, on a RAM file that the test writes as a guest would. Starts no QEMU.

panel_setup()
{
	AVCTL=${AVCTL:-$BATS_TEST_DIRNAME/../../${B:-build}/avctl}
	AVCTL=$(realpath "$AVCTL")
	cd "$BATS_TEST_TMPDIR"
	head -c 64 /dev/zero >flat.bin
	truncate -s 4M ram
	cat >avctl.yaml <<-END
	version: 1
	name: watchtest
	machine: {cpus: 1, memory: 1GiB}
	vms:
	  - {name: vm1, image: flat.bin, memory: 64MiB, load: 0x40000000, entry: 0x40000000}
	  - {name: vm2, image: flat.bin, memory: 64MiB, load: 0x40000000, entry: 0x40000000}
	shm:
	  - name: board
	    address: 0x70000000
	    size: 64KiB
	    members: {vm1: ro, vm2: rw}
	    fields:
	      - {name: message, at: 0, type: string, length: 64}
	      - {name: head, at: 0x100, type: u32}
	END
	export AVCTL_TEST_RAM_FILE=ram AVCTL_TEST_AT=0x40010000
	unset NO_COLOR AVCTL_SET
	poke 0 'Ciallo!'
}

panel_teardown()
{
	if [ -S tmux.sock ]; then
		tmux -S tmux.sock kill-server || true
	fi
}

# poke OFFSET TEXT: write as a guest would.
poke()
{
	printf "$2" | dd of=ram bs=1 seek=$((65536 + $1)) conv=notrunc status=none
}

# A shell in a terminal of 80x24, with the given environment settings in front.
terminal()
{
	tmux -S tmux.sock -f /dev/null new-session -d -x 80 -y 24 "env $* PS1='ready> ' bash --norc --noprofile"
	tmux -S tmux.sock set-option -g window-size manual >/dev/null
	until_screen 'ready> *$'
}

type_keys()
{
	tmux -S tmux.sock send-keys "$@"
}

screen()
{
	tmux -S tmux.sock capture-pane -p "$@"
}

# until_screen REGEX [capture options]: wait until a line of the screen matches.
until_screen()
{
	local regex=$1 deadline=$((SECONDS + 10))

	shift
	until screen "$@" | grep -qE -- "$regex"; do
		if [ $SECONDS -ge $deadline ]; then
			echo "never seen: $regex"
			screen "$@"
			return 1
		fi
		sleep 0.02
	done
}

not_on_screen()
{
	local regex=$1

	shift
	if screen "$@" | grep -qE -- "$regex"; then
		echo "on the screen: $regex"
		screen "$@"
		return 1
	fi
}

start_watch()
{
	type_keys "stty -a >before; '$AVCTL' shm watch $*; echo rc=\$?; stty -a >after" Enter
	until_screen 'LIVE'
}

# The panel is gone, and the terminal is as it was.
restored()
{
	until_screen "rc=$1"
	until_screen 'ready> *$'
	cmp before after
	not_on_screen LIVE
	# The cursor is on, and the other screen is left.
	[ "$(tmux -S tmux.sock display-message -p '#{cursor_flag} #{alternate_on}')" = '1 0' ]
}
