/* SPDX-License-Identifier: MIT */
/*
 * storm.c - members 0, 1 and 2 of the region `bell`: 2 counts the interrupts of its timer, first while 0 is busy and never gives
 * way by itself, then while 1 rings 0 as fast as it can and 0 takes every interrupt. The timer is set anew from the time at
 * which its interrupt is taken: one that comes late moves all later ones, so what is late is missing in the count.
 * 3 and 4 sleep with a timer that is due and an interrupt that is not enabled: they wake up for nothing, and must not be in the way.
 */
#include "baremetal/region.h"

#define FLAG 1
#define PERIOD_US 2000
#define TICKS 100 /* that a count has room for */

struct board {
	uint64_t storms; /* member 2 says: now */
	uint64_t over;
	uint64_t rings, interrupts;
};

static struct region bell;
static struct board *board;
static volatile uint64_t ticks, latest;
static uint64_t period;

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void add(uint64_t *word)
{
	__atomic_add_fetch(word, 1, __ATOMIC_RELEASE);
}

static void take(unsigned int intid, void *context)
{
	(void)intid;
	(void)context;
	doorbell_take(&bell, ~0ul);
	add(&board->interrupts);
}

static void sleep_until_interrupt(void)
{
	interrupts_mask();
	wait_for_interrupt();
	interrupts_unmask();
	__asm__ volatile("isb");
}

static void victim(void)
{
	interrupt_enable(bell.intid, false, take, NULL);
	doorbell_mask(&bell, ~0ul, 0);
	interrupts_unmask();
	while (!load(&board->storms))
		;
	while (!load(&board->over))
		sleep_until_interrupt();
}

static void ringer(void)
{
	while (!load(&board->storms))
		sleep_us(1000);
	while (!load(&board->over)) {
		doorbell_ring(&bell, 0, FLAG);
		add(&board->rings);
	}
}

static void tick(unsigned int intid, void *context)
{
	uint64_t now = counter_read(), late = now - timer_deadline();

	(void)intid;
	(void)context;
	ticks++;
	latest = late > latest ? late : latest;
	timer_set(now + period);
}

static uint64_t count(const char *what)
{
	uint64_t end = counter_read() + TICKS * period;

	ticks = latest = 0;
	timer_set(counter_read() + period);
	while (counter_read() < end)
		sleep_until_interrupt();
	timer_stop();
	print("storm: %s: %lu ticks of %u, %lu us late at most\n", what, ticks, TICKS,
	      latest * 1000000 / counter_hz());
	return ticks;
}

static void neighbour(void)
{
	uint64_t busy, stormy, rings;

	period = counter_hz() / 1000000 * PERIOD_US;
	interrupt_enable(GUEST_TIMER_INTID, false, tick, NULL);
	busy = count("beside a busy one");
	__atomic_store_n(&board->storms, 1, __ATOMIC_RELEASE);
	while (load(&board->rings) < 1000)
		sleep_us(1000);
	interrupt_enable(GUEST_TIMER_INTID, false, tick, NULL); /* sleep_us() has one of its own */
	rings = load(&board->rings);
	stormy = count("in a storm");
	rings = load(&board->rings) - rings;
	print("storm: %lu rings meanwhile, %lu interrupts in all\n", rings,
	      load(&board->interrupts));
	add(&board->over);
	print("storm: %s\n", busy >= TICKS * 95 / 100 && stormy >= TICKS * 95 / 100 &&
					     rings > 10000 && load(&board->interrupts) > 10000
				     ? "ok"
				     : "FAILED");
}

static void sleeper(void)
{
	timer_set(counter_read());
	for (;;)
		wait_for_interrupt();
}

void guest_main(uint64_t dtb)
{
	static void (*const parts[])(void) = {victim, ringer, neighbour, sleeper, sleeper};

	(void)dtb;
	interrupts_init();
	if (region_open(&bell, "bell") != AV_OK || bell.member > 4)
		guest_panic("no bell");
	board = (struct board *)bell.base;
	parts[bell.member]();
	guest_stop();
}
