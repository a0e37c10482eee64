/* SPDX-License-Identifier: MIT */
/*
 * watchdog.h - the control VM answers or is started anew: if it crashes, or runs for 2 s without waiting for an interrupt, it
 * is restarted and counted. It holds no state of its own, so nothing is lost.
 */
#pragma once
#include "core/cpu.h"
#include "core/vm.h"

extern uint64_t watchdog_restarts;

/* The control VM waits, as nearly always: nothing to check and no limit. When it goes on, its CPU looks again. */
static inline bool watchdog_rests(void)
{
	return vm_count && vms[0]->state == AV_STATE_RUNNING && vms[0]->vcpus[0].waiting;
}

/* The control VM waits for an interrupt, or starts to run after that. */
void watchdog_pet(const struct vcpu *vcpu);

/* On the CPU that runs the control VM: restart it when it is time. No lock held. */
void watchdog_check(struct cpu *cpu, uint64_t now);

/* `at`, or earlier when the control VM runs on this CPU and must be looked at. */
uint64_t watchdog_limit(const struct cpu *cpu, uint64_t at);
