/* SPDX-License-Identifier: MIT */
/*
 * bundle.h - turns a checked set into the manifest and segments that EL2 boots from, inside the RAM file.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "../config/set.h"

struct bundle_error {
	char message[512];
	char hint[256];
};

/*
 * Write the bundle of set, the control VM's image control_image (an ELF) added as VM 0, into the RAM file ram_fd
 * at AV_BUNDLE_PA - AV_RAM_PA. The file must be set->memory bytes long and sparse (all zero). Returns 0, or -1 with *error filled in;
 * the file may then hold part of a bundle. Region r of the set ends up at physical address
 * bundle_region_pa[r] (an array of set->region_count that the caller gives, or NULL).
 */
int bundle_write(const struct set *set, const char *control_image, int ram_fd,
		 uint64_t *bundle_region_pa, struct bundle_error *error);

/* The guest DTB that set's VM number vm would get, malloc()ed, size in *size; NULL with *error. */
void *bundle_make_dtb(const struct set *set, size_t vm, uint64_t initrd_start, uint64_t initrd_end,
		      size_t *size, struct bundle_error *error);
