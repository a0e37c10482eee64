/* SPDX-License-Identifier: MIT */
/* call_decode.h - may this call be made, and about whom? Pure: by number, arguments and who asks; nothing else. */
#pragma once
#include <avisor/hypercall.h>
#include "core/types.h"

#define CALL_ARGUMENTS 6
#define CALL_TARGET_NONE 0xFFFFFFFE

struct call_decoded {
	const uint64_t *args; /* x1..x6, in the caller's registers */
	uint32_t number;
	uint32_t target; /* VM index, CALL_TARGET_NONE when the call has no target */
};

/*
 * x: x0..x6 as the guest has them, x0 in the vendor range. control: the caller has that privilege. self: its index.
 * 0 and *out; else NOT_SUPPORTED (no such number), INVALID (a reserved argument is not zero), DENIED (another VM, or a
 * control call, without the privilege), NOT_FOUND (no such VM).
 */
int call_decode(const uint64_t x[1 + CALL_ARGUMENTS], bool control, uint32_t self,
		uint32_t vm_count, struct call_decoded *out);
