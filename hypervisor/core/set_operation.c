/* SPDX-License-Identifier: MIT */
/*
 * set_operation.c - taking, restoring and deleting snapshots of all VMs at once.
 * All VMs are held before the first is looked at, and none runs before the last is done: one cut. Everything is obtained before
 * anything changes; only evictions that a take made room with stay when it fails after all.
 */
#include "core/bug.h"
#include "core/event.h"
#include "core/operation.h"
#include "core/region.h"
#include "core/set.h"
#include "core/string.h"
#include "core/time.h"

/* The control VM is part of no set. */
#define FIRST 1u

/* Nor is a spare slot without a VM. */
static bool is_there(const struct vm *vm)
{
	return vm->state != AV_STATE_EMPTY;
}

static void hold_all(void)
{
	for (unsigned i = FIRST; i < vm_count; i++)
		if (is_there(vms[i]))
			vm_hold(vms[i]);
}

static void release_all(void)
{
	for (unsigned i = FIRST; i < vm_count; i++)
		if (is_there(vms[i]))
			vm_release(vms[i]);
}

static void describe(const struct snapshot_facts *wanted, struct set_facts *facts)
{
	facts->taken = counter_now() - counter_start;
	facts->request_id = wanted->request_id;
	memcpy(facts->name, wanted->name, sizeof(facts->name));
}

/* Of vm; the caller has it held. */
static int prepare(struct vm *vm, const struct snapshot_facts *wanted, struct snapshot **prepared,
		   uint64_t *evicted)
{
	struct snapshot_facts facts;
	uint64_t before;
	int error;

	spin_lock(&vm->lock);
	before = vm->mem.stats.evictions;
	operation_facts(vm, (uint32_t)set_next_id() + 1, &facts);
	memcpy(facts.name, wanted->name, sizeof(facts.name));
	error = snapshot_take_prepare(&vm->mem, &facts, prepared);
	*evicted += vm->mem.stats.evictions - before;
	spin_unlock(&vm->lock);
	return error;
}

static void abandon(struct snapshot *const prepared[AV_VM_MAX], unsigned end)
{
	for (unsigned i = FIRST; i < end; i++) {
		if (!prepared[i])
			continue;
		spin_lock(&vms[i]->lock);
		snapshot_take_abort(&vms[i]->mem, prepared[i]);
		spin_unlock(&vms[i]->lock);
	}
}

static void commit(struct snapshot *const prepared[AV_VM_MAX], uint64_t members[AV_VM_MAX])
{
	for (unsigned i = FIRST; i < vm_count; i++) {
		struct vm *vm = vms[i];

		if (!prepared[i])
			continue;
		spin_lock(&vm->lock);
		members[i] = snapshot_take_commit(&vm->mem, prepared[i]);
		event_add(AV_EVENT_TAKE, vm->index, members[i], 0, prepared[i]->name);
		spin_unlock(&vm->lock);
	}
}

/* A new one; what its making costs is told. */
static struct set *make_for(const struct snapshot_facts *wanted, struct set_result *result)
{
	const struct set *undo = set_find(AV_SNAPSHOT_UNDO);
	struct set_facts facts;
	struct set *set;

	describe(wanted, &facts);
	set = set_make(&facts, NULL);
	if (undo && !set_find(AV_SNAPSHOT_UNDO)) {
		result->evicted++;
		event_add(AV_EVENT_EVICT, AV_VM_NONE, AV_SNAPSHOT_UNDO, 0, NULL);
	}
	return set;
}

static int take_held(const struct snapshot_facts *wanted, struct set_result *result)
{
	struct snapshot *prepared[AV_VM_MAX] = {NULL};
	uint64_t members[AV_VM_MAX];
	struct set *set = NULL;
	unsigned end = FIRST;
	int error = AV_OK;

	for (; end < vm_count; end++) {
		if (!is_there(vms[end]))
			continue;
		error = prepare(vms[end], wanted, &prepared[end], &result->evicted);
		if (error) {
			result->vm = end;
			break;
		}
	}
	if (!error) {
		set = make_for(wanted, result);
		error = set ? AV_OK : AV_E_EXHAUSTED;
	}
	if (error) {
		abandon(prepared, end);
		return error;
	}
	for (unsigned i = 0; i < AV_VM_MAX; i++)
		members[i] = AV_SNAPSHOT_NONE;
	commit(prepared, members);
	set_append(set, members);
	result->id = set_id(set);
	return AV_OK;
}

/* What a take lacks can be had by giving up a set, and one went. */
static bool make_room(int error, struct set_result *result)
{
	const struct vm *vm = result->vm == AV_VM_NONE ? NULL : vms[result->vm];

	if (error == AV_E_EXHAUSTED ? !set_could_fit()
				    : error != AV_E_LIMIT && error != AV_E_NO_MEMORY)
		return false;
	if (!set_evict(vm))
		return false;
	result->evicted++;
	return true;
}

int set_take(const struct snapshot_facts *wanted, struct set_result *result)
{
	uint64_t start;
	int error;

	result->vm = AV_VM_NONE;
	if (set_name_taken(wanted->name))
		return AV_E_EXISTS;
	do {
		result->vm = AV_VM_NONE;
		start = counter_now();
		hold_all();
		error = set_full() ? AV_E_LIMIT : take_held(wanted, result);
		release_all();
		result->held_ticks = counter_now() - start;
	} while (error && make_room(error, result));
	return error;
}

/* All VMs go back: what their peers have rung since is of a time that is no more. */
static void forget_bells(const struct vm *vm)
{
	spin_lock(&region_lock);
	for (unsigned n = region_next(vm->regions, 0); n < AV_REGION_NUMBERS;
	     n = region_next(vm->regions, n + 1))
		region_member_of(n, vm)->pending = 0;
	spin_unlock(&region_lock);
}

