/* SPDX-License-Identifier: MIT */
/* vgic_lr.c - list registers: a cache of the model for the vCPU that runs.
 * While an interrupt is in an LR its pending and active bits in the model are those of the fill; what happens to it
 * meanwhile is noted beside (lr_repended...). Never leaves a deliverable interrupt without a way to be noticed. */

#include "core/bug.h"
#include "dev/vgic_private.h"

/* Candidates sort by this: priority, active before pending, INTID. */
#define KEY_PENDING (1u << 19)
#define KEY_INTID 0xffffu

struct choice {
	unsigned count;
	unsigned limit;
	uint32_t key[VGIC_LR_MAX];
	uint32_t best_pending; /* the best key that is pending and not active */
	unsigned pending_count;
	unsigned active_count;
};

static void choose(struct choice *c, uint32_t key)
{
	unsigned at;

	if (key & KEY_PENDING) {
		c->pending_count++;
		if (key < c->best_pending)
			c->best_pending = key;
	} else {
		c->active_count++;
	}
	if (c->count == c->limit) {
		if (key >= c->key[c->limit - 1])
			return;
		c->count--;
	}
	for (at = c->count++; at > 0 && c->key[at - 1] > key; at--)
		c->key[at] = c->key[at - 1];
	c->key[at] = key;
}

static void choose_bank(struct vgic *v, unsigned cpu, unsigned bank, struct choice *c)
{
	const struct vgic_bank *b = vgic_bank(v, cpu, bank);
	uint32_t mask = (vgic_deliverable_bits(v, b) | b->active) & ~*vgic_resident(v, cpu, bank);

	while (mask) {
		unsigned bit = vgic_next_bit(&mask);
		unsigned intid = bank * 32 + bit;
		bool active = b->active >> bit & 1;

		if (bank && (active ? vgic_owner(v, intid) : vgic_route(v, intid)) != cpu)
			continue;
		choose(c, (uint32_t)*vgic_priority(v, cpu, intid) << 20 |
				  (active ? 0 : KEY_PENDING) | intid);
	}
}

/* Most banks have nothing to say most of the time. */
static inline bool busy(const struct vgic_bank *b)
{
	return b->latch | b->line | b->active;
}

/* The LR for an interrupt, and note it there. */
static uint64_t load_lr(struct vgic *v, unsigned cpu, unsigned intid, unsigned slot)
{
	struct vgic_cpu *c = &v->cpu[cpu];
	unsigned bank = intid / 32;
	const struct vgic_bank *b = vgic_bank(v, cpu, bank);
	uint32_t bit = vgic_bit(intid);
	uint16_t slot_bit = (uint16_t)(1u << slot);
	bool active = b->active & bit;
	bool deliverable = vgic_deliverable_bits(v, b) & bit;
	bool here = !bank || vgic_route(v, intid) == cpu;
	bool hw = vgic_is_hw(v, intid);
	bool pending = deliverable && here && !(hw && active); /* HW has no "pending and active" */
	uint64_t lr = intid | (uint64_t)*vgic_priority(v, cpu, intid) << VGIC_LR_PRIORITY_SHIFT;

	if (b->group & bit)
		lr |= VGIC_LR_GROUP1;
	if (active)
		lr |= VGIC_LR_ACTIVE;
	if (pending)
		lr |= VGIC_LR_PENDING;
	if (hw)
		lr |= VGIC_LR_HW | (uint64_t)intid << VGIC_LR_PINTID_SHIFT;
	else if (deliverable && (!here || (b->line & ~b->edge & bit)))
		lr |= VGIC_LR_EOI; /* look again: the line may still be up, or it is another vCPU's turn */

	*vgic_resident(v, cpu, bank) |= bit;
	c->lr_intid[slot] = (uint16_t)intid;
	c->lr_used |= slot_bit;
	c->lr_pending = (uint16_t)(pending ? c->lr_pending | slot_bit : c->lr_pending & ~slot_bit);
	c->lr_hw = (uint16_t)(hw ? c->lr_hw | slot_bit : c->lr_hw & ~slot_bit);
	c->lr_repended = (uint16_t)(c->lr_repended & ~slot_bit);
	c->lr_activated = (uint16_t)(c->lr_activated & ~slot_bit);
	c->lr_deactivated = (uint16_t)(c->lr_deactivated & ~slot_bit);
	return lr;
}

/* No SPI is; remembered for this state of the distributor. */
static __attribute__((noinline)) bool look_at_spis(struct vgic *v)
{
	for (unsigned bank = 0; bank < VGIC_BANK_COUNT; bank++)
		if (busy(&v->dist.bank[bank]))
			return false;
	v->quiet = v->dist.version;
	return true;
}

