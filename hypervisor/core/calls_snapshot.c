/* SPDX-License-Identifier: MIT */
/* calls_snapshot.c - the snapshot and memory calls of hypercalls.def. */
#include "core/event.h"
#include "core/guest_copy.h"
#include "core/log.h"
#include "core/hypercall.h"
#include "core/operation.h"
#include "core/region.h"
#include "core/set.h"
#include "core/string.h"
#include "core/time.h"
#include "core/vcpu.h"
#include "mm/frame.h"

static bool is_control_vm(const struct vm *vm)
{
	return vm->flags & AV_VM_FLAG_CONTROL;
}

int call_read_name(struct call *call, uint64_t address, char name[AV_NAME_SIZE])
{
	bool done;

	name[0] = '\0';
	if (!address)
		return AV_OK;
	spin_lock(&call->caller->lock);
	done = guest_read(call->caller, address, name, AV_NAME_SIZE);
	spin_unlock(&call->caller->lock);
	return done ? AV_OK : AV_E_BAD_ADDRESS;
}

static bool already_taken(struct call *call, uint64_t request_id)
{
	struct snapshot *found;

	if (!request_id)
		return false;
	spin_lock(&call->target->lock);
	found = snapshot_find_request(&call->target->mem, request_id);
	if (found)
		call->results[0] = found->id;
	spin_unlock(&call->target->lock);
	call->results[1] = AV_TAKE_FOUND;
	return found;
}

/* What the take lacks can be had by giving up a set snapshot, which the control VM alone may, and one went. */
static bool make_room(struct call *call, int error, struct operation_result *result)
{
	if (!is_control_vm(call->caller) || (error != AV_E_LIMIT && error != AV_E_NO_MEMORY))
		return false;
	if (!set_evict(call->target))
		return false;
	result->evicted++;
	return true;
}

int call_SNAPSHOT_TAKE(struct call *call)
{
	struct snapshot_facts facts;
	struct operation_result result = {0};
	bool self = call->target == call->caller;
	int error;

	if (is_control_vm(call->target))
		return AV_E_DENIED;
	if (call->in.args[3])
		return AV_E_INVALID;
	facts.name[0] = '\0';
	if (call->in.args[1]) {
		error = call_read_name(call, call->in.args[1], facts.name);
		if (error)
			return error;
	}
	facts.request_id = call->in.args[2];
	if (already_taken(call, facts.request_id))
		return AV_OK;
	call->results[1] = 0;
	if (!call_operation_begin(call->vcpu))
		return CALL_NO_RETURN;
	do
		error = operation_take(call->target, &facts, self ? call->vcpu : NULL, &result);
	while (error && make_room(call, error, &result));
	if (!error && self) {
		call_operation_end();
		return CALL_NO_RETURN; /* written already: a restore shows the same registers */
	}
	call->results[0] = result.id;
	call->results[1] = result.evicted;
	call->results[2] = ticks_to_ns(result.held_ticks);
	return call_end_with(call, error);
}

int call_SNAPSHOT_RESTORE(struct call *call)
{
	struct operation_result result = {0};
	uint64_t flags = call->in.args[2];
	int error;

	if (is_control_vm(call->target))
		return AV_E_DENIED;
	if (flags & ~(uint64_t)(AV_RESTORE_PAUSED | AV_RESTORE_UNDO))
		return AV_E_INVALID;
	if (flags & AV_RESTORE_UNDO && !is_control_vm(call->caller))
		return AV_E_DENIED;
	if (!call_operation_begin(call->vcpu))
		return CALL_NO_RETURN;
	error = operation_restore(call->target, call->in.args[1], flags, &result);
	if (!error && call->target == call->caller) {
		call_operation_end();
		return CALL_NO_RETURN;
	}
	call->results[0] = result.id;
	call->results[1] = result.generation | (result.undo_skipped ? AV_RESTORE_UNDO_SKIPPED : 0);
	call->results[2] = ticks_to_ns(result.held_ticks);
	return call_end_with(call, error);
}

