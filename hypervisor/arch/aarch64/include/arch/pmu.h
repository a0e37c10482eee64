/* SPDX-License-Identifier: MIT */
/* pmu.h - PMUv3 registers in and out of this PE. counters: how many event counters a guest has. */
#pragma once
#include "arch/vcpu_context.h"

/* Load, and let EL1 and EL0 at them; counting goes on as `from` says. */
void arch_pmu_load(const struct pmu_context *from, unsigned counters);
void arch_pmu_save(struct pmu_context *to, unsigned counters);
/* Nothing counts, no interrupt, and every access of EL1 traps. */
void arch_pmu_stop(void);
