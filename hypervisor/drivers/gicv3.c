/* SPDX-License-Identifier: MIT */
/* gicv3.c - distributor, redistributors and CPU interface at EL2. Never knows what an interrupt is for. */
#include "drivers/gicv3.h"
#include "arch/sysreg.h"
#include "core/cpu.h"
#include "drivers/mmio.h"
#include "platform/qemu-virt/platform.h"

#define GICD_CTLR 0x0000
#define GICD_TYPER 0x0004
#define GICD_IGROUPR 0x0080
#define GICD_ISENABLER 0x0100
#define GICD_ICENABLER 0x0180
#define GICD_ICACTIVER 0x0380
#define GICD_IPRIORITYR 0x0400
#define GICD_ICFGR 0x0c00
#define GICD_IROUTER 0x6000
#define GICD_PIDR2 0xffe8
#define GICR_WAKER 0x0014
#define GICR_TYPER 0x0008
#define GICR_SGI 0x10000
#define GICR_IGROUPR0 (GICR_SGI + 0x80)
#define GICR_ISENABLER0 (GICR_SGI + 0x100)
#define GICR_ICENABLER0 (GICR_SGI + 0x180)
#define GICR_ISACTIVER0 (GICR_SGI + 0x300)
#define GICR_ICACTIVER0 (GICR_SGI + 0x380)
#define GICR_IPRIORITYR (GICR_SGI + 0x400)

#define CTLR_ENABLE_GRP1 (1u << 1)
#define CTLR_ARE (1u << 4)
#define CTLR_DS (1u << 6)
#define CTLR_RWP (1u << 31)
#define WAKER_SLEEP (1u << 1)
#define WAKER_CHILDREN_ASLEEP (1u << 2)

static const char *wait_clear(uint64_t address, uint32_t mask)
{
	for (unsigned spin = 0; spin < 1000000; spin++)
		if (!(mmio_read32(address) & mask))
			return 0;
	return "a GIC that answers (register write pending for ever)";
}

const char *gicv3_init(void)
{
	uint32_t revision = (mmio_read32(PLAT_GICD + GICD_PIDR2) >> 4) & 0xf;
	uint32_t lines = ((mmio_read32(PLAT_GICD + GICD_TYPER) & 0x1f) + 1) * 32;
	const char *missing;

	if (revision != 3 && revision != 4)
		return "a GICv3 distributor (-M gic-version=3)";
	mmio_write32(PLAT_GICD + GICD_CTLR, 0);
	missing = wait_clear(PLAT_GICD + GICD_CTLR, CTLR_RWP);
	if (missing)
		return missing;
	for (uint32_t i = 32; i < lines; i += 32) {
		mmio_write32(PLAT_GICD + GICD_ICENABLER + i / 8, ~0u);
		mmio_write32(PLAT_GICD + GICD_ICACTIVER + i / 8, ~0u);
		mmio_write32(PLAT_GICD + GICD_IGROUPR + i / 8, ~0u);
	}
	for (uint32_t i = 32; i < lines; i += 4)
		mmio_write32(PLAT_GICD + GICD_IPRIORITYR + i, 0xa0a0a0a0u);
	mmio_write32(PLAT_GICD + GICD_CTLR, CTLR_ARE | CTLR_ENABLE_GRP1);
	return wait_clear(PLAT_GICD + GICD_CTLR, CTLR_RWP);
}

static uint64_t redistributor(unsigned cpu)
{
	return PLAT_GICR + (uint64_t)cpu * PLAT_GICR_STRIDE;
}

const char *gicv3_cpu_init(unsigned cpu)
{
	uint64_t rd = redistributor(cpu);
	const char *missing;

	mmio_write32(rd + GICR_WAKER, mmio_read32(rd + GICR_WAKER) & ~WAKER_SLEEP);
	missing = wait_clear(rd + GICR_WAKER, WAKER_CHILDREN_ASLEEP);
	if (missing)
		return missing;
	mmio_write32(rd + GICR_ICENABLER0, ~0u);
	mmio_write32(rd + GICR_ICACTIVER0, ~0u);
	mmio_write32(rd + GICR_IGROUPR0, ~0u);
	for (unsigned i = 0; i < 32; i += 4)
		mmio_write32(rd + GICR_IPRIORITYR + i, 0xa0a0a0a0u);
	mmio_write32(rd + GICR_ISENABLER0,
		     1u << SGI_KICK | 1u << SGI_STOP | 1u << PLAT_PPI_HYP_TIMER |
			     1u << PLAT_PPI_VIRT_TIMER | 1u << PLAT_PPI_PMU | 1u << PLAT_PPI_MAINTENANCE);
	write_reg(ICC_SRE_EL2, 0xf);
	isb();
	if (!(read_reg(ICC_SRE_EL2) & 1))
		return "GIC system registers at EL2";
	write_reg(ICC_SRE_EL1, 7);
	isb();
	write_reg(ICC_PMR_EL1, 0xf8);
	write_reg(ICC_BPR1_EL1, 0);
	write_reg(ICC_CTLR_EL1, 1u << 1); /* EOImode */
	write_reg(ICC_IGRPEN1_EL1, 1);
	write_reg(ICH_HCR_EL2, 0);
	write_reg(ICH_VMCR_EL2, 0);
	isb();
	return 0;
}

void gicv3_enable_spi(unsigned intid, unsigned cpu)
{
	mmio_write64(PLAT_GICD + GICD_IROUTER + 8UL * intid, cpu);
	mmio_write32(PLAT_GICD + GICD_ISENABLER + intid / 32 * 4, 1u << (intid % 32));
}

void gicv3_send_sgi(unsigned cpu, unsigned sgi)
{
	dsb(ishst);
	write_reg(ICC_SGI1R_EL1, (uint64_t)sgi << 24 | 1u << cpu);
	isb();
}

void gicv3_ppi_set_active(unsigned intid, bool active)
{
	uint64_t rd = redistributor(cpu_this()->id);

	mmio_write32(rd + (active ? GICR_ISACTIVER0 : GICR_ICACTIVER0), 1u << intid);
}

void gicv3_ppis_end(uint32_t mask)
{
	mmio_write32(redistributor(cpu_this()->id) + GICR_ICACTIVER0, mask);
}
