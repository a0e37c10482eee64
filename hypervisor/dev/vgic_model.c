/* SPDX-License-Identifier: MIT */
/* vgic_model.c - the state of every interrupt of a VM and the inputs that change it.
 * Never touches hardware and never trusts a list register: vgic_lr.c brings those back. */

#include "core/bug.h"
#include "dev/vgic_private.h"

/* The vCPU and LR that hold an interrupt which is in some LR. */
static struct vgic_cpu *find_lr(struct vgic *v, unsigned cpu, unsigned intid, unsigned *slot)
{
	unsigned first = intid < 32 ? cpu : 0;
	unsigned end = intid < 32 ? cpu + 1 : v->cpu_count;

	for (unsigned i = first; i < end; i++) {
		struct vgic_cpu *c = &v->cpu[i];
		uint32_t used = c->lr_used;

		while (used) {
			*slot = vgic_next_bit(&used);
			if (c->lr_intid[*slot] == intid)
				return c;
		}
	}
	BUG("a resident interrupt is in no list register");
}

static void touch(struct vgic *v, unsigned cpu)
{
	v->dirty = (uint8_t)(v->dirty | 1u << cpu);
	v->kick = (uint8_t)(v->kick | 1u << cpu);
}

void vgic_touch_all(struct vgic *v)
{
	for (unsigned cpu = 0; cpu < v->cpu_count; cpu++)
		touch(v, cpu);
}

void vgic_touch_bits(struct vgic *v, unsigned cpu, unsigned bank, uint32_t mask)
{
	const struct vgic_bank *b = vgic_bank(v, cpu, bank);
	uint32_t resident = *vgic_resident(v, cpu, bank);
	uint32_t deliverable = vgic_deliverable_bits(v, b);

	mask &= deliverable | resident | b->active;
	if (!bank) {
		if (mask)
			touch(v, cpu);
		return;
	}
	while (mask) {
		unsigned bit = vgic_next_bit(&mask);
		unsigned intid = bank * 32 + bit;
		unsigned route = vgic_route(v, intid);
		unsigned slot;

		if ((deliverable >> bit & 1) && route < VGIC_CPU_MAX)
			touch(v, route);
		if (b->active >> bit & 1)
			touch(v, vgic_owner(v, intid));
		if (resident >> bit & 1)
			touch(v, (unsigned)(find_lr(v, cpu, intid, &slot) - v->cpu));
	}
}

/* One note about an interrupt since its LR was filled: given, or withdrawn again. */
static void note(uint16_t *notes, unsigned slot, bool given)
{
	*notes = (uint16_t)(given ? *notes | 1u << slot : *notes & ~(1u << slot));
}

static void note_latch(struct vgic *v, unsigned cpu, unsigned bank, uint32_t mask, bool set)
{
	mask &= *vgic_resident(v, cpu, bank);
	while (mask) {
		unsigned slot;
		struct vgic_cpu *c = find_lr(v, cpu, bank * 32 + vgic_next_bit(&mask), &slot);

		note(&c->lr_repended, slot, set);
	}
}

static void note_active(struct vgic *v, unsigned cpu, unsigned bank, uint32_t mask, bool set)
{
	mask &= *vgic_resident(v, cpu, bank);
	while (mask) {
		unsigned slot;
		struct vgic_cpu *c = find_lr(v, cpu, bank * 32 + vgic_next_bit(&mask), &slot);

		note(&c->lr_activated, slot, set);
		note(&c->lr_deactivated, slot, !set);
	}
}

void vgic_set_latch(struct vgic *v, unsigned cpu, unsigned bank, uint32_t mask)
{
	vgic_bank(v, cpu, bank)->latch |= mask;
	if (bank)
		vgic_changed(v);
	note_latch(v, cpu, bank, mask, true);
	vgic_touch_bits(v, cpu, bank, mask);
}

