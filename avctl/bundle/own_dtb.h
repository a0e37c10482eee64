/* SPDX-License-Identifier: MIT */
/* own_dtb.h - a device tree of the user's own: `dtb: FILE`. What of it is changed stands in docs/avctl.yaml.md. */
#pragma once
#include "image.h"

/* The blob in the file at path, whole and well-formed, malloc()ed; NULL with *error. */
void *own_dtb_read(const char *path, size_t *size, struct image_error *error);

/*
 * The same with what only the set knows put in: RAM, the kernel's command line, the initrd, random seeds. At most
 * PLACE_DTB_ROOM bytes, malloc()ed, size in *size; NULL with *error.
 */
void *own_dtb_complete(const struct set_vm *vm, uint64_t initrd_start, uint64_t initrd_end,
		       size_t *size, struct image_error *error);
