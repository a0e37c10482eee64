/* SPDX-License-Identifier: MIT */
/* time.h - a counter that stands still: it stands in for hypervisor/core/time.h in test_set.c. */
#pragma once
#include <stdint.h>

extern uint64_t counter_start;

static inline uint64_t counter_now(void)
{
	return counter_start + 1;
}
