/* SPDX-License-Identifier: MIT */
/* vflash.c - the command state machine of one flash bank (CFI, Intel command set 0001) with QEMU's habits: nothing
 * takes time, a program stores what it is given, a block is erased at the first write of its command.
 * Must never touch the contents but through ops, nor change state when these had no memory. */

#include "dev/vflash.h"

#define CHIP_BITS 16
#define READY 0x80u
#define CONFIRM 0xd0u

enum {
	SHOW_ARRAY = 0x00,
	PROGRAM_OLD = 0x10,
	ERASE = 0x20,
	CLEAR_STATUS = 0x50,
	LOCK = 0x60,
	PROGRAM = 0x40,
	SHOW_STATUS = 0x70,
	SHOW_ID = 0x90,
	SHOW_CFI = 0x98,
	PROGRAM_BUFFER = 0xe8,
	SHOW_ARRAY_AMD = 0xf0,
	SHOW_ARRAY_INTEL = 0xff,
};

/* Query structure of one chip, by word (JEDEC JESD68, JEP137). */
static const uint8_t cfi[] = {
	[0x10] = 'Q',  'R',  'Y',  0x01, 0x00, 0x31, 0x00, /* command set 0001, its table at 0x31 */
	[0x1b] = 0x45, 0x55, 0x00, 0x00,                   /* 4.5 to 5.5 V, no VPP */
	[0x1f] = 0x07, 0x07, 0x0a, 0x00, 0x04, 0x04, 0x04, 0x00, /* times, as powers of 2 */
	[0x27] = 25,                                             /* 32 MiB a chip */
	[0x28] = 0x02, 0x00, 11,   0x00, 1, /* 8 and 16 bits, buffer of 2 KiB, one region: */
	[0x2d] = 0xff, 0x00, 0x00, 0x02,    /* 256 blocks of 128 KiB */
	[0x31] = 'P',  'R',  'I',  '1',  '0',  0,    0,    0,    0, 0, 0, 0, 0, 0, 1,
};

void vflash_init(struct vflash *f, const struct vflash_ops *ops, void *ctx)
{
	*f = (struct vflash){.state = {.status = READY}, .ops = ops, .ctx = ctx};
}

/* One word of each chip, the same in both. */
static uint32_t twice(uint32_t word)
{
	return word << CHIP_BITS | word;
}

static uint32_t id_word(uint64_t word)
{
	return twice((word & 0xff) == 0 ? 0x89 : (word & 0xff) == 1 ? 0x18 : 0);
}

static uint32_t cfi_word(uint64_t word)
{
	return twice(word < sizeof(cfi) ? cfi[word] : 0);
}

uint64_t vflash_read(struct vflash *f, uint64_t offset, unsigned size)
{
	uint64_t value = 0;

	switch (f->state.command) {
	case SHOW_ARRAY:
		f->ops->read(f->ctx, offset, &value, size);
		return value;
	case SHOW_ID:
		value = id_word(offset >> 2) |
			(size == 8 ? (uint64_t)id_word((offset >> 2) + 1) << 32 : 0);
		break;
	case SHOW_CFI:
		value = cfi_word(offset >> 2) |
			(size == 8 ? (uint64_t)cfi_word((offset >> 2) + 1) << 32 : 0);
		break;
	default:
		value = twice(f->state.status) | (uint64_t)twice(f->state.status) << 32;
		break;
	}
	return size == 8 ? value : value & ((1ul << 8 * size) - 1);
}

static void show_array(struct vflash_state *s)
{
	s->command = SHOW_ARRAY;
	s->cycle = 0;
}

static void ready(struct vflash_state *s)
{
	s->status |= READY;
	s->cycle = 0;
}

/* The first write of a command. What is none shows the array. */
static bool start(struct vflash *f, uint64_t offset, uint8_t command)
{
	struct vflash_state *s = &f->state;

	switch (command) {
	case ERASE:
		if (!f->ops->erase(f->ctx, offset & ~(VFLASH_BLOCK_SIZE - 1)))
			return false;
		s->status |= READY;
		s->cycle = 1;
		break;
	case PROGRAM_BUFFER:
		s->status |= READY;
		s->cycle = 1;
		break;
	case PROGRAM_OLD:
	case PROGRAM:
	case LOCK:
	case SHOW_CFI:
		s->cycle = 1;
		break;
	case SHOW_STATUS:
	case SHOW_ID:
		break;
	case CLEAR_STATUS:
		s->status = 0;
		show_array(s);
		return true;
	default:
		show_array(s);
		return true;
	}
	s->command = command;
	return true;
}

/* The second one. */
static bool go_on(struct vflash *f, uint64_t offset, unsigned size, uint64_t value)
{
	struct vflash_state *s = &f->state;
	uint8_t command = (uint8_t)value;

	switch (s->command) {
	case PROGRAM_OLD:
	case PROGRAM:
		if (!f->ops->write(f->ctx, offset, &value, size))
			return false;
		ready(s);
		break;
	case PROGRAM_BUFFER:
		s->count = (uint16_t)value;
		s->cycle = 2;
		break;
	case SHOW_CFI:
		if (command == SHOW_ARRAY_INTEL)
			show_array(s);
		break;
	default: /* ERASE, LOCK */
		if (command == CONFIRM || (s->command == LOCK && command == 1))
			ready(s);
		else
			show_array(s);
		break;
	}
	return true;
}

bool vflash_write(struct vflash *f, uint64_t offset, unsigned size, uint64_t value)
{
	struct vflash_state *s = &f->state;

	switch (s->cycle) {
	case 0:
		return start(f, offset, (uint8_t)value);
	case 1:
		return go_on(f, offset, size, value);
	case 2: /* PROGRAM_BUFFER: data */
		if (!f->ops->write(f->ctx, offset, &value, size))
			return false;
		s->status |= READY;
		if (!s->count--)
			s->cycle = 3;
		return true;
	default: /* and its confirmation */
		if ((uint8_t)value == CONFIRM)
			ready(s);
		else
			show_array(s);
		return true;
	}
}
