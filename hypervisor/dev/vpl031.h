/* SPDX-License-Identifier: MIT */
/*
 * vpl031.h - the PL031 real-time clock a guest sees (Arm DDI 0224), as QEMU's: it always runs. It shows wall time, which a
 * restore does not take back; what the guest sets is kept as a difference to it. The caller holds the VM's lock.
 */
#pragma once

#include "core/types.h"

#define VPL031_SIZE 0x1000ul

/* What a snapshot holds. */
struct vpl031_state {
	uint64_t due;    /* wall seconds at which the match comes; ~0: none will */
	uint32_t offset; /* the guest's seconds minus the wall's, modulo 2^32 */
	uint32_t match;
	uint32_t load;
	uint8_t mask;
	uint8_t raw;
	uint8_t reserved[2];
};
_Static_assert(sizeof(struct vpl031_state) == 24, "");

struct vpl031 {
	struct vpl031_state state;
	void *ctx;
	void (*line)(void *ctx, bool level); /* the interrupt, called when it changes */
	bool level;
};

void vpl031_init(struct vpl031 *r, void *ctx, void (*line)(void *ctx, bool level));

/* One access at offset < VPL031_SIZE; wall: seconds since 1970 now. Reads set *value. Unknown or unaligned: RAZ/WI. */
void vpl031_mmio(struct vpl031 *r, uint64_t offset, unsigned size, bool write, uint64_t *value,
		 uint64_t wall);

/* The match, if it has come by now. Returns the seconds until it comes; ~0: none will. */
uint64_t vpl031_evaluate(struct vpl031 *r, uint64_t wall);

/* Calls line() when the level differs from now. */
void vpl031_load(struct vpl031 *r, const struct vpl031_state *from);
