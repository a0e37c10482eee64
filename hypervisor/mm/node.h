/* SPDX-License-Identifier: MIT */
/*
 * node.h - tables that borrow entries from the table they were copied from.
 *
 * A node is a frame that holds stage-2 entries: L2, L3, a live root, a snapshot's record. A copy
 * has all descriptors of its base with OWN cleared: what it did not replace it borrows, and its
 * base keeps it alive. A node whose owning entry is gone is dead. A dead node nobody borrows from
 * is freed with all it owns; one with a single borrower hands it what the borrower does not own
 * itself, and is freed; one with several stays, hidden, until one is left.
 *
 * Entries not OWN in the borrower equal the base's (but for XN, which goes once and for all),
 * except those that point to shared regions: these stand only where RAM never is, so the base has
 * nothing there.
 *
 * A clone's nodes may be copied from nodes of another VM: those of the snapshot it was made from, which
 * stay where they are as long as that is held (snapshot_hold()). Such a base is only read. It is in
 * none of the clone's lists, and the clone in none of its: no lock of the other VM is needed. There,
 * OWN may appear and XN go meanwhile; nothing else changes.
 */
#pragma once
#include <arch/mem.h>
#include "mm/vmem.h"

/* A new node without base: fields of its frame. */
void node_init(uint32_t index);
void node_borrow(uint32_t index, uint32_t base);
/* index no longer borrows; its base goes to the reaper when that lets it be freed or merged. */
void node_detach(struct vmem *m, uint32_t index);
/* `heir` takes the place of `index` as borrower of its base. */
void node_succeed(uint32_t index, uint32_t heir);
/* The same with a heir of this VM from which nobody borrows yet; and then `index` borrows from it. */
void node_insert(uint32_t index, uint32_t heir);
/* The entry that owned this node is gone. */
void node_release(struct vmem *m, uint32_t index);
/* Free or merge one dead node of the queue; false when the queue is empty. */
bool node_reap_one(struct vmem *m);

/* The entries of a node, and which of them may be used. */
uint64_t *node_entries(const struct vmem *m, uint32_t index, uint32_t *first, uint32_t *last);

/* The base of this node, which has one, is another VM's. */
static inline bool node_is_foreign(const struct frame *node)
{
	return frame_at(node->base)->owner != node->owner;
}

static inline void *frame_ptr(uint32_t index)
{
	return pa_ptr(frame_pa(index));
}

static inline uint32_t entry_frame(uint64_t descriptor)
{
	return frame_index(s2_pa(descriptor));
}

static inline uint64_t *entry_table(uint64_t descriptor)
{
	return pa_ptr(s2_pa(descriptor));
}
