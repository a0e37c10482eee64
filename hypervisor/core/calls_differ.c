/* SPDX-License-Identifier: MIT */
/*
 * calls_differ.c - SNAPSHOT_DIFF and SNAPSHOT_STATE: what two snapshots, or one and the VM as it is, differ in.
 * Must never change the VM it looks at: a VM that runs is held for the copy of one part, no longer.
 */
#include <arch/mem.h>
#include "core/hypercall.h"
#include "core/operation.h"
#include "core/string.h"
#include "core/vm_state.h"
#include "mm/differ.h"

/* A part of the live VM; the operation lock's. */
static _Alignas(64) uint8_t live_part[VMEM_PART_SIZE_MAX];

static const uint64_t *root_of(struct vmem *m, uint64_t id)
{
	struct snapshot *snapshot;

	if (id == AV_SNAPSHOT_NONE)
		return arch_zero_page;
	if (id == AV_SNAPSHOT_LIVE)
		return m->root;
	snapshot = snapshot_find(m, id);
	return snapshot ? snapshot->root : NULL;
}

int call_SNAPSHOT_DIFF(struct call *call)
{
	struct vm *vm = call->target;
	struct av_page_run runs[AV_PAGE_RUNS];
	uint64_t cursor = call->in.args[3];
	const uint64_t *a, *b;
	uint32_t count = 0;

	if (vm->flags & AV_VM_FLAG_CONTROL)
		return AV_E_DENIED;
	memset(&runs[0], 0, sizeof(runs[0]));
	spin_lock(&vm->lock);
	a = root_of(&vm->mem, call->in.args[1]);
	b = root_of(&vm->mem, call->in.args[2]);
	if (a && b)
		count = vmem_differ(&vm->mem, a, b, &cursor, runs);
	spin_unlock(&vm->lock);
	if (!a || !b)
		return AV_E_NOT_FOUND;
	call->results[0] = count;
	call->results[1] = cursor;
	/* At least one, so that a bad buffer is told whatever there is to say. */
	return call_write(call, call->in.args[4], runs, (count ? count : 1) * sizeof(runs[0]));
}

/* False: there is no such snapshot. The operation lock is held. */
static bool describe(struct vm *vm, uint64_t id, uint64_t number, struct av_state_part *to)
{
	uint32_t part = vm_state_part_of(vm, number);
	struct snapshot *snapshot;

	if (id == AV_SNAPSHOT_LIVE) {
		vm_hold(vm);
		spin_lock(&vm->lock);
		vm->parts[part].save(vm->parts[part].ctx, live_part);
		spin_unlock(&vm->lock);
		vm_release(vm);
		vm_state_describe(vm, number, live_part, to);
		return true;
	}
	spin_lock(&vm->lock);
	snapshot = snapshot_find(&vm->mem, id);
	if (snapshot)
		vm_state_describe(vm, number, snapshot_part(&vm->mem, snapshot, part), to);
	spin_unlock(&vm->lock);
	return snapshot;
}

int call_SNAPSHOT_STATE(struct call *call)
{
	struct vm *vm = call->target;
	uint64_t number = call->in.args[2], room = call->in.args[4];
	struct av_state_part info;
	bool found;

	if (vm->flags & AV_VM_FLAG_CONTROL)
		return AV_E_DENIED;
	if (number >= vm_state_items(vm))
		return AV_E_NOT_FOUND;
	if (!call_operation_begin(call->vcpu))
		return CALL_NO_RETURN;
	found = describe(vm, call->in.args[1], number, &info);
	call_operation_end();
	if (!found)
		return AV_E_NOT_FOUND;
	call->results[1] = vm_state_items(vm);
	return call_give(call, call->in.args[3], room, &info, sizeof(info));
}
