/* SPDX-License-Identifier: MIT */
/* vm_state.h - the pieces of a VM's state besides RAM, in one table: what a snapshot saves and a restore, or a restart, loads. */
#pragma once
#include "core/vm.h"

/* Fill vm->parts. The devices and vCPUs exist. */
void vm_state_parts(struct vm *vm);

/* How many parts a VM of so many vCPUs without flash has. */
uint32_t vm_state_count(unsigned vcpus);
/*
 * vm, of the same shape as `from`, without flash, gets the state that from's snapshot has, but for the regions: it is in none.
 * Clock stopped, vCPUs off the CPUs. Locks: vm's; the snapshot is held.
 */
void vm_state_adopt(struct vm *vm, const struct vm *from, const struct snapshot *snapshot);

/*
 * For who compares snapshots: the items that the parts are made of, "gic", "clock", "vcpu" and the like, how many there
 * are, which part (its number as in vm->parts; part_count: no such item) has one, and what it says in a saved part.
 */
uint32_t vm_state_items(const struct vm *vm);
uint32_t vm_state_part_of(const struct vm *vm, uint64_t number);
void vm_state_describe(const struct vm *vm, uint64_t number, const void *saved, struct av_state_part *to);
