/* SPDX-License-Identifier: MIT */
/* place.h - where image, initrd and device tree go in a VM's RAM: QEMU's -kernel policy. Pure arithmetic. */
#pragma once
#include "image.h"

#define PLACE_DTB_ROOM 65536 /* what a device tree may take */

struct placement {
	uint64_t entry, x0;
	uint64_t initrd_address; /* page-aligned; unused when initrd_size is 0 */
	uint64_t initrd_size;
	uint64_t dtb_address; /* page-aligned, PLACE_DTB_ROOM bytes */
	bool has_dtb;
};

/* Place image, initrd (0 bytes: none) and DTB of vm. False with *error when they do not fit its RAM. */
bool place_vm(const struct set_vm *vm, const struct image *image, uint64_t initrd_size,
	      struct placement *place, struct image_error *error);
