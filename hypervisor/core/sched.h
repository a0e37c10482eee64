/* SPDX-License-Identifier: MIT */
/*
 * sched.h - which vCPU a physical CPU runs. Round robin in time slices among the vCPUs that want to run; the control VM
 * before all others, for 10 ms at a time. A vCPU that waits for an interrupt leaves its CPU to others.
 */
#pragma once
#include "core/cpu.h"
#include "core/vm.h"

#define SCHED_SLICE_NS 5000000u
#define SCHED_CONTROL_BURST_NS 10000000u
#define SCHED_FLUSH_NS 5000000u
/* Who waited for less than SHORT_WAIT does so without a trap for the next NATIVE_WAIT. */
#define SCHED_SHORT_WAIT_NS 100000u
#define SCHED_NATIVE_WAIT_NS 10000000u

/* Put a vCPU on its CPU's queue and make that CPU look; with requests (REQUEST_*), from any CPU. */
void sched_kick(struct vcpu *vcpu, uint32_t requests);

/* REQUEST_* for a VM, from any CPU: the first of its vCPUs that is on looks at them, or another one that comes by earlier. */
void sched_serve(struct vm *vm, uint32_t requests);

/* The vCPU to enter after a trap of `vcpu`: the same one, on the fast path. Called last by every trap handler. */
struct vcpu *sched_exit(struct vcpu *vcpu);

/* First entry on this CPU: never returns. */
_Noreturn void sched_start(void);

/* Make this CPU choose anew at its next sched_exit(). */
void sched_yield(void);

/* The vCPU that runs here has put bytes where only devices_flush_output() takes them on: soon, if nothing does it before. */
void sched_flush_soon(void);

/* vectors.S: into the guest. */
_Noreturn void guest_enter(struct vcpu *vcpu);
