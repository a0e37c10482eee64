/* SPDX-License-Identifier: MIT */
/*
 * doorbell.c - members 0, 1 and 2 of the region `bell`: 0 listens, 1 and 2 ring. Waits and their ends, the vCPU that an interrupt
 * goes to (0 has two), all 64 flags rung while masked, then a race of two ringers (the region's first bytes, from the YAML:
 * how many rings). Every number that must be right is checked here; each part ends with a line `NAME: ok`.
 */
#include "baremetal/region.h"

#define USED (AV_DOORBELL_PEER - 1) /* the flags that members ring */
#define FLAG_GO (1ul << 62)         /* member 0 says to the ringers: next part */
#define FLAGS 60

struct board {
	char text[64];        /* the race: rings of each ringer, decimal */
	uint64_t part;        /* what the ringers do now */
	uint64_t done[3];     /* the part each of them has finished */
	uint64_t rung[2][64]; /* the race: how often each has rung each flag */
};

static struct region bell;
static struct board *board;
static uint64_t second_over, rings, interrupts, arrived[64], taken_by[2];
static bool bad;

static void expect(const char *what, uint64_t found, uint64_t wanted)
{
	if (found == wanted)
		return;
	print("doorbell: WRONG %s: 0x%lx, not 0x%lx\n", what, found, wanted);
	bad = true;
}

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static void ended(const char *part)
{
	print("%s: %s\n", part, bad ? "FAILED" : "ok");
	bad = false;
}

/* --- the ringers */

/* The 64th flag is the hypervisor's: it rings it when a member goes back in time. */
static void ring_each_once(void)
{
	struct hvc_result taken;

	for (unsigned int flag = 0; flag < 63; flag++)
		if (flag % 2 == (bell.member & 1))
			expect("ring", (uint64_t)doorbell_ring(&bell, 0, 1ul << flag), AV_OK);
	if (bell.member != 1)
		return;
	expect("ring the hypervisor's", (uint64_t)doorbell_ring(&bell, 0, AV_DOORBELL_PEER),
	       (uint64_t)AV_E_INVALID);
	taken = hvc_SNAPSHOT_TAKE(AV_VM_SELF, 0, 0, 0);
	expect("take", (uint64_t)taken.status, AV_OK);
	if (!taken.value[1])
		hvc_SNAPSHOT_RESTORE(AV_VM_SELF, taken.value[0], 0);
	expect("delete", (uint64_t)hvc_SNAPSHOT_DELETE(AV_VM_SELF, taken.value[0]).status, AV_OK);
}

static void race(void)
{
	uint64_t *rung = board->rung[bell.member - 1], seed = bell.member;

	for (uint64_t i = 0; i < rings; i++) {
		unsigned int flag = (unsigned int)(guest_random(&seed) % FLAGS);

		store(&rung[flag], rung[flag] + 1);
		doorbell_ring(&bell, 0, 1ul << flag);
	}
}

static void ringer(void)
{
	static void (*const parts[])(void) = {ring_each_once, race};

	for (uint64_t part = 1; part <= 2; part++) {
		while (load(&board->part) < part)
			doorbell_wait(&bell, FLAG_GO, AV_WAIT_FOREVER);
		doorbell_take(&bell, FLAG_GO);
		parts[part - 1]();
		store(&board->done[bell.member], part);
		doorbell_ring(&bell, 0, 1ul << 61);
	}
	print("ringer: %s\n", bad ? "FAILED" : "ok");
}

/* --- the listener */

static void take(unsigned int intid, void *context)
{
	uint64_t flags = doorbell_take(&bell, ~0ul);

	(void)context;
	expect("interrupt", intid, bell.intid);
	interrupts++;
	taken_by[guest_cpu_number() & 1]++;
	for (unsigned int flag = 0; flag < 64; flag++)
		arrived[flag] += flags >> flag & 1;
}

static void start(uint64_t part)
{
	store(&board->part, part);
	doorbell_ring(&bell, AV_MEMBER_ALL, FLAG_GO);
}

