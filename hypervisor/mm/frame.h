/* SPDX-License-Identifier: MIT */
/*
 * frame.h - who holds each page frame of the machine.
 *
 * Every frame is free or charged to exactly one budget. The limits of all budgets together never
 * exceed the frames there are (frame_budget_init() refuses), so an allocation within a budget
 * cannot fail: one VM cannot starve another. A budget has its own list of free frames; the global
 * list is behind one lock and is touched in batches.
 *
 * Index 0 is "no frame". Contents of an allocated frame are undefined: its user zeroes or
 * overwrites all of it before a guest can see it.
 */
#pragma once
#include "core/types.h"

enum frame_kind {
	FRAME_FREE,
	FRAME_DATA, /* a page of a VM's RAM */
	FRAME_L3,   /* tables */
	FRAME_L2,
	FRAME_ROOT,   /* the live root of a VM */
	FRAME_RECORD, /* a snapshot: its root and its facts */
	FRAME_STATE,  /* more of a snapshot's state; what did not change is shared */
	FRAME_META,   /* dirty map, snapshot index, region tables: held as long as the VM */
};

/* flags of a table, root or record (a node) */
#define FRAME_DEAD \
	0x1 /* no entry owns it any more: freed or merged by the reaper, or hidden while borrowed \
	       from */
#define FRAME_QUEUED 0x2 /* in the reaper's queue */
#define FRAME_SEEN 0x4   /* scratch of the audit */

struct frame {
	uint8_t kind;
	uint8_t owner; /* of the budget that holds it */
	uint16_t flags;
	uint32_t link;      /* free list, or the reaper's queue */
	uint32_t base;      /* nodes: the node this one was copied from */
	uint32_t borrowers; /* nodes: first of those copied from this one, */
	uint32_t next;      /* linked by next and previous */
	uint32_t previous;
	uint32_t references; /* FRAME_STATE: snapshots that hold it */
	uint32_t spare;
};
_Static_assert(sizeof(struct frame) == 32, "frame_at() is a shift");

struct frame_budget {
	uint64_t limit;
	uint64_t used;
	uint64_t cached; /* free frames at hand; used + cached <= limit */
	uint32_t cache;  /* first of them */
	uint8_t owner;
	struct frame_budget *next; /* all budgets */
};

struct frame_table {
	struct frame *frames;
	uint64_t base; /* physical address of frame 0 */
	uint64_t count;
};
extern struct frame_table frame_table;

/* The array goes to first_free (page-aligned), the frames behind it are free. Once, before any
 * other call. */
void frame_init(pa_t ram_base, uint64_t ram_size, pa_t first_free);

/* False when the limits would exceed the machine. owner: 1..255, unique. */
bool frame_budget_init(struct frame_budget *budget, uint8_t owner, uint64_t limit);

/* Contiguous frames for boot-time arrays; 0 when the budget or the machine has no such run. */
uint32_t frame_alloc_run(struct frame_budget *budget, uint64_t count, enum frame_kind kind);

/* Give back at most `most` frames beyond `keep` to the global list; true when more are left.
 * Budget's lock. */
bool frame_trim(struct frame_budget *budget, uint64_t keep, uint64_t most);

uint64_t frame_total(void);
/* Frames from this index on have never been in use, and have no record. */
uint64_t frame_unused_from(void);
/* Not in use by anybody: the caches count as free. Exact when no VM changes meanwhile. */
uint64_t frame_free_count(void);
/* Recount everything: 0 or AV_E_INTEGRITY, *why says what was found. All VMs locked. */
int frame_audit(const char **why);

void frame_refill(struct frame_budget *budget);

static inline struct frame *frame_at(uint32_t index)
{
	return &frame_table.frames[index];
}

static inline pa_t frame_pa(uint32_t index)
{
	return pa(frame_table.base + ((uint64_t)index << PAGE_SHIFT));
}

static inline uint32_t frame_index(pa_t address)
{
	return (uint32_t)((address.value - frame_table.base) >> PAGE_SHIFT);
}

/* How many more frames the budget allows; an allocation succeeds while this is not 0. */
static inline uint64_t frame_available(const struct frame_budget *budget)
{
	return budget->limit - budget->used;
}

/* One frame, or 0 at the limit. Budget's lock. */
static inline uint32_t frame_alloc(struct frame_budget *budget, enum frame_kind kind)
{
	if (__builtin_expect(!budget->cached, 0)) {
		frame_refill(budget);
		if (!budget->cached)
			return 0;
	}
	uint32_t index = budget->cache;
	struct frame *frame = frame_at(index);

	budget->cache = frame->link;
	budget->cached--;
	budget->used++;
	frame->kind = (uint8_t)kind;
	return index;
}

static inline void frame_free(struct frame_budget *budget, uint32_t index)
{
	struct frame *frame = frame_at(index);

	frame->kind = FRAME_FREE;
	frame->flags = 0;
	frame->link = budget->cache;
	budget->cache = index;
	budget->cached++;
	budget->used--;
}
