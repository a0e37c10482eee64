/* SPDX-License-Identifier: MIT */
/*
 * own.c - translations of one vCPU are not another's: each maps a page of its own at one address, under one ASID (CnP is 0), and
 * must find it there whoever had the physical CPU in between. Tables differ in that address only.
 */
#include "smp.h"

#define WINDOW 0x4b00000000ul /* nothing else is there */
#define ENTRIES 512u
#define DESC_TABLE 3ul
#define DESC_PAGE 0x703ul /* AF, inner shareable, read-write, MAIR 0 */
#define PATIENCE_MS 60000u

static uint64_t tables[GUEST_CPU_MAX][3][ENTRIES] __attribute__((aligned(4096)));
static volatile uint64_t pages[GUEST_CPU_MAX][ENTRIES] __attribute__((aligned(4096)));
static volatile uint64_t read[GUEST_CPU_MAX], wrong[GUEST_CPU_MAX], ended[GUEST_CPU_MAX];

extern const uint64_t guest_level1[ENTRIES];

static void use_tables(const uint64_t *level1)
{
	__asm__ volatile(
		"dsb ishst\n\tmsr ttbr0_el1, %0\n\tisb\n\ttlbi vmalle1\n\tdsb nsh\n\tisb" ::"r"(
			level1)
		: "memory");
}

static void look(unsigned int me, uint64_t rounds)
{
	volatile uint64_t *window = (volatile uint64_t *)WINDOW;
	uint64_t *level1 = tables[me][0];

	for (unsigned int i = 0; i < ENTRIES; i++)
		level1[i] = guest_level1[i];
	level1[WINDOW >> 30] = (uint64_t)tables[me][1] | DESC_TABLE;
	tables[me][1][0] = (uint64_t)tables[me][2] | DESC_TABLE;
	tables[me][2][0] = (uint64_t)pages[me] | DESC_PAGE;
	use_tables(level1);
	for (uint64_t round = 0; round < rounds && !wrong[me]; round++) {
		uint64_t word = (uint64_t)me << 32 | round;

		*window = word;
		hvc_VM_YIELD();
		read[me] = *window;
		wrong[me] = read[me] != word || pages[me][0] != word;
	}
	use_tables(guest_level1);
	ended[me] = 1;
}

static uint64_t looks;

static void worker(uint64_t me)
{
	look((unsigned int)me, looks);
}

bool smp_own(uint64_t rounds)
{
	bool good = true;

	looks = rounds;
	for (unsigned int i = 0; i < smp_count; i++)
		wrong[i] = ended[i] = 0;
	for (unsigned int i = 1; i < smp_count; i++)
		if (!smp_start(i, worker, i))
			return false;
	look(0, rounds);
	for (unsigned int i = 0; i < smp_count; i++) {
		uint64_t start = counter_read();

		while (!ended[i])
			if (counter_read() - start > counter_hz() / 1000 * PATIENCE_MS)
				return false;
		if (!wrong[i])
			continue;
		print("own: vCPU %u read %lx in its window, its page has %lx\n", i, read[i],
		      pages[i][0]);
		good = false;
	}
	return smp_join_all() && good;
}
