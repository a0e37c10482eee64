/* SPDX-License-Identifier: MIT */
/* features.h - what this machine's PEs have, and what of it a guest may see. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct features {
	bool extensions; /* any of the next: registers to switch that cortex-a57 has not */
	bool pauth, ras, sme;
	unsigned lr_count;
	uint64_t hcr; /* HCR_EL2 for guests */
	/* values a guest reads from op0=3, op1=0, CRn=0: [CRm][op2] */
	uint64_t id[8][8];
};
extern struct features features;

/* Read the ID registers; returns NULL, or what the hypervisor needs and this machine has not. */
const char *features_init(void);

/* EL2 control registers of this PE. */
void features_apply(void);
