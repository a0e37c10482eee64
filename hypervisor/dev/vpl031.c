/* SPDX-License-Identifier: MIT */
/* vpl031.c - a PL031 with QEMU's habits: it cannot be stopped, and a match that is set to now comes at once.
 * Must never ask for the time itself: the caller says it, so that host tests can. */

#include "dev/vpl031.h"

enum {
	DR = 0x00,
	MR = 0x04,
	LR = 0x08,
	CR = 0x0c,
	IMSC = 0x10,
	RIS = 0x14,
	MIS = 0x18,
	ICR = 0x1c,
	ID_BASE = 0xfe0,
};

static void update_line(struct vpl031 *r)
{
	bool level = r->state.raw & r->state.mask;

	if (level == r->level)
		return;
	r->level = level;
	r->line(r->ctx, level);
}

void vpl031_init(struct vpl031 *r, void *ctx, void (*line)(void *ctx, bool level))
{
	*r = (struct vpl031){.state = {.due = ~0UL}, .ctx = ctx, .line = line};
}

uint64_t vpl031_evaluate(struct vpl031 *r, uint64_t wall)
{
	struct vpl031_state *s = &r->state;

	if (wall < s->due)
		return s->due == ~0UL ? ~0UL : s->due - wall;
	s->due = ~0UL;
	s->raw = 1;
	update_line(r);
	return ~0UL;
}

/* A match in the past is one after the seconds' next turn round 2^32. */
static void arm(struct vpl031_state *s, uint64_t wall)
{
	s->due = wall + (uint32_t)(s->match - ((uint32_t)wall + s->offset));
}

static uint32_t reg_read(const struct vpl031 *r, uint64_t offset, uint64_t wall)
{
	static const uint8_t ids[8] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
	const struct vpl031_state *s = &r->state;

	if (offset >= ID_BASE)
		return ids[(offset - ID_BASE) / 4];
	switch (offset) {
	case DR:
		return (uint32_t)wall + s->offset;
	case MR:
		return s->match;
	case LR:
		return s->load;
	case CR:
		return 1;
	case IMSC:
		return s->mask;
	case RIS:
		return s->raw;
	case MIS:
		return s->raw & s->mask;
	default:
		return 0;
	}
}

static void reg_write(struct vpl031 *r, uint64_t offset, uint32_t value, uint64_t wall)
{
	struct vpl031_state *s = &r->state;

	switch (offset) {
	case MR:
		s->match = value;
		arm(s, wall);
		break;
	case LR:
		s->load = value;
		s->offset = value - (uint32_t)wall;
		arm(s, wall);
		break;
	case IMSC:
		s->mask = value & 1;
		break;
	case ICR:
		if (value & 1)
			s->raw = 0;
		break;
	default:
		break;
	}
}

void vpl031_mmio(struct vpl031 *r, uint64_t offset, unsigned size, bool write, uint64_t *value,
		 uint64_t wall)
{
	bool there = !(offset & 3) && size <= 4 && offset < VPL031_SIZE;

	vpl031_evaluate(r, wall);
	if (!write)
		*value = there ? reg_read(r, offset, wall) & (0xffffffffu >> (32 - 8 * size)) : 0;
	else if (there)
		reg_write(r, offset, (uint32_t)*value, wall);
	vpl031_evaluate(r, wall);
	update_line(r);
}

void vpl031_load(struct vpl031 *r, const struct vpl031_state *from)
{
	r->state = *from;
	update_line(r);
}
