/* SPDX-License-Identifier: MIT */
/* fuzz_forward.c - libFuzzer: `avctl serve` against a guest that writes anything into the region (make fuzz-forward). */

#include "forward_steps.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (!steps.region) {
		steps_begin();
		atexit(steps_end);
	}
	steps_run(bytes, size);
	return 0;
}
