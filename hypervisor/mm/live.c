/* SPDX-License-Identifier: MIT */
/*
 * live.c - the live tree under take and restore: seal, revert, switch.
 * Never allocates, never fails, and never visits what is not dirty.
 */
#include "mm/live.h"
#include <arch/tlb.h>
#include "core/snapshot.h"
#include "mm/node.h"

static void forget_dirty(struct vmem *m)
{
	m->epoch++;
	m->dirty_first = 0;
	m->dirty_count = 0;
	m->kept_count = 0;
}

/* Sealed trees have no region links; after a switch they are to be made again. */
static void unlink_regions(struct vmem *m)
{
	for (uint32_t i = 0; i < m->attach_count; i++)
		vmem_unlink_region(m, &m->attach[i]);
}

/* Dirty pages come in rows: look for bits once a row. */
static inline void protect_row(uint64_t *entry, uint32_t count)
{
	for (; count >= 4; count -= 4, entry += 4) {
		arch_entry_write(&entry[0], arch_entry_read(&entry[0]) & ~S2_WRITE);
		arch_entry_write(&entry[1], arch_entry_read(&entry[1]) & ~S2_WRITE);
		arch_entry_write(&entry[2], arch_entry_read(&entry[2]) & ~S2_WRITE);
		arch_entry_write(&entry[3], arch_entry_read(&entry[3]) & ~S2_WRITE);
	}
	for (; count; count--, entry++)
		arch_entry_write(entry, arch_entry_read(entry) & ~S2_WRITE);
}

static void protect_dirty(struct vmem *m)
{
	const struct dirty_chunk *chunk;

	for (uint32_t c = m->dirty_first; c; c = chunk->next) {
		chunk = &m->chunks[c - 1];
		uint64_t *group = chunk->l3;
		uint32_t left = chunk->count;

		for (uint32_t word = 0; left && word < ARRAY_SIZE(chunk->bits); word++) {
			uint64_t bits = chunk->bits[word];

			while (bits) {
				uint32_t first = (uint32_t)__builtin_ctzll(bits);
				uint64_t above =
					bits + (1UL << first); /* carries to the row's end */
				uint32_t end = above ? (uint32_t)__builtin_ctzll(above) : 64;

				protect_row(&group[word * 64 + first], end - first);
				left -= end - first;
				bits &= above;
			}
		}
	}
}

static void borrow_root(struct vmem *m, const struct snapshot *record)
{
	for (uint32_t i = m->root_first; i <= m->root_last; i += S2_ROOT_GROUP)
		arch_entries_copy(&m->root[i], &record->root[i], S2_OWN);
	node_borrow(m->root_frame, record->frames[0]);
}

void vmem_hand_over(struct vmem *m, struct snapshot *record)
{
	unlink_regions(m);
	protect_dirty(m);
	forget_dirty(m);
	for (uint32_t i = m->root_first; i <= m->root_last; i += S2_ROOT_GROUP) {
		arch_entries_copy(&record->root[i], &m->root[i], 0);
		arch_entries_copy(&m->root[i], &record->root[i], S2_OWN);
	}
	node_insert(m->root_frame, record->frames[0]);
	arch_table_barrier();
}

/* Per page: old entry, base entry, one entry written, one frame to the free list; the counters once
 * per VM. */