int call_SNAPSHOT_DELETE(struct call *call)
{
	struct vm *vm = call->target;
	struct snapshot *snapshot;
	int error;

	if (!call_operation_begin(call->vcpu))
		return CALL_NO_RETURN;
	spin_lock(&vm->lock);
	snapshot = snapshot_find(&vm->mem, call->in.args[1]);
	call->results[0] = snapshot ? snapshot->id : 0;
	error = snapshot_delete(&vm->mem, call->in.args[1]);
	/* A VM without frames waits for exactly this. */
	while (!error && vm->state == AV_STATE_STARVED && !frame_available(&vm->mem.budget))
		if (!vmem_reap(&vm->mem, 64))
			break;
	spin_unlock(&vm->lock);
	if (!error) {
		event_add(AV_EVENT_DELETE, vm->index, call->results[0], 0, NULL);
		operation_feed(vm);
	}
	call_operation_end();
	return error;
}

int call_SNAPSHOT_INFO(struct call *call)
{
	struct vm *vm = call->target;
	struct av_snapshot_info info;
	struct snapshot *snapshot;
	uint64_t cursor = call->in.args[1], room = call->in.args[3];

	memset(&info, 0, sizeof(info));
	spin_lock(&vm->lock);
	snapshot = cursor >= AV_SNAPSHOT_NONE ? snapshot_find(&vm->mem, cursor)
					      : snapshot_next(&vm->mem, cursor);
	if (snapshot)
		snapshot_info(&vm->mem, snapshot, &info);
	spin_unlock(&vm->lock);
	if (!snapshot)
		return AV_E_NOT_FOUND;
	info.taken_ns = ticks_to_ns(info.taken_ns);
	info.vm_time_ns = ticks_to_ns(info.vm_time_ns);
	return call_give(call, call->in.args[2], room, &info, sizeof(info));
}

int call_SNAPSHOT_SET(struct call *call)
{
	struct vm *vm = call->target;
	uint64_t id = call->in.args[1];
	char name[AV_NAME_SIZE];
	int error = AV_E_INVALID;

	if (call->in.args[4])
		return AV_E_INVALID;
	if (call->in.args[2] == AV_SNAPSHOT_SET_NAME) {
		error = call_read_name(call, call->in.args[3], name);
		if (error)
			return error;
		spin_lock(&vm->lock);
		error = snapshot_rename(&vm->mem, id, name);
		spin_unlock(&vm->lock);
	} else if (call->in.args[2] == AV_SNAPSHOT_SET_PINNED && call->in.args[3] <= 1) {
		spin_lock(&vm->lock);
		error = snapshot_pin(&vm->mem, id, call->in.args[3]);
		spin_unlock(&vm->lock);
	}
	call->results[0] = id;
	return error;
}

int call_MEMORY_DRAIN(struct call *call)
{
	struct vm *vm = call->target;
	bool more;

	/* Not running: private tables that only speed up the next restore go too, so that frames can be compared. */
	if (vm->state != AV_STATE_RUNNING && vm != call->caller) {
		if (!call_operation_begin(call->vcpu))
			return CALL_NO_RETURN;
		vm_hold(vm);
		spin_lock(&vm->lock);
		vmem_drain(&vm->mem, true);
		spin_unlock(&vm->lock);
		vm_release(vm);
		operation_feed(vm);
		call_operation_end();
		return AV_OK;
	}
	/* In slices: a long list must not keep this CPU; the instruction runs again while there is more. */
	spin_lock(&vm->lock);
	more = vmem_reap(&vm->mem, 256);
	spin_unlock(&vm->lock);
	if (more) {
		vcpu_again(call->vcpu);
		return CALL_NO_RETURN;
	}
	return AV_OK;
}

int call_AUDIT(struct call *call)
{
	struct vm *vm = call->target;
	const char *why = "";
	int error;

	if (is_control_vm(vm))
		return AV_E_DENIED;
	if (!call_operation_begin(call->vcpu))
		return CALL_NO_RETURN;
	spin_lock(&vm->lock);
	error = vmem_audit(&vm->mem, &why);
	call->results[0] = vm->mem.budget.used;
	spin_unlock(&vm->lock);
	if (!error)
		error = region_audit(&why);
	call_operation_end();
	if (error)
		log_line("%s: audit: %s", vm->name, why);
	return error;
}
