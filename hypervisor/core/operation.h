/* SPDX-License-Identifier: MIT */
/*
 * operation.h - what is done to a whole VM with its vCPUs stopped: take, restore, restart, pause and the like. The caller holds
 * op_lock and no other lock; the VM may be the caller's own. AV_E_* as in abi/README.md; a failed operation changes nothing.
 */
#pragma once
#include "core/snapshot.h"
#include "core/vm.h"

struct operation_result {
	uint64_t id;
	uint64_t generation;
	uint64_t evicted;
	uint64_t held_ticks;
	bool undo_skipped;
};

/*
 * facts: name and request_id; the others are filled in here. caller: the vCPU that asks for its own VM and gets registers
 * written, or NULL. result is zeroed by who calls; what is evicted adds up.
 */
int operation_take(struct vm *vm, struct snapshot_facts *facts, struct vcpu *caller,
		   struct operation_result *result);
int operation_restore(struct vm *vm, uint64_t id, uint64_t flags, struct operation_result *result);
/* The same for a VM that is held already, as part of something bigger; set: what its undo then belongs to. Feed it afterwards. */
int operation_restore_held(struct vm *vm, uint64_t id, uint64_t flags, uint32_t set,
			   struct operation_result *result);
int operation_restart(struct vm *vm, uint64_t flags, struct operation_result *result);
int operation_start(struct vm *vm, uint64_t flags, struct operation_result *result);
int operation_pause(struct vm *vm);
int operation_resume(struct vm *vm);
int operation_stop(struct vm *vm);
int operation_crash(struct vm *vm, const char *reason);

/* After the state parts are loaded: a new generation, this state, and what else a restore does. VM held and locked. */
void operation_restored(struct vm *vm, uint32_t state);

/* --- clone.c */

/*
 * A VM called name in the empty spare slot, from snapshot id of `from`: AV_E_NOT_FOUND, AV_E_LIMIT (it does not fit the slot).
 * What abi/README.md has besides is the caller's to check.
 */
int operation_clone(struct vm *from, uint64_t id, struct vm *slot, const char name[AV_NAME_SIZE],
		    uint64_t flags, struct operation_result *result);
/*
 * A clone none of whose snapshots has one: it is gone at once, and its frames come back a bounded number at a time: true when
 * there are more, and the call is to be made again. An empty slot: the same for what an earlier call has left.
 */
bool operation_remove(struct vm *vm);

/* The guest asked for a reset: a restart, or crashed when it does nothing else (10 in 10 s). */
void operation_reset(struct vm *vm);

void operation_restart_control(struct vm *vm);

/* What there is to say of its present state, without name and request id; part of that set, or 0. */
void operation_facts(const struct vm *vm, uint32_t set, struct snapshot_facts *facts);

/* A starved VM may have frames again: let it try. VM's lock not held. */
void operation_feed(struct vm *vm);
