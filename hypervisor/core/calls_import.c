/* SPDX-License-Identifier: MIT */
/*
 * calls_import.c - SNAPSHOT_SHAPE, SNAPSHOT_PLACE and IMPORT_*: what a snapshot needs to go to a file and to come back.
 * EL2 reads no file: it says where pages and state are in the machine's memory, and looks at what was put there before
 * any vCPU can get it. One import at a time in the machine.
 */
#include "arch/features.h"
#include "arch/sysreg.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/operation.h"
#include "core/snapshot_index.h"
#include "core/string.h"
#include "core/time.h"
#include "mm/import.h"
#include "mm/node.h"

static bool is_control(const struct call *call)
{
	return call->target->flags & AV_VM_FLAG_CONTROL;
}

int call_SNAPSHOT_SHAPE(struct call *call)
{
	const struct vm *vm = call->target;
	uint64_t room = call->in.args[2];
	struct av_snapshot_shape shape;

	if (is_control(call))
		return AV_E_DENIED;
	memset(&shape, 0, sizeof(shape));
	shape.ram_base = vm->mem.ram_base;
	shape.ram_size = vm->mem.ram_size;
	shape.vcpu_count = vm->vcpu_count;
	shape.flags = vm->flags & AV_VM_FLAG_FLASH;
	shape.part_count = vm->part_count;
	shape.counter_hz = counter_hz;
	shape.clock_origin = clock_origin;
	shape.midr = sysreg_read(midr_el1);
	shape.ctr = sysreg_read(ctr_el0);
	memcpy(shape.id, features.id, sizeof(shape.id));
	return call_give(call, call->in.args[1], room, &shape, sizeof(shape));
}

int call_SNAPSHOT_PLACE(struct call *call)
{
	struct vm *vm = call->target;
	uint64_t id = call->in.args[1], number = call->in.args[2], room = call->in.args[4];
	struct snapshot *snapshot;
	struct av_part_place place;

	if (is_control(call))
		return AV_E_DENIED;
	if (number >= vm->part_count)
		return AV_E_NOT_FOUND;
	memset(&place, 0, sizeof(place));
	for (unsigned i = 0; i + 1 < sizeof(place.name) && vm->parts[number].name[i]; i++)
		place.name[i] = vm->parts[number].name[i];
	place.size = vm->parts[number].size;
	spin_lock(&vm->lock);
	snapshot = id == AV_SNAPSHOT_IMPORT ? vm->mem.import : snapshot_find(&vm->mem, id);
	if (snapshot)
		place.pa = ptr_pa(snapshot_part(&vm->mem, snapshot, (uint32_t)number)).value;
	spin_unlock(&vm->lock);
	if (!snapshot)
		return AV_E_NOT_FOUND;
	call->results[1] = vm->part_count;
	return call_give(call, call->in.args[3], room, &place, sizeof(place));
}

/* The operation lock is held. */
static bool drop_all(void)
{
	bool dropped = false;

	for (unsigned i = 0; i < vm_count; i++) {
		spin_lock(&vms[i]->lock);
		dropped = vmem_import_drop(&vms[i]->mem) || dropped;
		spin_unlock(&vms[i]->lock);
	}
	return dropped;
}

int call_IMPORT_BEGIN(struct call *call)
{
	struct vm *vm = call->target;
	int error;

	if (is_control(call))
		return AV_E_DENIED;
	if (!call_operation_begin(call->vcpu))
		return CALL_NO_RETURN;
	drop_all();
	spin_lock(&vm->lock);
	error = vmem_import_begin(&vm->mem);
	spin_unlock(&vm->lock);
	call_operation_end();
	return error;
}

int call_IMPORT_PAGES(struct call *call)
{
	struct vm *vm = call->target;
	struct av_page_run runs[AV_PAGE_RUNS];
	uint32_t count = 0;
	int error;

	if (is_control(call))
		return AV_E_DENIED;
	/* The buffer is the caller's, who has one vCPU: what can be written now can be written then. */
	memset(runs, 0, sizeof(runs));
	error = call_write(call, call->in.args[3], runs, sizeof(runs));
	if (error)
		return error;
	if (!call_operation_begin(call->vcpu))
		return CALL_NO_RETURN;
	spin_lock(&vm->lock);
	error = vmem_import_pages(&vm->mem, call->in.args[1], call->in.args[2], runs, &count,
				  &call->results[1]);
	spin_unlock(&vm->lock);
	call_operation_end();
	if (error)
		return error;
	call->results[0] = count;
	return call_write(call, call->in.args[3], runs, count * sizeof(runs[0]));
}

static int read_import(struct call *call, struct av_import *import)
{
	bool done;

	if (call->in.args[2] < sizeof(*import))
		return AV_E_INVALID;
	spin_lock(&call->caller->lock);
	done = guest_read(call->caller, call->in.args[1], import, sizeof(*import));
	spin_unlock(&call->caller->lock);
	if (!done)
		return AV_E_BAD_ADDRESS;
	return import->reserved || import->state > AV_STATE_STOPPED ? AV_E_INVALID : AV_OK;
}

int call_IMPORT_COMMIT(struct call *call)
{
	struct vm *vm = call->target;
	struct snapshot_facts facts;
	struct av_import import;
	uint32_t part = 0;
	int error;

	if (is_control(call))
		return AV_E_DENIED;
	error = read_import(call, &import);
	if (error)
		return error;
	if (!call_operation_begin(call->vcpu))
		return CALL_NO_RETURN;
	memset(&facts, 0, sizeof(facts));
	memcpy(facts.name, import.name, sizeof(facts.name));
	facts.state = import.state;
	facts.vm_time = import.vm_ticks;
	facts.taken = counter_now();
	spin_lock(&vm->lock);
	error = vmem_import_commit(&vm->mem, &facts, &call->results[0], &part);
	if (!error)
		event_add(AV_EVENT_IMPORT, vm->index, call->results[0], 0, facts.name);
	spin_unlock(&vm->lock);
	call_operation_end();
	if (error == AV_E_INTEGRITY)
		call->results[0] = part;
	return error;
}

int call_IMPORT_ABORT(struct call *call)
{
	if (!call_operation_begin(call->vcpu))
		return CALL_NO_RETURN;
	call->results[0] = drop_all();
	call_operation_end();
	return AV_OK;
}