bool vgic_fill_none(struct vgic *v, unsigned cpu, uint64_t *hcr)
{
	if (!vgic_seems_idle(v, cpu) &&
	    (v->cpu[cpu].lr_used || busy(&v->cpu[cpu].state.bank) || !look_at_spis(v)))
		return false;
	vgic_show_none(v, cpu);
	*hcr = VGIC_HCR_EN;
	return true;
}

unsigned vgic_fill(struct vgic *v, unsigned cpu, uint64_t lr[], unsigned lr_count, uint64_t *hcr)
{
	struct choice c; /* key[] is filled as far as count */
	unsigned pending_kept = 0;

	c.count = c.pending_count = c.active_count = 0;
	c.best_pending = UINT32_MAX;
	c.limit = lr_count < VGIC_LR_MAX ? lr_count : VGIC_LR_MAX;
	BUG_ON(v->cpu[cpu].lr_used || !c.limit);
	if (busy(&v->cpu[cpu].state.bank))
		choose_bank(v, cpu, 0, &c);
#pragma GCC unroll 8
	for (unsigned bank = 0; bank < VGIC_BANK_COUNT; bank++)
		if (busy(&v->dist.bank[bank]))
			choose_bank(v, cpu, bank + 1, &c);
	v->dirty = (uint8_t)(v->dirty & ~(1u << cpu));
	v->kick = (uint8_t)(v->kick & ~(1u << cpu));
	*hcr = VGIC_HCR_EN;
	for (unsigned i = c.count; i < lr_count; i++)
		lr[i] = 0;
	if (!c.count)
		return 0;
	for (unsigned i = 0; i < c.count; i++)
		pending_kept += !!(c.key[i] & KEY_PENDING);
	if (c.pending_count && !pending_kept) {
		/* Active ones took all: but after a priority drop a pending one must get through. */
		c.key[c.count - 1] = c.best_pending;
		pending_kept = 1;
	}
	for (unsigned i = 0; i < c.count; i++)
		lr[i] = load_lr(v, cpu, c.key[i] & KEY_INTID, i);
	if (c.pending_count > pending_kept)
		*hcr |= VGIC_HCR_NPIE;
	if (c.active_count > c.count - pending_kept)
		*hcr |= VGIC_HCR_LRENPIE | VGIC_HCR_TDIR;
	return c.count;
}

/* An EOI that found no LR ends the best active interrupt that is in none. */
static void end_outside(struct vgic *v, unsigned cpu)
{
	uint32_t best = UINT32_MAX;

	for (unsigned bank = 0; bank < VGIC_BANKS; bank++) {
		uint32_t mask = vgic_bank(v, cpu, bank)->active & ~*vgic_resident(v, cpu, bank);

		while (mask) {
			unsigned intid = bank * 32 + vgic_next_bit(&mask);
			uint32_t key = (uint32_t)*vgic_priority(v, cpu, intid) << 20 | intid;

			if ((!bank || vgic_owner(v, intid) == cpu) && key < best)
				best = key;
		}
	}
	if (best != UINT32_MAX)
		vgic_deactivate(v, cpu, best & KEY_INTID);
}

static void fold_one(struct vgic *v, unsigned cpu, unsigned slot, uint64_t lr)
{
	struct vgic_cpu *c = &v->cpu[cpu];
	unsigned intid = c->lr_intid[slot];
	unsigned bank = intid / 32;
	struct vgic_bank *b = vgic_bank(v, cpu, bank);
	uint32_t bit = vgic_bit(intid);
	bool repended = c->lr_repended >> slot & 1;
	bool activated = c->lr_activated >> slot & 1;
	bool deactivated = c->lr_deactivated >> slot & 1;
	bool taken = (c->lr_pending >> slot & 1) && !(lr & VGIC_LR_PENDING);
	bool active = activated || ((lr & VGIC_LR_ACTIVE) && !deactivated);

	if (taken && !repended) {
		b->latch &= ~bit;
		if (c->lr_hw >> slot & 1)
			b->line &= ~bit;
	}
	if ((c->lr_hw >> slot & 1) && deactivated && (lr & VGIC_LR_ACTIVE) && !activated)
		c->hw_release |= bit;
	b->active = active ? b->active | bit : b->active & ~bit;
	*vgic_resident(v, cpu, bank) &= ~bit;
	if (!bank)
		return;
	vgic_changed(v);
	if (active)
		vgic_set_owner(v, intid, cpu);
	if (vgic_route(v, intid) != cpu)
		vgic_touch_bits(v, cpu, bank, bit);
}

