/* SPDX-License-Identifier: MIT */
/*
 * keep.c - predictive copy-back: pages that are dirty round after round keep their frame and their right to be written.
 *
 * A round ends with a restore to the base. A page that was dirty at the end of three in a row gets the base's contents
 * copied into its frame instead of being given up, so that the next round's first write needs no fault, no frame and no
 * TLB invalidation. A kept page is dirty like any other: its bit is set, its leaf writable, a take seals it. Whether a
 * round really wrote to it nobody can tell; so every 64th restore keeps none, and who is written again in the next round
 * is kept again after that one.
 *
 * Never allocates, never keeps when the budget is nearly used up.
 */
#include <arch/mem.h>
#include <arch/tlb.h>
#include "mm/live.h"
#include "mm/node.h"

#define KEEP_MOST 1024 /* pages: what a restore may spend on copies is bounded */
#define KEEP_ROUNDS 64 /* then all are given up once */
#define KEEP_SPARE 64  /* frames that must be left */

static struct dirty_history *history_of(struct vmem *m, const struct dirty_chunk *chunk)
{
	return &m->history[chunk - m->chunks];
}

/* The leaves the base has there. */
static const uint64_t *base_leaves(const struct dirty_chunk *chunk)
{
	uint32_t base = frame_at(frame_index(ptr_pa(chunk->l3)))->base;

	return base ? frame_ptr(base) : arch_zero_page;
}

/* The base has no frame of the VM's own there, but the live tree has. */
static bool is_extra(uint64_t base_leaf)
{
	return !(base_leaf & S2_VALID) || base_leaf & S2_BUNDLE;
}

/* Filled anew, so not to be executed before a fetch has asked for it. The caller changes the VMID. */
static void copy_back(struct vmem *m, uint64_t *entry, uint64_t base_leaf)
{
	uint64_t leaf = arch_entry_read(entry);
	void *page = pa_ptr(s2_pa(leaf));

	if (s2_has_page(base_leaf))
		arch_page_copy(page, pa_ptr(s2_pa(base_leaf)));
	else
		arch_page_zero(page);
	arch_entry_write(entry, leaf | S2_XN);
	m->stats.pages_kept++;
	m->kept_count++;
	m->ram_count += is_extra(base_leaf);
}

/* Which of these were dirty in all three rounds; the history moves on by one. */
static uint64_t next_round(struct dirty_history *history, uint32_t word, uint64_t bits, bool known)
{
	uint64_t last = known ? history->last[word] : 0;
	uint64_t before = known ? history->before[word] : 0;

	history->before[word] = last & bits;
	history->last[word] = bits;
	return bits & last & before;
}

/* Takes out of the chunk what is kept. True: some. */
static bool keep_chunk(struct vmem *m, struct dirty_chunk *chunk, bool allowed)
{
	struct dirty_history *history = history_of(m, chunk);
	bool known = history->epoch == m->epoch && history->round + 1 == m->round;
	const uint64_t *from = base_leaves(chunk);
	uint64_t any = 0;

	history->epoch = m->epoch;
	history->round = m->round;
	for (uint32_t word = 0; word < ARRAY_SIZE(chunk->bits); word++) {
		uint64_t hot = next_round(history, word, chunk->bits[word], known);
		uint64_t kept = 0;

		if (!allowed)
			hot = 0;
		for (; hot && m->kept_count < KEEP_MOST; hot &= hot - 1) {
			uint32_t i = word * 64 + (uint32_t)__builtin_ctzll(hot);

			copy_back(m, &chunk->l3[i], from[i]);
			kept |= hot & -hot;
		}
		history->kept[word] = kept;
		chunk->bits[word] &= ~kept;
		any |= kept;
	}
	return any;
}

uint32_t vmem_keep_begin(struct vmem *m)
{
	bool allowed = ++m->round % KEEP_ROUNDS && frame_available(&m->budget) > KEEP_SPARE;
	uint32_t first = 0;

	m->kept_count = 0;
	for (uint32_t c = m->dirty_first; c; c = m->chunks[c - 1].next) {
		if (!keep_chunk(m, &m->chunks[c - 1], allowed))
			continue;
		m->history[c - 1].next = first;
		first = c;
	}
	m->dirty_count -= m->kept_count;
	return first;
}

/* Put the chunk into the chain of those with dirty pages, with these bits alone. */
static void chain(struct vmem *m, uint32_t c, const uint64_t bits[8])
{
	struct dirty_chunk *chunk = &m->chunks[c - 1];

	chunk->count = 0;
	for (uint32_t word = 0; word < ARRAY_SIZE(chunk->bits); word++) {
		chunk->bits[word] = bits[word];
		for (uint64_t rest = bits[word]; rest; rest &= rest - 1)
			chunk->count++;
	}
	if (!chunk->count)
		return;
	m->dirty_count += chunk->count;
	chunk->next = m->dirty_first;
	m->dirty_first = c;
}

void vmem_keep_end(struct vmem *m, uint32_t first)
{
	for (uint32_t c = first; c; c = m->history[c - 1].next)
		chain(m, c, m->history[c - 1].kept);
}

static bool same_page(const uint64_t *page, uint64_t base_leaf)
{
	const uint64_t *other = s2_has_page(base_leaf) ? pa_ptr(s2_pa(base_leaf)) : arch_zero_page;

	for (uint32_t i = 0; i < PAGE_SIZE / sizeof(*page); i++)
		if (page[i] != other[i])
			return false;
	return true;
}

/* Gives back the pages of this chunk that were kept and not written since; what stays dirty is in bits. */
static void drop_chunk(struct vmem *m, struct dirty_chunk *chunk, uint64_t bits[8])
{
	struct dirty_history *history = history_of(m, chunk);
	const uint64_t *from = base_leaves(chunk);
	bool known = history->epoch == m->epoch && history->round == m->round;

	for (uint32_t word = 0; word < ARRAY_SIZE(chunk->bits); word++) {
		uint64_t kept = known ? history->kept[word] : 0;

		bits[word] = chunk->bits[word];
		for (kept &= bits[word]; kept; kept &= kept - 1) {
			uint32_t i = word * 64 + (uint32_t)__builtin_ctzll(kept);
			uint64_t leaf = arch_entry_read(&chunk->l3[i]);

			if (!same_page(pa_ptr(s2_pa(leaf)), from[i]))
				continue;
			arch_entry_write(&chunk->l3[i], from[i] & ~S2_OWN);
			frame_free(&m->budget, entry_frame(leaf));
			m->ram_count -= is_extra(from[i]);
			bits[word] &= ~(kept & -kept);
		}
		history->kept[word] = 0;
	}
}

void vmem_keep_drop(struct vmem *m)
{
	uint32_t first = m->dirty_first, next;
	uint64_t bits[8];

	if (!m->history || !m->base)
		return;
	m->dirty_first = 0;
	m->dirty_count = 0;
	m->kept_count = 0;
	for (uint32_t c = first; c; c = next) {
		next = m->chunks[c - 1].next;
		drop_chunk(m, &m->chunks[c - 1], bits);
		chain(m, c, bits);
	}
	arch_table_barrier();
}
