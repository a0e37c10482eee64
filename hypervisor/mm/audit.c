/* SPDX-License-Identifier: MIT */
/*
 * audit.c - every count and link of one VM's memory recomputed from the descriptors and compared.
 * Slow, on demand. Changes nothing but the SEEN scratch flag, which it leaves clear.
 */
#include <avisor/hypercall.h>
#include "core/snapshot_index.h"
#include "mm/live.h"
#include "mm/node.h"

struct audit {
	struct vmem *m;
	const char *why;
	uint64_t borrowing; /* nodes with a base */
	uint64_t borrowed;  /* links found in the lists of borrowers */
	uint64_t writable;  /* leaves, but for those below dead nodes: what a restore has left of a
			       live tree */
	uint64_t queued;
	uint64_t records; /* not dead */
	uint64_t state_references;
	uint64_t used, unused; /* frames with this owner */
};

#define CHECK(condition, what)           \
	do {                             \
		if (!(condition)) {      \
			a->why = (what); \
			return false;    \
		}                        \
	} while (0)

static bool is_node(const struct frame *frame)
{
	return frame->kind >= FRAME_L3 && frame->kind <= FRAME_RECORD;
}

static bool valid_index(const struct audit *a, uint64_t index)
{
	return index && index < frame_unused_from() &&
	       frame_at((uint32_t)index)->owner == a->m->budget.owner;
}

static uint32_t kind_below(uint32_t kind)
{
	return kind == FRAME_L3 ? FRAME_DATA : kind == FRAME_L2 ? FRAME_L3 : FRAME_L2;
}

/* An owning entry: its target is ours, of the right kind, alive, and owned by nobody else. */
static bool check_owned(struct audit *a, const struct frame *node, uint64_t entry)
{
	struct frame *target;

	CHECK(entry & S2_VALID, "an owning entry is invalid");
	CHECK(valid_index(a, (s2_pa(entry).value - frame_table.base) >> PAGE_SHIFT),
	      "an entry owns a foreign frame");
	target = frame_at(entry_frame(entry));
	CHECK(target->kind == kind_below(node->kind), "an entry owns a frame of the wrong kind");
	CHECK(!(target->flags & FRAME_SEEN), "a frame has two owners");
	CHECK(!(target->flags & FRAME_DEAD), "an owned table is marked dead");
	target->flags |= FRAME_SEEN;
	return true;
}

static bool is_region_link(const struct audit *a, uint64_t entry)
{
	for (uint32_t i = 0; i < a->m->attach_count; i++) {
		const struct region_tables *t = a->m->attach[i].tables;

		if (range_within(s2_pa(entry).value, PAGE_SIZE, t->tables.value,
				 ((t->size - 1) >> REGION_2M_SHIFT) * PAGE_SIZE + PAGE_SIZE))
			return true;
	}
	return false;
}

static uint64_t writable_leaves(const uint64_t *l3)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < S2_TABLE_ENTRIES; i++)
		count += (l3[i] & S2_WRITE) != 0;
	return count;
}

/* What a borrowed leaf may differ in: it may be reached or executed already in the one table and not yet in the other. */
static uint64_t difference(uint64_t one, uint64_t other)
{
	uint64_t reach = one & other & S2_BUNDLE ? S2_VALID : 0;

	return (one ^ other) & ~(S2_OWN | S2_XN | reach);
}

static bool check_entries(struct audit *a, uint32_t index)
{
	const struct frame *node = frame_at(index);
	uint32_t first, last;
	const uint64_t *entries = node_entries(a->m, index, &first, &last);
	const uint64_t *base = node->base ? frame_ptr(node->base) : NULL;

	for (uint32_t i = first; i <= last; i++) {
		uint64_t entry = entries[i];

		if (entry & S2_OWN) {
			if (!check_owned(a, node, entry))
				return false;
			if (node->kind == FRAME_L3 && entry & S2_WRITE &&
			    !(node->flags & FRAME_DEAD))
				a->writable++;
			if (node->kind == FRAME_L2 && node->flags & FRAME_DEAD)
				a->writable -= writable_leaves(entry_table(entry));
			continue;
		}
		if (node->kind == FRAME_L3)
			CHECK(!(entry & S2_WRITE), "a shared page is writable");
		if (node->kind == FRAME_L2 && entry & S2_VALID && is_region_link(a, entry)) {
			CHECK(!base || !(base[i] & S2_VALID), "a region covers RAM");
			continue;
		}
		if (base)
			CHECK(!difference(entry, base[i]),
			      "a borrowed entry differs from the base's");
		else
			CHECK(!(entry & S2_VALID) || entry & S2_BUNDLE,
			      "an entry is owned by nobody");
	}
	return true;
}

