#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# firmware.bats - U-Boot as Debian ships it, from flash: a prompt, commands, an environment that is kept and taken back,
# and Debian's kernel booted from RAM (Show 4 of issue 3). Needs `make linux-guest`.

load lib
load guests

UBOOT=/usr/lib/u-boot/qemu_arm64/u-boot.bin
VERSION='^U-Boot 20[0-9][0-9]\.[0-9]+.*\([A-Z][a-z]{2} '

setup_file() {
	machine_begin
	[ -s "$UBOOT" ] || {
		say "no $UBOOT: make deps"
		return 1
	}
	gzip -1 <"$AVISOR_BUILD/linux/vmlinuz" >"$AVISOR_TEST/kernel.gz"
	set_up <<-END
	version: 1
	name: firmware
	machine: {cpus: 1, memory: 1GiB}
	vms:
	  - name: board
	    flash: $UBOOT
	    image: kernel.gz
	    initrd: $AVISOR_BUILD/linux/initrd
	    memory: 256MiB
	    snapshots: {keep: 8, memory: 128MiB}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# asks COMMAND REGEX: the prompt takes the command, and says a line like that, and the prompt is back
asks() {
	local at

	at=$(mark board)
	tell board "$1"
	wait_for 60 said board "$2" "$at" || {
		say "board, after '$1':" "$(log board | tail -n "+$at")"
		return 1
	}
	wait_for 20 said board '^=> $' "$at"
}

# The countdown is stopped by a byte, and the prompt comes.
prompt() {
	wait_for 60 said board 'Hit any key to stop autoboot' "${1:-0}"
	type_bytes board 'x'
	wait_for 60 said board '^=> ' "${1:-0}"
	tell board ''
}

@test "it starts at address 0 and reaches its prompt" {
	prompt
	said board "$VERSION"
	said board 'bad CRC, using default environment'
	asks version "$VERSION"
	asks 'printenv fdt_addr' 'fdt_addr=0x40000000'
	asks 'md.l 0 1' "00000000: $(od -An -tx4 -N4 "$UBOOT" | tr -d ' ') "
	asks 'md.l 0x03fffff0 1' '03fffff0: ffffffff '
	asks 'flinfo' 'Manufacturer ID: 0x89, Device ID: 0x0018'
}

@test "what it writes to flash is part of its snapshots" {
	asks 'printenv colour' 'Error: "colour" not defined'
	avctl snapshot take board --name before
	asks 'setenv colour green' '^=> setenv'
	asks saveenv '^OK$'
	asks 'md.b 0x04000004 5' '04000004: 61 72 63 68 3d' # arch=
	avctl snapshot take board --name after
	audit board
	for round in 1 2; do
		avctl restore board --name before --no-undo
		asks 'printenv colour' 'Error: "colour" not defined'
		asks 'md.l 0x04000000 1' '04000000: ffffffff '
		avctl restore board --name after --no-undo
		asks 'md.b 0x04000004 5' '04000004: 61 72 63 68 3d'
	done
	audit board
	asks 'protect off 0x00800000 +0x20000' 'Un-Protected'
	asks 'cp.b 0x40000000 0x00800000 0x100' 'done'
	asks 'md.l 0x00800000 1' '00800000: edfe0dd0 ' # the magic of the device tree
	avctl restore board --name after --no-undo
	asks 'md.l 0x00800000 1' '00800000: ffffffff '
	audit board
}

@test "a reset is a restart: the flash is as it was at first" {
	local at

	at=$(mark board)
	tell board reset
	prompt "$at"
	said board 'bad CRC, using default environment' "$at"
}

@test "it boots the Linux Image that is in RAM" {
	local size

	size=$(printf '%x' "$(stat -L -c %s "$AVISOR_BUILD/linux/initrd")")
	asks 'setenv bootargs console=ttyAMA0' '^=> setenv'
	tell board "booti 0x40200000 0x48000000:$size 0x40000000"
	wait_for 90 said board '^avisor-linux: up'
	wait_for 20 said board '^linux\$ '
	never_said board 'Oops|Call trace|WARNING:'
}