/* Every VM's `undo` is of the restore that kept this one: AV_OK, or whose is not. */
static int undo_is_whole(const struct set *undo, struct set_result *result)
{
	int error = AV_OK;

	for (unsigned i = FIRST; i < vm_count && !error; i++) {
		if (set_member(undo, i) == AV_SNAPSHOT_NONE)
			continue;
		spin_lock(&vms[i]->lock);
		if (!vms[i]->mem.undo || vms[i]->mem.undo->set != set_undo_mark(undo)) {
			result->vm = i;
			error = AV_E_NOT_FOUND;
		}
		spin_unlock(&vms[i]->lock);
	}
	return error;
}

static void restore_held(struct set *target, uint64_t flags, struct set_result *result)
{
	static const struct snapshot_facts nameless;
	struct set *undo = NULL;
	struct set_facts facts;
	uint32_t mark = 0;

	if (flags & AV_RESTORE_UNDO) {
		describe(&nameless, &facts);
		undo = set_make(&facts, target);
		mark = undo ? set_new_mark(undo) : 0;
	}
	result->regions_gone = set_put_back(target);
	for (unsigned i = FIRST; i < vm_count; i++)
		if (set_member(target, i) != AV_SNAPSHOT_NONE)
			forget_bells(vms[i]);
	for (unsigned i = FIRST; i < vm_count; i++) {
		uint64_t member = set_member(target, i);
		struct operation_result one = {0};

		if (member == AV_SNAPSHOT_NONE) /* made since: it goes on */
			continue;
		BUG_ON(operation_restore_held(vms[i], member, flags, mark, &one));
		result->undo_skipped |= one.undo_skipped;
		if (undo)
			set_add_undo(undo, i);
	}
	set_let_go(target);
	if (!(flags & AV_RESTORE_UNDO))
		return;
	result->undo_skipped |= !undo;
	set_keep_undo(undo);
}

int set_restore(uint64_t id, uint64_t flags, struct set_result *result)
{
	uint64_t start = counter_now();
	struct set *target = set_find(id);
	int error = target ? AV_OK : AV_E_NOT_FOUND;

	result->vm = AV_VM_NONE;
	if (error)
		return error;
	hold_all();
	if (set_id(target) == AV_SNAPSHOT_UNDO)
		error = undo_is_whole(target, result);
	if (!error) {
		result->id = set_id(target);
		restore_held(target, flags, result);
	}
	release_all();
	result->held_ticks = counter_now() - start;
	for (unsigned i = FIRST; i < vm_count; i++)
		operation_feed(vms[i]);
	return error;
}

static struct snapshot *part_of(const struct set *set, unsigned i)
{
	uint64_t member = set_member(set, i);

	return member == AV_SNAPSHOT_NONE ? NULL : snapshot_find(&vms[i]->mem, member);
}

static int all_may_go(const struct set *set, struct set_result *result)
{
	int error = AV_OK;

	for (unsigned i = FIRST; i < vm_count && !error; i++) {
		const struct snapshot *part;

		spin_lock(&vms[i]->lock);
		part = part_of(set, i);
		if (part && (part->pinned || part->clones)) {
			result->vm = i;
			error = part->pinned ? AV_E_PINNED : AV_E_IN_USE;
		}
		spin_unlock(&vms[i]->lock);
	}
	return error;
}

static void delete_part(struct vm *vm, const struct set *set, bool evicted)
{
	struct snapshot *part;
	uint64_t id;

	spin_lock(&vm->lock);
	part = part_of(set, vm->index);
	if (part) {
		id = part->id;
		snapshot_delete_part(&vm->mem, part, evicted);
		if (!evicted)
			event_add(AV_EVENT_DELETE, vm->index, id, 0, NULL);
		/* A VM without frames waits for exactly this. */
		while (vm->state == AV_STATE_STARVED && !frame_available(&vm->mem.budget))
			if (!vmem_reap(&vm->mem, 64))
				break;
	}
	spin_unlock(&vm->lock);
	operation_feed(vm);
}

static void delete_all(struct set *set, bool evicted)
{
	for (unsigned i = FIRST; i < vm_count; i++)
		if (set_member(set, i) != AV_SNAPSHOT_NONE)
			delete_part(vms[i], set, evicted);
	set_free(set);
}

int set_delete(uint64_t id, struct set_result *result)
{
	struct set *set = set_find(id);
	int error;

	result->vm = AV_VM_NONE;
	if (!set)
		return AV_E_NOT_FOUND;
	result->id = set_id(set);
	if (result->id == AV_SNAPSHOT_UNDO) {
		set_keep_undo(NULL);
		return AV_OK;
	}
	error = all_may_go(set, result);
	if (error)
		return error;
	delete_all(set, false);
	return AV_OK;
}

/* A VM that refuses evictions is in it. */
static bool is_refused(const struct set *set)
{
	for (unsigned i = FIRST; i < vm_count; i++)
		if (set_member(set, i) != AV_SNAPSHOT_NONE && vms[i]->mem.refuse)
			return true;
	return false;
}

bool set_evict(const struct vm *vm)
{
	struct set_result why;

	for (struct set *set = set_next(0); set; set = set_next(set_id(set) + 1)) {
		if (vm && set_member(set, vm->index) == AV_SNAPSHOT_NONE)
			continue;
		if (is_refused(set) || all_may_go(set, &why))
			continue;
		event_add(AV_EVENT_EVICT, AV_VM_NONE, set_id(set), 0, NULL);
		delete_all(set, true);
		return true;
	}
	return false;
}
