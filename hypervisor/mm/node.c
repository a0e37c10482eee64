/* SPDX-License-Identifier: MIT */
/*
 * node.c - borrowed entries: who copied from whom, and what becomes of tables nobody owns any more.
 * Works in steps of at most one node (512 entries). Never changes a live translation: only the
 * ignored OWN bit.
 */
#include "mm/node.h"
#include "core/bug.h"

void node_init(uint32_t index)
{
	struct frame *node = frame_at(index);

	node->flags = 0;
	node->base = 0;
	node->borrowers = 0;
	node->next = 0;
	node->previous = 0;
}

void node_borrow(uint32_t index, uint32_t base)
{
	struct frame *node = frame_at(index);

	node->base = base;
	node->previous = 0;
	node->next = 0;
	if (node_is_foreign(node))
		return;
	node->next = frame_at(base)->borrowers;
	if (node->next)
		frame_at(node->next)->previous = index;
	frame_at(base)->borrowers = index;
}

static void enqueue(struct vmem *m, uint32_t index)
{
	struct frame *node = frame_at(index);

	if (node->flags & FRAME_QUEUED)
		return;
	node->flags |= FRAME_QUEUED;
	node->link = m->reap_first;
	m->reap_first = index;
}

static bool has_several_borrowers(const struct frame *node)
{
	return node->borrowers && frame_at(node->borrowers)->next;
}

void node_detach(struct vmem *m, uint32_t index)
{
	struct frame *node = frame_at(index);
	uint32_t base = node->base;

	if (!base)
		return;
	if (node_is_foreign(node)) {
		node->base = 0;
		return;
	}
	if (node->previous)
		frame_at(node->previous)->next = node->next;
	else
		frame_at(base)->borrowers = node->next;
	if (node->next)
		frame_at(node->next)->previous = node->previous;
	node->base = node->next = node->previous = 0;
	if (frame_at(base)->flags & FRAME_DEAD && !has_several_borrowers(frame_at(base)))
		enqueue(m, base);
}

/* Whose place it takes is not to be found by its base any more. */
static inline void take_place(struct frame *to, uint32_t heir, const struct frame *node)
{
	to->base = node->base;
	to->next = node->next;
	to->previous = node->previous;
	if (!to->base || node_is_foreign(to))
		return;
	if (to->previous)
		frame_at(to->previous)->next = heir;
	else
		frame_at(to->base)->borrowers = heir;
	if (to->next)
		frame_at(to->next)->previous = heir;
}

void node_succeed(uint32_t index, uint32_t heir)
{
	struct frame *node = frame_at(index);

	take_place(frame_at(heir), heir, node);
	node->base = node->next = node->previous = 0;
}

void node_insert(uint32_t index, uint32_t heir)
{
	struct frame *node = frame_at(index);

	take_place(frame_at(heir), heir, node);
	frame_at(heir)->borrowers = index;
	node->base = heir;
	node->next = node->previous = 0;
}

void node_release(struct vmem *m, uint32_t index)
{
	struct frame *node = frame_at(index);

	BUG_ON(node->flags & FRAME_DEAD);
	node->flags |= FRAME_DEAD;
	if (!has_several_borrowers(node))
		enqueue(m, index);
}

uint64_t *node_entries(const struct vmem *m, uint32_t index, uint32_t *first, uint32_t *last)
{
	bool table = frame_at(index)->kind == FRAME_L2 || frame_at(index)->kind == FRAME_L3;

	*first = table ? 0 : m->root_first;
	*last = table ? S2_TABLE_ENTRIES - 1 : m->root_last;
	return frame_ptr(index);
}

/* What an entry owned goes: a page at once, a table through the queue. */
static void drop(struct vmem *m, uint64_t entry, bool leaf)
{
	if (leaf)
		frame_free(&m->budget, entry_frame(entry));
	else
		node_release(m, entry_frame(entry));
}

/* All that a dead node owns goes to its only borrower, but for what that one has replaced. */
static void merge(struct vmem *m, uint32_t index, uint32_t borrower)
{
	bool leaf = frame_at(index)->kind == FRAME_L3;
	uint32_t first, last;
	const uint64_t *from = node_entries(m, index, &first, &last);
	uint64_t *to = frame_ptr(borrower);

	for (uint32_t i = first; i <= last; i++) {
		if (!(from[i] & S2_OWN))
			continue;
		if (to[i] & S2_OWN)
			drop(m, from[i], leaf);
		else
			arch_entry_write(&to[i], to[i] | S2_OWN);
	}
	frame_at(borrower)->base = 0;
	node_succeed(index, borrower);
}

static void free_owned(struct vmem *m, uint32_t index)
{
	bool leaf = frame_at(index)->kind == FRAME_L3;
	uint32_t first, last;
	const uint64_t *from = node_entries(m, index, &first, &last);

	for (uint32_t i = first; i <= last; i++)
		if (from[i] & S2_OWN)
			drop(m, from[i], leaf);
}

bool node_reap_one(struct vmem *m)
{
	uint32_t index = m->reap_first;
	struct frame *node;

	if (!index)
		return false;
	node = frame_at(index);
	m->reap_first = node->link;
	node->flags = (uint16_t)(node->flags & ~FRAME_QUEUED);
	BUG_ON(!(node->flags & FRAME_DEAD) || has_several_borrowers(node));
	if (node->borrowers) {
		merge(m, index, node->borrowers);
	} else {
		free_owned(m, index);
		node_detach(m, index);
	}
	frame_free(&m->budget, index);
	return true;
}
