/* SPDX-License-Identifier: MIT */
/* guest_memory.h - how a device model reaches its VM's RAM: checked, copy-on-write aware, page by page. */
#pragma once

#include "core/types.h"

struct guest_memory {
	void *ctx;
	/*
	 * False when any byte is not RAM of the VM; then nothing or a part was copied. Aligned 2, 4 and 8 bytes are
	 * copied by one access: other vCPUs look at ring indices meanwhile.
	 */
	bool (*read)(void *ctx, uint64_t ipa, void *to, size_t size);
	bool (*write)(void *ctx, uint64_t ipa, const void *from, size_t size);
	/* May be NULL. True: the last write failed for want of memory, not of a good address; try again later. */
	bool (*starved)(void *ctx);
};
