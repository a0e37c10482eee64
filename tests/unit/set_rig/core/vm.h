/* SPDX-License-Identifier: MIT */
/* vm.h - of a VM, what snapshots of a set look at: it stands in for hypervisor/core/vm.h in test_set.c. */
#pragma once
#include <arch/lock.h>
#include <avisor/manifest.h>
#include "vm_rig.h"

struct vcpu;

struct vm {
	struct spinlock lock;
	uint64_t regions[2]; /* attached to, by number */
	struct rig_vm *rig;  /* NULL: the control VM */
	uint32_t index;
	uint32_t state;
	bool held;
};

/* The engine's half of a rig's VM. */
#define mem rig->m

extern struct vm *vms[AV_VM_MAX + 1];
extern unsigned vm_count;

void vm_hold(struct vm *vm);
void vm_release(struct vm *vm);
