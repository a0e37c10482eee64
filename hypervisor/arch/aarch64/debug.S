/* SPDX-License-Identifier: MIT */
/* debug.S - debug registers are part of the instruction that writes them. void arch_debug_write(uint64_t value, unsigned number) */
	.macro	debug_write name
	msr	\name, x0
	ret
	.endm

	.text
	.global arch_debug_write
arch_debug_write:
	adr	x2, 1f
	add	x2, x2, w1, uxtw #3
	br	x2
1:
	.irp	n, 0, 1, 2, 3, 4, 5
	debug_write dbgbvr\n\()_el1
	debug_write dbgbcr\n\()_el1
	debug_write dbgwvr\n\()_el1
	debug_write dbgwcr\n\()_el1
	.endr
	debug_write mdscr_el1
