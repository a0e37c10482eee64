/* SPDX-License-Identifier: MIT */
/*
 * tenant.c - members 0 and 1 of the region `desk`: 0 gets a region at run time, fills it, snapshots itself, gives it up; 1 gets
 * memory in its place and fills that; 0 goes back to its snapshot. It must find its own bytes if 1 has kept the region
 * alive, else a hole, and never what 1 has written. A round each time the host counts `go` up; `bad` counts what was wrong.
 */
#include "baremetal/region.h"

enum step { IDLE, JOIN, JOINED, REUSE, REUSED, END, ENDED };

struct desk {
	uint64_t go, done, bad; /* known to the test */
	uint64_t lost, kept;
	uint64_t step;
	uint64_t key, size,
		later;   /* of the region; an address that 0 got after its snapshot, or 0 */
	uint64_t shares; /* 1 keeps the region */
};

static struct desk *desk;

static void step_to(enum step step)
{
	__atomic_store_n(&desk->step, step, __ATOMIC_RELEASE);
}

static void wait_for(enum step step)
{
	while (__atomic_load_n(&desk->step, __ATOMIC_ACQUIRE) != step)
		sleep_us(200);
}

static void expect(const char *what, uint64_t found, uint64_t wanted)
{
	if (found == wanted)
		return;
	print("tenant: round %lu: WRONG %s: 0x%lx, not 0x%lx\n", desk->go, what, found, wanted);
	__atomic_add_fetch(&desk->bad, 1, __ATOMIC_RELAXED);
}

/* Every word of the region is value. */
static void all_is(const struct region *region, const char *what, uint64_t value)
{
	for (uint64_t at = 0; at < region->size; at += 8) {
		uint64_t found = *(volatile uint64_t *)(region->base + at);

		if (found == value)
			continue;
		expect(what, found, value);
		return;
	}
}

static void fill(const struct region *region, uint64_t value)
{
	for (uint64_t at = 0; at < region->size; at += 8)
		*(volatile uint64_t *)(region->base + at) = value;
}

static void is_hole(uint64_t address, uint64_t size)
{
	struct guest_fault fault;

	for (uint64_t at = 0; at < size; at += GUEST_PAGE_SIZE) {
		guest_fault_begin();
		(void)*(volatile uint64_t *)(address + at);
		expect("a hole", guest_fault_end(&fault), true);
	}
}

/* --- member 0 */

static void after_restore(struct region *region, uint64_t round)
{
	if (desk->later)
		is_hole(desk->later, GUEST_PAGE_SIZE);
	if (desk->shares) {
		all_is(region, "its own bytes, kept", round);
		desk->kept++;
		expect("detach", (uint64_t)region_detach(region), AV_OK);
	}
	is_hole((uint64_t)region->base, region->size);
	if (!desk->shares) {
		desk->lost++;
		expect("detach", (uint64_t)region_detach(region), (uint64_t)AV_E_NOT_ATTACHED);
	}
}

/* Does not return: it goes back to the snapshot. */
static void until_restore(struct region *region, uint64_t snapshot, uint64_t seed)
{
	struct region later;

	if (desk->shares) {
		step_to(JOIN);
		wait_for(JOINED);
	}
	expect("detach", (uint64_t)region_detach(region), AV_OK);
	desk->later = 0;
	if (guest_random(&seed) % 2) {
		expect("get", (uint64_t)region_get(&later, desk->key + 2, GUEST_PAGE_SIZE, 0),
		       AV_OK);
		all_is(&later, "zero when new", 0);
		fill(&later, ~0ul);
		desk->later = (uint64_t)later.base;
	}
	step_to(REUSE);
	wait_for(REUSED);
	hvc_SNAPSHOT_RESTORE(AV_VM_SELF, snapshot, 0);
	expect("restore", 1, 0);
}

static void round_of(uint64_t round)
{
	uint64_t seed = round;
	struct region region;
	struct hvc_result taken;

	desk->key = 3 * round;
	desk->size = (1 + guest_random(&seed) % 40) * GUEST_PAGE_SIZE;
	desk->shares = guest_random(&seed) % 2;
	expect("get", (uint64_t)region_get(&region, desk->key, desk->size, 0), AV_OK);
	all_is(&region, "zero when new", 0);
	fill(&region, round);
	taken = hvc_SNAPSHOT_TAKE(AV_VM_SELF, 0, 0, 0);
	expect("take", (uint64_t)taken.status, AV_OK);
	if (!taken.value[1])
		until_restore(&region, taken.value[0], seed);
	after_restore(&region, round);
	hvc_SNAPSHOT_DELETE(AV_VM_SELF, taken.value[0]);
	step_to(END);
	wait_for(ENDED);
	step_to(IDLE);
	__atomic_store_n(&desk->done, round, __ATOMIC_RELEASE);
}

static void first(void)
{
	for (uint64_t round = 1;; round++) {
		while (__atomic_load_n(&desk->go, __ATOMIC_ACQUIRE) < round)
			sleep_us(500);
		round_of(round);
	}
}

/* --- member 1 */

static void second(void)
{
	struct region kept, own;

	for (;;) {
		switch (__atomic_load_n(&desk->step, __ATOMIC_ACQUIRE)) {
		case JOIN:
			expect("join", (uint64_t)region_get(&kept, desk->key, desk->size, 0),
			       AV_OK);
			all_is(&kept, "the other's bytes", desk->key / 3);
			step_to(JOINED);
			break;
		case REUSE:
			expect("reuse", (uint64_t)region_get(&own, desk->key + 1, desk->size, 0),
			       AV_OK);
			all_is(&own, "zero when new", 0);
			fill(&own, 0x5ec5e75ec5e75ec5);
			step_to(REUSED);
			break;
		case END:
			all_is(&own, "its own bytes", 0x5ec5e75ec5e75ec5);
			expect("detach", (uint64_t)region_detach(&own), AV_OK);
			if (desk->shares)
				expect("detach", (uint64_t)region_detach(&kept), AV_OK);
			step_to(ENDED);
			break;
		default:
			sleep_us(200);
		}
	}
}

void guest_main(uint64_t dtb)
{
	struct region shared;

	(void)dtb;
	interrupts_init();
	if (region_open(&shared, "desk") != AV_OK)
		guest_panic("no desk");
	desk = (struct desk *)shared.base;
	print("tenant: member %u\n", shared.member);
	if (shared.member == 0)
		first();
	second();
}