static bool all_done(uint64_t part)
{
	return load(&board->done[1]) >= part && load(&board->done[2]) >= part;
}

/* All 64 rung while nothing interrupts: then each arrives once, by one interrupt. */
static void masked(void)
{
	uint64_t other;

	while (av_member_state(region_member_word(&bell, 1)) != AV_MEMBER_RUNNING ||
	       av_member_state(region_member_word(&bell, 2)) != AV_MEMBER_RUNNING)
		sleep_us(1000);
	doorbell_take(&bell, ~0ul);
	memset(arrived, 0, sizeof(arrived));
	interrupts = 0;
	expect("enable at start", doorbell_mask(&bell, 0, 0), 0);
	start(1);
	while (!all_done(1))
		sleep_us(1000);
	interrupts_unmask();
	sleep_us(10000);
	interrupts_mask();
	expect("interrupts while masked", interrupts, 0);
	other = doorbell_take(&bell, 0);
	expect("pending while masked", other, ~0ul);
	interrupts_unmask();
	expect("mask before", doorbell_mask(&bell, ~0ul, 0), 0);
	sleep_us(10000);
	interrupts_mask();
	for (unsigned int flag = 0; flag < 64; flag++)
		expect("arrived", arrived[flag], 1);
	expect("interrupts", interrupts, 1);
	expect("pending afterwards", doorbell_take(&bell, 0), 0);
	expect("mask before", doorbell_mask(&bell, 0, 0), ~0ul);
	ended("masked");
}

static void second_cpu(uint64_t context)
{
	(void)context;
	interrupts_init();
	interrupts_unmask();
	while (!load(&second_over))
		;
}

/* An interrupt goes to the vCPU that the mask was set for, and to no other. */
static void routed(void)
{
	interrupt_enable(bell.intid, false, take, NULL);
	expect("CPU_ON", (uint64_t)guest_cpu_on(1, second_cpu, 0), 0);
	interrupts_unmask();
	for (uint32_t cpu = 1; cpu <= 2; cpu++) { /* 1, then 0 again */
		uint64_t others = taken_by[cpu & 1 ? 0 : 1], own = taken_by[cpu & 1];
		uint64_t deadline = counter_read() + 5 * counter_hz();

		doorbell_mask(&bell, 1, cpu & 1);
		doorbell_ring(&bell, 0, 1);
		while (load(&taken_by[cpu & 1]) == own && counter_read() < deadline)
			;
		sleep_us(5000);
		interrupts_unmask();
		expect("taken by the vCPU chosen", load(&taken_by[cpu & 1]), own + 1);
		expect("taken by the other", load(&taken_by[cpu & 1 ? 0 : 1]), others);
	}
	interrupts_mask();
	store(&second_over, 1);
	expect("CPU_OFF", guest_cpu_join(1, 5000), true);
	doorbell_mask(&bell, 0, 0);
	ended("routed");
}

/* A wait ends by its flag, by time, by an interrupt; never by a flag it does not wait for. */
static void waits(void)
{
	uint64_t before = counter_read(), after;

	doorbell_take(&bell, ~0ul);
	expect("nothing pending", doorbell_wait(&bell, 4, before + counter_hz() / 50) & USED, 0);
	after = counter_read();
	expect("it waited", after >= before + counter_hz() / 50, 1);
	expect("not much longer", after < before + counter_hz(), 1);
	doorbell_ring(&bell, 0, 1);
	before = counter_read();
	expect("another flag", doorbell_wait(&bell, 4, before + counter_hz() / 50) & USED, 1);
	expect("it waited", counter_read() >= before + counter_hz() / 50, 1);
	expect("its flag", doorbell_wait(&bell, 1, AV_WAIT_FOREVER) & USED, 1);
	timer_set(counter_read() + counter_hz() / 50);
	before = counter_read();
	interrupt_enable(GUEST_TIMER_INTID, false, NULL, NULL);
	doorbell_wait(&bell, 4, AV_WAIT_FOREVER);
	expect("ended by the timer", counter_read() >= before + counter_hz() / 50, 1);
	interrupt_disable(GUEST_TIMER_INTID);
	timer_stop();
	expect("past", doorbell_wait(&bell, 4, 1) & USED, 1);
	doorbell_take(&bell, ~0ul);
	ended("waits");
}

