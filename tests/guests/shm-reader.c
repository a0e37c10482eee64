/* SPDX-License-Identifier: MIT */
/* shm-reader.c - prints the string at the start of the shared region, four times a second. Never writes there. */
#include "baremetal/guest.h"

#define TEXT_SIZE 64

void guest_main(uint64_t dtb)
{
	const volatile char *region = (const volatile char *)GUEST_REGION;
	char text[TEXT_SIZE + 1];

	(void)dtb;
	interrupts_init();
	print("--- Read shared memory ---\n");
	for (;;) {
		for (unsigned int i = 0; i < TEXT_SIZE; i++) {
			char c = region[i];

			text[i] = c == '\0' || (c >= ' ' && c <= '~') ? c : '?';
		}
		text[TEXT_SIZE] = '\0';
		print("Shared memory: %s\n", text);
		sleep_us(250000);
	}
}
