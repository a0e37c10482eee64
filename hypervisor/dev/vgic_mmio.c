/* SPDX-License-Identifier: MIT */
/* vgic_mmio.c - the distributor's and redistributors' registers (GIC architecture, 12.9 to 12.11).
 * Never refuses a size or an offset inside them: what does not exist reads as zero and ignores writes. */

#include "dev/vgic_private.h"

#define GICD_CTLR_ARE (1u << 4)
#define GICD_CTLR_DS (1u << 6)
#define GICD_TYPER_VALUE                                                             \
	(VGIC_BANK_COUNT | 9u << 19 /* IDbits: 1024 INTIDs */ | 1u << 24 /* A3V */ | \
	 1u << 25 /* No1N */)
#define GIC_IIDR_VALUE 0x43bu /* as QEMU's: Arm */
#define GICR_WAKER_SLEEP (1u << 1)
#define GICR_WAKER_CHILDREN_ASLEEP (1u << 2)
#define SGI_BASE 0x10000u
#define ID_BASE 0xffd0u
#define DIST_ARRAYS 0x80u

/* One decoded access. value is what is written, or receives what is read (zero unless set). */
struct access {
	struct vgic *v;
	unsigned cpu; /* whose private interrupts bank 0 means */
	uint32_t offset;
	unsigned size;
	bool write;
	uint64_t value;
};

/* The registers of one bit per interrupt. */
enum bits_register {
	BITS_GROUP,
	BITS_SET_ENABLE,
	BITS_CLEAR_ENABLE,
	BITS_SET_PENDING,
	BITS_CLEAR_PENDING,
	BITS_SET_ACTIVE,
	BITS_CLEAR_ACTIVE,
};

static uint32_t bits_read(const struct vgic_bank *b, enum bits_register which)
{
	switch (which) {
	case BITS_GROUP:
		return b->group;
	case BITS_SET_ENABLE:
	case BITS_CLEAR_ENABLE:
		return b->enabled;
	case BITS_SET_PENDING:
	case BITS_CLEAR_PENDING:
		return vgic_pending_bits(b);
	case BITS_SET_ACTIVE:
	case BITS_CLEAR_ACTIVE:
		return b->active;
	}
	return 0;
}

static void bits_write(struct access *a, unsigned bank, enum bits_register which)
{
	struct vgic_bank *b = vgic_bank(a->v, a->cpu, bank);
	uint32_t value = (uint32_t)a->value;
	uint32_t changed;

	switch (which) {
	case BITS_GROUP:
		changed = value ^ b->group;
		vgic_touch_bits(a->v, a->cpu, bank,
				changed); /* it may stop being deliverable, or start */
		b->group = value;
		vgic_touch_bits(a->v, a->cpu, bank, changed);
		break;
	case BITS_SET_ENABLE:
		changed = value & ~b->enabled;
		b->enabled |= value;
		vgic_touch_bits(a->v, a->cpu, bank, changed);
		break;
	case BITS_CLEAR_ENABLE:
		changed = value & b->enabled;
		b->enabled &= ~value;
		vgic_touch_bits(a->v, a->cpu, bank, changed);
		break;
	case BITS_SET_PENDING:
		vgic_set_latch(a->v, a->cpu, bank, value);
		break;
	case BITS_CLEAR_PENDING:
		vgic_clear_latch(a->v, a->cpu, bank, value);
		break;
	case BITS_SET_ACTIVE:
		vgic_set_active(a->v, a->cpu, bank, value);
		break;
	case BITS_CLEAR_ACTIVE:
		vgic_clear_active(a->v, a->cpu, bank, value);
		break;
	}
}

/* 0x080..0x3ff: seven arrays of 32 words. banks: how many are there; skip: bank 0 is elsewhere. */
static void bits_access(struct access *a, unsigned banks, bool skip_private)
{
	enum bits_register which = (enum bits_register)((a->offset - 0x80) / 0x80);
	unsigned bank = (a->offset & 0x7f) / 4;

	if (a->size != 4 || bank >= banks || (skip_private && !bank))
		return;
	if (a->write)
		bits_write(a, bank, which);
	else
		a->value = bits_read(vgic_bank(a->v, a->cpu, bank), which);
}

/* IPRIORITYR: bytes and words. first..end: the INTIDs that are there. */
static void priority_access(struct access *a, unsigned first, unsigned end)
{
	unsigned intid = a->offset - 0x400;

	if ((a->size != 1 && a->size != 4) || intid < first || intid >= end)
		return;
	for (unsigned i = 0; i < a->size; i++) {
		uint8_t *priority = vgic_priority(a->v, a->cpu, intid + i);
		uint8_t value = (uint8_t)(a->value >> 8 * i & VGIC_PRIORITY_MASK);

		if (!a->write) {
			a->value |= (uint64_t)*priority << 8 * i;
		} else if (*priority != value) {
			*priority = value;
			vgic_touch_bits(a->v, a->cpu, (intid + i) / 32, vgic_bit(intid + i));
		}
	}
}

/* ICFGR: two bits an interrupt, of which the upper says edge. SGIs are edges, HW interrupts levels, for good. */
static void config_access(struct access *a, unsigned banks, bool skip_private)
{
	unsigned intid = (a->offset - 0xc00) / 4 * 16;
	unsigned bank = intid / 32;
	unsigned shift = intid & 16;
	struct vgic_bank *b;
	uint32_t edge = 0;
	uint32_t fixed;

	if (a->size != 4 || bank >= banks || (skip_private && !bank))
		return;
	b = vgic_bank(a->v, a->cpu, bank);
	if (!a->write) {
		for (unsigned i = 0; i < 16; i++)
			a->value |= (uint64_t)(b->edge >> (shift + i) & 1) << (2 * i + 1);
		return;
	}
	for (unsigned i = 0; i < 16; i++)
		edge |= (uint32_t)(a->value >> (2 * i + 1) & 1) << (shift + i);
	fixed = (UINT32_C(0xffff) << (16 - shift)) | (bank ? 0 : 0xffff | a->v->hw);
	edge = (edge & ~fixed) | (b->edge & fixed);
	fixed = edge ^ b->edge;
	vgic_touch_bits(a->v, a->cpu, bank, fixed);
	b->edge = edge;
	vgic_touch_bits(a->v, a->cpu, bank, fixed);
}

/* IROUTER: affinities, of which only Aff0 exists here: any other routes to no vCPU. No 1-of-N. */
static void route_access(struct access *a)
{
	unsigned intid = (a->offset - 0x6000) / 8;
	bool upper_half = a->offset & 4;
	uint16_t *stored;
	unsigned route;

	if (a->size < 4 || intid < 32 || intid >= VGIC_INTID_COUNT)
		return;
	stored = &a->v->dist.route[intid - 32];
	route = *stored & VGIC_ROUTE_MASK;
	if (!a->write) {
		if (!upper_half) /* VGIC_ROUTE_NONE reads as Aff1 = 1 */
			a->value = route;
		return;
	}
	if (upper_half) /* Aff3, alone */
		route = (a->value & 0xff) ? route | VGIC_ROUTE_NONE : route;
	else
		route = (unsigned)(a->value & 0xff) |
			((a->value & UINT64_C(0xff00ffff00)) ? VGIC_ROUTE_NONE : 0);
	vgic_touch_bits(a->v, a->cpu, intid / 32, vgic_bit(intid));
	*stored = (uint16_t)((*stored & ~VGIC_ROUTE_MASK) | route);
	vgic_touch_bits(a->v, a->cpu, intid / 32, vgic_bit(intid));
}

/* 0xffd0..0xffff, both frames; QEMU's values, architecture revision 3. */
static void id_access(struct access *a, uint8_t part)
{
	static const uint8_t ids[12] = {0x44, 0, 0, 0, 0, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1};
	unsigned index = (a->offset - ID_BASE) / 4;

	if (!a->write && a->size == 4)
		a->value = index == 4 ? part : ids[index];
}

static void dist_access(struct access *a)
{
	uint32_t offset = a->offset;

	if (offset < 0x400)
		bits_access(a, VGIC_BANKS, true);
	else if (offset < 0x800)
		priority_access(a, 32, VGIC_INTID_COUNT);
	else if (offset >= 0xc00 && offset < 0xd00)
		config_access(a, VGIC_BANKS, true);
	else if (offset >= 0x6000 && offset < 0x8000)
		route_access(a);
	else if (offset >= ID_BASE)
		id_access(a, 0x92);
}

/* The distributor below its arrays: GICD_CTLR, TYPER, IIDR; words only. */
static uint64_t dist_control_read(const struct vgic *v, uint64_t offset, unsigned size)
{
	if (size != 4)
		return 0;
	switch (offset) {
	case 0:
		return v->dist.ctlr | GICD_CTLR_ARE | GICD_CTLR_DS;
	case 4:
		return GICD_TYPER_VALUE;
	case 8:
		return GIC_IIDR_VALUE;
	default:
		return 0;
	}
}

static void dist_control_write(struct vgic *v, uint64_t offset, unsigned size, uint64_t value)
{
	uint32_t groups = (uint32_t)value & VGIC_CTLR_GROUPS;

	if (offset == 0 && size == 4 && v->dist.ctlr != groups) {
		v->dist.ctlr = groups;
		vgic_touch_all(v);
	}
	vgic_changed(v);
}

/* RD_base. */
static void redist_control_access(struct access *a)
{
	struct vgic_cpu_state *c = &a->v->cpu[a->cpu].state;
	uint64_t typer = (uint64_t)a->cpu << 32 | (uint64_t)a->cpu << 8 |
			 (a->cpu + 1 == a->v->cpu_count ? 1u << 4 : 0);

	if (a->offset >= ID_BASE)
		id_access(a, 0x93);
	else if (a->offset == 0x14 && a->size == 4 && a->write)
		c->asleep = !!(a->value & GICR_WAKER_SLEEP);
	else if (a->offset == 0x14 && a->size == 4)
		a->value = c->asleep ? GICR_WAKER_SLEEP | GICR_WAKER_CHILDREN_ASLEEP : 0;
	else if (a->write)
		return;
	else if (a->offset == 4 && a->size == 4)
		a->value = GIC_IIDR_VALUE;
	else if (a->offset == 8 && a->size >= 4)
		a->value = a->size == 8 ? typer : (uint32_t)typer;
	else if (a->offset == 0xc && a->size == 4)
		a->value = typer >> 32;
}

static void redist_access(struct access *a)
{
	if (a->offset < SGI_BASE) {
		redist_control_access(a);
		return;
	}
	a->offset -= SGI_BASE;
	if (a->offset >= 0x80 && a->offset < 0x400)
		bits_access(a, 1, false);
	else if (a->offset >= 0x400 && a->offset < 0x420)
		priority_access(a, 0, 32);
	else if (a->offset >= 0xc00 && a->offset < 0xc08)
		config_access(a, 1, false);
}

bool vgic_mmio_wants_fold(enum vgic_frame frame, uint64_t offset, bool write)
{
	if (frame == VGIC_REDIST) {
		offset %= VGIC_REDIST_SIZE;
		if (offset < SGI_BASE)
			return false;
		offset -= SGI_BASE;
	}
	return !write && offset >= 0x200 && offset < 0x400;
}

/* All registers but the distributor's first ones. */
static __attribute__((noinline)) bool arrays(struct vgic *v, unsigned cpu, enum vgic_frame frame,
					     uint64_t offset, unsigned size, bool write,
					     uint64_t *value)
{
	struct access a = {.v = v, .cpu = cpu, .size = size, .write = write};
	bool aligned = (size == 1 || size == 2 || size == 4 || size == 8) && !(offset & (size - 1));

	if (!write)
		*value = 0;
	else
		a.value = size == 8 ? *value : *value & ((UINT64_C(1) << 8 * (size & 7)) - 1);
	if (offset >= (frame == VGIC_DIST ? VGIC_DIST_SIZE : VGIC_REDIST_SIZE * v->cpu_count))
		return false;
	if (!aligned)
		return true;
	a.offset = (uint32_t)(offset % VGIC_REDIST_SIZE);
	if (frame == VGIC_DIST) {
		dist_access(&a);
		if (write)
			vgic_changed(v);
	} else {
		a.cpu = (unsigned)(offset / VGIC_REDIST_SIZE);
		redist_access(&a);
	}
	if (!write)
		*value = a.value;
	return true;
}

bool vgic_mmio(struct vgic *v, unsigned cpu, enum vgic_frame frame, uint64_t offset, unsigned size,
	       bool write, uint64_t *value)
{
	if (frame != VGIC_DIST || offset >= DIST_ARRAYS)
		return arrays(v, cpu, frame, offset, size, write, value);
	if (write)
		dist_control_write(v, offset, size, *value);
	else
		*value = dist_control_read(v, offset, size);
	return true;
}
