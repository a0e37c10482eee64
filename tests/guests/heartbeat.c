/* SPDX-License-Identifier: MIT */
/*
 * heartbeat.c - a neighbour that must not notice anything.
 * Counts ten times a second on its console and, when the region is there and writable, in 8 bytes at 128 of it; says the
 * longest gap between two beats by its own counter.
 */
#include "baremetal/guest.h"

void guest_main(uint64_t dtb)
{
	volatile uint64_t *shared = (volatile uint64_t *)(GUEST_REGION + 128);
	uint64_t nonce, last, gap_max = 0;
	bool has_region;

	(void)dtb;
	interrupts_init();
	nonce = guest_nonce();
	guest_fault_begin();
	*shared = 0;
	has_region = !guest_fault_end(NULL);
	print("heartbeat: start nonce=%016lx region=%d\n", nonce, has_region);
	last = counter_read();
	for (uint64_t count = 1;; count++) {
		uint64_t now, gap;

		sleep_us(100000);
		now = counter_read();
		gap = (now - last) * 1000 / counter_hz();
		last = now;
		if (gap > gap_max)
			gap_max = gap;
		if (has_region)
			*shared = count;
		print("heartbeat nonce=%016lx count=%lu gap_max_ms=%lu\n", nonce, count, gap_max);
	}
}
