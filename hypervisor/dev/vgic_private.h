/* SPDX-License-Identifier: MIT */
/* vgic_private.h - what the parts of the vGIC share. Interrupts go by bank (INTID / 32) and bit; bank 0 is a vCPU's. */
#pragma once

#include "dev/vgic.h"

#define VGIC_BANKS (1 + VGIC_BANK_COUNT)
#define VGIC_CTLR_GROUPS 3u

static inline struct vgic_bank *vgic_bank(struct vgic *v, unsigned cpu, unsigned bank)
{
	return bank ? &v->dist.bank[bank - 1] : &v->cpu[cpu].state.bank;
}

static inline const struct vgic_bank *vgic_bank_const(const struct vgic *v, unsigned cpu,
						      unsigned bank)
{
	return bank ? &v->dist.bank[bank - 1] : &v->cpu[cpu].state.bank;
}

static inline uint32_t *vgic_resident(struct vgic *v, unsigned cpu, unsigned bank)
{
	return bank ? &v->resident[bank - 1] : &v->cpu[cpu].resident;
}

static inline uint8_t *vgic_priority(struct vgic *v, unsigned cpu, unsigned intid)
{
	return intid < 32 ? &v->cpu[cpu].state.priority[intid] : &v->dist.priority[intid - 32];
}

static inline uint32_t vgic_bit(unsigned intid)
{
	return UINT32_C(1) << (intid & 31);
}

/* Take the lowest bit out of *mask. */
static inline unsigned vgic_next_bit(uint32_t *mask)
{
	unsigned bit = (unsigned)__builtin_ctz(*mask);

	*mask &= *mask - 1;
	return bit;
}

/* The vCPU SPI intid goes to, or VGIC_CPU_MAX for none. */
static inline unsigned vgic_route(const struct vgic *v, unsigned intid)
{
	unsigned route = v->dist.route[intid - 32] & VGIC_ROUTE_MASK;

	return route < v->cpu_count ? route : VGIC_CPU_MAX;
}

/* The vCPU on which SPI intid, being active, was taken. */
static inline unsigned vgic_owner(const struct vgic *v, unsigned intid)
{
	unsigned owner = (unsigned)v->dist.route[intid - 32] >> VGIC_ROUTE_OWNER_SHIFT;

	return owner < v->cpu_count ? owner : 0;
}

static inline void vgic_set_owner(struct vgic *v, unsigned intid, unsigned cpu)
{
	uint16_t *route = &v->dist.route[intid - 32];

	*route = (uint16_t)((*route & VGIC_ROUTE_MASK) | cpu << VGIC_ROUTE_OWNER_SHIFT);
}

/* Whoever changes the distributor's state says so; vgic_load() relies on it. */
static inline void vgic_changed(struct vgic *v)
{
	v->dist.version = ++v->versions;
}

static inline uint32_t vgic_pending_bits(const struct vgic_bank *b)
{
	return b->latch | (b->line & ~b->edge);
}

/* Pending, enabled, group enabled: a list register may show it as pending. */
static inline uint32_t vgic_deliverable_bits(const struct vgic *v, const struct vgic_bank *b)
{
	uint32_t groups = (v->dist.ctlr & 1 ? ~b->group : 0) | (v->dist.ctlr & 2 ? b->group : 0);

	return vgic_pending_bits(b) & b->enabled & groups;
}

static inline bool vgic_is_hw(const struct vgic *v, unsigned intid)
{
	return intid < 32 && (v->hw >> intid & 1);
}

/* After a change to these interrupts: make dirty whose LRs it may concern. */
void vgic_touch_bits(struct vgic *v, unsigned cpu, unsigned bank, uint32_t mask);
void vgic_touch_all(struct vgic *v);

/* Software's view of pending and active, also right for interrupts that are in LRs. */
void vgic_set_latch(struct vgic *v, unsigned cpu, unsigned bank, uint32_t mask);
void vgic_clear_latch(struct vgic *v, unsigned cpu, unsigned bank, uint32_t mask);
void vgic_set_active(struct vgic *v, unsigned cpu, unsigned bank, uint32_t mask);
void vgic_clear_active(struct vgic *v, unsigned cpu, unsigned bank, uint32_t mask);
