/* SPDX-License-Identifier: MIT */
/*
 * pending.c - more interrupts at once than there are list registers: 12 SPIs made pending by hand, then a level that is
 * still up when its interrupt ends (the UART's). Counts what it took; says so again and again.
 */
#include "baremetal/guest.h"

#define FIRST 64u
#define COUNT 12u
#define ISPENDR 0x08000200ul
#define UART_IMSC 0x38
#define UART_ICR 0x44
#define UART_TX 0x20

static volatile uint64_t taken, levels;

static void take(unsigned int intid, void *context)
{
	(void)intid;
	(void)context;
	taken++;
}

/* Its line goes down at the third time only. */
static void level(unsigned int intid, void *context)
{
	(void)intid;
	(void)context;
	if (++levels % 3 == 0)
		mmio_write32(GUEST_UART + UART_ICR, UART_TX);
}

void guest_main(uint64_t dtb)
{
	(void)dtb;
	interrupts_init();
	interrupts_mask();
	for (unsigned int intid = FIRST; intid < FIRST + COUNT; intid++)
		interrupt_enable(intid, true, take, NULL);
	interrupt_enable(GUEST_UART_INTID, false, level, NULL);
	for (uint64_t round = 1;; round++) {
		uint64_t before = levels;

		for (unsigned int intid = FIRST; intid < FIRST + COUNT; intid++)
			mmio_write32(ISPENDR + 4 * (intid / 32), 1u << (intid % 32));
		interrupts_unmask();
		__asm__ volatile("isb");
		interrupts_mask();
		print("pending round=%lu taken=%lu\n", round, taken); /* leaves the TX level up */
		mmio_write32(GUEST_UART + UART_IMSC, UART_TX);
		interrupts_unmask();
		__asm__ volatile("isb");
		interrupts_mask();
		mmio_write32(GUEST_UART + UART_IMSC, 0);
		print("pending levels=%lu\n", levels - before);
		sleep_us(100000);
	}
}
