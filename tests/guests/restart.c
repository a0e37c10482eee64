/* SPDX-License-Identifier: MIT */
/*
 * restart.c - is memory as at the first boot after a restart?
 * Looks at its BSS, data and heap, then spoils them all. Restarts itself by hvc #4 more often than SYSTEM_RESET may (10 times), then
 * when the console says `r`.
 */
#include "baremetal/guest.h"

#ifndef RESTART_NAME
#define RESTART_NAME "restart"
#define RESTART_PATTERN 0x5a5a1234u
#endif

#define WORDS 8192
#define RESTARTS 12
#define HEAP_SIZE 0x200000ul

static uint32_t zeros[WORDS];
static uint32_t patterns[WORDS] = {[0 ... WORDS - 1] = RESTART_PATTERN};

static unsigned int count_wrong(const volatile uint32_t *words, size_t count, uint32_t wanted)
{
	unsigned int wrong = 0;

	for (size_t i = 0; i < count; i++)
		wrong += words[i] != wanted;
	return wrong;
}

void guest_main(uint64_t dtb)
{
	uint32_t *heap = (uint32_t *)(void *)(((uintptr_t)__image_end + 0x1fffff) & ~0x1ffffful);
	unsigned int bss, data, rest;
	uint64_t generation = guest_generation();

	(void)dtb;
	interrupts_init();
	console_input_start();
	interrupts_unmask();
	bss = count_wrong(zeros, WORDS, 0);
	data = count_wrong(patterns, WORDS, RESTART_PATTERN);
	rest = count_wrong(heap, HEAP_SIZE / 4, 0);
	print(RESTART_NAME ": banner generation=%lu nonce=%016lx bss=%s data=%s heap=%s\n",
	      generation, guest_nonce(), bss ? "BAD" : "ok", data ? "BAD" : "ok",
	      rest ? "BAD" : "ok");
	memset(zeros, 0xff, sizeof(zeros));
	memset(patterns, 0xee, sizeof(patterns));
	for (size_t i = 0; i < HEAP_SIZE / 4; i += 256)
		heap[i] = 0xdddddddd;
	if (guest_has_hypervisor() && generation < RESTARTS) {
		print("--- Restart ---\n");
		hvc_restart();
		print(RESTART_NAME ": RESTART CAME BACK\n");
	}
	print(RESTART_NAME ": ready\n");
	for (;;) {
		if (console_get() != 'r')
			continue;
		print("--- Restart ---\n");
		hvc_restart();
	}
}
