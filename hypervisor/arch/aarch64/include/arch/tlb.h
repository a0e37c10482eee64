/* SPDX-License-Identifier: MIT */
/*
 * tlb.h - invalidation for the VMID in VTTBR_EL2 of this PE (Arm ARM D8.13). Each form is complete: barriers included.
 * wide = inner shareable, for a VM whose vCPUs live on several PEs; otherwise this PE alone.
 */
#pragma once
#include "core/types.h"

/* New valid entries where invalid ones stood: DSB ISHST, no invalidation. */
static inline void arch_table_barrier(void)
{
	__asm__ volatile("dsb ishst" ::: "memory");
}

/* One leaf: IPAS2LE1, then the combined stage 1+2 entries. */
void arch_tlb_leaf(ipa_t address, bool wide);
/* A table entry above a leaf changed: IPAS2E1 (walk caches too), then the combined entries. */
void arch_tlb_table(ipa_t address, bool wide);
/* Every VMID of every PE: TLBI ALLE1IS. */
void arch_tlb_all(void);
