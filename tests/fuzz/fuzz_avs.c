/* SPDX-License-Identifier: MIT */
/*
 * fuzz_avs.c - any changes to a snapshot's file, with hashes that are right again, and any bytes as they are: refused with the field's
 * name, or read, and then every page and part can be. The first byte's highest bit: the rest is the file.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "avs_steps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("avs", MFD_CLOEXEC);
	if (size && data[0] & 128)
		avs_read(fd, data + 1, size - 1);
	else
		avs_steps(fd, data, size);
	return 0;
}
