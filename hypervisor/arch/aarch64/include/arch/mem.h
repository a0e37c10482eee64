/* SPDX-License-Identifier: MIT */
/*
 * mem.h - how EL2 reaches physical memory and what is done to whole pages.
 * EL2 maps all RAM at its physical address. arch/fake has the same interface over a host array.
 */
#pragma once
#include "core/types.h"

static inline void *pa_ptr(pa_t address)
{
	return (void *)address.value;
}

static inline pa_t ptr_pa(const void *pointer)
{
	return pa((uint64_t)pointer);
}

/*
 * 4 KiB of zeros at the start of a page, which EL2 itself cannot write to: what a page nobody has written to holds, and a table of
 * any level without entries. In .bss: const in .rodata it would be 4 KiB of the image.
 */
extern const uint64_t arch_zero_page[512];

/* page.S: whole 4 KiB pages, 64-byte aligned; uses and preserves q0-q7. */
void arch_page_copy(void *to, const void *from);
void arch_page_zero(void *page);
/* A translation table: to[i] = from[i] & ~clear for all 512 entries. */
void arch_table_copy(uint64_t *to, const uint64_t *from, uint64_t clear);
/* size: a multiple of 8. Returns `to`. */
void *arch_copy_words(void *to, const void *from, size_t size);
/* Make a page just written by EL2 fit to be executed: DC CVAU, IC IVAU unless CTR_EL0.IDC/DIC (Arm ARM D7.5.11). Counted. */
void arch_exec_sync(void *page);

/* One descriptor of a stage-2 table: single-copy atomic, seen by the walker after the next arch_table_barrier(). */
static inline uint64_t arch_entry_read(const uint64_t *entry)
{
	return *(const volatile uint64_t *)entry;
}

static inline void arch_entry_write(uint64_t *entry, uint64_t value)
{
	*(volatile uint64_t *)entry = value;
}

/* to[i] = from[i] & ~clear for 4 descriptors that no PE walks now; in pairs. */
static inline void arch_entries_copy(uint64_t *to, const uint64_t *from, uint64_t clear)
{
	uint64_t entry[4];

#pragma GCC unroll 4
	for (int i = 0; i < 4; i++)
		entry[i] = from[i] & ~clear;
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++)
		to[i] = entry[i];
}
