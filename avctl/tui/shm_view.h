/* SPDX-License-Identifier: MIT */
/*
 * shm_view.h - one shared region as the host sees it: a window into the RAM file.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <avisor/region.h>
#include "config/set.h"

/* Borrows everything. Reading it disturbs no guest and needs no lock. */
struct shm_view {
	const struct set *set;
	const struct set_region *region;
	int ram_fd;
	uint64_t offset; /* of the region's first byte in the RAM file */
	uint64_t serial; /* of a run-time region: gone when its state table has another; 0: not */
	bool numbered;   /* member i has numbers[i] in the state table, else i */
	uint8_t numbers[AV_REGION_MEMBERS];
	pid_t owner; /* the process behind the RAM file; 0: not known */
};

/*
 * Copy up to length bytes at offset at of the region to buffer. Returns how many were there: fewer
 * when the region or the file ends before. Never faults when the file is cut at the same time.
 */
size_t shm_view_read(const struct shm_view *view, uint64_t at, void *buffer, size_t length);

/* The state table behind the region; false when there is none. */
bool shm_view_state(const struct shm_view *view, struct av_region_state *state);
/* The word of the region's member number i in it. */
uint64_t shm_view_member(const struct shm_view *view, const struct av_region_state *state,
			 size_t i);

/* Whether nobody writes here any more: the file was removed or cut, or its owner ended. */
bool shm_view_gone(const struct shm_view *view);
