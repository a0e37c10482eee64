/* SPDX-License-Identifier: MIT */
/*
 * snapshot.h - taking, restoring and deleting snapshots of one VM.
 *
 * Needs the VM's lock throughout; [stopped] as in mm/vmem.h. Take and restore are prepared (may
 * fail, changes nothing but evictions) and then committed (cannot fail); nothing else may be called
 * for this VM between the two. Errors are AV_E_*.
 */
#pragma once
#include <avisor/hypercall.h>
#include "mm/vmem.h"

#define SNAPSHOT_MAX 16384
#define SNAPSHOT_SPILL_MAX 16

/* The head of a record frame; the state parts follow. */
struct snapshot {
	uint64_t root[S2_ROOT_ENTRIES];
	uint64_t id; /* or AV_SNAPSHOT_BOOT, AV_SNAPSHOT_UNDO */
	uint64_t parent;
	uint64_t request_id; /* 0: none */
	uint64_t taken;      /* counter, in ticks: */
	uint64_t vm_time;    /* divided when somebody asks */
	uint64_t ram_count;
	uint32_t state; /* AV_STATE_* recorded */
	uint32_t pinned;
	uint32_t clones; /* VMs made from it: as long as there are any it stays */
	uint32_t set;    /* 0, or what it is part of: core/set.h */
	uint32_t frames[1 + SNAPSHOT_SPILL_MAX]; /* its own, then those of its state */
	uint32_t reserved;
	char name[AV_NAME_SIZE];
};

/* What the caller knows about the snapshot to be. */
struct snapshot_facts {
	uint64_t request_id;
	uint64_t taken;   /* counter, in ticks: */
	uint64_t vm_time; /* divided when somebody asks */
	uint32_t state;
	uint32_t set;            /* part of a set snapshot: it stays until that goes */
	char name[AV_NAME_SIZE]; /* empty: none */
};

/*
 * Once, after vmem_init(), vmem_map_bundle() and with all state parts initialised: what is there
 * now becomes `boot`. AV_E_NO_MEMORY. [stopped]
 */
int snapshot_seal_boot(struct vmem *m, const struct snapshot_facts *facts);

/*
 * Get all a take needs; evicts the oldest (see vmem_config.evicted) at the limit or the budget.
 * AV_E_NO_MEMORY: policy refuse or nothing to evict. AV_E_LIMIT: `keep` reached and nothing may be
 * evicted. AV_E_EXISTS: the name is taken. AV_E_INVALID: the name is malformed.
 */
int snapshot_take_prepare(struct vmem *m, const struct snapshot_facts *facts,
			  struct snapshot **prepared);
/* Returns the id. O(dirty pages). [stopped] */
uint64_t snapshot_take_commit(struct vmem *m, struct snapshot *prepared);
void snapshot_take_abort(struct vmem *m, struct snapshot *prepared);

struct snapshot_restore {
	struct snapshot *target;
	struct snapshot *undo; /* record for the present state, or NULL */
	bool undo_skipped;     /* asked for, but it cannot be paid */
	bool to_base;          /* by revert */
};
/*
 * id: a number, AV_SNAPSHOT_BOOT, _LATEST or _UNDO. keep_undo: the present state becomes `undo`.
 * now: facts of the present state (NULL without keep_undo). AV_E_NOT_FOUND.
 */
int snapshot_restore_prepare(struct vmem *m, uint64_t id, bool keep_undo,
			     const struct snapshot_facts *now, struct snapshot_restore *plan);
/*
 * O(dirty pages) when the target is the base and no undo is kept, O(dirty pages) to seal with undo,
 * else independent of RAM, dirty set and depth. Loads the state parts. plan->target may be gone
 * afterwards. [stopped]
 */
void snapshot_restore_commit(struct vmem *m, const struct snapshot_restore *plan);
void snapshot_restore_abort(struct vmem *m, const struct snapshot_restore *plan);

/* AV_E_NOT_FOUND, AV_E_PINNED (also boot, and what is part of a set), AV_E_IN_USE (a clone). Unlinked at once, memory comes back
 * through vmem_reap(). VM may run. */
int snapshot_delete(struct vmem *m, uint64_t id);
/* The same for one that is there and part of a set, pinned or not; no clone holds it. evicted: to make room, counted and reported. */
void snapshot_delete_part(struct vmem *m, struct snapshot *snapshot, bool evicted);
/* Give up undo, else the oldest snapshot that is neither pinned, nor part of a set, nor held by a clone: false when there is none or
 * the policy refuses. */
bool snapshot_evict(struct vmem *m);

/* --- snapshot_clone.c: VMs made from another's snapshot, whose pages and tables they share */

/* A clone needs this snapshot of m, until snapshot_unhold(). m's lock. */
void snapshot_hold(struct vmem *m, struct snapshot *snapshot);
void snapshot_unhold(struct vmem *m, struct snapshot *snapshot);
/* True when a VM of from's shape fits the spare slot m. Reads nothing that changes. */
bool snapshot_clone_fits(const struct vmem *m, const struct vmem *from);
/*
 * The empty slot m has from now on the memory of `source`, which is held and one of from's; `part_count` parts, as they are now,
 * and this memory become its boot. from's lock is not needed. Cannot fail. [stopped]
 */
void snapshot_clone(struct vmem *m, const struct vmem *from, struct snapshot *source,
		    uint32_t part_count, const struct snapshot_facts *facts);
/*
 * Empty the slot again, at most so many snapshots or nodes at once: true when more is left. No clone may hold one of its snapshots.
 * At the end m holds what vmem_init_spare() left it with, and needs its source no more. [stopped]
 */
bool snapshot_clone_empty(struct vmem *m, uint32_t most);

/* id as in restore. NULL: not there. */
struct snapshot *snapshot_find(struct vmem *m, uint64_t id);
struct snapshot *snapshot_find_name(struct vmem *m, const char name[AV_NAME_SIZE]);
struct snapshot *snapshot_find_request(struct vmem *m, uint64_t request_id);
/* The one with the smallest id >= cursor, or NULL. */
struct snapshot *snapshot_next(struct vmem *m, uint64_t cursor);

/* AV_E_NOT_FOUND, AV_E_EXISTS, AV_E_INVALID (malformed; boot and undo have no name). Empty name:
 * none. */
int snapshot_rename(struct vmem *m, uint64_t id, const char name[AV_NAME_SIZE]);
/* AV_E_NOT_FOUND, AV_E_INVALID (boot and undo). */
int snapshot_pin(struct vmem *m, uint64_t id, bool pinned);

/* The saved state part of that number. */
const void *snapshot_part(const struct vmem *m, const struct snapshot *record, uint32_t part);

/* Facts and page counts; walks the tables the snapshot owns. */
void snapshot_info(struct vmem *m, const struct snapshot *snapshot, struct av_snapshot_info *info);
