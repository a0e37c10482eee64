/* SPDX-License-Identifier: MIT */
/*
 * vflash.h - one bank of the board's flash: two 16-bit chips side by side with the Intel command set (CFI 0001), as
 * QEMU's virt board has them. While it shows its array the guest reads memory, not this. The caller holds the VM's lock.
 */
#pragma once

#include "core/types.h"

#define VFLASH_BANK_SIZE 0x4000000ul
#define VFLASH_BANK_COUNT 2
#define VFLASH_BLOCK_SIZE 0x40000ul /* what one erase erases, of both chips */
#define VFLASH_BUFFER_SIZE 0x800u   /* what one buffered program may write */

/* What a snapshot holds, besides the contents. */
struct vflash_state {
	uint8_t command; /* 0: shows the array */
	uint8_t cycle;   /* of the command: 0 none, 1 to 3 what is expected next */
	uint8_t status;
	uint8_t reserved;
	uint32_t count; /* writes still to come for the buffer */
};
_Static_assert(sizeof(struct vflash_state) == 8, "");

/* The contents. write and erase: false when there is no memory for it; nothing has changed then. */
struct vflash_ops {
	void (*read)(void *ctx, uint64_t offset, void *to, size_t size);
	bool (*write)(void *ctx, uint64_t offset, const void *from, size_t size);
	bool (*erase)(void *ctx, uint64_t block);
};

struct vflash {
	struct vflash_state state;
	const struct vflash_ops *ops;
	void *ctx;
};

void vflash_init(struct vflash *f, const struct vflash_ops *ops, void *ctx);

static inline bool vflash_shows_array(const struct vflash *f)
{
	return !f->state.command;
}

/* 1, 2, 4 or 8 bytes at an aligned offset of the bank. */
uint64_t vflash_read(struct vflash *f, uint64_t offset, unsigned size);
/* The same; false when the contents had no memory: nothing has happened, the guest may try again. */
bool vflash_write(struct vflash *f, uint64_t offset, unsigned size, uint64_t value);
