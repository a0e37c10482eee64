/* SPDX-License-Identifier: MIT */
/* vgic_state.c - the vGIC in and out of a snapshot: flat copies.
 * Never with an interrupt still in a list register: what is there is not in the model yet. */

#include "core/bug.h"
#include "dev/vgic_private.h"

/* Of each vCPU its own part is saved, or loaded, beside this: they look at its list registers. */
void vgic_save(const struct vgic *v, struct vgic_dist_state *to)
{
	*to = v->dist;
}

void vgic_load(struct vgic *v, const struct vgic_dist_state *from)
{
	if (!from->version || from->version != v->dist.version) {
		v->dist = *from;
		v->dist.ctlr &= VGIC_CTLR_GROUPS;
		if (!from->version || from->version > v->versions)
			vgic_changed(v); /* not of this VM */
	}
}

void vgic_adopt(struct vgic *v, const struct vgic_dist_state *from, unsigned cpu_count)
{
	v->cpu_count = (uint8_t)cpu_count;
	v->dist = *from;
	v->dist.ctlr &= VGIC_CTLR_GROUPS;
	vgic_changed(v); /* no state of this VM has that version */
}

void vgic_lower_lines(struct vgic *v, unsigned intid, unsigned count)
{
	BUG_ON(intid < 32 || intid % 32 || count % 32 || intid + count > VGIC_INTID_COUNT);
	for (unsigned bank = intid / 32; bank < (intid + count) / 32; bank++)
		v->dist.bank[bank - 1].line = 0;
	vgic_changed(v);
}

void vgic_cpu_save(const struct vgic *v, unsigned cpu, struct vgic_cpu_state *to)
{
	BUG_ON(v->cpu[cpu].lr_used);
	*to = v->cpu[cpu].state;
}

void vgic_cpu_load(struct vgic *v, unsigned cpu, const struct vgic_cpu_state *from)
{
	struct vgic_cpu *c = &v->cpu[cpu];

	BUG_ON(c->lr_used);
	c->state = *from;
	c->state.bank.edge = (c->state.bank.edge | 0xffff) & ~v->hw;
	c->hw_release = 0;
	v->dirty = (uint8_t)(v->dirty | 1u << cpu);
	v->kick = (uint8_t)(v->kick | 1u << cpu);
}
