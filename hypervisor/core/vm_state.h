/* SPDX-License-Identifier: MIT */
/* vm_state.h - the pieces of a VM's state besides RAM, in one table: what a snapshot saves and a restore, or a restart, loads. */
#pragma once
#include "core/vm.h"

/* Fill vm->parts. The devices and vCPUs exist. */
void vm_state_parts(struct vm *vm);

/* What a saved part (its number as in vm->parts) says, for who compares snapshots. */
void vm_state_describe(const struct vm *vm, uint32_t part, const void *saved, struct av_state_part *to);
