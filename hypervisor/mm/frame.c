/* SPDX-License-Identifier: MIT */
/*
 * frame.c - the page frames of the machine and the budgets they are charged to.
 * Never looks into a frame, and never lets the limits of all budgets exceed the frames there are.
 */
#include "mm/frame.h"
#include <arch/lock.h>
#include <arch/mem.h>
#include <avisor/hypercall.h>
#include "core/bug.h"

#define BATCH 64
#define OWNER_MAX 256

struct frame_table frame_table;

/* The global pool: given-back frames, then the run nobody has had yet. */
static struct {
	struct spinlock lock;
	uint32_t list;
	uint64_t listed;
	uint64_t fresh; /* first never used */
	uint64_t clear; /* records from here on are not zeroed yet: done as fresh comes by */
	uint64_t first; /* of all that can be allocated */
	uint64_t promised;
	struct frame_budget *budgets;
} pool;

/* Frames below `end` have a record from now on. */
static void records_to(uint64_t end)
{
	for (; pool.clear < end; pool.clear += PAGE_SIZE / sizeof(struct frame))
		arch_page_zero(&frame_table.frames[pool.clear]);
}

__attribute__((cold)) void frame_init(pa_t ram_base, uint64_t ram_size, pa_t first_free)
{
	uint64_t count = ram_size >> PAGE_SHIFT;
	uint64_t bytes = (count * sizeof(struct frame) + PAGE_MASK) & ~PAGE_MASK;

	BUG_ON((ram_base.value | ram_size | first_free.value) & PAGE_MASK);
	BUG_ON(first_free.value <= ram_base.value);
	BUG_ON(!range_within(first_free.value, bytes, ram_base.value, ram_size));
	frame_table.frames = pa_ptr(first_free);
	frame_table.base = ram_base.value;
	frame_table.count = count;
	pool.lock = (struct spinlock){0};
	pool.list = 0;
	pool.listed = 0;
	pool.first = (first_free.value + bytes - ram_base.value) >> PAGE_SHIFT;
	pool.fresh = pool.first;
	pool.clear = 0;
	records_to(pool.first); /* the bundle's */
	pool.promised = 0;
	pool.budgets = NULL;
}

bool frame_budget_init(struct frame_budget *budget, uint8_t owner, uint64_t limit)
{
	bool fits;

	spin_lock(&pool.lock);
	fits = limit <= frame_total() - pool.promised;
	if (fits) {
		*budget =
			(struct frame_budget){.limit = limit, .owner = owner, .next = pool.budgets};
		pool.budgets = budget;
		pool.promised += limit;
	}
	spin_unlock(&pool.lock);
	return fits;
}

void frame_refill(struct frame_budget *budget)
{
	uint64_t want = budget->used < budget->limit ? budget->limit - budget->used : 0;

	if (want > BATCH)
		want = BATCH;
	spin_lock(&pool.lock);
	for (; want; want--) {
		uint32_t index;

		if (pool.list) {
			index = pool.list;
			pool.list = frame_at(index)->link;
			pool.listed--;
		} else if (pool.fresh < frame_table.count) {
			index = (uint32_t)pool.fresh++;
			records_to(pool.fresh);
		} else {
			break;
		}
		frame_at(index)->owner = budget->owner;
		frame_at(index)->link = budget->cache;
		budget->cache = index;
		budget->cached++;
	}
	spin_unlock(&pool.lock);
}

uint32_t frame_alloc_run(struct frame_budget *budget, uint64_t count, enum frame_kind kind)
{
	uint32_t first = 0;

	if (!count || count > budget->limit - budget->used - budget->cached)
		return 0;
	spin_lock(&pool.lock);
	if (count <= frame_table.count - pool.fresh) {
		first = (uint32_t)pool.fresh;
		pool.fresh += count;
		records_to(pool.fresh);
	}
	spin_unlock(&pool.lock);
	if (!first)
		return 0;
	budget->used += count;
	for (uint64_t i = 0; i < count; i++) {
		frame_at(first + (uint32_t)i)->kind = (uint8_t)kind;
		frame_at(first + (uint32_t)i)->owner = budget->owner;
	}
	return first;
}

bool frame_trim(struct frame_budget *budget, uint64_t keep, uint64_t most)
{
	uint64_t count = budget->cached > keep ? budget->cached - keep : 0;
	bool more = count > most;

	if (!count)
		return false;
	if (more)
		count = most;
	spin_lock(&pool.lock);
	for (; count; count--) {
		uint32_t index = budget->cache;

		budget->cache = frame_at(index)->link;
		budget->cached--;
		frame_at(index)->owner = 0;
		frame_at(index)->link = pool.list;
		pool.list = index;
		pool.listed++;
	}
	spin_unlock(&pool.lock);
	return more;
}

uint64_t frame_total(void)
{
	return frame_table.count - pool.first;
}

uint64_t frame_unused_from(void)
{
	return pool.fresh;
}

uint64_t frame_free_count(void)
{
	uint64_t used = 0;

	spin_lock(&pool.lock);
	for (const struct frame_budget *b = pool.budgets; b; b = b->next)
		used += b->used;
	spin_unlock(&pool.lock);
	return frame_total() - used;
}

static int wrong(const char **why, const char *what)
{
	*why = what;
	return AV_E_INTEGRITY;
}

/* A free list: its length, or UINT64_MAX when a frame on it is not free or not of that owner. */
static uint64_t list_length(uint32_t index, uint8_t owner)
{
	uint64_t length = 0;

	for (; index; index = frame_at(index)->link) {
		if (index >= frame_table.count || length > frame_table.count)
			return UINT64_MAX;
		if (frame_at(index)->kind != FRAME_FREE || frame_at(index)->owner != owner)
			return UINT64_MAX;
		length++;
	}
	return length;
}

__attribute__((cold)) int frame_audit(const char **why)
{
	static uint64_t used[OWNER_MAX], unused[OWNER_MAX];
	uint64_t promised = 0;

	for (uint32_t i = 0; i < OWNER_MAX; i++)
		used[i] = unused[i] = 0;
	for (uint64_t i = pool.first; i < pool.fresh; i++) {
		const struct frame *frame = frame_at((uint32_t)i);

		if (frame->kind == FRAME_FREE)
			unused[frame->owner]++;
		else
			used[frame->owner]++;
	}
	if (used[0])
		return wrong(why, "a frame in use is charged to nobody");
	if (unused[0] != pool.listed || pool.fresh > frame_table.count ||
	    list_length(pool.list, 0) != pool.listed)
		return wrong(why, "the global free list does not add up");
	for (const struct frame_budget *b = pool.budgets; b; b = b->next) {
		if (b->used != used[b->owner])
			return wrong(why, "a budget's count of used frames is wrong");
		if (b->cached != unused[b->owner] || list_length(b->cache, b->owner) != b->cached)
			return wrong(why, "a budget's free list does not add up");
		if (b->used + b->cached > b->limit)
			return wrong(why, "a budget is exceeded");
		used[b->owner] = unused[b->owner] = 0;
		promised += b->limit;
	}
	for (uint32_t i = 1; i < OWNER_MAX; i++)
		if (used[i] || unused[i])
			return wrong(why, "a frame belongs to an unknown owner");
	if (promised > frame_total())
		return wrong(why, "the budgets exceed the machine");
	return 0;
}
