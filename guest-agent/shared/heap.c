/* SPDX-License-Identifier: MIT */
/*
 * heap.c - the allocator of heap.h: first fit over a word a unit. Entries behind a block's first are 0, free units are 0:
 * so freeing is one store and neighbours grow together by themselves. Must never believe a length it did not check.
 */
#include "shared/heap.h"

static uint32_t entry_units(uint64_t entry)
{
	return (uint32_t)entry;
}

static int enter(struct shared_heap *heap, struct shared_hold *hold, uint64_t deadline)
{
	int status = shared_lock_acquire(heap->view, &heap->head->lock, hold, deadline);

	if (status == SHARED_DIED) {
		shared_lock_consistent(hold);
		status = SHARED_OK;
	}
	return status;
}

static void leave(struct shared_heap *heap, const struct shared_hold *hold)
{
	shared_lock_release(heap->view, &heap->head->lock,
			    hold); /* lost or not: the stores decide */
}

static int store(struct shared_heap *heap, const struct shared_hold *hold, uint32_t unit,
		 uint64_t entry)
{
	return shared_lock_store(heap->view, hold, &heap->entries[unit], entry);
}

int shared_heap_open(struct shared_heap *heap, const struct shared_view *view, void *memory,
		     uint64_t size, uint32_t unit)
{
	uint64_t count, first;

	if (((uintptr_t)memory & 4095) || unit < 64 || unit > 0x200000 || (unit & (unit - 1)) ||
	    size < sizeof(struct shared_heap_head) || size > UINT32_MAX)
		return SHARED_INVALID;
	count = (size - sizeof(struct shared_heap_head)) / (unit + 8);
	for (;; count--) {
		first = (sizeof(struct shared_heap_head) + 8 * count + unit - 1) &
			~((uint64_t)unit - 1);
		if (!count)
			return SHARED_INVALID;
		if (first + count * unit <= size)
			break;
	}
	*heap = (struct shared_heap){
		.view = view,
		.head = memory,
		.entries = (_Atomic uint64_t *)((struct shared_heap_head *)memory + 1),
		.unit = unit,
		.count = (uint32_t)count,
		.first = first};
	shared_swap(&heap->head->shape, 0, count << 32 | unit);
	return shared_load(&heap->head->shape) == (count << 32 | unit) ? SHARED_OK : SHARED_INVALID;
}

/* The first run of `wanted` free units. */
static int find(const struct shared_heap *heap, uint64_t wanted, uint32_t *found)
{
	uint32_t run = 0;

	for (uint32_t i = 0; i < heap->count;) {
		uint32_t units = entry_units(shared_load(&heap->entries[i]));

		if (units > heap->count - i)
			return SHARED_CORRUPT;
		run = units ? 0 : run + 1;
		i += units ? units : 1;
		if (run == wanted) {
			*found = i - run;
			return SHARED_OK;
		}
	}
	return SHARED_FULL;
}

static int zero(struct shared_heap *heap, const struct shared_hold *hold, uint32_t from,
		uint64_t units)
{
	_Atomic uint64_t *word = shared_heap_at(heap, heap->first + (uint64_t)from * heap->unit);
	int status = SHARED_OK;

	/* Not one of them when the life is over: another member may have that block by then. */
	for (uint64_t i = 0; i < units * heap->unit / 8 && !status; i++)
		if (shared_load(&word[i]))
			status = shared_lock_store(heap->view, hold, &word[i], 0);
	return status;
}

int shared_heap_allocate(struct shared_heap *heap, uint64_t size, uint64_t *offset,
			 uint64_t deadline)
{
	uint64_t units = size / heap->unit + (size % heap->unit != 0);
	struct shared_hold hold;
	uint32_t at = 0;
	int status;

	if (!size)
		return SHARED_INVALID;
	if (units > heap->count)
		return SHARED_FULL;
	status = enter(heap, &hold, deadline);
	if (status)
		return status;
	status = find(heap, units, &at);
	if (!status)
		status = zero(heap, &hold, at, units);
	if (!status)
		status = store(heap, &hold, at,
			       units | (uint64_t)(heap->view->self + 1) << 32 |
				       (uint64_t)hold.epoch << 40);
	leave(heap, &hold);
	if (!status)
		*offset = heap->first + (uint64_t)at * heap->unit;
	return status;
}

int shared_heap_free(struct shared_heap *heap, uint64_t offset, uint64_t deadline)
{
	uint64_t at = (offset - heap->first) / heap->unit;
	struct shared_hold hold;
	int status;

	if (offset < heap->first || at >= heap->count || (offset - heap->first) % heap->unit)
		return SHARED_INVALID;
	status = enter(heap, &hold, deadline);
	if (status)
		return status;
	if (entry_units(shared_load(&heap->entries[at])))
		status = store(heap, &hold, (uint32_t)at, 0);
	else
		status = SHARED_INVALID;
	leave(heap, &hold);
	return status;
}

int shared_heap_reap(struct shared_heap *heap, uint32_t *blocks, uint64_t deadline)
{
	struct shared_hold hold;
	int status = enter(heap, &hold, deadline);

	*blocks = 0;
	if (status)
		return status;
	for (uint32_t i = 0; i < heap->count && !status;) {
		uint64_t entry = shared_load(&heap->entries[i]);
		uint32_t units = entry_units(entry);

		if (units > heap->count - i) {
			status = SHARED_CORRUPT;
			break;
		}
		if (units && !shared_alive(heap->view, ((uint32_t)(entry >> 32) & 0xff) - 1,
					   (uint32_t)(entry >> 40))) {
			status = store(heap, &hold, i, 0);
			*blocks += !status;
		}
		i += units ? units : 1;
	}
	leave(heap, &hold);
	return status;
}

int shared_heap_free_bytes(struct shared_heap *heap, uint64_t *bytes, uint64_t deadline)
{
	struct shared_hold hold;
	uint64_t units = heap->count;
	int status = enter(heap, &hold, deadline);

	if (status)
		return status;
	for (uint32_t i = 0; i < heap->count;) {
		uint32_t taken = entry_units(shared_load(&heap->entries[i]));

		if (taken > heap->count - i) {
			status = SHARED_CORRUPT;
			break;
		}
		units -= taken;
		i += taken ? taken : 1;
	}
	leave(heap, &hold);
	*bytes = units * heap->unit;
	return status;
}
