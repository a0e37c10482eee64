/* SPDX-License-Identifier: MIT */
/* operation.c - whole-VM operations. Each one holds the VM, prepares, commits, releases; only the commit changes anything. */
#include "core/operation.h"
#include "core/bug.h"
#include "core/clock.h"
#include "core/devices.h"
#include "core/event.h"
#include "core/log.h"
#include "core/region.h"
#include "core/sched.h"
#include "core/string.h"
#include "core/time.h"
#include "core/vcpu.h"

#define RESET_LIMIT 10
#define RESET_WINDOW_NS 10000000000u

static inline void add_facts(const struct vm *vm, uint32_t set, struct snapshot_facts *facts)
{
	facts->set = set;
	facts->taken = counter_now() - counter_start;
	facts->vm_time = vm->stopped_at - clock_origin; /* it is held: its clock stands still */
	facts->state = vm->state;
}

void operation_facts(const struct vm *vm, uint32_t set, struct snapshot_facts *facts)
{
	facts->request_id = 0;
	facts->name[0] = '\0';
	add_facts(vm, set, facts);
}

int operation_take(struct vm *vm, struct snapshot_facts *facts, struct vcpu *caller,
		   struct operation_result *result)
{
	struct snapshot *prepared;
	uint64_t start = counter_about(), evictions = vm->mem.stats.evictions;
	int error;

	vm_hold(vm);
	spin_lock(&vm->lock);
	add_facts(vm, 0, facts);
	error = snapshot_take_prepare(&vm->mem, facts, &prepared);
	if (!error) {
		if (caller) {
			/* What this instruction returns, now and after every restore: then with x2 = generation. */
			caller->x[0] = AV_OK;
			caller->x[1] = vm->mem.next_id;
			caller->x[2] = 0;
			caller->x[3] = 0;
			caller->two_timelines = 1;
		}
		result->id = snapshot_take_commit(&vm->mem, prepared);
		if (caller) {
			BUG_ON(caller->x[1] != result->id);
			caller->two_timelines = 0;
		}
		event_add(AV_EVENT_TAKE, vm->index, result->id, 0, facts->name);
	}
	result->evicted += vm->mem.stats.evictions - evictions;
	spin_unlock(&vm->lock);
	vm_release(vm);
	result->held_ticks = counter_about() - start;
	return error;
}

void operation_restored(struct vm *vm, uint32_t state)
{
	vm_new_identity(vm);
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		struct vcpu *vcpu = &vm->vcpus[i];

		if (vcpu->two_timelines) {
			vcpu->two_timelines = 0;
			vcpu->x[2] = vm->generation;
		}
	}
	vm_set_state(vm, state);
	region_restored(vm);
	devices_drop_input(vm);
	if (vconsole_wants_restored(&vm->console))
		__atomic_or_fetch(&vm->requests, REQUEST_RESTORED, __ATOMIC_RELEASE);
}

/* What a VM crashed of goes with the state it belongs to: into `undo`, and out of it. */
static void move_crash(struct vm *vm, bool to_undo, bool from_undo)
{
	struct crash former;

	if (!to_undo && !from_undo)
		return;
	former = vm->undo_crash;
	if (to_undo)
		vm->undo_crash = vm->crash;
	if (from_undo)
		vm->crash = former;
}

static int restore_held(struct vm *vm, uint64_t id, uint64_t flags, uint32_t set,
			enum av_event_kind event, struct operation_result *result)
{
	struct snapshot_facts present;
	struct snapshot_restore plan;
	uint32_t state;
	int error;

	spin_lock(&vm->lock);
	if (flags & AV_RESTORE_UNDO)
		operation_facts(vm, set, &present);
	error = snapshot_restore_prepare(&vm->mem, id, flags & AV_RESTORE_UNDO, &present, &plan);
	if (!error) {
		result->id = plan.target->id;
		result->undo_skipped = plan.undo_skipped;
		state = flags & AV_RESTORE_PAUSED ? AV_STATE_PAUSED : AV_STATE_RUNNING;
		if (result->id == AV_SNAPSHOT_UNDO)
			state = plan.target->state;
		snapshot_restore_commit(&vm->mem, &plan);
		move_crash(vm, plan.undo, result->id == AV_SNAPSHOT_UNDO);
		operation_restored(vm, state);
		result->generation = vm->generation;
		event_add(event, vm->index, result->id, vm->generation, NULL);
		if (plan.undo_skipped)
			event_add(AV_EVENT_UNDO_SKIPPED, vm->index, 0, 0, NULL);
	}
	spin_unlock(&vm->lock);
	return error;
}

