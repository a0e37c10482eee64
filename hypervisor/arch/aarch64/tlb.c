/* SPDX-License-Identifier: MIT */
/* tlb.c - stage-2 invalidation sequences (Arm ARM D8.13.5): stage 2 first, then what was cached of both stages. */
#include "arch/tlb.h"
#include "arch/mem.h"
#include "arch/sysreg.h"
#include "core/counters.h"

void arch_tlb_leaves(ipa_t address, uint64_t count, bool wide)
{
	uint64_t operand = address.value >> 12, end = operand + count;

	if (wide) {
		dsb(ishst);
		for (; operand < end; operand++)
			__asm__ volatile("tlbi ipas2le1is, %0" ::"r"(operand));
		dsb(ish);
		__asm__ volatile("tlbi vmalle1is");
		dsb(ish);
		counters.tlbi_broadcast++;
	} else {
		dsb(nshst);
		for (; operand < end; operand++)
			__asm__ volatile("tlbi ipas2le1, %0" ::"r"(operand));
		dsb(nsh);
		__asm__ volatile("tlbi vmalle1");
		dsb(nsh);
		counters.tlbi_local++;
	}
	isb();
}

void arch_tlb_relaxed(ipa_t address)
{
	uint64_t operand = address.value >> 12;

	dsb(ishst);
	__asm__ volatile("tlbi ipas2le1, %0" ::"r"(operand));
	dsb(nsh);
	operand = sysreg_read(far_el2) << 8 >> 20; /* VA[55:12] */
	__asm__ volatile("tlbi vaae1, %0" ::"r"(operand));
	dsb(nsh);
	isb();
	counters.tlbi_local++;
}

void arch_tlb_table(ipa_t address, bool wide)
{
	uint64_t operand = address.value >> 12;

	if (wide) {
		dsb(ishst);
		__asm__ volatile("tlbi ipas2e1is, %0" ::"r"(operand));
		dsb(ish);
		__asm__ volatile("tlbi vmalle1is");
		dsb(ish);
		counters.tlbi_broadcast++;
	} else {
		dsb(nshst);
		__asm__ volatile("tlbi ipas2e1, %0" ::"r"(operand));
		dsb(nsh);
		__asm__ volatile("tlbi vmalle1");
		dsb(nsh);
		counters.tlbi_local++;
	}
	isb();
}

void arch_tlb_all(void)
{
	dsb(ishst);
	__asm__ volatile("tlbi alle1is");
	dsb(ish);
	isb();
	counters.tlbi_broadcast++;
}

void arch_exec_sync(void *page)
{
	uint64_t type = sysreg_read(ctr_el0);
	uint64_t d_line = 4UL << ((type >> 16) & 0xf);
	uint64_t i_line = 4UL << (type & 0xf);
	uint64_t start = (uint64_t)page;

	counters.cache_syncs++;
	if (!(type & (1UL << 28)))
		for (uint64_t a = start; a < start + PAGE_SIZE; a += d_line)
			__asm__ volatile("dc cvau, %0" ::"r"(a) : "memory");
	dsb(ish);
	if (!(type & (1UL << 29)))
		for (uint64_t a = start; a < start + PAGE_SIZE; a += i_line)
			__asm__ volatile("ic ivau, %0" ::"r"(a) : "memory");
	dsb(ish);
	isb();
}
