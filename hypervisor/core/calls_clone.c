/* SPDX-License-Identifier: MIT */
/* calls_clone.c - VM_CLONE and VM_REMOVE. Only the control VM makes them, one at a time: names and slots do not change meanwhile. */
#include "core/hypercall.h"
#include "core/operation.h"
#include "core/set.h"
#include "core/snapshot_index.h"
#include "core/string.h"
#include "core/time.h"
#include "core/vcpu.h"

/* A VM's or a slot's, whether it is in use or not. */
static bool is_taken(const char name[AV_NAME_SIZE])
{
	for (unsigned i = 0; i < vm_count; i++)
		if (!memcmp(vms[i]->name, name, AV_NAME_SIZE) ||
		    (vms[i]->slot && !memcmp(vms[i]->slot->name, name, AV_NAME_SIZE)))
			return true;
	return false;
}

/* There has to be one. */
static int read_name(struct call *call, uint64_t address, char name[AV_NAME_SIZE])
{
	int error = address ? call_read_name(call, address, name) : AV_E_BAD_ADDRESS;

	if (error)
		return error;
	if (!name[0] || name[AV_NAME_SIZE - 1] || !snapshot_name_valid(name))
		return AV_E_INVALID;
	return is_taken(name) ? AV_E_EXISTS : AV_OK;
}

static int find_slot(uint64_t index, struct vm **slot)
{
	if (index >= vm_count || !vms[index]->slot)
		return AV_E_INVALID;
	*slot = vms[index];
	return (*slot)->state == AV_STATE_EMPTY ? AV_OK : AV_E_WRONG_STATE;
}

/* The instruction is made again, after others had the CPU. */
static int again(struct call *call)
{
	call_operation_end();
	vcpu_again(call->vcpu);
	return CALL_NO_RETURN;
}

int call_VM_CLONE(struct call *call)
{
	struct operation_result result = {0};
	uint64_t id = call->in.args[1], flags = call->in.args[4];
	char name[AV_NAME_SIZE];
	struct vm *slot;
	int error;

	if (call->target->flags & AV_VM_FLAG_CONTROL)
		return AV_E_DENIED;
	if (flags & ~(uint64_t)AV_RESTORE_PAUSED || id == AV_SNAPSHOT_UNDO)
		return AV_E_INVALID;
	error = read_name(call, call->in.args[2], name);
	if (!error)
		error = find_slot(call->in.args[3], &slot);
	if (error)
		return error;
	if (!call_operation_begin(call->vcpu))
		return CALL_NO_RETURN;
	/* A removal that did not come to its end, because the control VM was restarted. */
	if (slot->mem.source && operation_remove(slot))
		return again(call);
	error = operation_clone(call->target, id, slot, name, flags, &result);
	call->results[0] = result.id;
	call->results[1] = result.generation;
	call->results[2] = ticks_to_ns(result.held_ticks);
	return call_end_with(call, error);
}

int call_VM_REMOVE(struct call *call)
{
	struct vm *vm = call->target;

	if (!vm->slot)
		return AV_E_DENIED;
	if (vm->mem.clone_count || set_has_vm(vm->index))
		return AV_E_IN_USE;
	if (!call_operation_begin(call->vcpu))
		return CALL_NO_RETURN;
	if (operation_remove(vm))
		return again(call);
	call->results[0] = vm->index;
	return call_end_with(call, AV_OK);
}
