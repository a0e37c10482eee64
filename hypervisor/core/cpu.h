/* SPDX-License-Identifier: MIT */
/* cpu.h - one physical CPU: what it runs, what waits for it. Found through TPIDR_EL2. */
#pragma once
#include <avisor/manifest.h>
#include "arch/lock.h"
#include "core/types.h"

struct vcpu;

#define CPU_PRIORITIES 2 /* 0: the control VM, 1: everybody else */

struct cpu {
	uint64_t stack; /* known to assembly: its top */
	uint32_t id;
	uint32_t online;
	struct vcpu *loaded;  /* whose context is in the registers, or NULL */
	struct vcpu *current; /* who runs, or NULL: idle */

	struct spinlock lock; /* the queues below */
	struct vcpu *queue_first[CPU_PRIORITIES];
	struct vcpu *queue_last[CPU_PRIORITIES];
	struct vcpu *sleepers; /* in WFI and off the CPU: their timers wake them */

	bool vtimer_active; /* the virtual timer's physical interrupt may be active here */
	bool resched; /* someone else may deserve this CPU: set by any CPU, cleared here */
	uint64_t slice_end;
	uint64_t deadline;	 /* what CNTHP_CVAL holds, ~0 when off */
	uint64_t flush_at;	 /* when console bytes without a newline go out, ~0: there are none */
	uint64_t control_burst; /* ticks the control VM has had in a row */
	uint64_t idle_ticks;
	uint64_t hcr;		 /* what HCR_EL2 holds */
	uint64_t native_until;	 /* a vCPU that is alone here waits for interrupts without a trap until then */
};

extern struct cpu cpus[AV_CPU_MAX];
extern unsigned cpu_count;

static inline struct cpu *cpu_this(void)
{
	struct cpu *cpu;

	__asm__("mrs %0, tpidr_el2" : "=r"(cpu));
	return cpu;
}