void vgic_fold(struct vgic *v, unsigned cpu, const uint64_t lr[], unsigned lr_count,
	       unsigned eoi_count)
{
	struct vgic_cpu *c = &v->cpu[cpu];
	uint32_t used = c->lr_used;

	for (unsigned i = 0; i < eoi_count && i < 32; i++)
		end_outside(v, cpu);
	if (!used)
		return;
	BUG_ON(vgic_used(v, cpu) > lr_count);
	while (used) {
		unsigned slot = vgic_next_bit(&used);

		fold_one(v, cpu, slot, lr[slot]);
	}
	c->lr_used = 0;
	c->lr_pending = 0;
	c->lr_hw = 0;
	c->lr_repended = 0;
	c->lr_activated = 0;
	c->lr_deactivated = 0;
	v->dirty = (uint8_t)(v->dirty | 1u << cpu);
}

/* The rest of vgic_inject_fast(). */
static __attribute__((noinline)) bool inject(struct vgic *v, unsigned cpu, unsigned intid,
					     uint64_t empty, unsigned lr_count, unsigned *slot,
					     uint64_t *value)
{
	struct vgic_cpu *c = &v->cpu[cpu];
	struct vgic_bank *b = vgic_bank(v, cpu, intid / 32);
	uint32_t bit = vgic_bit(intid);
	bool was_dirty = vgic_is_dirty(v, cpu);
	uint8_t kick = v->kick;
	unsigned at;

	vgic_set_line(v, cpu, intid, true);
	if (was_dirty || !vgic_is_dirty(v, cpu) || (intid >= 32 && vgic_route(v, intid) != cpu))
		return false;
	if (*vgic_resident(v, cpu, intid / 32) & bit) {
		uint32_t used = c->lr_used;

		/* Only when the guest is done with the last one: then its LR is free, and folds to nothing. */
		do {
			if (!used)
				return false; /* in another vCPU's */
			at = vgic_next_bit(&used);
		} while (c->lr_intid[at] != intid);
		if (!(empty >> at & 1))
			return false;
		b->active &= ~bit;
		if (!(b->edge & bit))
			b->latch &= ~bit;
		if (intid >= 32)
			vgic_changed(v);
	} else {
		at = vgic_used(v, cpu);
		if (at >= lr_count || at >= VGIC_LR_MAX || (b->active & bit))
			return false;
	}
	if (!(vgic_deliverable_bits(v, b) & bit))
		return false;
	*slot = at;
	*value = load_lr(v, cpu, intid, at);
	v->dirty = (uint8_t)(v->dirty & ~(1u << cpu));
	v->kick = kick;
	return true;
}

/*
 * A HW interrupt that comes again and whose LR the guest has emptied meanwhile: the same LR once more. Nothing else is
 * to be done while the vCPU is not dirty: then there are no notes, and enables, groups and priorities stand as they stood.
 */
static inline bool inject_again(struct vgic *v, unsigned cpu, unsigned intid, uint64_t empty,
				unsigned *slot, uint64_t *value)
{
	struct vgic_cpu *c = &v->cpu[cpu];
	struct vgic_bank *b = &c->state.bank;
	uint32_t bit = vgic_bit(intid), used = c->lr_used;
	uint64_t group = b->group & bit ? VGIC_LR_GROUP1 : 0;
	unsigned at;

	if (!(c->resident & v->hw & b->enabled & ~b->edge & bit) || vgic_is_dirty(v, cpu) ||
	    !(v->dist.ctlr & (group ? 2 : 1)))
		return false;
	do {
		if (!used)
			return false;
		at = vgic_next_bit(&used);
	} while (c->lr_intid[at] != intid);
	if (!(empty >> at & 1))
		return false;
	b->line |= bit;
	b->active &= ~bit;
	b->latch &= ~bit;
	c->lr_pending = (uint16_t)(c->lr_pending | 1u << at);
	*slot = at;
	*value = intid | (uint64_t)intid << VGIC_LR_PINTID_SHIFT | VGIC_LR_HW | VGIC_LR_PENDING |
		 (uint64_t)c->state.priority[intid] << VGIC_LR_PRIORITY_SHIFT | group;
	return true;
}

bool vgic_inject_fast(struct vgic *v, unsigned cpu, unsigned intid, uint64_t empty,
		      unsigned lr_count, unsigned *slot, uint64_t *value)
{
	if (intid < 32 && inject_again(v, cpu, intid, empty, slot, value))
		return true;
	return inject(v, cpu, intid, empty, lr_count, slot, value);
}
