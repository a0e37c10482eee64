/* SPDX-License-Identifier: MIT */
/* vcpu_context.h - the registers of a guest's EL1 and EL0 that live in the PE while a vCPU is loaded. */
#pragma once
#include <stdint.h>

struct fp_context {
	uint64_t q[64]; /* q0-q31 */
	uint64_t fpsr, fpcr;
};

struct el1_context {
	/* What a kernel writes seldom, or not again with another value: see el1_replace(). */
	uint64_t sctlr, cpacr, ttbr0, ttbr1, vbar, par, contextidr, tpidr_el1, cntkctl, csselr;
	uint64_t tcr, mair;
	/* What is another at nearly each exit, and last what costs nothing to write. */
	uint64_t esr, far, elr, spsr, sp_el0, sp_el1, tpidr_el0, tpidrro_el0, afsr0, afsr1, amair;
	uint64_t tpidr2, vdisr; /* 0 without FEAT_SME, FEAT_RAS */
	uint64_t pauth[10];     /* APIA, APIB, APDA, APDB, APGA: low, high; 0 without FEAT_PAuth */
};

/* CNTV is in the PE while loaded; CNTP is emulated and always here. */
struct timer_context {
	uint64_t cntv_ctl, cntv_cval;
	uint64_t cntp_ctl, cntp_cval;
};

/* PMUv3, as far as a guest has it: see core/pmu.h for when it is in the PE. */
#define PMU_COUNTERS 6
struct pmu_context {
	uint64_t cycles;
	uint64_t counter[PMU_COUNTERS];
	uint32_t type[PMU_COUNTERS];
	uint32_t filter;  /* PMCCFILTR_EL0 */
	uint32_t select;  /* PMSELR_EL0 */
	union {
		struct {
			uint32_t user;    /* PMUSERENR_EL0 */
			uint16_t control; /* PMCR_EL0: its bits that are kept */
			uint16_t debug;   /* not of the PMU: the debug registers are to be in the PE */
		};
		uint64_t any; /* looked at at each switch */
	};
	uint32_t enabled, interrupts; /* PMCNTENSET_EL0, PMINTENSET_EL1 */
	uint32_t overflow;            /* PMOVSSET_EL0 */
	uint32_t reserved;
};

void fp_save(struct fp_context *to);
void fp_load(const struct fp_context *from);
/* The same and VCPU_MEMORY bytes copied (core/cpu_offsets.h): the registers are at hand then. */
void fp_save_and_copy(struct fp_context *fp, void *to, const void *from);
void copy_and_fp_load(const struct fp_context *fp, void *to, const void *from);
/* What el1_save() leaves as it is where the PE does not have it. */
static inline void el1_no_extensions(struct el1_context *to)
{
	to->tpidr2 = 0;
	to->vdisr = 0;
#pragma GCC unroll 10
	for (int i = 0; i < 10; i++)
		to->pauth[i] = 0;
}
void el1_save(struct el1_context *to);
void el1_load(const struct el1_context *from);
/* The same where a context of this guest is in the PE: most of it is nearly always the same, and to see that costs less. */
void el1_replace(const struct el1_context *from);
