/* SPDX-License-Identifier: MIT */
/*
 * clone.c - VMs made from other VMs' snapshots, in spare slots, and removed again. The snapshot is held meanwhile and only read:
 * the VM it is of may run, and never notices. Must never leave anything of one clone for the next one in its slot.
 */
#include "arch/mem.h"
#include "core/bug.h"
#include "core/devices.h"
#include "core/event.h"
#include "core/log.h"
#include "core/operation.h"
#include "core/region.h"
#include "core/string.h"
#include "core/time.h"
#include "core/vm_state.h"

#define SLICE 256 /* snapshots or tables of a removed VM given back at once */
#define INHERITED (AV_VM_FLAG_CLOCK_FOLLOW | AV_VM_FLAG_REFUSE | AV_VM_FLAG_NO_SHM)

static int hold_source(struct vm *from, uint64_t id, const struct vm *slot,
		       struct snapshot **source)
{
	int error = AV_E_NOT_FOUND;

	spin_lock(&from->lock);
	*source = snapshot_find(&from->mem, id);
	if (*source) {
		error = from->flash || from->vcpu_count > slot->slot->vcpu_count ||
					!snapshot_clone_fits(&slot->mem, &from->mem)
				? AV_E_LIMIT
				: AV_OK;
	}
	if (!error)
		snapshot_hold(&from->mem, *source);
	spin_unlock(&from->lock);
	return error;
}

/* What the slot's former VM counted, and what the new one inherits. */
static void begin(struct vm *vm, const struct vm *from, const char name[AV_NAME_SIZE])
{
	memcpy(vm->name, name, sizeof(vm->name));
	vm->manifest = from->manifest;
	vm->flags = AV_VM_FLAG_SPARE | (from->flags & INHERITED);
	vm->slice = from->slice;
	vm->vcpu_count = from->vcpu_count;
	vm_placed(vm);
	vm->part_count = vm_state_count(vm->vcpu_count);
	vm->mem.refuse = from->mem.refuse;
	vm->mem.snapshot_keep = from->mem.snapshot_keep < vm->mem.index_mask + 1
					? from->mem.snapshot_keep
					: vm->mem.index_mask + 1;
	if (vm->flags & AV_VM_FLAG_CLOCK_FOLLOW)
		vm->cntvoff = from->cntvoff;
	/* Greater than any its guest can have seen, and than any the slot has had: the identity is new, too. */
	if (vm->generation < from->generation)
		vm->generation = from->generation;
	vm->restart_count = 0;
	vm->restore_ticks = 0;
	vm->reset_next = 0;
	vm->ending = false;
	memset(&vm->stats, 0, sizeof(vm->stats));
	memset(&vm->mem.stats, 0, sizeof(vm->mem.stats));
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		memset(vm->vcpus[i].exits, 0, sizeof(vm->vcpus[i].exits));
		vm->vcpus[i].cpu_ticks = 0;
	}
}

int operation_clone(struct vm *from, uint64_t id, struct vm *vm, const char name[AV_NAME_SIZE],
		    uint64_t flags, struct operation_result *result)
{
	struct snapshot_facts facts;
	struct snapshot *source;
	uint64_t start = counter_now();
	int error = hold_source(from, id, vm, &source);

	if (error)
		return error;
	vm_hold(vm);
	spin_lock(&vm->lock);
	BUG_ON(vm->state != AV_STATE_EMPTY || vm->mem.source || region_any(vm));
	begin(vm, from, name);
	vm->source = from;
	event_add(AV_EVENT_CLONE, vm->index, from->index, source->id, vm->name);
	vm_state_adopt(vm, from, source);
	facts.request_id = 0;
	facts.set = 0;
	facts.name[0] = '\0';
	facts.taken = start - counter_start;
	facts.vm_time = source->vm_time;
	facts.state = source->state;
	snapshot_clone(&vm->mem, &from->mem, source, vm->part_count, &facts);
	operation_restored(vm, flags & AV_RESTORE_PAUSED ? AV_STATE_PAUSED : AV_STATE_RUNNING);
	result->id = source->id;
	result->generation = vm->generation;
	spin_unlock(&vm->lock);
	vm_release(vm);
	result->held_ticks = counter_now() - start;
	log_vm(vm, "made from snapshot %ld of %s", (long)result->id, from->name);
	return AV_OK;
}

/* The slot is empty from here on, whatever it still holds. */
static void retire(struct vm *vm)
{
	vm_hold(vm);
	devices_flush_output(vm);
	region_leave(vm);
	spin_lock(&vm->lock);
	log_vm(vm, "removed");
	event_add(AV_EVENT_REMOVE, vm->index, 0, 0, vm->name);
	vm_clock_stop(vm);
	vm->state = AV_STATE_EMPTY;
	vm->manifest = vm->slot;
	vm->flags = vm->slot->flags;
	memcpy(vm->name, vm->slot->name, sizeof(vm->name));
	vm->vcpu_count = vm->slot->vcpu_count;
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		vm->vcpus[i].power = VCPU_OFF;
		vm->vcpus[i].waiting = 0;
	}
	__atomic_store_n(&vm->requests, 0, __ATOMIC_RELEASE);
	spin_unlock(&vm->lock);
	vm_release(vm);
}

bool operation_remove(struct vm *vm)
{
	struct snapshot *source = vm->mem.source;
	bool more;

	if (vm->state != AV_STATE_EMPTY)
		retire(vm);
	spin_lock(&vm->lock);
	more = snapshot_clone_empty(&vm->mem, SLICE);
	spin_unlock(&vm->lock);
	if (more)
		return true;
	spin_lock(&vm->source->lock);
	snapshot_unhold(&vm->source->mem, source);
	spin_unlock(&vm->source->lock);
	vm->source = NULL;
	return false;
}