static int restore(struct vm *vm, uint64_t id, uint64_t flags, enum av_event_kind event,
		   struct operation_result *result)
{
	uint64_t start = counter_about();
	int error;

	/* What is not saved here stays in the PE: a restore that finds nothing goes on from there. */
	if (flags & AV_RESTORE_UNDO)
		vm_hold(vm);
	else
		vm_hold_to_replace(vm);
	error = restore_held(vm, id, flags, 0, event, result);
	vm_release(vm);
	result->held_ticks = counter_about() - start;
	if (!error)
		__atomic_store_n(&vm->restore_ticks, result->held_ticks, __ATOMIC_RELAXED);
	return error;
}

int operation_restore_held(struct vm *vm, uint64_t id, uint64_t flags, uint32_t set,
			   struct operation_result *result)
{
	return restore_held(vm, id, flags, set, AV_EVENT_RESTORE, result);
}

int operation_restore(struct vm *vm, uint64_t id, uint64_t flags, struct operation_result *result)
{
	int error = restore(vm, id, flags, AV_EVENT_RESTORE, result);

	operation_feed(vm); /* `undo` may be of a starved VM, and frames may have come back since */
	return error;
}

__attribute__((cold)) int operation_restart(struct vm *vm, uint64_t flags,
					    struct operation_result *result)
{
	int error = restore(vm, AV_SNAPSHOT_BOOT, flags, AV_EVENT_RESTART, result);

	if (!error) {
		vm->restart_count++;
		log_vm(vm, "restarted");
	}
	return error;
}

__attribute__((cold)) int operation_start(struct vm *vm, uint64_t flags,
					  struct operation_result *result)
{
	if (vm->state != AV_STATE_STOPPED && vm->state != AV_STATE_CRASHED)
		return AV_E_WRONG_STATE;
	return restore(vm, AV_SNAPSHOT_BOOT, flags, AV_EVENT_RESTORE, result);
}

__attribute__((cold)) static int change_state(struct vm *vm, uint32_t allowed, uint32_t state)
{
	int error = AV_E_WRONG_STATE;

	vm_hold(vm);
	if (1u << vm->state & allowed) {
		vm_set_state(vm, state);
		if (state == AV_STATE_STOPPED)
			region_leave(vm);
		error = AV_OK;
	}
	vm_release(vm);
	return error;
}

__attribute__((cold)) int operation_pause(struct vm *vm)
{
	return change_state(vm, 1u << AV_STATE_RUNNING, AV_STATE_PAUSED);
}

__attribute__((cold)) int operation_resume(struct vm *vm)
{
	return change_state(vm, 1u << AV_STATE_PAUSED, AV_STATE_RUNNING);
}

__attribute__((cold)) int operation_stop(struct vm *vm)
{
	return change_state(vm,
			    1u << AV_STATE_RUNNING | 1u << AV_STATE_PAUSED |
				    1u << AV_STATE_STARVED | 1u << AV_STATE_CRASHED,
			    AV_STATE_STOPPED);
}

__attribute__((cold)) int operation_crash(struct vm *vm, const char *reason)
{
	vm_hold(vm);
	if (vm->state == AV_STATE_CRASHED || vm->state == AV_STATE_STOPPED) {
		vm_release(vm);
		return AV_E_WRONG_STATE;
	}
	vm_crash_held(vm, reason);
	vm_release(vm);
	return AV_OK;
}

__attribute__((cold)) void operation_reset(struct vm *vm)
{
	struct operation_result result = {0};
	uint64_t now = counter_now();
	uint64_t *oldest = &vm->reset_times[vm->reset_next % RESET_LIMIT];

	if (vm->reset_next >= RESET_LIMIT && now - *oldest < ns_to_ticks(RESET_WINDOW_NS)) {
		vm->reset_next = 0;
		vm_crash(&vm->vcpus[0], "reset loop: 10 resets in 10 s", 0, 0);
		return;
	}
	*oldest = now;
	vm->reset_next++;
	BUG_ON(operation_restart(vm, 0, &result));
}

__attribute__((cold)) void operation_restart_control(struct vm *vm)
{
	struct operation_result result = {0};

	BUG_ON(operation_restart(vm, 0, &result));
}

void operation_feed(struct vm *vm)
{
	if (vm->state != AV_STATE_STARVED || !frame_available(&vm->mem.budget))
		return;
	vm_hold(vm);
	if (vm->state == AV_STATE_STARVED)
		vm_set_state(vm, AV_STATE_RUNNING);
	vm_release(vm);
}
