/* SPDX-License-Identifier: MIT */
/*
 * page.S - whole pages copied, zeroed, and tables copied for borrowing.
 * EL2 is compiled without FP registers; those of the guest are live here, so what is used is saved and put back.
 * Needs CPTR_EL2.TFP = 0 and a 16-byte aligned stack.
 */

	.macro	save_q
	stp	q0, q1, [sp, #-128]!
	stp	q2, q3, [sp, #32]
	stp	q4, q5, [sp, #64]
	stp	q6, q7, [sp, #96]
	.endm

	.macro	restore_q
	ldp	q6, q7, [sp, #96]
	ldp	q4, q5, [sp, #64]
	ldp	q2, q3, [sp, #32]
	ldp	q0, q1, [sp], #128
	.endm

	.macro	function name
	.global	\name
	.type	\name, %function
	.balign	64
\name:
	.endm

	.text

	/* x0 = to, x1 = from */
	function arch_page_copy
	save_q
	add	x2, x0, #4096
1:	.rept	4
	ldp	q0, q1, [x1], #32
	ldp	q2, q3, [x1], #32
	ldp	q4, q5, [x1], #32
	ldp	q6, q7, [x1], #32
	stp	q0, q1, [x0], #32
	stp	q2, q3, [x0], #32
	stp	q4, q5, [x0], #32
	stp	q6, q7, [x0], #32
	.endr
	cmp	x0, x2
	b.ne	1b
	restore_q
	ret
	.size	arch_page_copy, . - arch_page_copy

	/* x0 = page. DC ZVA in blocks of 64 bytes when it is allowed (DZP = 0) and its block is that (BS = 4). */
	function arch_page_zero
	mrs	x1, dczid_el0
	add	x2, x0, #4096
	cmp	x1, #4
	b.ne	2f
1:	dc	zva, x0
	add	x0, x0, #64
	dc	zva, x0
	add	x0, x0, #64
	dc	zva, x0
	add	x0, x0, #64
	dc	zva, x0
	add	x0, x0, #64
	cmp	x0, x2
	b.ne	1b
	ret
2:	stp	xzr, xzr, [x0], #16
	stp	xzr, xzr, [x0], #16
	stp	xzr, xzr, [x0], #16
	stp	xzr, xzr, [x0], #16
	cmp	x0, x2
	b.ne	2b
	ret
	.size	arch_page_zero, . - arch_page_zero

	/* x0 = to, x1 = from, x2 = bits to clear in each of the 512 entries */
	function arch_table_copy
	save_q
	dup	v6.2d, x2
	add	x2, x0, #4096
1:	ldp	q0, q1, [x1], #32
	ldp	q2, q3, [x1], #32
	ldp	q4, q5, [x1], #32
	bic	v0.16b, v0.16b, v6.16b
	bic	v1.16b, v1.16b, v6.16b
	bic	v2.16b, v2.16b, v6.16b
	bic	v3.16b, v3.16b, v6.16b
	stp	q0, q1, [x0], #32
	bic	v4.16b, v4.16b, v6.16b
	bic	v5.16b, v5.16b, v6.16b
	stp	q2, q3, [x0], #32
	ldp	q0, q1, [x1], #32
	stp	q4, q5, [x0], #32
	bic	v0.16b, v0.16b, v6.16b
	bic	v1.16b, v1.16b, v6.16b
	stp	q0, q1, [x0], #32
	cmp	x0, x2
	b.ne	1b
	restore_q
	ret
	.size	arch_table_copy, . - arch_table_copy

	/* x0 = to, x1 = from, x2 = bytes, a multiple of 8; returns `to` */
	function arch_copy_words
	stp	q0, q1, [sp, #-64]!
	stp	q2, q3, [sp, #32]
	mov	x4, x0
	subs	x2, x2, #128
	b.lo	2f
1:	ldp	q0, q1, [x1], #32
	ldp	q2, q3, [x1], #32
	stp	q0, q1, [x4], #32
	stp	q2, q3, [x4], #32
	ldp	q0, q1, [x1], #32
	ldp	q2, q3, [x1], #32
	subs	x2, x2, #128
	stp	q0, q1, [x4], #32
	stp	q2, q3, [x4], #32
	b.hs	1b
	/* what is left is in bits 6:3 */
2:	tbz	x2, #6, 3f
	ldp	q0, q1, [x1], #32
	ldp	q2, q3, [x1], #32
	stp	q0, q1, [x4], #32
	stp	q2, q3, [x4], #32
3:	tbz	x2, #5, 4f
	ldp	q0, q1, [x1], #32
	stp	q0, q1, [x4], #32
4:	tbz	x2, #4, 5f
	ldr	q0, [x1], #16
	str	q0, [x4], #16
5:	tbz	x2, #3, 6f
	ldr	x3, [x1]
	str	x3, [x4]
6:	ldp	q2, q3, [sp, #32]
	ldp	q0, q1, [sp], #64
	ret
	.size	arch_copy_words, . - arch_copy_words
