/* SPDX-License-Identifier: MIT */
/*
 * many.c - five checkpoints, back to the second, three more, and a restore that must fail.
 * The second scene of the original: a restore deletes nothing, ids are not reused, and an id that is gone is refused
 * while the guest goes on. Each checkpoint i first fills 16 * (i + 1) pages, so that its own pages can be counted.
 */
#include "baremetal/guest.h"

#ifndef MANY_STEP
#define MANY_STEP() ((void)0)
#endif

#define PAGES (GUEST_RAM_BASE + 0x1000000)

static volatile int current;

static void fill(unsigned int pages, int value)
{
	for (unsigned int i = 0; i < pages; i++)
		*(volatile int *)(PAGES + i * GUEST_PAGE_SIZE) = value;
}

void guest_main(uint64_t dtb)
{
	(void)dtb;
	interrupts_init();
	console_input_start();
	interrupts_unmask();
	print("many: start\n");
	if (!guest_has_hypervisor())
		guest_panic("needs the hypervisor");
	for (int i = 0; i < 5; i++) {
		MANY_STEP();
		current = 10 * (i + 1);
		fill(16 * ((unsigned int)i + 1), current);
		print("ckpt #%d, current=%d\n", i, current);
		hvc_checkpoint();
	}
	MANY_STEP();
	print("restore(1), current=%d\n", current);
	hvc_restore(1);
	print("restore(1) refused, current=%d\n", current);
	for (uint64_t count = 0;; count++) {
		print("many: alive %lu\n", count);
		sleep_us(500000);
	}
}
