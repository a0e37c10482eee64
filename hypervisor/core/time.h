/* SPDX-License-Identifier: MIT */
/* time.h - the physical counter, and spans of it in nanoseconds. */
#pragma once
#include <stdint.h>

extern uint64_t counter_hz;
extern uint64_t counter_start; /* at EL2's first C line */

static inline uint64_t counter_now(void)
{
	uint64_t now;

	__asm__ volatile("isb\n\tmrs %0, cntpct_el0" : "=r"(now)::"memory");
	return now;
}

/* The same without waiting for the instructions before it: how long something took is right within a few of them. */
static inline uint64_t counter_about(void)
{
	uint64_t now;

	__asm__ volatile("mrs %0, cntpct_el0" : "=r"(now)::"memory");
	return now;
}

static inline uint64_t ticks_to_ns(uint64_t ticks)
{
	return ticks / counter_hz * 1000000000u + ticks % counter_hz * 1000000000u / counter_hz;
}

static inline uint64_t ns_to_ticks(uint64_t ns)
{
	return ns / 1000000000u * counter_hz + ns % 1000000000u * counter_hz / 1000000000u;
}

/* Time since EL2 started. */
static inline uint64_t time_ns(void)
{
	return ticks_to_ns(counter_now() - counter_start);
}
