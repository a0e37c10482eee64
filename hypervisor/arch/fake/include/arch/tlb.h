/* SPDX-License-Identifier: MIT */
/* tlb.h - invalidation in the fake machine, for the VMID loaded on the current PE. */
#pragma once
#include "core/types.h"

void arch_table_barrier(void);
void arch_tlb_leaves(ipa_t address, uint64_t count, bool wide);
void arch_tlb_relaxed(ipa_t address);
void arch_tlb_table(ipa_t address, bool wide);
void arch_tlb_all(void);
void arch_tlb_vm(void);
uint64_t arch_tlb_select(uint64_t vttbr);
