/* SPDX-License-Identifier: MIT */
/* mem.h - physical memory of the fake machine: a host array; what is written to tables is watched
 * (see fake.h). */
#pragma once
#include "core/types.h"

void *pa_ptr(pa_t address);
pa_t ptr_pa(const void *pointer);

extern const uint64_t arch_zero_page[512];
void arch_page_copy(void *to, const void *from);
void arch_page_zero(void *page);
void arch_table_copy(uint64_t *to, const uint64_t *from, uint64_t clear);
void *arch_copy_words(void *to, const void *from, size_t size);
void arch_exec_sync(void *page);

uint64_t arch_entry_read(const uint64_t *entry);
void arch_entry_write(uint64_t *entry, uint64_t value);
void arch_entries_copy(uint64_t *to, const uint64_t *from, uint64_t clear);
