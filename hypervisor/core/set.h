/* SPDX-License-Identifier: MIT */
/*
 * set.h - snapshots of a whole set: one of each VM but the control VM, and what the shared regions held, all of one moment.
 *
 * A set snapshot is there as a whole or not at all: its parts, ordinary snapshots of their VMs, carry its number + 1 in
 * snapshot.set and can neither be deleted nor given up by themselves. The contents of regions lie in frames of their own budget
 * (`machine: {sets: ...}`), so no VM pays for another. `undo` is one more, kept by a restore of a set: contents of regions alone,
 * whose number stands in the `undo` of each VM. It is the first to go.
 *
 * All of it needs op_lock; what is marked [held] also all those VMs held.
 */
#pragma once
#include <avisor/hypercall.h>
#include <avisor/manifest.h>
#include "core/snapshot.h"

#define SET_MAX 64

struct set;
struct vm;

/* Boot, behind the VMs: their memory. */
void set_init(void);

void set_counts(struct av_machine_info *info);

/* id: a number, AV_SNAPSHOT_LATEST or _UNDO; NULL. */
struct set *set_find(uint64_t id);
struct set *set_find_request(uint64_t request_id);
/* With the smallest number >= cursor, or NULL. */
struct set *set_next(uint64_t cursor);
bool set_name_taken(const char name[AV_NAME_SIZE]);
uint64_t set_id(const struct set *set);
/* Times in ticks. */
void set_describe(const struct set *set, struct av_set_info *info);

struct set_result {
	uint64_t id;
	uint64_t evicted;
	uint64_t regions_gone;
	uint64_t held_ticks;
	uint32_t vm; /* with an error: the VM that refused, or AV_VM_NONE */
	bool undo_skipped;
};

/* name, request id of the set; its parts have the name, too. AV_E_* as SET_TAKE has them. */
int set_take(const struct snapshot_facts *wanted, struct set_result *result);
int set_restore(uint64_t id, uint64_t flags, struct set_result *result);
int set_delete(uint64_t id, struct set_result *result);
/*
 * Give up the oldest set snapshot as a whole: one with a part of vm (NULL: any) of which no part is pinned, held by a clone or of a
 * VM that refuses evictions. Each part is reported as one. Only for who may act on all VMs: a guest that fills its own memory must
 * not cost its neighbours theirs. False: there is none.
 */
bool set_evict(const struct vm *vm);

/* --- set.c, for set_operation.c */

struct set_facts {
	uint64_t taken; /* ticks */
	uint64_t request_id;
	char name[AV_NAME_SIZE];
};

/* The number the next one gets. */
uint64_t set_next_id(void);
/* An empty table and empty memory would have room for one more, with the regions there are. */
bool set_could_fit(void);
/* There are as many as there may be. */
bool set_full(void);
/*
 * A new one with what the regions hold now [held], not listed yet. Undo goes if there is no room else, unless it is `keep`. NULL:
 * there is no room (AV_E_EXHAUSTED).
 */
struct set *set_make(const struct set_facts *facts, const struct set *keep);
/* List it, with its parts by VM index. */
void set_append(struct set *set, const uint64_t members[AV_VM_MAX]);
/* It will be undo: the mark that the VMs' `undo` get. */
uint32_t set_new_mark(struct set *set);
/* The `undo` of that VM is part of it. */
void set_add_undo(struct set *set, uint32_t vm);
/* It is undo from now on; the former one goes. NULL: there is none any more. */
void set_keep_undo(struct set *set);
/* The mark of undo. */
uint32_t set_undo_mark(const struct set *set);
/* AV_SNAPSHOT_NONE: the VM is not in it. */
uint64_t set_member(const struct set *set, uint32_t vm);
/* Some set has a snapshot of this VM. */
bool set_has_vm(uint32_t vm);
/*
 * Put the regions' contents back [held]; how many of them are no more. Those that are stay until set_let_go(), so that it does
 * not matter in which order VMs leave and join them.
 */
uint64_t set_put_back(const struct set *set);
void set_let_go(const struct set *set);
/* Unlist it and give its frames back. */
void set_free(struct set *set);
