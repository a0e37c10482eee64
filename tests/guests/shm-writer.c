/* SPDX-License-Identifier: MIT */
/*
 * shm-writer.c - after two seconds writes a greeting into the shared region, then counts there ten times a second.
 * The count (8 bytes at 64) goes on from what is there: it tells whether anybody rewound the region. Its own count is in
 * its RAM and goes back with it.
 */
#include "baremetal/guest.h"

void guest_main(uint64_t dtb)
{
	static const char greeting[] = "Hello, shared memory!";
	volatile char *region = (volatile char *)GUEST_REGION;
	volatile uint64_t *count = (volatile uint64_t *)(GUEST_REGION + 64);
	uint64_t own = 0;

	(void)dtb;
	interrupts_init();
	print("shm-writer: start, count=%lu\n", *count);
	sleep_us(2000000);
	for (unsigned int i = 0; i < sizeof(greeting); i++)
		region[i] = greeting[i];
	print("shm-writer: wrote\n");
	for (;;) {
		(*count)++;
		own++;
		if (own % 10 == 0)
			print("shm-writer: count=%lu own=%lu\n", *count, own);
		sleep_us(100000);
	}
}
