/* SPDX-License-Identifier: MIT */
/* psci.h - PSCI 1.1 (Arm DEN0022) as a guest sees it, and the machine's own as EL2 uses it. */
#pragma once
#include "core/vm.h"

void psci_hvc(struct vcpu *vcpu);
void psci_smc(struct vcpu *vcpu);

/* CPU_ON of a physical CPU, over SMC. 0, or PSCI's error. */
int64_t psci_start_cpu(uint64_t mpidr, struct cpu *cpu);
