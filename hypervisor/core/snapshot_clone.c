/* SPDX-License-Identifier: MIT */
/*
 * snapshot_clone.c - a VM's memory made from a snapshot of another VM. Its boot record leads to the other's tables, which it
 * reads and never writes, counts or frees: every frame stays charged to the VM that has it. So the snapshot is held as long as
 * the clone is there, and what it reaches stays in place.
 */
#include <arch/mem.h>
#include "core/bug.h"
#include "core/snapshot_index.h"
#include "mm/live.h"
#include "mm/node.h"

void snapshot_hold(struct vmem *m, struct snapshot *snapshot)
{
	BUG_ON(snapshot == m->undo);
	snapshot->clones++;
	m->clone_count++;
}

void snapshot_unhold(struct vmem *m, struct snapshot *snapshot)
{
	BUG_ON(!snapshot->clones);
	snapshot->clones--;
	m->clone_count--;
}

bool snapshot_clone_fits(const struct vmem *m, const struct vmem *from)
{
	return from->ram_size >> REGION_2M_SHIFT <= m->chunk_count;
}

/* Where things are in the address space, as the other VM has it; none of its regions. */
static void take_shape(struct vmem *m, const struct vmem *from)
{
	m->ram_base = from->ram_base;
	m->ram_size = from->ram_size;
	m->root_first = from->root_first;
	m->root_last = from->root_last;
	m->window_start = m->window_next = from->window_start;
	m->window_end = from->window_end;
	m->attach_count = 0;
}

/* No entry is the clone's: what leads out of this record is the other VM's. */
static void borrow_tree(struct vmem *m, struct snapshot *record, const struct snapshot *source)
{
	for (uint32_t i = m->root_first; i <= m->root_last; i++)
		arch_entry_write(&record->root[i], arch_entry_read(&source->root[i]) & ~S2_OWN);
	node_borrow(record->frames[0], source->frames[0]);
}

void snapshot_clone(struct vmem *m, const struct vmem *from, struct snapshot *source,
		    uint32_t part_count, const struct snapshot_facts *facts)
{
	struct snapshot *record;

	BUG_ON(m->boot || m->source || m->budget.owner == from->budget.owner);
	BUG_ON(!vmem_place_parts(m, part_count));
	take_shape(m, from);
	record = snapshot_record_new(m, facts);
	BUG_ON(!record); /* vmem_init_spare() has seen that there is room */
	record->id = AV_SNAPSHOT_BOOT;
	record->parent = AV_SNAPSHOT_NONE;
	record->pinned = 1;
	record->ram_count = m->ram_count = source->ram_count;
	snapshot_save_parts(m, record);
	borrow_tree(m, record, source);
	m->source = source;
	m->boot = m->base = record;
	m->origin = AV_SNAPSHOT_BOOT;
	m->host_starved = false;
	m->next_id = 0;
	m->index_first = 0;
	vmem_switch(m, record); /* from nothing */
	vmem_renew_vmid(m);
}

bool snapshot_clone_empty(struct vmem *m, uint32_t most)
{
	BUG_ON(m->clone_count);
	m->base = NULL;
	if (m->import)
		snapshot_discard(m, m->import);
	m->import = NULL;
	for (; m->snapshot_count && most; most--) {
		struct snapshot *last = snapshot_at(m, m->snapshot_count - 1);

		snapshot_index_remove(m, m->snapshot_count - 1);
		snapshot_discard(m, last);
	}
	if (m->snapshot_count)
		return true;
	if (m->boot) {
		if (m->undo)
			snapshot_discard(m, m->undo);
		vmem_abandon(m);
		snapshot_discard(m, m->boot);
		m->boot = m->undo = NULL;
		m->ram_size = m->ram_count = 0;
	}
	while (most && node_reap_one(m))
		most--;
	if (m->reap_first)
		return true;
	m->source = NULL;
	return false;
}
