/* SPDX-License-Identifier: MIT */
/*
 * pace.h - how long to sleep between two looks at memory that nobody announces changes of.
 *
 * While calls come, almost not at all; then longer and longer, up to what an idle server may cost.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define PACE_SHORTEST_NS 20000u    /* after the last call */
#define PACE_CONNECTED_NS 2000000u /* with clients, for a second */
#define PACE_QUIET_NS 10000000u    /* with clients that have been quiet for longer */
#define PACE_ALONE_NS 50000000u    /* without any */
#define PACE_QUIET_AFTER_NS 1000000000ull

struct pace {
	uint64_t last_call; /* when */
	uint64_t sleep;
};

static inline void pace_start(struct pace *pace, uint64_t now)
{
	pace->last_call = now;
	pace->sleep = PACE_SHORTEST_NS;
}

/* Nanoseconds to sleep; any: the look found something. */
static inline uint64_t pace_next(struct pace *pace, uint64_t now, bool any, bool clients)
{
	uint64_t longest = !clients                                      ? PACE_ALONE_NS
			   : now - pace->last_call > PACE_QUIET_AFTER_NS ? PACE_QUIET_NS
									 : PACE_CONNECTED_NS;

	if (any) {
		pace_start(pace, now);
		return 0;
	}
	pace->sleep += pace->sleep / 4;
	if (pace->sleep > longest)
		pace->sleep = longest;
	return pace->sleep;
}