static bool check_node(struct audit *a, uint32_t index)
{
	const struct frame *node = frame_at(index);
	uint32_t previous = 0;

	if (node->base) {
		const struct frame *base = frame_at(node->base);
		bool foreign = node->base < frame_unused_from() && node_is_foreign(node);

		CHECK((valid_index(a, node->base) || (foreign && a->m->source)) && is_node(base),
		      "a base is not a node");
		CHECK(base->kind == (node->kind == FRAME_ROOT ? FRAME_RECORD : node->kind),
		      "a base is of another level");
		CHECK(!foreign || !(base->flags & FRAME_DEAD) || base->kind != FRAME_RECORD,
		      "the snapshot a clone was made from is gone");
		CHECK(!foreign || (!node->next && !node->previous),
		      "a clone is in a list of another VM");
		CHECK(node->kind != FRAME_ROOT || !(node->flags & FRAME_DEAD),
		      "the live root is dead");
		a->borrowing += !foreign;
	}
	for (uint32_t b = node->borrowers; b; b = frame_at(b)->next) {
		CHECK(valid_index(a, b) && is_node(frame_at(b)), "a borrower is not a node");
		CHECK(frame_at(b)->base == index && frame_at(b)->previous == previous,
		      "a list of borrowers is broken");
		previous = b;
		a->borrowed++;
	}
	if (node->flags & FRAME_QUEUED)
		a->queued++;
	if (node->flags & FRAME_DEAD && !(node->flags & FRAME_QUEUED))
		CHECK(node->borrowers && frame_at(node->borrowers)->next,
		      "a dead node was forgotten");
	return check_entries(a, index);
}

/* After all owners have left their mark. */
static bool check_frame(struct audit *a, uint32_t index)
{
	struct frame *frame = frame_at(index);
	bool seen = frame->flags & FRAME_SEEN;

	frame->flags = (uint16_t)(frame->flags & ~FRAME_SEEN);
	if (frame->kind == FRAME_FREE)
		a->unused++;
	else
		a->used++;
	switch (frame->kind) {
	case FRAME_DATA:
		CHECK(seen, "a page is owned by nobody");
		break;
	case FRAME_L2:
	case FRAME_L3:
	case FRAME_RECORD:
		CHECK(seen == !(frame->flags & FRAME_DEAD), "a table is owned by nobody");
		break;
	case FRAME_ROOT:
		CHECK(index == a->m->root_frame, "a second live root");
		break;
	case FRAME_STATE:
		CHECK(frame->references, "a state frame is held by nobody");
		a->state_references += frame->references;
		break;
	default:
		break;
	}
	return true;
}

static bool see_record(struct audit *a, const struct snapshot *record)
{
	if (!record)
		return true;
	struct frame *frame = frame_at(record->frames[0]);

	CHECK(frame->kind == FRAME_RECORD && frame_ptr(record->frames[0]) == record,
	      "a snapshot has no record");
	CHECK(!(frame->flags & (FRAME_DEAD | FRAME_SEEN)),
	      "a listed snapshot is dead, or listed twice");
	frame->flags |= FRAME_SEEN;
	a->records++;
	return true;
}

static uint64_t clones_held(const struct vmem *m)
{
	uint64_t count = m->boot ? m->boot->clones : 0;

	for (uint32_t i = 0; i < m->snapshot_count; i++)
		count += snapshot_at(m, i)->clones;
	return count;
}

static bool see_records(struct audit *a)
{
	struct vmem *m = a->m;

	for (uint32_t i = 0; i < m->snapshot_count; i++) {
		CHECK(!i || snapshot_at(m, i - 1)->id < snapshot_at(m, i)->id,
		      "snapshot ids are not in order");
		CHECK(snapshot_at(m, i)->id < m->next_id, "a snapshot id lies in the future");
		if (!see_record(a, snapshot_at(m, i)))
			return false;
	}
	CHECK(!m->base || m->base == m->boot || snapshot_find(m, m->base->id) == m->base,
	      "the base is not a snapshot of this VM");
	CHECK(!m->base || m->base != m->undo, "undo is the base");
	CHECK(clones_held(m) == m->clone_count, "the count of clones is wrong");
	CHECK(!m->source || m->source->clones, "a clone does not hold what it was made from");
	CHECK(!m->boot == !m->ram_size, "an empty slot has memory");
	return see_record(a, m->boot) && see_record(a, m->undo) && see_record(a, m->import);
}

