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

/* caller: the vCPU that asks for its own VM and gets registers written, or NULL. */
int operation_take(struct vm *vm, const struct snapshot_facts *facts, struct vcpu *caller,
		   struct operation_result *result);
int operation_restore(struct vm *vm, uint64_t id, uint64_t flags, struct operation_result *result);
int operation_restart(struct vm *vm, uint64_t flags, struct operation_result *result);
int operation_start(struct vm *vm, uint64_t flags, struct operation_result *result);
int operation_pause(struct vm *vm);
int operation_resume(struct vm *vm);
int operation_stop(struct vm *vm);
int operation_crash(struct vm *vm, const char *reason);

/* The guest asked for a reset: a restart, or crashed when it does nothing else (10 in 10 s). */
void operation_reset(struct vm *vm);

void operation_restart_control(struct vm *vm);

/* A starved VM may have frames again: let it try. VM's lock not held. */
void operation_feed(struct vm *vm);
