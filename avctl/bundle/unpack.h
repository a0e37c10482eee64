/* SPDX-License-Identifier: MIT */
/* unpack.h - images as people have them: plain, or compressed with gzip. */
#pragma once
#include "image.h"

#ifndef UNPACK_SIZE_MAX
#define UNPACK_SIZE_MAX (UINT64_C(512) << 20) /* what may come out of one file */
#endif

/*
 * image_open(); a file that gzip made is unpacked first, into memory. *size is of what is read through the descriptor.
 * -1 with *error.
 */
int unpack_open(const char *path, uint64_t *size, struct image_error *error);
