/* SPDX-License-Identifier: MIT */
/*
 * clang.c - a driver as clang -O2 compiles it: its loops over distributor registers are post-index stores, which come to
 * the hypervisor without a syndrome. Then a load of a pair, which no device can answer. Must be compiled by clang.
 */
#include "baremetal/guest.h"

#ifndef __clang__
#error "this guest is to show what clang does"
#endif

#define GICD 0x08000000ul
#define COUNT 288u

#define REGISTERS(offset) ((volatile uint32_t *)(GICD + (offset)))

__attribute__((noinline)) static void fill(volatile uint32_t *at, const volatile uint32_t *end,
					   uint32_t value)
{
	for (; at != end; at++)
		*at = value;
}

__attribute__((noinline)) static uint32_t sum(const volatile uint32_t *at,
					      const volatile uint32_t *end)
{
	uint32_t all = 0;

	for (; at != end; at++)
		all += *at;
	return all;
}

static void take(unsigned int intid, void *context)
{
	(void)intid;
	*(volatile unsigned int *)context += 1;
}

void guest_main(uint64_t dtb)
{
	unsigned int taken = 0;
	char line[16];

	(void)dtb;
	fill(REGISTERS(0x104), REGISTERS(0x100 + COUNT / 8), ~0u); /* enabled */
	print("clang: enabled 0x%x\n", sum(REGISTERS(0x104), REGISTERS(0x100 + COUNT / 8)));
	fill(REGISTERS(0x184), REGISTERS(0x180 + COUNT / 8), ~0u);
	print("clang: cleared 0x%x\n", sum(REGISTERS(0x104), REGISTERS(0x100 + COUNT / 8)));
	fill(REGISTERS(0x420), REGISTERS(0x400 + COUNT), 0xa0a0a0a0);
	print("clang: priorities 0x%x\n", sum(REGISTERS(0x420), REGISTERS(0x400 + COUNT)));
	interrupts_init();
	interrupt_enable(GUEST_TIMER_INTID, false, take, &taken);
	print("clang: up\n");
	console_line(line, sizeof(line));
	print("clang: a pair\n");
	__asm__ volatile("ldp w0, w1, [%0]" : : "r"(GICD) : "x0", "x1", "memory");
	print("clang: CAME BACK\n");
	guest_stop();
}
