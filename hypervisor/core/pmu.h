/* SPDX-License-Identifier: MIT */
/*
 * pmu.h - performance counters of a vCPU (Arm ARM D13, PMUv3). While nothing counts they are memory and each access traps;
 * from the write that starts a counter they are the PE's own, until the vCPU leaves it with all of them stopped.
 */
#pragma once
#include "core/vm.h"

/* Registers of PMUv3 by op1, CRn, CRm, op2 (op0 is 3). False: not one of them, or not for the guest. */
bool pmu_register(struct vcpu *vcpu, const unsigned op[4], bool read, uint64_t *value);

/* The three below: the vCPU's VM's lock held, its list registers folded. */

/*
 * Into this PE, if anything counts: nearly always that is all there is to do at a switch. The debug registers, used as seldom, come
 * and go with it: one look is for both.
 */
void pmu_load_used(struct vcpu *vcpu);
static inline void pmu_load(struct vcpu *vcpu)
{
	if (vcpu->pmu.any)
		pmu_load_used(vcpu);
}

/* What is in this PE to memory; the PE keeps it. */
void pmu_save_loaded(struct vcpu *vcpu);
static inline void pmu_save(struct vcpu *vcpu)
{
	if (vcpu->extras & EXTRA_PMU)
		pmu_save_loaded(vcpu);
}

/* Out of this PE, which counts nothing and traps from now on. What is in it is lost. */
void pmu_unload_loaded(struct vcpu *vcpu);
static inline void pmu_unload(struct vcpu *vcpu)
{
	if (vcpu->extras)
		pmu_unload_loaded(vcpu);
}

/* PPI 23 was taken on this PE, and left active. vcpu is loaded here, or NULL. False: nobody's, it may end. */
bool pmu_fired(struct vcpu *vcpu);

/* What came from a file may hold anything: only what a guest can set stays. */
void pmu_adopt(struct pmu_context *pmu);
