#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# clang.bats - device accesses that come without a syndrome (Show 8 of issue 3): what clang -O2 makes of a driver's loops
# works, and a pair from a device ends the guest with its PC and instruction in `avctl ps`.

load lib
load guests

setup_file() {
	machine_begin
	set_up <<-END
	version: 1
	name: clang
	machine: {cpus: 1, memory: 256MiB}
	vms:
	  - {name: clang, image: $GUESTS/clang.elf, memory: 32MiB}
	END
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# disassembly of the guest: address, word, mnemonic and operands
code() {
	aarch64-linux-gnu-objdump -d "$GUESTS/clang.elf" | sed -n -e '/<fill>:/,/^$/p' -e '/<sum>:/,/^$/p' -e '/<guest_main>:/,/^$/p'
}

@test "a guest that clang -O2 compiled clears GICD registers with post-index stores, and boots" {
	code | grep -qE 'str\s+w[0-9]+, \[x[0-9]+\], #4'
	code | grep -qE 'ldr\s+w[0-9]+, \[x[0-9]+\], #4'
	says clang '^clang: enabled 0xfffffff8$'
	says clang '^clang: cleared 0x0$'
	says clang '^clang: priorities 0x[0-9a-f]*$'
	says clang '^clang: up$'
	field_is state clang running
}

@test "a pair from a device is a crash, with PC and instruction word in avctl ps" {
	local pc word

	read -r pc word < <(code | awk '/ldp\tw0, w1/ { sub(":", "", $1); print $1, $2 }')
	[ -n "$word" ]
	tell clang go
	says clang '^clang: a pair$'
	wait_for 20 field_is state clang crashed
	run avctl ps
	expect_output '^NAME .* PC +INSTRUCTION +REASON'
	expect_output "^clang +crashed .* 0x0*$pc +0x0*$word +device access by an instruction without syndrome"
	expect_equal "$(avctl ps -o json | json 'int(d["vms"][0]["word"], 16)')" "$((16#$word))" word
	expect_equal "$(avctl ps -o json | json 'int(d["vms"][0]["pc"], 16)')" "$((16#$pc))" PC
	never_said clang 'CAME BACK'
}
