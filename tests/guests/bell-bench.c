/* SPDX-License-Identifier: MIT */
/*
 * bell-bench.c - how long a doorbell takes there and back, between members 0 and 1 of the region `bell`: each waits for its
 * flag, clears it and rings the other. Member 0 prints `bench doorbell_rtt TICKS LOOPS` and `bench done hz=N`.
 */
#include "baremetal/region.h"

#define LOOPS 1024
#define FLAG 1

static struct region bell;

static void answer(void)
{
	for (;;) {
		doorbell_wait(&bell, FLAG, AV_WAIT_FOREVER);
		if (doorbell_take(&bell, FLAG) & FLAG)
			doorbell_ring(&bell, 0, FLAG);
	}
}

static void ask(void)
{
	doorbell_ring(&bell, 1, FLAG);
	while (!(doorbell_take(&bell, FLAG) & FLAG))
		doorbell_wait(&bell, FLAG, AV_WAIT_FOREVER);
}

/* The same, but that the flag is known to be there after the wait. */
static uint64_t round_trips(unsigned int loops)
{
	uint64_t start = counter_read();

	for (unsigned int i = 0; i < loops; i++) {
		doorbell_ring(&bell, 1, FLAG);
		while (!(doorbell_wait(&bell, FLAG, AV_WAIT_FOREVER) & FLAG))
			;
		doorbell_take(&bell, FLAG);
	}
	return counter_read() - start;
}

void guest_main(uint64_t dtb)
{
	(void)dtb;
	interrupts_init();
	if (region_open(&bell, "bell") != AV_OK)
		guest_panic("no bell");
	if (bell.member != 0)
		answer();
	ask();
	round_trips(LOOPS / 8);
	print("bench doorbell_rtt %lu %u\n", round_trips(LOOPS), LOOPS);
	print("bench done hz=%lu\n", counter_hz());
	guest_stop();
}
