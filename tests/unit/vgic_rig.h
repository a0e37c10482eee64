/* SPDX-License-Identifier: MIT */
/* vgic_rig.h - vCPUs for tests of the vGIC: list registers that behave as the hardware's, and an EL2 that serves
 * maintenance interrupts and kicks at once. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/bug.h"
#include "dev/vgic.h"

#define RIG_LRS 4
#define RIG_NONE 1023u

struct rig {
	struct vgic v;
	uint64_t lr[VGIC_CPU_MAX][RIG_LRS];
	uint64_t hcr[VGIC_CPU_MAX];
	unsigned eoi_count[VGIC_CPU_MAX];
	unsigned maintenance_count;
	unsigned fill_count;
};

_Noreturn void bug_report(const char *file, int line, const char *what)
{
	fprintf(stderr, "BUG %s:%d: %s\n", file, line, what);
	abort();
}

static inline void rig_fold(struct rig *r, unsigned cpu)
{
	vgic_fold(&r->v, cpu, r->lr[cpu], RIG_LRS, r->eoi_count[cpu]);
	r->eoi_count[cpu] = 0;
}

/* vgic_fill(), and its short cut must do the same where it says it did. */
static inline void rig_fill(struct rig *r, unsigned cpu)
{
	struct vgic other = r->v;
	uint64_t hcr = 0;
	bool none = vgic_fill_none(&other, cpu, &hcr);
	unsigned used = vgic_fill(&r->v, cpu, r->lr[cpu], RIG_LRS, &r->hcr[cpu]);

	if (none) {
		assert_int_equal(used, 0);
		assert_int_equal(hcr, r->hcr[cpu]);
		r->v.quiet = other.quiet;
		assert_memory_equal(&other, &r->v, sizeof(other));
	}
}

/* What EL2 does before it enters the vCPU. */
static inline void rig_enter(struct rig *r, unsigned cpu)
{
	if (!vgic_is_dirty(&r->v, cpu))
		return;
	rig_fold(r, cpu);
	rig_fill(r, cpu);
	r->fill_count++;
}

static inline void rig_enter_all(struct rig *r)
{
	unsigned kick = vgic_take_kick(&r->v);

	while (kick) {
		for (unsigned cpu = 0; cpu < r->v.cpu_count; cpu++) {
			if (kick >> cpu & 1)
				assert_true(vgic_is_dirty(&r->v, cpu));
		}
		for (unsigned cpu = 0; cpu < r->v.cpu_count; cpu++)
			rig_enter(r, cpu);
		kick = vgic_take_kick(&r->v);
	}
	for (unsigned cpu = 0; cpu < r->v.cpu_count; cpu++)
		rig_enter(r, cpu);
}

static inline bool rig_maintenance(const struct rig *r, unsigned cpu)
{
	bool pending = false;

	for (unsigned i = 0; i < RIG_LRS; i++) {
		uint64_t lr = r->lr[cpu][i];

		if (lr >> VGIC_LR_STATE_SHIFT == 1)
			pending = true;
		if (!(lr >> VGIC_LR_STATE_SHIFT) && !(lr & VGIC_LR_HW) && (lr & VGIC_LR_EOI))
			return true;
	}
	return ((r->hcr[cpu] & VGIC_HCR_NPIE) && !pending) ||
	       ((r->hcr[cpu] & VGIC_HCR_LRENPIE) && r->eoi_count[cpu]);
}

/* Serve maintenance interrupts, as they come, and whom they kick. */
static inline void rig_settle(struct rig *r, unsigned cpu)
{
	for (unsigned turns = 0; rig_maintenance(r, cpu); turns++) {
		assert_true(turns < 4); /* else a storm */
		r->maintenance_count++;
		rig_fold(r, cpu);
		rig_fill(r, cpu);
	}
	rig_enter_all(r);
}

static inline uint64_t rig_empty(const struct rig *r, unsigned cpu)
{
	uint64_t empty = 0;

	for (unsigned i = 0; i < RIG_LRS; i++) {
		uint64_t lr = r->lr[cpu][i];

		if (!(lr >> VGIC_LR_STATE_SHIFT) && ((lr & VGIC_LR_HW) || !(lr & VGIC_LR_EOI)))
			empty |= UINT64_C(1) << i;
	}
	return empty;
}

/* The LR that the CPU interface would signal, or -1. */
static inline int rig_best(const struct rig *r, unsigned cpu)
{
	int best = -1;
	uint64_t best_priority = 0x100;

	for (unsigned i = 0; i < RIG_LRS; i++) {
		uint64_t lr = r->lr[cpu][i];
		uint64_t priority = lr >> VGIC_LR_PRIORITY_SHIFT & 0xff;

		if (lr >> VGIC_LR_STATE_SHIFT == 1 && priority < best_priority) {
			best = (int)i;
			best_priority = priority;
		}
	}
	return best;
}

/* ICC_IAR: the INTID taken, or RIG_NONE. */
static inline unsigned rig_ack(struct rig *r, unsigned cpu)
{
	int best = rig_best(r, cpu);
	unsigned intid;

	if (best < 0)
		return RIG_NONE;
	r->lr[cpu][best] ^= VGIC_LR_PENDING | VGIC_LR_ACTIVE;
	intid = (unsigned)(r->lr[cpu][best] & 0xffff);
	rig_settle(r, cpu);
	return intid;
}

