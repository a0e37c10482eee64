/* SPDX-License-Identifier: MIT */
/* live.h - what take and restore do to the live tree. For core/snapshot*.c and mm/; [stopped] all
 * but vmem_reclaim(). */
#pragma once
#include "mm/vmem.h"

/* The live tree becomes the tree of this record (a fresh node), write-protected; the VM goes on
 * with a borrowed root. */
void vmem_hand_over(struct vmem *m, struct snapshot *record);
/* Every dirty page back to what the base has there; ram_count is the base's, and what was kept. */
void vmem_revert(struct vmem *m);
/* Before and after that with copy-back: pages that are dirty every round stay, and stay dirty. */
uint32_t vmem_keep_begin(struct vmem *m);
void vmem_keep_end(struct vmem *m, uint32_t first);
/* Kept pages that still have the base's contents go. The caller changes the VMID. */
void vmem_keep_drop(struct vmem *m);
/* The live tree, if anything is left of it, goes to the reaper; the VM goes on with a root borrowed
 * from this record, and its ram_count. */
void vmem_switch(struct vmem *m, const struct snapshot *record);
/* The live tree goes to the reaper and nothing takes its place: a clone that is removed. */
void vmem_abandon(struct vmem *m);
/* Last: the translations cached so far are not used any more. */
void vmem_renew_vmid(struct vmem *m);

/* One step towards more free frames: reap a node, else give up a snapshot; false: nothing left to
 * do. */
bool vmem_reclaim(struct vmem *m);
/* The same until `frames` are available. */
bool vmem_obtain(struct vmem *m, uint64_t frames);

/* An address seen from the live root. Null pointers where there is no table. */
struct vmem_walk {
	uint64_t *root_entry;
	uint64_t *l2;
	uint64_t *l3;
	bool l2_private;
	bool l3_private;
};
void vmem_walk(const struct vmem *m, uint64_t address, struct vmem_walk *walk);

/* Before `boot`: entries of the root from the one of this address to that one's will be in use. */
void vmem_use_root(struct vmem *m, uint64_t first, uint64_t last);

/* The live tree does not reach this region any more: no invalidation. */
void vmem_unlink_region(struct vmem *m, struct vmem_attach *attach);