static void revert(struct vmem *m)
{
	struct dirty_chunk *chunk;
	uint64_t cache = m->budget.cache; /* wide, as is index below: nothing to be extended */
	struct frame *frames = frame_table.frames;
	uint64_t base_pfn = frame_table.base >> PAGE_SHIFT;

	for (uint32_t c = m->dirty_first; c; c = chunk->next) {
		chunk = &m->chunks[c - 1];
		uint32_t left = chunk->count;

		chunk->count = 0;
		uint64_t *group = chunk->l3;
		uint32_t base = frame_at(frame_index(ptr_pa(group)))->base;
		const uint64_t *from = base ? frame_ptr(base) : arch_zero_page;

		for (uint32_t word = 0; left && word < ARRAY_SIZE(chunk->bits); word++) {
			uint64_t bits = chunk->bits[word];

			if (!bits)
				continue;
			chunk->bits[word] = 0;
			for (; bits; bits &= bits - 1, left--) {
				uint32_t i = word * 64 + (uint32_t)__builtin_ctzll(bits);
				uint64_t page = arch_entry_read(&group[i]) & S2_ADDRESS;
				uint64_t index = (page >> PAGE_SHIFT) - base_pfn;
				struct frame *frame = &frames[index];

				arch_entry_write(&group[i], from[i] & ~S2_OWN);
				frame->kind = FRAME_FREE;
				frame->link = (uint32_t)cache;
				cache = index;
			}
		}
	}
	m->budget.cache = (uint32_t)cache;
	m->budget.cached += m->dirty_count;
	m->budget.used -= m->dirty_count;
	m->dirty_first = 0;
	m->dirty_count = 0;
	arch_table_barrier();
}

void vmem_revert(struct vmem *m)
{
	uint32_t kept;

	m->ram_count = m->base->ram_count;
	if (!m->history) {
		revert(m);
		return;
	}
	kept = vmem_keep_begin(m);
	revert(m);
	vmem_keep_end(m, kept);
}

/* To the reaper; node_release(), but in line for those from which nobody has borrowed. */
static inline void release_tables(struct vmem *m)
{
	struct frame *frames = frame_table.frames;
	uint64_t base_pfn = frame_table.base >> PAGE_SHIFT;
	uint64_t first = m->reap_first;

	for (uint32_t i = m->root_first; i <= m->root_last; i++) {
		uint64_t index = ((m->root[i] & S2_ADDRESS) >> PAGE_SHIFT) - base_pfn;
		struct frame *node = &frames[index];

		if (!(m->root[i] & S2_OWN))
			continue;
		if (node->flags | node->borrowers) {
			m->reap_first = (uint32_t)first;
			node_release(m, (uint32_t)index);
			first = m->reap_first;
			continue;
		}
		node->flags = FRAME_DEAD | FRAME_QUEUED;
		node->link = (uint32_t)first;
		first = index;
	}
	m->reap_first = (uint32_t)first;
}

static void release_live(struct vmem *m)
{
	unlink_regions(m);
	forget_dirty(m);
	release_tables(m);
	node_detach(m, m->root_frame);
}

void vmem_abandon(struct vmem *m)
{
	release_live(m);
	for (uint32_t i = 0; i < S2_ROOT_ENTRIES; i++)
		arch_entry_write(&m->root[i], 0);
	arch_table_barrier();
}

__attribute__((noinline)) void vmem_switch(struct vmem *m, const struct snapshot *record)
{
	release_live(m);
	m->ram_count = record->ram_count;
	borrow_root(m, record);
	arch_table_barrier();
}

void vmem_renew_vmid(struct vmem *m)
{
	if (++m->vmid < m->vmid_first + m->vmid_count)
		return;
	m->vmid = m->vmid_first;
	m->stats.tlbi_broadcast++;
	arch_tlb_all();
}

bool vmem_reclaim(struct vmem *m)
{
	return node_reap_one(m) || (m->reclaim && m->reclaim(m));
}

bool vmem_obtain(struct vmem *m, uint64_t frames)
{
	while (frame_available(&m->budget) < frames)
		if (!vmem_reclaim(m))
			return false;
	return true;
}

void vmem_walk(const struct vmem *m, uint64_t address, struct vmem_walk *walk)
{
	uint64_t entry;

	*walk = (struct vmem_walk){.root_entry = &m->root[s2_root_index(address)]};
	entry = arch_entry_read(walk->root_entry);
	if (!(entry & S2_VALID))
		return;
	walk->l2 = entry_table(entry);
	walk->l2_private = entry & S2_OWN && !frame_at(entry_frame(entry))->borrowers;

	entry = arch_entry_read(&walk->l2[s2_l2_index(address)]);
	if (!(entry & S2_VALID))
		return;
	walk->l3 = entry_table(entry);
	walk->l3_private =
		walk->l2_private && entry & S2_OWN && !frame_at(entry_frame(entry))->borrowers;
}