static uint64_t leaf_from(const uint64_t *root, uint64_t address)
{
	uint64_t entry = root[s2_root_index(address)];

	if (entry & S2_VALID)
		entry = entry_table(entry)[s2_l2_index(address)];
	return entry & S2_VALID ? entry_table(entry)[s2_l3_index(address)] : 0;
}

/* What was kept is dirty, and counted. */
static bool check_kept(struct audit *a)
{
	const struct vmem *m = a->m;
	uint64_t count = 0;

	for (uint64_t c = 0; m->history && c < m->ram_size >> REGION_2M_SHIFT; c++) {
		const struct dirty_history *history = &m->history[c];

		if (history->epoch != m->epoch || history->round != m->round)
			continue;
		for (uint32_t word = 0; word < ARRAY_SIZE(history->kept); word++) {
			CHECK(!(history->kept[word] & ~m->chunks[c].bits[word]),
			      "a kept page is not dirty");
			for (uint64_t bits = history->kept[word]; bits; bits &= bits - 1)
				count++;
		}
	}
	CHECK(count == m->kept_count, "the count of kept pages is wrong");
	return true;
}

/* The live tree against the dirty map, the counters and the base. */
static bool check_live(struct audit *a)
{
	struct vmem *m = a->m;
	uint64_t dirty = 0, committed = 0, chained = 0, marked = 0;

	for (uint64_t at = m->ram_base; at < m->ram_base + m->ram_size; at += PAGE_SIZE) {
		const struct dirty_chunk *chunk = &m->chunks[(at - m->ram_base) >> REGION_2M_SHIFT];
		uint64_t i = s2_l3_index(at), leaf = leaf_from(m->root, at);
		bool bit = chunk->epoch == m->epoch && chunk->bits[i / 64] >> i % 64 & 1;
		struct vmem_walk walk;

		CHECK(bit == !!(leaf & S2_WRITE), "the dirty map and the write rights differ");
		committed += leaf & S2_VALID && !(leaf & S2_BUNDLE);
		dirty += bit;
		if (bit || chunk->epoch == m->epoch) {
			vmem_walk(m, at, &walk);
			CHECK(walk.l3_private && walk.l3 == chunk->l3,
			      "a dirty page lies in a shared table");
		}
		if (m->base && !bit)
			CHECK(!difference(leaf, leaf_from(m->base->root, at)),
			      "a clean page differs from the base");
	}
	for (uint32_t c = m->dirty_first; c; c = m->chunks[c - 1].next) {
		CHECK(m->chunks[c - 1].epoch == m->epoch && m->chunks[c - 1].count,
		      "an empty chunk is chained");
		CHECK(chained++ <= m->ram_size >> REGION_2M_SHIFT,
		      "the chain of dirty chunks is a ring");
		marked += m->chunks[c - 1].count;
	}
	CHECK(dirty == m->dirty_count && marked == dirty, "the count of dirty pages is wrong");
	CHECK(a->writable == dirty, "a sealed page is writable");
	CHECK(committed == m->ram_count, "the count of committed pages is wrong");
	return true;
}

static bool check_queue(struct audit *a)
{
	uint64_t length = 0;

	for (uint32_t i = a->m->reap_first; i; i = frame_at(i)->link) {
		CHECK(valid_index(a, i) && frame_at(i)->flags & FRAME_QUEUED,
		      "the reaper's queue is broken");
		CHECK(length++ < a->queued, "the reaper's queue is too long");
	}
	CHECK(length == a->queued, "the reaper's queue has lost a node");
	return true;
}

static bool check_all(struct audit *a)
{
	bool good = see_records(a);

	for (uint64_t i = 1; i < frame_unused_from() && good; i++)
		if (valid_index(a, i) && is_node(frame_at((uint32_t)i)))
			good = check_node(a, (uint32_t)i);
	/* to the end even when something is wrong: this clears the marks */
	for (uint64_t i = 1; i < frame_unused_from(); i++)
		if (valid_index(a, i))
			good = check_frame(a, (uint32_t)i) && good;
	if (!good)
		return false;
	CHECK(a->used == a->m->budget.used, "the count of used frames is wrong");
	CHECK(a->unused == a->m->budget.cached, "the count of frames at hand is wrong");
	CHECK(a->used + a->unused <= a->m->budget.limit, "the budget is exceeded");
	CHECK(a->borrowing == a->borrowed, "a borrower is missing in its base's list");
	CHECK(a->state_references == a->records * a->m->spill_count, "state frames were lost");
	return check_queue(a) && check_live(a) && check_kept(a);
}

int vmem_audit(struct vmem *m, const char **why)
{
	struct audit a = {.m = m};

	if (check_all(&a))
		return 0;
	*why = a.why;
	return AV_E_INTEGRITY;
}
