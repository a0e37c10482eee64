/* SPDX-License-Identifier: MIT */
/*
 * stage2.h - stage-2 descriptors (Arm ARM D8.3): 36-bit IPA, 4 KiB granule, walks start at level 1
 * with a root of 64 entries (512 bytes, 512-aligned); levels 2 and 3 are whole frames; leaves are 4
 * KiB pages only.
 *
 * Two ignored bits are ours. OWN: this entry is the one owner of the frame it points to (data or
 * table). BUNDLE: the page belongs to the boot image; nobody frees it and it does not count as
 * committed. Such a leaf is not VALID until its page is read or executed: then a write to it before that needs no
 * invalidation.
 */
#pragma once
#include "core/types.h"

#define S2_IPA_BITS 36
#define S2_ROOT_ENTRIES 64
#define S2_ROOT_GROUP 4 /* entries: roots are copied by so many, whatever size the RAM has */
#define S2_TABLE_ENTRIES 512
#define S2_ROOT_SHIFT 30 /* one root entry covers 1 GiB */
#define S2_L2_SHIFT 21   /* one L2 entry covers 2 MiB */

#define S2_VALID 0x1UL
#define S2_TABLE 0x3UL      /* a table descriptor, at levels 1 and 2 */
#define S2_WRITE (1UL << 7) /* S2AP[1] */
#define S2_XN (1UL << 54)   /* not executable until EL2 has made it so: see vmem_fault() */
#define S2_OWN (1UL << 55)
#define S2_BUNDLE (1UL << 56)
#define S2_ADDRESS 0x0000FFFFFFFFF000UL

/* A page, Normal write-back (MemAttr 1111), readable, inner shareable, AF: read-only until WRITE,
 * executable without XN. */
#define S2_PAGE (0x3UL | 0xFUL << 2 | 1UL << 6 | 3UL << 8 | 1UL << 10)

static inline uint64_t s2_root_index(uint64_t address)
{
	return address >> S2_ROOT_SHIFT;
}

static inline uint64_t s2_l2_index(uint64_t address)
{
	return address >> S2_L2_SHIFT & (S2_TABLE_ENTRIES - 1);
}

static inline uint64_t s2_l3_index(uint64_t address)
{
	return address >> PAGE_SHIFT & (S2_TABLE_ENTRIES - 1);
}

/* A leaf with contents, whether the guest reaches them without a fault or not. */
static inline bool s2_has_page(uint64_t leaf)
{
	return leaf & (S2_VALID | S2_BUNDLE);
}

static inline pa_t s2_pa(uint64_t descriptor)
{
	return pa(descriptor & S2_ADDRESS);
}
