/* SPDX-License-Identifier: MIT */
/*
 * sparse.c - touches pages far apart, as many as it says, and no other.
 * On `go` from the console 3 pages, on the next 1,000 more; a test compares the VM's committed pages before and after.
 * Needs 128 MiB of RAM.
 */
#include "baremetal/guest.h"

#define FIRST (GUEST_RAM_BASE + 0x1000000)
#define PAGES 0x6f00u
#define MANY 1000u

static uint64_t used[PAGES / 64 + 1];
static uint32_t chosen[MANY];
static uint64_t values[MANY];

static volatile uint64_t *slot(uint32_t page)
{
	/* Not always the first word: any word of the page. */
	return (volatile uint64_t *)(FIRST + page * GUEST_PAGE_SIZE + 8 * (page % 512));
}

static bool claim(uint32_t page)
{
	uint64_t bit = 1ul << (page % 64);

	if (used[page / 64] & bit)
		return false;
	used[page / 64] |= bit;
	return true;
}

static void run(unsigned int count, uint64_t *seed, bool far)
{
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < count; i++) {
		do
			chosen[i] =
				far ? i * (PAGES / count) : (uint32_t)(guest_random(seed) % PAGES);
		while (!claim(chosen[i]));
		values[i] = guest_random(seed);
		*slot(chosen[i]) = values[i];
	}
	for (unsigned int i = 0; i < count; i++)
		wrong += *slot(chosen[i]) != values[i];
	if (far)
		for (unsigned int i = 0; i < count; i++)
			print("%p, %lu\n", (void *)(uintptr_t)slot(chosen[i]), *slot(chosen[i]));
	print("sparse: pages=%u wrong=%u %s\n", count, wrong, wrong ? "BAD" : "Success!");
}

static void wait_for_go(void)
{
	char line[32];

	do
		console_line(line, sizeof(line));
	while (strcmp(line, "go") != 0);
}

void guest_main(uint64_t dtb)
{
	uint64_t seed = guest_nonce();

	(void)dtb;
	interrupts_init();
	console_input_start();
	interrupts_unmask();
	print("sparse: ready seed=%016lx\n", seed);
	wait_for_go();
	run(3, &seed, true);
	wait_for_go();
	run(MANY, &seed, false);
	for (;;) {
		wait_for_go();
		print("sparse: nothing more\n");
	}
}