/* DOORBELL_CALL rings, waits and clears what it waited for, and nothing else; its interrupt falls with that. */
static void calls(void)
{
	uint64_t before = counter_read();
	struct hvc_result result;

	doorbell_take(&bell, ~0ul);
	result = hvc_DOORBELL_CALL(bell.number, 4, before + counter_hz() / 50, 0, 3);
	expect("rung before the wait", result.value[0] & USED, 3);
	expect("it waited", counter_read() >= before + counter_hz() / 50, 1);
	expect("none of them cleared", doorbell_take(&bell, 0) & USED, 3);
	expect("its flag", doorbell_call(&bell, 0, 4, 4), 4);
	expect("and no other cleared", doorbell_take(&bell, 0) & USED, 3);
	doorbell_mask(&bell, 4, 0);
	interrupts = 0;
	interrupt_enable(bell.intid, false, take, NULL);
	expect("taken before it interrupts", doorbell_call(&bell, 0, 4, 4), 4);
	interrupts_unmask();
	sleep_us(1000);
	interrupts_mask();
	expect("no interrupt", interrupts, 0);
	doorbell_mask(&bell, 0, 0);
	expect("nobody there",
	       (uint64_t)hvc_DOORBELL_CALL(bell.number, 1, AV_WAIT_FOREVER, 23, 1).status,
	       (uint64_t)AV_E_NOT_FOUND);
	doorbell_take(&bell, ~0ul);
	ended("calls");
}

/* What was rung is never newer than what was seen last. Half of the time by interrupt, the other half by waits. */
static void racing(void)
{
	uint64_t seen[2][64] = {{0}}, rounds = 0, rung = 0;
	bool last = false;

	interrupts = 0;
	start(2);
	interrupts_unmask();
	for (; !last; rounds++) {
		uint64_t flags;

		last = all_done(2);
		doorbell_mask(&bell, rounds & 256 ? ~0ul : 0, 0);
		/* The handler takes what it gets: what it took is in arrived[]. */
		interrupts_mask();
		if (!last && !(rounds & 256))
			doorbell_wait(&bell, ~0ul, counter_read() + counter_hz() / 100);
		flags = doorbell_take(&bell, ~0ul);
		for (unsigned int flag = 0; flag < FLAGS; flag++) {
			if (!(flags >> flag & 1) && !arrived[flag])
				continue;
			arrived[flag] = 0;
			seen[0][flag] = load(&board->rung[0][flag]);
			seen[1][flag] = load(&board->rung[1][flag]);
		}
		interrupts_unmask();
	}
	interrupts_mask();
	for (unsigned int flag = 0; flag < FLAGS; flag++)
		for (unsigned int i = 0; i < 2; i++) {
			expect("seen", seen[i][flag], board->rung[i][flag]);
			rung += board->rung[i][flag];
		}
	expect("rings", rung, 2 * rings);
	print("doorbell: %lu rings, %lu looks, %lu interrupts\n", rung, rounds, interrupts);
	ended("race");
}

void guest_main(uint64_t dtb)
{
	(void)dtb;
	interrupts_init();
	expect("region", (uint64_t)region_open(&bell, "bell"), AV_OK);
	board = (struct board *)bell.base;
	for (const char *digit = board->text; *digit; digit++)
		rings = rings * 10 + (uint64_t)(*digit - '0');
	print("doorbell: member %u of region %u, interrupt %u\n", bell.member, bell.number,
	      bell.intid);
	if (bell.member != 0) {
		ringer();
		guest_stop();
	}
	waits();
	calls();
	routed();
	masked();
	memset(arrived, 0, sizeof(arrived));
	racing();
	guest_stop();
}
