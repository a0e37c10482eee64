/* SPDX-License-Identifier: MIT */
/* mmu.h - EL2's own translation regime. */
#pragma once
#include <stdint.h>

/* Build the tables for ram_size bytes from PLAT_RAM and turn the MMU on, on the boot CPU. */
void mmu_init(uint64_t ram_size);

/* Turn it on with the same tables: other CPUs, and mmu_init(). Assembly. */
void mmu_enable(void);

/* Unmap one page of the image's first 2 MiB: below each stack, so that an overflow is a fault. */
void mmu_guard(void *page);
