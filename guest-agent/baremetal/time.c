/* SPDX-License-Identifier: MIT */
/* time.c - the virtual counter and timer. Compares counters by difference, never by order: they wrap. */
#include "baremetal/guest.h"

static volatile bool slept;

void timer_set(uint64_t deadline)
{
	__asm__ volatile("msr cntv_cval_el0, %0\n\tmsr cntv_ctl_el0, %1\n\tisb"
			 :
			 : "r"(deadline), "r"(1ul)
			 : "memory");
}

void timer_stop(void)
{
	__asm__ volatile("msr cntv_ctl_el0, %0\n\tisb" : : "r"(0ul) : "memory");
}

uint64_t timer_deadline(void)
{
	uint64_t value;

	__asm__ volatile("mrs %0, cntv_cval_el0" : "=r"(value));
	return value;
}

static uint64_t to_ticks(uint64_t microseconds)
{
	uint64_t hz = counter_hz();

	return microseconds / 1000000 * hz + microseconds % 1000000 * hz / 1000000;
}

void delay_us(uint64_t microseconds)
{
	uint64_t start = counter_read(), ticks = to_ticks(microseconds);

	while (counter_read() - start < ticks)
		;
}

static void sleep_over(unsigned int intid, void *context)
{
	(void)intid;
	(void)context;
	timer_stop();
	slept = true;
}

void sleep_us(uint64_t microseconds)
{
	interrupts_mask();
	slept = false;
	interrupt_enable(GUEST_TIMER_INTID, false, sleep_over, NULL);
	timer_set(counter_read() + to_ticks(microseconds));
	while (!slept) {
		wait_for_interrupt();
		interrupts_unmask();
		__asm__ volatile("isb");
		interrupts_mask();
	}
	interrupts_unmask();
}
