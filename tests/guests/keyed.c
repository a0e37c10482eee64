/* SPDX-License-Identifier: MIT */
/* keyed.c - gets a region by key at run time and counts in it ten times a second. */
#include "baremetal/region.h"

#define KEY 0x2a
#define SIZE 0x2000

void guest_main(uint64_t dtb)
{
	struct region region;
	volatile uint64_t *count;
	int64_t status = region_get(&region, KEY, SIZE, 0);

	(void)dtb;
	interrupts_init();
	if (status) {
		print("keyed: no region: %ld\n", (long)status);
		return;
	}
	count = (volatile uint64_t *)(void *)region.base;
	print("keyed: got it\n");
	for (;;) {
		(*count)++;
		sleep_us(100000);
	}
}
