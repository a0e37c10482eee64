/* SPDX-License-Identifier: MIT */
/*
 * tlb.h - invalidation for the VMID in VTTBR_EL2 of this PE (Arm ARM D8.13). Each form is complete: barriers included.
 * wide = inner shareable, for a VM whose vCPUs live on several PEs; otherwise this PE alone.
 */
#pragma once
#include "arch/mem.h"

/* New valid entries where invalid ones stood: DSB ISHST, no invalidation. */
static inline void arch_table_barrier(void)
{
	__asm__ volatile("dsb ishst" ::: "memory");
}

/* The leaves of `count` pages from here on: IPAS2LE1 for each, then all combined stage 1+2 entries: EL2 does not know under
 * which VAs. */
void arch_tlb_leaves(ipa_t address, uint64_t count, bool wide);
/*
 * A leaf allows more than it did, its output address is the same: what this PE holds of the VA in FAR_EL2 (VAAE1) and of this
 * IPA is enough for the access that faulted. Whoever has the old rights cached under another VA, or on another PE, faults
 * and is served the same way (Arm ARM D8.14.1: no break-before-make).
 */
void arch_tlb_relaxed(ipa_t address);
/* A table entry above a leaf changed: IPAS2E1 (walk caches too), then the combined entries. */
void arch_tlb_table(ipa_t address, bool wide);
/* All combined stage 1+2 entries of this VM on this PE: TLBI VMALLE1. */
static inline void arch_tlb_vm(void)
{
	__asm__ volatile("tlbi vmalle1\n\tdsb nsh\n\tisb" ::: "memory");
}

/* Every VMID of every PE: TLBI ALLE1IS. */
void arch_tlb_all(void);

/*
 * VTTBR_EL2 with its VMID and a table without entries: no walk finds anything, and what was found for that VMID stays (see
 * vcpu_load()).
 */
static inline uint64_t arch_tlb_no_tables(uint64_t vttbr)
{
	const uint64_t *tables;

	__asm__("adrp %0, %1" : "=r"(tables) : "S"(arch_zero_page));
	__asm__("bfi %0, %1, #0, #48" : "+r"(vttbr) : "r"(tables));
	return vttbr;
}

/*
 * Make the VM of this VTTBR_EL2 value the one the calls above mean, from any PE; returns what was loaded, to be put back
 * by the same call. Nothing is written when it is loaded already.
 */
static inline uint64_t arch_tlb_select(uint64_t vttbr)
{
	uint64_t loaded;

	__asm__ volatile("mrs %0, vttbr_el2" : "=r"(loaded));
	if (loaded != vttbr)
		__asm__ volatile("msr vttbr_el2, %0\n	isb" ::"r"(vttbr) : "memory");
	return loaded;
}