void vgic_clear_latch(struct vgic *v, unsigned cpu, unsigned bank, uint32_t mask)
{
	vgic_bank(v, cpu, bank)->latch &= ~mask;
	if (bank)
		vgic_changed(v);
	/* A HW interrupt's new line is no latch: it stays noted. */
	note_latch(v, cpu, bank, bank ? mask : mask & ~v->hw, false);
	vgic_touch_bits(v, cpu, bank, mask);
}

void vgic_set_active(struct vgic *v, unsigned cpu, unsigned bank, uint32_t mask)
{
	struct vgic_bank *b = vgic_bank(v, cpu, bank);
	uint32_t fresh = bank ? mask & ~b->active & ~*vgic_resident(v, cpu, bank) : 0;

	while (fresh) {
		unsigned intid = bank * 32 + vgic_next_bit(&fresh);
		unsigned route = vgic_route(v, intid);

		vgic_set_owner(v, intid, route < VGIC_CPU_MAX ? route : cpu);
	}
	b->active |= mask;
	if (bank)
		vgic_changed(v);
	note_active(v, cpu, bank, mask, true);
	vgic_touch_bits(v, cpu, bank, mask);
}

void vgic_clear_active(struct vgic *v, unsigned cpu, unsigned bank, uint32_t mask)
{
	struct vgic_bank *b = vgic_bank(v, cpu, bank);

	if (!bank)
		v->cpu[cpu].hw_release |= mask & v->hw & b->active & ~v->cpu[cpu].resident;
	vgic_touch_bits(v, cpu, bank, mask);
	b->active &= ~mask;
	if (bank)
		vgic_changed(v);
	note_active(v, cpu, bank, mask, false);
	vgic_touch_bits(v, cpu, bank, mask);
}

void vgic_init(struct vgic *v, unsigned cpu_count)
{
	BUG_ON(cpu_count < 1 || cpu_count > VGIC_CPU_MAX);
	*v = (struct vgic){.cpu_count = (uint8_t)cpu_count};
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		v->cpu[cpu].state.bank.edge = 0xffff; /* SGIs */
		v->cpu[cpu].state.asleep = 1;
	}
	vgic_changed(v);
	vgic_touch_all(v);
}

void vgic_set_hw(struct vgic *v, unsigned intid)
{
	BUG_ON(intid < 16 || intid > 31);
	v->hw |= vgic_bit(intid);
}

/* A new level of a line; true when the interrupt may be newly pending, or no longer. */
static bool move_line(struct vgic *v, unsigned cpu, unsigned intid, bool level)
{
	struct vgic_bank *b = vgic_bank(v, cpu, intid / 32);
	uint32_t bit = vgic_bit(intid);

	if (vgic_is_hw(v, intid) && level) {
		/* Active, and so is the physical one: if its line is up at the end, that comes again by itself. */
		if (b->active & ~v->cpu[cpu].resident & bit)
			return false;
		/* Even with the line still up: the LR that lowers it at the next fold is a past one. */
		b->line |= bit;
		note_latch(v, cpu, 0, bit, true);
		return true;
	}
	if (level == !!(b->line & bit))
		return false;
	b->line ^= bit;
	if (intid >= 32)
		vgic_changed(v);
	if (!(b->edge & bit))
		return true;
	if (!level)
		return false;
	b->latch |= bit;
	note_latch(v, cpu, intid / 32, bit, true);
	return true;
}

void vgic_set_line(struct vgic *v, unsigned cpu, unsigned intid, bool level)
{
	BUG_ON(intid < 16 || intid >= VGIC_INTID_COUNT || cpu >= v->cpu_count);
	if (move_line(v, cpu, intid, level))
		vgic_touch_bits(v, cpu, intid / 32, vgic_bit(intid));
}

void vgic_pulse(struct vgic *v, unsigned cpu, unsigned intid)
{
	BUG_ON(intid >= VGIC_INTID_COUNT || cpu >= v->cpu_count);
	vgic_set_latch(v, cpu, intid / 32, vgic_bit(intid));
}

