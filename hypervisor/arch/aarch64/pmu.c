/* SPDX-License-Identifier: MIT */
/* pmu.c - PMUv3 registers in and out of this PE (Arm ARM D13.3). Never looks at what they mean. */
#include "arch/pmu.h"
#include "arch/features.h"
#include "arch/sysreg.h"

#define PMCR_KEPT 0x79u /* E, D, X, DP, LC */

/* PMEVCNTR<n>_EL0 and PMEVTYPER<n>_EL0 of n < PMU_COUNTERS */
#define EVENT_COUNTERS(X)                                                               \
	X(0, S3_3_C14_C8_0, S3_3_C14_C12_0)                                             \
	X(1, S3_3_C14_C8_1, S3_3_C14_C12_1) X(2, S3_3_C14_C8_2, S3_3_C14_C12_2)         \
		X(3, S3_3_C14_C8_3, S3_3_C14_C12_3) X(4, S3_3_C14_C8_4, S3_3_C14_C12_4) \
			X(5, S3_3_C14_C8_5, S3_3_C14_C12_5)

void arch_pmu_load(const struct pmu_context *from, unsigned counters)
{
#define LOAD(n, count, event)                          \
	if (n < counters) {                            \
		sysreg_write(count, from->counter[n]); \
		sysreg_write(event, from->type[n]);    \
	}
	EVENT_COUNTERS(LOAD)
#undef LOAD
	sysreg_write(pmccntr_el0, from->cycles);
	sysreg_write(pmccfiltr_el0, from->filter);
	sysreg_write(pmselr_el0, from->select);
	sysreg_write(pmcntenclr_el0, 0xffffffff);
	sysreg_write(pmcntenset_el0, from->enabled);
	sysreg_write(pmovsclr_el0, 0xffffffff);
	sysreg_write(pmovsset_el0, from->overflow);
	sysreg_write(pmintenclr_el1, 0xffffffff);
	sysreg_write(pmintenset_el1, from->interrupts);
	sysreg_write(pmuserenr_el0, from->user);
	sysreg_write(pmcr_el0, from->control);
	sysreg_write(mdcr_el2, features.mdcr & ~MDCR_PMU_TRAPS);
	isb();
}

void arch_pmu_save(struct pmu_context *to, unsigned counters)
{
#define SAVE(n, count, event)                               \
	if (n < counters) {                                 \
		to->counter[n] = sysreg_read(count);        \
		to->type[n] = (uint32_t)sysreg_read(event); \
	}
	EVENT_COUNTERS(SAVE)
#undef SAVE
	to->cycles = sysreg_read(pmccntr_el0);
	to->filter = (uint32_t)sysreg_read(pmccfiltr_el0);
	to->select = (uint32_t)sysreg_read(pmselr_el0);
	to->enabled = (uint32_t)sysreg_read(pmcntenset_el0);
	to->overflow = (uint32_t)sysreg_read(pmovsset_el0);
	to->interrupts = (uint32_t)sysreg_read(pmintenset_el1);
	to->user = (uint32_t)sysreg_read(pmuserenr_el0);
	to->control = sysreg_read(pmcr_el0) & PMCR_KEPT;
}

void arch_pmu_stop(void)
{
	sysreg_write(pmcr_el0, 0);
	sysreg_write(pmuserenr_el0, 0);
	sysreg_write(pmcntenclr_el0, 0xffffffff);
	sysreg_write(pmintenclr_el1, 0xffffffff);
	sysreg_write(pmovsclr_el0, 0xffffffff);
	sysreg_write(mdcr_el2, features.mdcr);
	isb();
}
