/* SPDX-License-Identifier: MIT */
/* features.h - what this machine's PEs have, and what of it a guest may see. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct features {
	bool extensions; /* any of the next: registers to switch that cortex-a57 has not */
	bool pauth, ras, sme;
	unsigned lr_count;
	unsigned pmu_counters; /* event counters a guest has; 0: no PMU */
	uint32_t pmu_id;       /* IMP and IDCODE of PMCR_EL0 */
	uint64_t hcr;	       /* HCR_EL2 for guests */
	uint64_t mdcr;	       /* MDCR_EL2 for guests that count nothing */
	/* values a guest reads from op0=3, op1=0, CRn=0: [CRm][op2] */
	uint64_t id[8][8];
};
extern struct features features;

/* Read the ID registers; returns NULL, or what the hypervisor needs and this machine has not. */
const char *features_init(void);

/* EL2 control registers of this PE. */
void features_apply(void);
