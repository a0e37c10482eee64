/* SPDX-License-Identifier: MIT */
/*
 * mmu.c - EL2's own stage 1: everything at its physical address, write xor execute. Devices below 1 GiB, RAM above; only
 * the image's text can be executed. Never maps anything for a guest.
 */
#include "arch/mmu.h"
#include "arch/mem.h"
#include "arch/sysreg.h"
#include "core/bug.h"
#include "core/types.h"
#include "platform/qemu-virt/platform.h"

#define DESC_BLOCK 1UL
#define DESC_TABLE 3UL
#define DESC_PAGE 3UL
#define DESC_AF (1UL << 10)
#define DESC_SH_INNER (3UL << 8)
#define DESC_AP_RO (1UL << 7)
#define DESC_AP_RES1 (1UL << 6)
#define DESC_XN (1UL << 54)
#define DESC_DEVICE (0UL << 2)
#define DESC_NORMAL (1UL << 2)
#define RAM_ATTRIBUTES (DESC_AF | DESC_SH_INNER | DESC_AP_RES1 | DESC_NORMAL)

#define GIB (1UL << 30)

extern char __image_start[], __text_end[], __rodata_end[];

static uint64_t level1[512] __attribute__((aligned(4096)));
static uint64_t level2[512] __attribute__((aligned(4096)));
static uint64_t level3[512] __attribute__((aligned(4096)));

const uint64_t arch_zero_page[512] __attribute__((section(".bss.page"), aligned(4096)));

/* MAIR, TCR, TTBR0, SCTLR: read by mmu_enable() on every CPU, with the MMU off. */
struct {
	uint64_t mair, tcr, ttbr, sctlr;
} mmu_config;

void mmu_init(uint64_t ram_size)
{
	uint64_t image = (uint64_t)__image_start;
	uint64_t pa_range = sysreg_read(id_aa64mmfr0_el1) & 0xf;

	level1[0] = DESC_DEVICE | DESC_AF | DESC_AP_RES1 | DESC_XN | DESC_BLOCK;
	for (uint64_t gib = 1; gib < 512 && (gib - 1) * GIB < ram_size; gib++)
		level1[gib] = gib * GIB | RAM_ATTRIBUTES | DESC_XN | DESC_BLOCK;
	level1[1] = (uint64_t)level2 | DESC_TABLE;
	for (uint64_t i = 0; i < 512; i++)
		level2[i] = (PLAT_RAM + i * REGION_2M_SIZE) | RAM_ATTRIBUTES | DESC_XN | DESC_BLOCK;
	level2[(image - PLAT_RAM) / REGION_2M_SIZE] = (uint64_t)level3 | DESC_TABLE;
	for (uint64_t i = 0; i < 512; i++) {
		uint64_t page = image + i * PAGE_SIZE;
		uint64_t rights = DESC_XN;

		if (page < (uint64_t)__text_end)
			rights = DESC_AP_RO;
		else if (page < (uint64_t)__rodata_end || page == (uint64_t)arch_zero_page)
			rights = DESC_AP_RO | DESC_XN;
		level3[i] = page | RAM_ATTRIBUTES | rights | DESC_PAGE;
	}
	if (pa_range > 5)
		pa_range = 5;
	mmu_config.mair = 0xff00; /* 0: Device-nGnRnE, 1: Normal write-back */
	mmu_config.tcr = (1UL << 31) | (1UL << 23) | (pa_range << 16) | (3UL << 12) | (1UL << 10) |
			 (1UL << 8) | 25;
	mmu_config.ttbr = (uint64_t)level1;
	/* RES1, I, WXN, SA, C, M */
	mmu_config.sctlr = 0x30c50830UL | (1UL << 12) | (1UL << 19) | (1UL << 3) | (1UL << 2) | 1;
	dsb(sy);
	mmu_enable();
}

void mmu_guard(void *page)
{
	uint64_t address = (uint64_t)page;
	uint64_t *entry = &level3[(address - (uint64_t)__image_start) / PAGE_SIZE];

	BUG_ON(address & PAGE_MASK);
	BUG_ON(address - (uint64_t)__image_start >= REGION_2M_SIZE);
	*entry = 0;
	dsb(ish);
	__asm__ volatile("tlbi vae2is, %0" ::"r"(address >> 12));
	dsb(ish);
	isb();
}
