/* SPDX-License-Identifier: MIT */
/*
 * vectors.S - in and out of a guest. While a guest runs, SP_EL2 points at its struct vcpu, whose first fields are
 * x0-x30, PC and PSTATE; in EL2 it points at this CPU's stack. FP/SIMD registers stay the guest's: EL2 is
 * compiled for general registers only.
 */
#include "core/cpu_offsets.h"

	.macro	save_guest
	stp	x0, x1, [sp, #16 * 0]
	stp	x2, x3, [sp, #16 * 1]
	stp	x4, x5, [sp, #16 * 2]
	stp	x6, x7, [sp, #16 * 3]
	stp	x8, x9, [sp, #16 * 4]
	stp	x10, x11, [sp, #16 * 5]
	stp	x12, x13, [sp, #16 * 6]
	stp	x14, x15, [sp, #16 * 7]
	stp	x16, x17, [sp, #16 * 8]
	stp	x18, x19, [sp, #16 * 9]
	stp	x20, x21, [sp, #16 * 10]
	stp	x22, x23, [sp, #16 * 11]
	stp	x24, x25, [sp, #16 * 12]
	stp	x26, x27, [sp, #16 * 13]
	stp	x28, x29, [sp, #16 * 14]
	mrs	x1, elr_el2
	stp	x30, x1, [sp, #16 * 15]
	mrs	x2, spsr_el2
	str	x2, [sp, #VCPU_PSTATE]
	mov	x0, sp
	mov	x19, sp
	mrs	x3, tpidr_el2
	ldr	x3, [x3, #CPU_STACK]
	mov	sp, x3
	mov	x29, xzr
	.endm

/* void handler(struct vcpu *), then the vCPU to enter: struct vcpu *sched_exit(struct vcpu *). */
	.macro	vector handler
	.balign	128
	save_guest
	bl	\handler
	mov	x0, x19
	bl	sched_exit
	b	guest_enter
	.endm

	.macro	own_vector kind
	.balign	128
	b	own_exception_\kind
	.endm

	.section .text.vectors, "ax"
	.balign	2048
	.global vectors
vectors:
	own_vector 0
	own_vector 1
	own_vector 1
	own_vector 1
	own_vector 0
	own_vector 1
	own_vector 1
	own_vector 1
	vector	trap_sync
	vector	trap_irq
	vector	trap_irq
	vector	trap_serror
	vector	trap_aarch32
	vector	trap_irq
	vector	trap_irq
	vector	trap_serror

/* x0 = the vCPU to run; its context is loaded. */
	.balign	64
	.global guest_enter
guest_enter:
	mov	sp, x0
	ldr	x2, [sp, #VCPU_PSTATE]
	ldp	x30, x1, [sp, #16 * 15]
	msr	elr_el2, x1
	msr	spsr_el2, x2
	ldp	x2, x3, [sp, #16 * 1]
	ldp	x4, x5, [sp, #16 * 2]
	ldp	x6, x7, [sp, #16 * 3]
	ldp	x8, x9, [sp, #16 * 4]
	ldp	x10, x11, [sp, #16 * 5]
	ldp	x12, x13, [sp, #16 * 6]
	ldp	x14, x15, [sp, #16 * 7]
	ldp	x16, x17, [sp, #16 * 8]
	ldp	x18, x19, [sp, #16 * 9]
	ldp	x20, x21, [sp, #16 * 10]
	ldp	x22, x23, [sp, #16 * 11]
	ldp	x24, x25, [sp, #16 * 12]
	ldp	x26, x27, [sp, #16 * 13]
	ldp	x28, x29, [sp, #16 * 14]
	ldp	x0, x1, [sp, #16 * 0]
	eret

/* An exception taken from EL2 itself is our own bug. */
own_exception_0:
	mov	x0, #0
	b	3f
own_exception_1:
	mov	x0, #1
3:	mov	x1, x29
	mov	x2, x30
	mrs	x3, tpidr_el2
	cbz	x3, 4f
	ldr	x3, [x3, #CPU_STACK]
	mov	sp, x3
4:	b	own_exception

/* void fp_save(struct fp_context *), void fp_load(const struct fp_context *): q0-q31, FPSR, FPCR. */
	.arch_extension fp
	.arch_extension simd
	.text
	.macro	fp_pairs op
	\op	q0, q1, [x0, #32 * 0]
	\op	q2, q3, [x0, #32 * 1]
	\op	q4, q5, [x0, #32 * 2]
	\op	q6, q7, [x0, #32 * 3]
	\op	q8, q9, [x0, #32 * 4]
	\op	q10, q11, [x0, #32 * 5]
	\op	q12, q13, [x0, #32 * 6]
	\op	q14, q15, [x0, #32 * 7]
	\op	q16, q17, [x0, #32 * 8]
	\op	q18, q19, [x0, #32 * 9]
	\op	q20, q21, [x0, #32 * 10]
	\op	q22, q23, [x0, #32 * 11]
	\op	q24, q25, [x0, #32 * 12]
	\op	q26, q27, [x0, #32 * 13]
	\op	q28, q29, [x0, #32 * 14]
	\op	q30, q31, [x0, #32 * 15]
	.endm

	.global fp_save
fp_save:
	fp_pairs stp
	mrs	x2, fpsr
	mrs	x3, fpcr
	add	x0, x0, #512
	stp	x2, x3, [x0]
	ret

	/* VCPU_MEMORY bytes. x1 = to, x2 = from; uses q0, q1 and x3 */
	.macro	copy_memory
	.if	VCPU_MEMORY % 32 - 8
	.error	"what is left is one word"
	.endif
	.rept	VCPU_MEMORY / 32
	ldp	q0, q1, [x2], #32
	stp	q0, q1, [x1], #32
	.endr
	ldr	x3, [x2]
	str	x3, [x1]
	.endm

	.global fp_save_and_copy
fp_save_and_copy:
	fp_pairs stp
	copy_memory
	ldp	q0, q1, [x0]
	mrs	x2, fpsr
	mrs	x3, fpcr
	add	x0, x0, #512
	stp	x2, x3, [x0]
	ret

	.global copy_and_fp_load
copy_and_fp_load:
	copy_memory
	.global fp_load
fp_load:
	fp_pairs ldp
	add	x0, x0, #512
	ldp	x2, x3, [x0]
	msr	fpsr, x2
	msr	fpcr, x3
	ret
