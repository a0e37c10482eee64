/* SPDX-License-Identifier: MIT */
/*
 * vpl011.h - the PL011 UART a guest sees, as QEMU's: transmission takes no time, the receive interrupt comes with the
 * first byte. The caller holds the VM's device lock.
 */
#pragma once

#include "core/types.h"

#define VPL011_FIFO_SIZE 32
#define VPL011_SIZE 0x1000ul

/* What a snapshot holds. */
struct vpl011_state {
	uint16_t cr;
	uint16_t lcr_h;
	uint16_t imsc;
	uint16_t ris;
	uint16_t ibrd;
	uint16_t fbrd;
	uint16_t ilpr;
	uint16_t dmacr;
	uint16_t ifls;
	uint16_t rsr;
	uint8_t rx_head;
	uint8_t rx_count;
	uint8_t rx[VPL011_FIFO_SIZE];
	uint8_t reserved[2];
};
_Static_assert(sizeof(struct vpl011_state) == 56, "");

struct vpl011 {
	struct vpl011_state state;
	void *ctx;
	void (*out)(void *ctx, uint8_t byte);
	void (*line)(void *ctx, bool level); /* the interrupt, called when it changes */
	bool level;
};

void vpl011_init(struct vpl011 *u, void *ctx, void (*out)(void *ctx, uint8_t byte),
		 void (*line)(void *ctx, bool level));
/* One access of 1, 2, 4 or 8 bytes at offset < VPL011_SIZE; reads set *value. Unknown or unaligned: RAZ/WI. */
void vpl011_mmio(struct vpl011 *u, uint64_t offset, unsigned size, bool write, uint64_t *value);
/* Bytes from the host. Returns how many fit; the caller keeps the rest and offers it again when the guest has read
 * (vpl011_room() > 0 after an MMIO read). */
size_t vpl011_input(struct vpl011 *u, const uint8_t *bytes, size_t size);
size_t vpl011_room(const struct vpl011 *u);

void vpl011_save(const struct vpl011 *u, struct vpl011_state *to);
/* Calls line() when the level differs from now. Reset is a load of the state as saved after vpl011_init(). */
void vpl011_load(struct vpl011 *u, const struct vpl011_state *from);
