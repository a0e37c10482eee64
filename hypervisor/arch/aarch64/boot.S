/* SPDX-License-Identifier: MIT */
/*
 * boot.S - the first instructions of every CPU at EL2. The boot CPU comes from QEMU's -kernel with x0 = 0; the others
 * come here by PSCI CPU_ON with x0 = their struct cpu. Never returns to the firmware.
 */
#include "core/cpu_offsets.h"

	.section .text.boot, "ax"
	.global _start
_start:
	mrs	x9, CurrentEL
	cmp	x9, #(2 << 2)
	b.ne	refuse
	msr	daifset, #0xf
	adrp	x0, __bss_start
	add	x0, x0, :lo12:__bss_start
	adrp	x1, __bss_end
	add	x1, x1, :lo12:__bss_end
1:	.rept	8 /* both ends are pages */
	stp	xzr, xzr, [x0], #16
	.endr
	cmp	x0, x1
	b.lo	1b
	adrp	x0, cpus
	add	x0, x0, :lo12:cpus
	adrp	x1, cpu_stacks
	add	x1, x1, :lo12:cpu_stacks
	add	x1, x1, #CPU_STACK_SIZE
	str	x1, [x0, #CPU_STACK]
	mov	sp, x1
	msr	tpidr_el2, x0
	adrp	x1, vectors
	add	x1, x1, :lo12:vectors
	msr	vbar_el2, x1
	isb
	mov	x29, xzr
	mov	x30, xzr
	b	hyp_main

	.global secondary_entry
secondary_entry:
	msr	daifset, #0xf
	ldr	x1, [x0, #CPU_STACK]
	mov	sp, x1
	msr	tpidr_el2, x0
	adrp	x1, vectors
	add	x1, x1, :lo12:vectors
	msr	vbar_el2, x1
	isb
	mov	x19, x0
	bl	mmu_enable
	mov	x0, x19
	mov	x29, xzr
	mov	x30, xzr
	b	hyp_secondary

/* Not at EL2: say so on the UART, then stand still. Position independent, no stack. */
refuse:
	movz	x1, #0x0900, lsl #16
	adr	x0, refuse_text
3:	ldrb	w2, [x0], #1
	cbz	w2, 5f
4:	ldr	w3, [x1, #0x18]
	tbnz	w3, #5, 4b
	str	w2, [x1]
	b	3b
5:	wfi
	b	5b
refuse_text:
	.asciz	"avisor: refused: started below EL2; run QEMU with -M virt,virtualization=on,gic-version=3\n"
	.balign	4

/* void mmu_enable(void): the tables of mmu.c; every value was computed there. */
	.text
	.global mmu_enable
mmu_enable:
	adrp	x0, mmu_config
	add	x0, x0, :lo12:mmu_config
	ldp	x1, x2, [x0]
	ldp	x3, x4, [x0, #16]
	msr	mair_el2, x1
	msr	tcr_el2, x2
	msr	ttbr0_el2, x3
	isb
	tlbi	alle2
	dsb	nsh
	ic	iallu
	dsb	nsh
	isb
	msr	sctlr_el2, x4
	isb
	ret
