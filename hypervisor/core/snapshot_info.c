/* SPDX-License-Identifier: MIT */
/*
 * snapshot_info.c - what a snapshot holds alone and what its deletion would bring, by a walk of the
 * tables it owns. Counts nothing twice and changes nothing. A borrowed table is not walked: its
 * frames are its owner's.
 */
#include <arch/mem.h>
#include "core/snapshot.h"
#include "mm/node.h"

struct counts {
	uint64_t unique;
	uint64_t reclaimable;
};

/* Some other tree gets to this entry: a borrower has not replaced it. */
static bool reached_by_others(uint32_t index, uint32_t entry)
{
	for (uint32_t b = frame_at(index)->borrowers; b; b = frame_at(b)->next) {
		const uint64_t *entries = frame_ptr(b);

		if (!(entries[entry] & S2_OWN))
			return true;
	}
	return false;
}

/* released: this node would lose its owner. It then goes at once, unless several borrow from it. */
static void count_node(const struct vmem *m, uint32_t index, bool released, struct counts *counts)
{
	const struct frame *node = frame_at(index);
	bool goes = released && !(node->borrowers && frame_at(node->borrowers)->next);
	uint32_t first, last;
	const uint64_t *entries = node_entries(m, index, &first, &last);

	counts->reclaimable += goes;
	for (uint32_t i = first; i <= last; i++) {
		if (!(entries[i] & S2_OWN) || reached_by_others(index, i))
			continue;
		if (node->kind == FRAME_L3) {
			counts->unique++;
			counts->reclaimable += goes;
		} else {
			count_node(m, entry_frame(entries[i]), goes, counts);
		}
	}
}

void snapshot_info(struct vmem *m, const struct snapshot *snapshot, struct av_snapshot_info *info)
{
	struct counts counts = {0};

	for (uint32_t i = 0; i < m->spill_count; i++)
		counts.reclaimable += frame_at(snapshot->frames[1 + i])->references == 1;
	count_node(m, snapshot->frames[0], true, &counts);
	*info = (struct av_snapshot_info){
		.id = snapshot->id,
		.parent = snapshot->parent,
		.request_id = snapshot->request_id,
		.taken_ns = snapshot->taken, /* the caller makes nanoseconds of these two */
		.vm_time_ns = snapshot->vm_time,
		.pages_unique = counts.unique,
		.pages_shared = snapshot->ram_count - counts.unique,
		.pages_reclaimable =
			snapshot == m->boot || snapshot->clones ? 0 : counts.reclaimable,
		.pinned = snapshot->pinned,
		.state = snapshot->state,
		.is_base = snapshot == m->base,
		.clones = snapshot->clones,
		.set = snapshot == m->undo ? 0 : snapshot->set,
	};
	__builtin_memcpy(info->name, snapshot->name, AV_NAME_SIZE);
}
