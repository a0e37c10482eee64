/* SPDX-License-Identifier: MIT */
/*
 * bell-bench.c - how long a doorbell takes there and back, between members 0 and 1 of the region `bell`: each waits for its
 * flag, clears it and rings the other, with three calls (doorbell_rtt.three_calls) or with one (doorbell_rtt). Member 0 prints
 * `bench NAME TICKS LOOPS` and `bench done hz=N`.
 */
#include "baremetal/region.h"

#define LOOPS 1024
#define FLAG 1

static struct region bell;

#define WARM (LOOPS / 8)

static void answer(void)
{
	for (unsigned int i = 0; i < 1 + WARM + LOOPS; i++) {
		while (!(doorbell_take(&bell, FLAG) & FLAG))
			doorbell_wait(&bell, FLAG, AV_WAIT_FOREVER);
		doorbell_ring(&bell, 0, FLAG);
	}
	doorbell_call(&bell, 0, 0, FLAG);
	for (;;)
		doorbell_call(&bell, 0, FLAG, FLAG);
}

static void ask(void)
{
	doorbell_ring(&bell, 1, FLAG);
	while (!(doorbell_take(&bell, FLAG) & FLAG))
		doorbell_wait(&bell, FLAG, AV_WAIT_FOREVER);
}

/* The same, but that the flag is known to be there after the wait. */
static uint64_t three_calls(unsigned int loops)
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

static uint64_t one_call(unsigned int loops)
{
	uint64_t start = counter_read();

	for (unsigned int i = 0; i < loops; i++)
		doorbell_call(&bell, 1, FLAG, FLAG);
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
	three_calls(WARM);
	print("bench doorbell_rtt.three_calls %lu %u\n", three_calls(LOOPS), LOOPS);
	one_call(WARM);
	print("bench doorbell_rtt %lu %u\n", one_call(LOOPS), LOOPS);
	print("bench done hz=%lu\n", counter_hz());
	guest_stop();
}
