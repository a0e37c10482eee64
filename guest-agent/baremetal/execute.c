/* SPDX-License-Identifier: MIT */
/*
 * execute.c - runs one instruction that is chosen at run time.
 * Must make it visible to instruction fetch before it runs it, and must never be nested.
 */
#include "baremetal/guest.h"

static uint32_t code[16] __attribute__((aligned(64)));

void guest_execute(uint32_t word, uint64_t x[8])
{
	register uint64_t *registers __asm__("x19") = x;
	register uint32_t *entry __asm__("x20") = code;

	code[0] = word;
	code[1] = 0xd65f03c0; /* ret */
	__asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0\n\tdsb ish\n\tisb"
			 :
			 : "r"(code)
			 : "memory");
	__asm__ volatile("ldp x0, x1, [x19]\n\t"
			 "ldp x2, x3, [x19, #16]\n\t"
			 "ldp x4, x5, [x19, #32]\n\t"
			 "ldp x6, x7, [x19, #48]\n\t"
			 "blr x20\n\t"
			 "stp x0, x1, [x19]\n\t"
			 "stp x2, x3, [x19, #16]\n\t"
			 "stp x4, x5, [x19, #32]\n\t"
			 "stp x6, x7, [x19, #48]\n\t"
			 :
			 : "r"(registers), "r"(entry)
			 : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",
			   "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x30", "memory", "cc");
}
