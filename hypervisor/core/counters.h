/* SPDX-License-Identifier: MIT */
/* counters.h - what instruction counts cannot see: invalidations and cache maintenance, machine-wide, approximate across CPUs. */
#pragma once
#include <stdint.h>

struct counters {
	uint64_t tlbi_local;
	uint64_t tlbi_broadcast;
	uint64_t cache_syncs;
};
extern struct counters counters;
