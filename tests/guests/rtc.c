/* SPDX-License-Identifier: MIT */
/*
 * rtc.c - the PL031: who it is, what time it is, again and again, and a match that wakes from WFI. After the line "set" it
 * runs an hour ahead.
 */
#include "baremetal/guest.h"

#define RTC 0x09010000ul
#define INTID 34u

static volatile unsigned int matches;

static void match(unsigned int intid, void *context)
{
	(void)intid;
	(void)context;
	matches++;
	mmio_write32(RTC + 0x1c, 1);
}

void guest_main(uint64_t dtb)
{
	(void)dtb;
	interrupts_init();
	interrupts_mask();
	interrupt_enable(INTID, false, match, NULL);
	print("rtc id");
	for (unsigned int i = 0; i < 8; i++)
		print(" %x", mmio_read32(RTC + 0xfe0 + 4 * i));
	print("\nrtc cr=%x imsc=%x ris=%x mis=%x\n", mmio_read32(RTC + 0x0c),
	      mmio_read32(RTC + 0x10), mmio_read32(RTC + 0x14), mmio_read32(RTC + 0x18));
	mmio_write32(RTC + 0x10, 1);
	for (;;) {
		uint32_t now = mmio_read32(RTC), before = matches;

		mmio_write32(RTC + 0x04, now + 1);
		while (matches == before) { /* nothing else wakes it */
			wait_for_interrupt();
			interrupts_unmask();
			__asm__ volatile("isb");
			interrupts_mask();
		}
		print("rtc now=%u late=%u\n", mmio_read32(RTC), mmio_read32(RTC) - now - 1);
		if (console_poll() == 's')
			mmio_write32(RTC + 0x08, mmio_read32(RTC) + 3600);
	}
}
