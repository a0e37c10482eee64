/* SPDX-License-Identifier: MIT */
/*
 * ticks10.c - a periodic timer (CVAL += period), counted against the guest's own counter.
 * Must show when ticks are lost, come late or come in a storm: the longest lateness, and how many came less than half
 * a period after the one before, are printed once a second.
 */
#include "baremetal/guest.h"

#ifndef TICK_HZ
#define TICK_HZ 10
#endif

static volatile uint64_t ticks;
static volatile uint64_t late_max;
static volatile uint64_t close, last;
static uint64_t period;

static void tick(unsigned int intid, void *context)
{
	uint64_t deadline = timer_deadline();
	uint64_t now = counter_read();

	(void)intid;
	(void)context;
	if (now - deadline > late_max)
		late_max = now - deadline;
	if (ticks > 0 && now - last < period / 2)
		close++;
	last = now;
	ticks++;
	timer_set(deadline + period);
}

void guest_main(uint64_t dtb)
{
	uint64_t hz = counter_hz(), start, shown = 0;

	(void)dtb;
	interrupts_init();
	period = hz / TICK_HZ;
	print("ticks: start hz=%u counter_hz=%lu\n", TICK_HZ, hz);
	start = counter_read();
	interrupt_enable(GUEST_TIMER_INTID, false, tick, NULL);
	timer_set(start + period);
	for (;;) {
		uint64_t count, elapsed;

		interrupts_mask();
		wait_for_interrupt();
		interrupts_unmask();
		__asm__ volatile("isb");
		count = ticks;
		if (count / TICK_HZ == shown)
			continue;
		shown = count / TICK_HZ;
		elapsed = counter_read() - start;
		print("ticks hz=%u ticks=%lu expected=%lu ms=%lu late_max_us=%lu close=%lu\n",
		      TICK_HZ, count, elapsed / period, elapsed / (hz / 1000),
		      late_max / (hz / 1000000), close);
	}
}
