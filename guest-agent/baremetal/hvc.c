/* SPDX-License-Identifier: MIT */
/*
 * hvc.c - the instructions behind the calls.
 * Takes nothing for granted that SMCCC 1.0 does not give: x4..x17 are given up.
 */
#include "baremetal/guest.h"

#define SMCCC_CLOBBERS \
	"x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory", "cc"

struct hvc_result hvc_call(uint32_t function, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
			   uint64_t a5, uint64_t a6)
{
	register uint64_t x0 __asm__("x0") = function;
	register uint64_t x1 __asm__("x1") = a1;
	register uint64_t x2 __asm__("x2") = a2;
	register uint64_t x3 __asm__("x3") = a3;
	register uint64_t x4 __asm__("x4") = a4;
	register uint64_t x5 __asm__("x5") = a5;
	register uint64_t x6 __asm__("x6") = a6;

	__asm__ volatile("hvc #0"
			 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5), "+r"(x6)
			 :
			 : SMCCC_CLOBBERS);
	return (struct hvc_result){(int64_t)x0, {x1, x2, x3}};
}

int64_t psci_hvc(uint32_t function, uint64_t a1, uint64_t a2, uint64_t a3)
{
	return hvc_call(function, a1, a2, a3, 0, 0, 0).status;
}

int64_t psci_smc(uint32_t function, uint64_t a1, uint64_t a2, uint64_t a3)
{
	register uint64_t x0 __asm__("x0") = function;
	register uint64_t x1 __asm__("x1") = a1;
	register uint64_t x2 __asm__("x2") = a2;
	register uint64_t x3 __asm__("x3") = a3;

	__asm__ volatile("smc #0"
			 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
			 :
			 : "x4", "x5", "x6", SMCCC_CLOBBERS);
	return (int64_t)x0;
}
