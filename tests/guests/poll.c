/* SPDX-License-Identifier: MIT */
/*
 * poll.c - a prompt without a newline, then a busy look for an answer, as a boot loader does: no WFI, no interrupt. Whoever
 * wants to see the prompt depends on the hypervisor alone.
 */
#include "baremetal/guest.h"

void guest_main(uint64_t dtb)
{
	(void)dtb;
	for (uint64_t answers = 0;; answers++) {
		char line[64];
		size_t length = 0;

		print("poll %lu> ", answers);
		while (!length || line[length - 1] != '\n') {
			int byte = console_poll();

			if (byte >= 0 && length < sizeof(line) - 1)
				line[length++] = (char)byte;
		}
		line[length - 1] = '\0';
		print("[%s]\n", line);
	}
}
