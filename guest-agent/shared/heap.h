/* SPDX-License-Identifier: MIT */
/*
 * heap.h - memory inside a region, allocated and freed by all its members.
 *
 * Blocks are told by their offset: members may have the region at different addresses. A block is zeroed when it is
 * allocated and never overlaps another. It belongs to the life that allocated it; any member may use and free it. When
 * that life ends the block stays until it is freed, or until shared_heap_reap() frees all blocks of the dead.
 *
 * An allocation is one word that is stored last: a member that dies at any point has allocated or freed, or has not.
 * A VM that went back in time knows blocks of a life that is over: others may have freed and reused them.
 */
#pragma once

#include "shared/lock.h"

/* In the region, first; then a word for each unit, then the units. All zero: all free. */
struct shared_heap_head {
	struct shared_lock lock;
	_Atomic uint64_t shape; /* unit count << 32 | bytes of a unit, as the first user had it */
	uint64_t reserved[3];
};

/* The caller's own: not in the region. */
struct shared_heap {
	const struct shared_view *view;
	struct shared_heap_head *head;
	_Atomic uint64_t *
		entries; /* of a block's first unit: its units | (member + 1) << 32 | epoch << 40; else 0 */
	uint32_t unit;
	uint32_t count;
	uint64_t first; /* offset of unit 0 */
};

/*
 * Use `size` bytes of the region at `memory` (page-aligned) as a heap; unit: what allocations are rounded up to, a power
 * of two from 64 to 2 MiB. All members give the same: else SHARED_INVALID.
 */
int shared_heap_open(struct shared_heap *heap, const struct shared_view *view, void *memory,
		     uint64_t size, uint32_t unit);

/* SHARED_OK: *offset from `memory`. SHARED_FULL: no run of free units is long enough. SHARED_INVALID: 0 bytes. */
int shared_heap_allocate(struct shared_heap *heap, uint64_t size, uint64_t *offset,
			 uint64_t deadline);

/* SHARED_INVALID: no block begins there, for instance because it is free. */
int shared_heap_free(struct shared_heap *heap, uint64_t offset, uint64_t deadline);

/* Frees the blocks of lives that are over; *blocks: how many. */
int shared_heap_reap(struct shared_heap *heap, uint32_t *blocks, uint64_t deadline);

/* Bytes of all free units, in pieces or not. */
int shared_heap_free_bytes(struct shared_heap *heap, uint64_t *bytes, uint64_t deadline);

static inline void *shared_heap_at(const struct shared_heap *heap, uint64_t offset)
{
	return (unsigned char *)heap->head + offset;
}