void vgic_sgi(struct vgic *v, unsigned cpu, enum vgic_sgi_register which, uint64_t value)
{
	uint32_t bit = UINT32_C(1) << (value >> 24 & 15);
	bool all_others = value >> 40 & 1;
	uint64_t upper = (value >> 16 & 0xff) | (value >> 32 & 0xff) | (value >> 48 & 0xff);
	unsigned range = (unsigned)(value >> 44 & 15) * 16;

	if (!all_others && upper)
		return; /* no vCPU has a non-zero Aff1, Aff2 or Aff3 */
	for (unsigned i = 0; i < v->cpu_count; i++) {
		bool chosen = all_others
				      ? i != cpu
				      : i >= range && i < range + 16 && (value >> (i - range) & 1);

		/* SGI1R reaches both groups, the others only Group 0 (GIC architecture, "Forwarding SGIs"). */
		if (which != VGIC_SGI1R && (v->cpu[i].state.bank.group & bit))
			chosen = false;
		if (chosen)
			vgic_set_latch(v, i, 0, bit);
	}
}

void vgic_deactivate(struct vgic *v, unsigned cpu, unsigned intid)
{
	if (intid < VGIC_INTID_COUNT)
		vgic_clear_active(v, cpu, intid / 32, vgic_bit(intid));
}

/* The priority of the best deliverable interrupt of one group (1: Group 1) for this vCPU, or 0x100. */
static unsigned best_priority(const struct vgic *v, unsigned cpu, unsigned group)
{
	unsigned best = 0x100;

	for (unsigned bank = 0; bank < VGIC_BANKS; bank++) {
		const struct vgic_bank *b = vgic_bank_const(v, cpu, bank);
		uint32_t mask =
			vgic_deliverable_bits(v, b) & ~b->active & (group ? b->group : ~b->group);

		while (mask) {
			unsigned bit = vgic_next_bit(&mask);
			unsigned intid = bank * 32 + bit;
			unsigned priority = bank ? v->dist.priority[intid - 32]
						 : v->cpu[cpu].state.priority[bit];

			if (bank && vgic_route(v, intid) != cpu)
				continue;
			if (priority < best)
				best = priority;
		}
	}
	return best;
}

/* Bits of a priority that take part in preemption, by ICH_VMCR_EL2's binary point of the group. */
static unsigned preemption_mask(uint64_t vmcr, unsigned group)
{
	unsigned point = (unsigned)(vmcr >> 21 & 7); /* VBPR0 */

	if (group &&
	    !(vmcr &
	      1u << 4)) { /* VCBPR clear: VBPR1, of which 0 reads as 1 and splits as 0 of group 0 */
		point = (unsigned)(vmcr >> 18 & 7);
		point = point ? point - 1 : 0;
	}
	return (unsigned)(0xfeu << point) & 0xff;
}

bool vgic_pending(const struct vgic *v, unsigned cpu, const struct vgic_interface *interface)
{
	uint32_t running = interface->ap0r | interface->ap1r;
	unsigned running_priority = running ? (unsigned)__builtin_ctz(running) * 8 : 0x100;
	unsigned mask_priority = (unsigned)(interface->vmcr >> 24 & 0xff);

	for (unsigned group = 0; group < 2; group++) {
		unsigned best;

		if (!(interface->vmcr >> group & 1)) /* VENG0, VENG1 */
			continue;
		best = best_priority(v, cpu, group);
		if (best >= mask_priority)
			continue;
		if (running_priority == 0x100)
			return true;
		if ((best & preemption_mask(interface->vmcr, group)) <
		    (running_priority & preemption_mask(interface->vmcr, group)))
			return true;
	}
	return false;
}

bool vgic_hw_busy(const struct vgic *v, unsigned cpu, unsigned intid)
{
	const struct vgic_bank *b = vgic_bank_const(v, cpu, 0);

	return vgic_is_hw(v, intid) && ((b->line | b->active) & vgic_bit(intid));
}

uint32_t vgic_take_hw_release(struct vgic *v, unsigned cpu)
{
	uint32_t release = v->cpu[cpu].hw_release;

	v->cpu[cpu].hw_release = 0;
	return release;
}
