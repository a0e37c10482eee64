/* SPDX-License-Identifier: MIT */
/* calls_vm.c - the info and VM calls of hypercalls.def. */
#include "core/cpu.h"
#include "core/bug.h"
#include "core/event.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/operation.h"
#include "core/random.h"
#include "core/region.h"
#include "core/set.h"
#include "core/sched.h"
#include "core/string.h"
#include "core/time.h"
#include "core/watchdog.h"
#include "arch/sysreg.h"
#include "mm/frame.h"

int call_write(struct call *call, uint64_t address, const void *from, size_t size)
{
	bool done;

	spin_lock(&call->caller->lock);
	done = guest_write(call->caller, address, from, size);
	spin_unlock(&call->caller->lock);
	return done ? AV_OK : AV_E_BAD_ADDRESS;
}

int call_give(struct call *call, uint64_t address, uint64_t room, const void *from, size_t size)
{
	call->results[0] = size;
	return call_write(call, address, from, size < room ? size : room);
}

int call_VERSION(struct call *call)
{
	call->results[0] = AV_ABI_MAJOR << 16 | AV_ABI_MINOR;
	return AV_OK;
}

int call_FEATURES(struct call *call)
{
	call->results[0] = AV_FEATURE_SNAPSHOT | AV_FEATURE_REGION | AV_FEATURE_DOORBELL |
			   AV_FEATURE_SET | (AV_DEBUG ? AV_FEATURE_DEBUG : 0);
	return AV_OK;
}

int call_VM_INFO(struct call *call)
{
	struct vm *vm = call->target;
	struct av_vm_info info;

	memset(&info, 0, sizeof(info));
	spin_lock(&vm->lock);
	memcpy(info.name, vm->name, sizeof(info.name));
	info.index = vm->index;
	info.state = vm->state;
	info.vcpu_count = vm->vcpu_count;
	info.flags = vm->flags;
	info.ram_base = vm->manifest->ram_base;
	info.ram_size = vm->manifest->ram_size;
	info.generation = vm->generation;
	info.snapshot_count = vm->mem.snapshot_count;
	info.base_id = vm->mem.base ? vm->mem.base->id : AV_SNAPSHOT_NONE;
	info.origin_id = vm->mem.origin;
	info.frames_used = vm->mem.budget.used;
	info.frames_budget = vm->mem.budget.limit;
	info.ram_frames = vm->mem.ram_count;
	info.dirty_frames = vm->mem.dirty_count;
	info.uptime_ns = ticks_to_ns(vm_uptime(vm));
	info.restart_count = vm->restart_count;
	if (vm->state == AV_STATE_CRASHED) {
		info.crash_pc = vm->crash.pc;
		info.crash_esr = vm->crash.esr;
		info.crash_far = vm->crash.far;
		info.crash_word = vm->crash.word;
		memcpy(info.crash_reason, vm->crash.reason, sizeof(info.crash_reason));
	}
	info.source_id = AV_SNAPSHOT_NONE;
	info.source_vm = AV_VM_SELF;
	if (vm->slot)
		memcpy(info.slot, vm->slot->name, sizeof(info.slot));
	if (vm->source && vm->state != AV_STATE_EMPTY) {
		info.source_id = vm->mem.source->id;
		info.source_vm = vm->source->index;
	}
	info.clone_count = vm->mem.clone_count;
	info.vcpu_cpu0 = vm->vcpus[0].cpu->id;
	memset(info.vcpu_cpu, 0xff, sizeof(info.vcpu_cpu));
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		const struct vcpu *vcpu = &vm->vcpus[i];

		info.vcpu_cpu[i] = (uint8_t)vcpu->cpu->id;
		if (vcpu->power == VCPU_ON)
			info.vcpu_power[i] = vcpu->waiting ? AV_VCPU_WAITING : AV_VCPU_ON;
	}
	spin_unlock(&vm->lock);
	return call_give(call, call->in.args[1], call->in.args[2], &info, sizeof(info));
}

int call_VM_STATS(struct call *call)
{
	struct vm *vm = call->target;
	struct av_vm_stats stats;
	uint64_t ticks = 0;

	spin_lock(&vm->lock);
	stats = vm->stats;
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		const struct vcpu *vcpu = &vm->vcpus[i];

		for (unsigned n = 0; n < AV_EXIT_COUNT; n++)
			stats.exits[n] += vcpu->exits[n];
		ticks += vcpu->cpu_ticks;
	}
	stats.cpu_ns = ticks_to_ns(ticks);
	stats.tlbi_local = vm->mem.stats.tlbi_local;
	stats.tlbi_broadcast = vm->mem.stats.tlbi_broadcast;
	stats.pages_copied = vm->mem.stats.pages_copied;
	stats.pages_zeroed = vm->mem.stats.pages_zeroed;
	stats.nodes_copied = vm->mem.stats.nodes_copied;
	stats.cache_syncs = vm->mem.stats.cache_syncs;
	stats.evictions = vm->mem.stats.evictions;
	stats.pages_copied_back = vm->mem.stats.pages_kept;
	stats.pages_kept = vm->mem.kept_count;
	stats.restore_ns = ticks_to_ns(__atomic_load_n(&vm->restore_ticks, __ATOMIC_RELAXED));
	spin_unlock(&vm->lock);
	return call_give(call, call->in.args[1], call->in.args[2], &stats, sizeof(stats));
}

int call_MACHINE_INFO(struct call *call)
{
	struct av_machine_info info = {
		.frames_total = frame_total(),
		.frames_free = frame_free_count(),
		.counter_hz = counter_hz,
		.uptime_ns = time_ns(),
		.cpu_count = cpu_count,
		.vm_count = vm_count,
		.debug_build = AV_DEBUG,
		.control_restarts = watchdog_restarts,
		.event_next = event_next(),
		.log_next = log_next(),
	};

	region_counts(&info);
	set_counts(&info);
	return call_give(call, call->in.args[0], call->in.args[1], &info, sizeof(info));
}

int call_IDENTITY(struct call *call)
{
	struct vm *vm = call->caller;

	random_derive(vm->index, vm->generation, call->results);
	call->results[2] = vm->generation;
	return AV_OK;
}

/* --- VM */

static bool is_control(const struct call *call)
{
	return call->target->flags & AV_VM_FLAG_CONTROL;
}

static int change(struct call *call, int (*operation)(struct vm *vm))
{
	int error;

	if (is_control(call))
		return AV_E_DENIED;
	if (!call_operation_begin(call->vcpu))
		return CALL_NO_RETURN;
	error = operation(call->target);
	call->results[0] = call->target->state;
	return call_end_with(call, error);
}

int call_VM_PAUSE(struct call *call)
{
	return change(call, operation_pause);
}

int call_VM_RESUME(struct call *call)
{
	return change(call, operation_resume);
}

int call_VM_STOP(struct call *call)
{
	return change(call, operation_stop);
}

static int from_boot(struct call *call,
		     int (*operation)(struct vm *, uint64_t, struct operation_result *))
{
	struct operation_result result = {0};
	int error;

	if (call->in.args[1] & ~(uint64_t)AV_RESTORE_PAUSED)
		return AV_E_INVALID;
	if (is_control(call))
		return AV_E_DENIED;
	if (!call_operation_begin(call->vcpu))
		return CALL_NO_RETURN;
	error = operation(call->target, call->in.args[1], &result);
	if (!error && call->target == call->caller) {
		call_operation_end();
		return CALL_NO_RETURN;
	}
	call->results[0] = result.generation;
	call->results[1] = call->target->state;
	return call_end_with(call, error);
}

int call_VM_RESTART(struct call *call)
{
	return from_boot(call, operation_restart);
}

int call_VM_START(struct call *call)
{
	return from_boot(call, operation_start);
}

int call_VM_CRASH(struct call *call)
{
	char reason[64];
	int error;

	if (is_control(call) && call->target != call->caller)
		return AV_E_DENIED;
	if (!call_operation_begin(call->vcpu))
		return CALL_NO_RETURN;
	format(reason, sizeof(reason), "asked for by %s, code 0x%lx",
	       call->target == call->caller ? "itself" : "control", call->in.args[1]);
	error = operation_crash(call->target, reason);
	return call_end_with(call, error);
}

int call_VM_YIELD(struct call *call)
{
	(void)call;
	sched_yield();
	return AV_OK;
}

/* --- events, log, print */

int call_EVENT_READ(struct call *call)
{
	struct av_event events[16];
	uint64_t sequence = call->in.args[0], address = call->in.args[1], room = call->in.args[2],
		 next = sequence, lost = 0, written = 0;

	if (room % sizeof(struct av_event) || !room)
		return AV_E_INVALID;
	for (room /= sizeof(struct av_event); room;) {
		uint64_t gap;
		unsigned want = room < ARRAY_SIZE(events) ? (unsigned)room : ARRAY_SIZE(events);
		unsigned count = event_read(next, events, want, &next, &gap);
		uint64_t size;

		lost += gap;
		if (!count)
			break;
		if (call_give(call, address, ~0UL, events, count * sizeof(events[0])))
			return AV_E_BAD_ADDRESS;
		size = count * sizeof(events[0]);
		address += size;
		written += count;
		room -= count;
	}
	call->results[0] = written;
	call->results[1] = next;
	call->results[2] = lost;
	return AV_OK;
}

int call_LOG_READ(struct call *call)
{
	char text[1024];
	uint64_t first, room = call->in.args[2];
	size_t count =
		log_read(call->in.args[0], text, room < sizeof(text) ? room : sizeof(text), &first);
	int error = call_give(call, call->in.args[1], count, text, count);

	call->results[0] = count;
	call->results[1] = first;
	return error;
}

int call_PRINT(struct call *call)
{
	char text[257];
	uint64_t size = call->in.args[1];
	bool done;

	if (size >= sizeof(text))
		return AV_E_INVALID;
	spin_lock(&call->caller->lock);
	done = guest_read(call->caller, call->in.args[0], text, size);
	spin_unlock(&call->caller->lock);
	if (!done)
		return AV_E_BAD_ADDRESS;
	for (uint64_t i = 0; i < size; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			text[i] = '.';
	text[size] = '\0';
	log_vm(call->caller, "print: %s", text);
	return AV_OK;
}

int call_TEST_HOOK(struct call *call)
{
	if (!AV_DEBUG)
		return AV_E_NOT_SUPPORTED;
	if (call->in.args[1])
		return AV_E_INVALID;
	switch (call->in.args[0]) {
	case AV_HOOK_NONE:
	case AV_HOOK_AGENT_CRASH:
		return AV_OK;
	case AV_HOOK_BUG:
		/* The end of the whole machine: only the control VM may ask for it. */
		if (!(call->caller->flags & AV_VM_FLAG_CONTROL))
			return AV_E_DENIED;
		BUG("asked for by TEST_HOOK");
	default:
		return AV_E_INVALID;
	}
}
