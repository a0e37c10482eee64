/* SPDX-License-Identifier: MIT */
/* watchdog.c - restarts the control VM. Never touches another VM. */
#include "core/watchdog.h"
#include "core/event.h"
#include "core/log.h"
#include "core/operation.h"
#include "core/time.h"

#define WATCHDOG_NS 2000000000u

uint64_t watchdog_restarts;
static uint64_t since;

static bool mine(const struct cpu *cpu)
{
	return vm_count && vms[0]->vcpus[0].cpu == cpu;
}

void watchdog_pet(const struct vcpu *vcpu)
{
	if (vcpu->vm->flags & AV_VM_FLAG_CONTROL)
		since = counter_now();
}

uint64_t watchdog_limit(const struct cpu *cpu, uint64_t at)
{
	uint64_t limit = since + ns_to_ticks(WATCHDOG_NS) + 1;

	if (!mine(cpu) || vms[0]->vcpus[0].waiting)
		return at;
	return at < limit ? at : limit;
}

void watchdog_check(struct cpu *cpu, uint64_t now)
{
	struct vm *vm = vms[0];
	const char *why;

	if (!mine(cpu))
		return;
	if (vm->state == AV_STATE_CRASHED || vm->state == AV_STATE_STOPPED)
		why = "it ended";
	else if (!vm->vcpus[0].waiting && now - since > ns_to_ticks(WATCHDOG_NS))
		why = "it ran 2 s without waiting";
	else
		return;
	if (!spin_trylock(&op_lock))
		return; /* at the next look */
	watchdog_restarts++;
	log_line("control VM restarted (%lu): %s", watchdog_restarts, why);
	event_add(AV_EVENT_CONTROL_RESTART, 0, watchdog_restarts, 0, why);
	since = now;
	operation_restart_control(vm);
	spin_unlock(&op_lock);
}
