/* SPDX-License-Identifier: MIT */
/*
 * boot-init.S - an /init that says when it began: one line "bench linux_boot TICKS 1" of the virtual counter, which under
 * -icount is instructions, and "bench done". Then it sleeps for ever. Linux system calls only.
 */
#define SYS_WRITE 64
#define SYS_PAUSE 73 /* ppoll: of nothing, for ever */

	.text
	.global _start
_start:
	mrs	x9, cntvct_el0
	adr	x10, number_end
	mov	x11, #10
1:	udiv	x12, x9, x11
	msub	x13, x12, x11, x9
	add	w13, w13, #'0'
	strb	w13, [x10, #-1]!
	mov	x9, x12
	cbnz	x9, 1b
	mov	x0, #1
	adr	x1, text
	mov	x2, #(text_end - text)
	mov	x8, #SYS_WRITE
	svc	#0
2:	mov	x0, #0
	mov	x1, #0
	mov	x2, #0
	mov	x3, #0
	mov	x8, #SYS_PAUSE
	svc	#0
	b	2b

	.section .data, "aw"
text:	.ascii	"\nbench linux_boot "
	.ascii	"00000000000000000000"
number_end:
	.ascii	" 1\nbench done hz=62500000\n"
text_end:
