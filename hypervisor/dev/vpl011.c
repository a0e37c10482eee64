/* SPDX-License-Identifier: MIT */
/* vpl011.c - a PL011 (Arm DDI 0183) with QEMU's habits: no time passes on the wire, the receive trigger is one byte.
 * Never blocks and never holds back a transmitted byte: who limits output does it in out(). */

#include "dev/vpl011.h"

#define FR_RXFE (1u << 4)
#define FR_RXFF (1u << 6)
#define FR_TXFE (1u << 7)
#define LCR_FEN (1u << 4)
#define INT_RX (1u << 4)
#define INT_TX (1u << 5)
#define INT_RT (1u << 6)
#define INT_ALL 0x7ffu

enum {
	DR = 0x00,
	RSR = 0x04,
	FR = 0x18,
	ILPR = 0x20,
	IBRD = 0x24,
	FBRD = 0x28,
	LCR_H = 0x2c,
	CR = 0x30,
	IFLS = 0x34,
	IMSC = 0x38,
	RIS = 0x3c,
	MIS = 0x40,
	ICR = 0x44,
	DMACR = 0x48,
	ID_BASE = 0xfe0,
};

static void update_line(struct vpl011 *u)
{
	bool level = u->state.ris & u->state.imsc;

	if (level == u->level)
		return;
	u->level = level;
	u->line(u->ctx, level);
}

static unsigned depth(const struct vpl011 *u)
{
	return u->state.lcr_h & LCR_FEN ? VPL011_FIFO_SIZE : 1;
}

size_t vpl011_room(const struct vpl011 *u)
{
	return depth(u) > u->state.rx_count ? depth(u) - u->state.rx_count : 0;
}

/* Receive interrupts are up when a byte arrives, down when none is left (or by ICR). */
static void raise_rx(struct vpl011 *u)
{
	u->state.ris |= INT_RX;
	if (u->state.lcr_h & LCR_FEN)
		u->state.ris |= INT_RT;
}

static uint8_t take_byte(struct vpl011 *u)
{
	struct vpl011_state *s = &u->state;
	uint8_t byte;

	if (!s->rx_count)
		return 0;
	byte = s->rx[s->rx_head % VPL011_FIFO_SIZE];
	s->rx_head = (uint8_t)((s->rx_head + 1) % VPL011_FIFO_SIZE);
	if (!--s->rx_count)
		s->ris &= (uint16_t) ~(INT_RX | INT_RT);
	return byte;
}

static unsigned flags(const struct vpl011 *u)
{
	unsigned fr = FR_TXFE;

	if (!u->state.rx_count)
		fr |= FR_RXFE;
	if (!vpl011_room(u))
		fr |= FR_RXFF;
	return fr;
}

static unsigned reg_read(struct vpl011 *u, unsigned offset)
{
	static const uint8_t ids[8] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
	const struct vpl011_state *s = &u->state;

	if (offset >= ID_BASE)
		return ids[(offset - ID_BASE) / 4];
	switch (offset) {
	case DR:
		return take_byte(u);
	case RSR:
		return s->rsr;
	case FR:
		return flags(u);
	case ILPR:
		return s->ilpr;
	case IBRD:
		return s->ibrd;
	case FBRD:
		return s->fbrd;
	case LCR_H:
		return s->lcr_h;
	case CR:
		return s->cr;
	case IFLS:
		return s->ifls;
	case IMSC:
		return s->imsc;
	case RIS:
		return s->ris;
	case MIS:
		return s->ris & s->imsc;
	case DMACR:
		return s->dmacr;
	default:
		return 0;
	}
}

static void write_lcr_h(struct vpl011 *u, uint16_t value)
{
	struct vpl011_state *s = &u->state;

	if ((s->lcr_h ^ value) & LCR_FEN) { /* switching the FIFOs empties them */
		s->rx_head = 0;
		s->rx_count = 0;
		s->ris &= (uint16_t) ~(INT_RX | INT_RT);
	}
	s->lcr_h = value & 0xff;
}

static void reg_write(struct vpl011 *u, unsigned offset, uint16_t value)
{
	struct vpl011_state *s = &u->state;

	switch (offset) {
	case DR:
		u->out(u->ctx, (uint8_t)value);
		s->ris |= INT_TX;
		break;
	case RSR:
		s->rsr = 0;
		break;
	case ILPR:
		s->ilpr = value & 0xff;
		break;
	case IBRD:
		s->ibrd = value;
		break;
	case FBRD:
		s->fbrd = value & 0x3f;
		break;
	case LCR_H:
		write_lcr_h(u, value);
		break;
	case CR:
		s->cr = value;
		break;
	case IFLS:
		s->ifls = value & 0x3f;
		break;
	case IMSC:
		s->imsc = value & INT_ALL;
		break;
	case ICR:
		s->ris &= (uint16_t)~value;
		break;
	case DMACR:
		s->dmacr = value & 7;
		break;
	default:
		break;
	}
}

void vpl011_init(struct vpl011 *u, void *ctx, void (*out)(void *ctx, uint8_t byte),
		 void (*line)(void *ctx, bool level))
{
	*u = (struct vpl011){.ctx = ctx, .out = out, .line = line};
	u->state.cr = 0x300;
	u->state.ifls = 0x12;
}

void vpl011_mmio(struct vpl011 *u, uint64_t offset, unsigned size, bool write, uint64_t *value)
{
	bool there = !(offset & 3) && size <= 4 && offset < VPL011_SIZE;

	if (!write) {
		*value = there ? reg_read(u, (unsigned)offset) : 0;
		if (size == 1)
			*value &= 0xff;
		if (offset != DR)
			return; /* that changes nothing */
	} else if (there) {
		reg_write(u, (unsigned)offset,
			  (uint16_t)(size == 1 ? *value & 0xff : *value & 0xffff));
	}
	update_line(u);
}

size_t vpl011_input(struct vpl011 *u, const uint8_t *bytes, size_t size)
{
	struct vpl011_state *s = &u->state;
	size_t room = vpl011_room(u);
	size_t taken = size < room ? size : room;

	for (size_t i = 0; i < taken; i++)
		s->rx[(s->rx_head + s->rx_count + i) % VPL011_FIFO_SIZE] = bytes[i];
	s->rx_count = (uint8_t)(s->rx_count + taken);
	if (taken)
		raise_rx(u);
	update_line(u);
	return taken;
}

void vpl011_save(const struct vpl011 *u, struct vpl011_state *to)
{
	*to = u->state;
}

void vpl011_load(struct vpl011 *u, const struct vpl011_state *from)
{
	u->state = *from;
	u->state.rx_head %= VPL011_FIFO_SIZE;
	if (u->state.rx_count > VPL011_FIFO_SIZE)
		u->state.rx_count = 0;
	update_line(u);
}
