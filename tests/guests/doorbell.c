/* SPDX-License-Identifier: MIT */
/*
 * doorbell.c - members 0, 1 and 2 of the region `bell`: 0 listens, 1 and 2 ring. Flags rung while masked, waits and their ends, a
 * race of two ringers (the region's first bytes, from the YAML: how many rings), then a storm on 0 while 2 keeps a timer.
 * Every number that must be right is checked here; each part ends with a line `NAME: ok`.
 */
#include "baremetal/region.h"

#define USED (AV_DOORBELL_PEER - 1) /* the flags that members ring */
#define FLAG_GO (1ul << 62)         /* member 0 says: next part */
#define FLAGS 60

struct board {
	char text[64];             /* the race: rings of each ringer, decimal */
	uint64_t part;             /* what the ringers do now */
	uint64_t done[3];          /* the part each of them has finished */
	uint64_t rung[2][64];      /* the race: how often each has rung each flag */
	uint64_t ticks, ticks_due; /* the storm: member 2's timer */
	uint64_t storm_rings;
};

static struct region bell;
static struct board *board;
static uint64_t rings, interrupts, arrived[64];
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

static void ring_each_once(void)
{
	for (unsigned int flag = 0; flag < 62; flag++)
		if (flag % 2 == (bell.member & 1))
			expect("ring", (uint64_t)doorbell_ring(&bell, 0, 1ul << flag), AV_OK);
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

/* Member 1 rings as fast as it can until member 2 has counted two seconds of its timer. */
static void storm(void)
{
	uint64_t period = counter_hz() / 100, next = counter_read() + period,
		 start = counter_read();

	if (bell.member == 1) {
		while (load(&board->done[2]) != 3) {
			doorbell_ring(&bell, 0, 1);
			store(&board->storm_rings, board->storm_rings + 1);
		}
		return;
	}
	while (counter_read() - start < 2 * counter_hz()) {
		uint64_t now = counter_read();

		if (now < next)
			sleep_us((next - now) * 1000000 / counter_hz() + 1);
		board->ticks++;
		next += period;
	}
	board->ticks_due = (counter_read() - start) / period;
}

static void ringer(void)
{
	static void (*const parts[])(void) = {ring_each_once, race, storm};

	for (uint64_t part = 1; part <= 3; part++) {
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

/* All 62 rung while nothing interrupts: then each arrives once. */
static void masked(void)
{
	uint64_t other;

	doorbell_take(&bell, ~0ul);
	interrupt_enable(bell.intid, false, take, NULL);
	expect("enable at start", doorbell_mask(&bell, 0, 0), 0);
	start(1);
	while (!all_done(1))
		sleep_us(1000);
	interrupts_unmask();
	sleep_us(10000);
	interrupts_mask();
	expect("interrupts while masked", interrupts, 0);
	other = doorbell_take(&bell, 0);
	expect("pending while masked", other & USED, (1ul << 62) - 1);
	interrupts_unmask();
	expect("mask before", doorbell_mask(&bell, ~0ul, 0), 0);
	sleep_us(10000);
	interrupts_mask();
	for (unsigned int flag = 0; flag < 62; flag++)
		expect("arrived", arrived[flag], 1);
	expect("interrupts", interrupts, 1);
	expect("pending afterwards", doorbell_take(&bell, 0) & USED, 0);
	expect("mask before", doorbell_mask(&bell, 0, 0), ~0ul);
	ended("masked");
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

static void stormed(void)
{
	doorbell_take(&bell, ~0ul);
	interrupts = 0;
	doorbell_mask(&bell, ~0ul, 0);
	interrupts_unmask();
	start(3);
	while (!all_done(3))
		sleep_us(1000);
	interrupts_mask();
	print("doorbell: %lu rings, %lu interrupts; the neighbour's timer: %lu of %lu ticks\n",
	      board->storm_rings, interrupts, board->ticks, board->ticks_due);
	expect("within 5%", board->ticks * 100 >= board->ticks_due * 95, 1);
	expect("a storm", board->storm_rings > 1000 && interrupts > 100, 1);
	ended("storm");
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
	masked();
	memset(arrived, 0, sizeof(arrived));
	racing();
	stormed();
	guest_stop();
}