/* ICC_EOIR with EOImode 0. True when the physical interrupt is deactivated with it. */
static inline bool rig_eoi(struct rig *r, unsigned cpu, unsigned intid)
{
	for (unsigned i = 0; i < RIG_LRS; i++) {
		uint64_t *lr = &r->lr[cpu][i];

		if ((*lr & VGIC_LR_ACTIVE) && (*lr & 0xffff) == intid) {
			bool hw = *lr & VGIC_LR_HW;

			*lr &= ~VGIC_LR_ACTIVE;
			rig_settle(r, cpu);
			return hw;
		}
	}
	r->eoi_count[cpu]++;
	rig_settle(r, cpu);
	return false;
}

static inline void rig_write_sized(struct rig *r, unsigned cpu, enum vgic_frame frame,
				   uint64_t offset, unsigned size, uint64_t value)
{
	if (vgic_mmio_wants_fold(frame, offset, true))
		rig_fold(r, cpu);
	assert_true(vgic_mmio(&r->v, cpu, frame, offset, size, true, &value));
	rig_enter_all(r);
}

static inline uint64_t rig_read_sized(struct rig *r, unsigned cpu, enum vgic_frame frame,
				      uint64_t offset, unsigned size)
{
	uint64_t value = UINT64_C(0x5555555555555555);

	if (vgic_mmio_wants_fold(frame, offset, false))
		rig_fold(r, cpu);
	assert_true(vgic_mmio(&r->v, cpu, frame, offset, size, false, &value));
	rig_enter_all(r);
	return value;
}

#define SGI(cpu) (VGIC_REDIST_SIZE * (cpu) + 0x10000)

static inline void dist_write(struct rig *r, uint64_t offset, uint64_t value)
{
	rig_write_sized(r, 0, VGIC_DIST, offset, 4, value);
}

static inline uint32_t dist_read(struct rig *r, uint64_t offset)
{
	return (uint32_t)rig_read_sized(r, 0, VGIC_DIST, offset, 4);
}

static inline void sgi_write(struct rig *r, unsigned cpu, uint64_t offset, uint64_t value)
{
	rig_write_sized(r, cpu, VGIC_REDIST, SGI(cpu) + offset, 4, value);
}

static inline uint32_t sgi_read(struct rig *r, unsigned cpu, uint64_t offset)
{
	return (uint32_t)rig_read_sized(r, cpu, VGIC_REDIST, SGI(cpu) + offset, 4);
}

static inline void rig_line(struct rig *r, unsigned cpu, unsigned intid, bool level)
{
	vgic_set_line(&r->v, cpu, intid, level);
	rig_enter_all(r);
}

static inline void rig_pulse(struct rig *r, unsigned cpu, unsigned intid)
{
	vgic_pulse(&r->v, cpu, intid);
	rig_enter_all(r);
}

/* Everything in Group 1 at priority 0xa0, the distributor on, nothing enabled. */
static inline void rig_init(struct rig *r, unsigned cpu_count)
{
	memset(r, 0, sizeof(*r));
	vgic_init(&r->v, cpu_count);
	vgic_set_hw(&r->v, 27);
	rig_enter_all(r);
	dist_write(r, 0, 3);
	for (unsigned i = 1; i <= VGIC_BANK_COUNT; i++)
		dist_write(r, 0x80 + 4 * i, UINT32_MAX);
	for (unsigned i = 32; i < VGIC_INTID_COUNT; i += 4)
		dist_write(r, 0x400 + i, 0xa0a0a0a0);
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		sgi_write(r, cpu, 0x80, UINT32_MAX);
		for (unsigned i = 0; i < 32; i += 4)
			sgi_write(r, cpu, 0x400 + i, 0xa0a0a0a0);
	}
}

static inline void rig_enable(struct rig *r, unsigned cpu, unsigned intid, bool on)
{
	uint32_t bit = UINT32_C(1) << (intid & 31);

	if (intid < 32)
		sgi_write(r, cpu, on ? 0x100 : 0x180, bit);
	else
		dist_write(r, (on ? 0x100 : 0x180) + 4 * (intid / 32), bit);
}

static inline void rig_set_priority(struct rig *r, unsigned cpu, unsigned intid, unsigned priority)
{
	if (intid < 32)
		rig_write_sized(r, cpu, VGIC_REDIST, SGI(cpu) + 0x400 + intid, 1, priority);
	else
		rig_write_sized(r, cpu, VGIC_DIST, 0x400 + intid, 1, priority);
}

static inline void rig_edge(struct rig *r, unsigned intid)
{
	uint64_t offset = 0xc00 + 4 * (intid / 16);
	uint32_t bit = UINT32_C(2) << 2 * (intid & 15);

	if (intid < 32)
		sgi_write(r, 0, offset, sgi_read(r, 0, offset) | bit);
	else
		dist_write(r, offset, dist_read(r, offset) | bit);
}
