/* SPDX-License-Identifier: MIT */
/*
 * start.S - where a guest image begins, at EL1 with the MMU off, and its exception vectors.
 * Must not touch the stack before the MMU is on: the C code below may use unaligned accesses.
 */

#define MAIR_VALUE 0x00ff		/* index 0: normal write-back, 1: device nGnRnE */
#define TCR_VALUE 0x200803519		/* 39-bit VA, 4 KiB pages, TTBR0 only, inner shareable WB, 40-bit PA */
#define SCTLR_VALUE 0x30d0181d		/* RES1, I, SA0, SA, C, M */
#define FRAME_SIZE 288			/* struct guest_frame */

	.section .text.start, "ax"
	.global _start
_start:
	mov	x19, x0
	msr	daifset, #0xf

	adrp	x0, guest_level1
	msr	ttbr0_el1, x0
	ldr	x0, =MAIR_VALUE
	msr	mair_el1, x0
	ldr	x0, =TCR_VALUE
	msr	tcr_el1, x0
	isb
	tlbi	vmalle1
	ic	iallu
	dsb	nsh
	isb
	ldr	x0, =SCTLR_VALUE
	msr	sctlr_el1, x0
	isb

	mov	x0, #(3 << 20)		/* FP and SIMD for everybody */
	msr	cpacr_el1, x0
	adrp	x0, guest_vectors
	add	x0, x0, :lo12:guest_vectors
	msr	vbar_el1, x0
	isb

	adrp	x0, guest_stack_top
	mov	sp, x0
	adrp	x0, __bss_start
	add	x0, x0, :lo12:__bss_start
	adrp	x1, __bss_end
	add	x1, x1, :lo12:__bss_end
1:	cmp	x0, x1
	b.hs	2f
	stp	xzr, xzr, [x0], #16
	b	1b
2:	mov	x29, xzr
	mov	x30, xzr
	mov	x0, x19
	bl	guest_main
	bl	guest_stop
	b	.

	.macro ENTRY handler, kind
	.balign 0x80
	sub	sp, sp, #FRAME_SIZE
	stp	x0, x1, [sp, #0]
	mov	x1, #\kind
	b	\handler
	.endm

	.balign 0x800
	.global guest_vectors
guest_vectors:
	ENTRY	enter_sync, 0
	ENTRY	enter_sync, 1
	ENTRY	enter_sync, 2
	ENTRY	enter_sync, 3
	ENTRY	enter_sync, 4
	ENTRY	enter_irq, 5
	ENTRY	enter_sync, 6
	ENTRY	enter_sync, 7
	ENTRY	enter_sync, 8
	ENTRY	enter_sync, 9
	ENTRY	enter_sync, 10
	ENTRY	enter_sync, 11
	ENTRY	enter_sync, 12
	ENTRY	enter_sync, 13
	ENTRY	enter_sync, 14
	ENTRY	enter_sync, 15

	.macro SAVE
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	mrs	x2, elr_el1
	stp	x30, x2, [sp, #240]
	mrs	x2, spsr_el1
	mrs	x3, esr_el1
	stp	x2, x3, [sp, #256]
	mrs	x2, far_el1
	str	x2, [sp, #272]
	mov	x0, sp
	.endm

enter_sync:
	SAVE
	bl	guest_exception
	b	leave

enter_irq:
	SAVE
	bl	guest_interrupt

leave:
	ldp	x30, x2, [sp, #240]
	msr	elr_el1, x2
	ldr	x2, [sp, #256]
	msr	spsr_el1, x2
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x19, [sp, #144]
	ldp	x20, x21, [sp, #160]
	ldp	x22, x23, [sp, #176]
	ldp	x24, x25, [sp, #192]
	ldp	x26, x27, [sp, #208]
	ldp	x28, x29, [sp, #224]
	ldp	x0, x1, [sp, #0]
	add	sp, sp, #FRAME_SIZE
	eret

	/*
	 * Level 1, 1 GiB an entry. VA = IPA: 0 is devices, 1..15 memory. Entry 256 shows the first GiB of RAM
	 * once more, so that a test has a VA that is not its IPA; entry 257 is for guest_map_page().
	 */
	.section .data.tables, "aw"
	.balign 4096
	.global guest_level1
guest_level1:
	.quad	0x0060000000000405	/* device, no execution */
	.set	gib, 1
	.rept	15
	.quad	(gib << 30) + 0x701	/* normal, inner shareable, accessed */
	.set	gib, gib + 1
	.endr
	.fill	240, 8, 0
	.quad	0x0060000040000701
	.quad	guest_level2 + 3
	.fill	254, 8, 0
	.global guest_level2
guest_level2:
	.quad	guest_level3 + 3
	.fill	511, 8, 0
	.global guest_level3
guest_level3:
	.fill	512, 8, 0

	.section .bss.stack, "aw", %nobits
	.balign 4096
	.skip	0x8000
	.global guest_stack_top
guest_stack_top:
