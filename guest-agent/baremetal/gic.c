/* SPDX-License-Identifier: MIT */
/*
 * gic.c - GICv3: group 1, one priority, one table of handlers for all vCPUs. Each function is about the vCPU that calls
 * it. Must never leave an INTID without EOI.
 */
#include "baremetal/guest.h"

#define GICD 0x08000000ul
#define GICD_CTLR 0x0000
#define GICD_IGROUPR 0x0080
#define GICD_ISENABLER 0x0100
#define GICD_ICENABLER 0x0180
#define GICD_IPRIORITYR 0x0400
#define GICD_ICFGR 0x0c00
#define GICD_IROUTER 0x6000
#define GICR 0x080a0000ul
#define GICR_WAKER 0x0014
#define GICR_STRIDE 0x20000
#define GICR_SGI 0x10000
#define WAKER_SLEEP 0x2u
#define WAKER_ASLEEP 0x4u

static struct {
	guest_handler handler;
	void *context;
} handlers[GUEST_INTID_COUNT];

void guest_interrupt(struct guest_frame *frame);

/* The caller's redistributor. */
static uint64_t redistributor(void)
{
	return GICR + (uint64_t)guest_cpu_number() * GICR_STRIDE;
}

/* The frame that has the registers of an INTID: SGIs and PPIs have theirs in the redistributor. */
static uint64_t bank(unsigned int intid)
{
	return intid < 32 ? redistributor() + GICR_SGI : GICD;
}

void interrupts_init(void)
{
	uint64_t waker = redistributor() + GICR_WAKER;

	mmio_write32(GICD + GICD_CTLR, 0x12); /* ARE_NS, EnableGrp1 */
	mmio_write32(waker, mmio_read32(waker) & ~WAKER_SLEEP);
	while (mmio_read32(waker) & WAKER_ASLEEP)
		;
	__asm__ volatile("msr s3_0_c12_c12_5, %0\n\tisb" : : "r"(7ul)); /* ICC_SRE_EL1 */
	__asm__ volatile("msr s3_0_c4_c6_0, %0" : : "r"(0xfful));       /* ICC_PMR_EL1 */
	__asm__ volatile("msr s3_0_c12_c12_3, %0" : : "r"(0ul));        /* ICC_BPR1_EL1 */
	__asm__ volatile("msr s3_0_c12_c12_4, %0" : : "r"(0ul));        /* ICC_CTLR_EL1 */
	__asm__ volatile("msr s3_0_c12_c12_7, %0\n\tisb" : : "r"(1ul)); /* ICC_IGRPEN1_EL1 */
}

void interrupt_enable(unsigned int intid, bool edge, guest_handler handler, void *context)
{
	uint64_t base = bank(intid);
	uint64_t word = base + 4 * (intid / 32);
	uint32_t bit = 1u << (intid % 32);
	uint32_t config;

	handlers[intid].handler = handler;
	handlers[intid].context = context;
	mmio_write32(word + GICD_IGROUPR, mmio_read32(word + GICD_IGROUPR) | bit);
	mmio_write8(base + GICD_IPRIORITYR + intid, 0xa0);
	if (intid >= 16) {
		uint64_t at = base + GICD_ICFGR + 4 * (intid / 16);

		config = mmio_read32(at) & ~(2u << (2 * (intid % 16)));
		mmio_write32(at, config | (edge ? 2u << (2 * (intid % 16)) : 0));
	}
	if (intid >= 32) {
		uint64_t mpidr;

		__asm__("mrs %0, mpidr_el1" : "=r"(mpidr));
		mmio_write64(GICD + GICD_IROUTER + 8 * intid, mpidr & 0xff00fffffful);
	}
	mmio_write32(word + GICD_ISENABLER, bit);
}

void interrupt_disable(unsigned int intid)
{
	mmio_write32(bank(intid) + 4 * (intid / 32) + GICD_ICENABLER, 1u << (intid % 32));
}

bool interrupts_take(void)
{
	uint64_t intid;

	__asm__ volatile("mrs %0, s3_0_c12_c12_0\n\tdsb sy"
			 : "=r"(intid)
			 :
			 : "memory"); /* ICC_IAR1_EL1 */
	if (intid >= 1020)
		return false;
	if (intid < GUEST_INTID_COUNT && handlers[intid].handler)
		handlers[intid].handler((unsigned int)intid, handlers[intid].context);
	else
		print("interrupt %lu has no handler\n", intid);
	__asm__ volatile("msr s3_0_c12_c12_1, %0\n\tisb"
			 :
			 : "r"(intid)
			 : "memory"); /* ICC_EOIR1_EL1 */
	return true;
}

void guest_interrupt(struct guest_frame *frame)
{
	(void)frame;
	while (interrupts_take())
		;
}
