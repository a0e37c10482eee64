/* SPDX-License-Identifier: MIT */
/*
 * cut.c - is a restore one cut through all vCPUs and all memory? What a vCPU knows in its registers is compared with what is in
 * memory, again and again, while somebody outside takes and restores snapshots.
 * Only vCPU 0 prints. The workers never return to a state from before a check without checking again.
 */
#include "smp.h"

#define TURNS 64u
#define PAGES 64u
#define BEAT_MS 50
#define SGI_THERE 3u
#define SGI_BACK 4u
#define SPINS 2000u

/* One turn a page, so that each needs its own copy after a take. */
static struct turn {
	uint64_t ping, stamp, pong;
} __attribute__((aligned(GUEST_PAGE_SIZE))) turns[TURNS];

static struct page {
	uint64_t sequence;
} __attribute__((aligned(GUEST_PAGE_SIZE))) pages[GUEST_CPU_MAX][PAGES];
static uint64_t published[GUEST_CPU_MAX];

static struct {
	const char *what;
	uint64_t cpu, seen, expected;
} volatile torn;
static volatile uint64_t rounds;
static uint64_t beat_at;

static uint64_t get(const uint64_t *from)
{
	return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

static void set(uint64_t *to, uint64_t value)
{
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
}

static void tear(const char *what, uint64_t seen, uint64_t expected)
{
	torn.cpu = guest_cpu_number();
	torn.seen = seen;
	torn.expected = expected;
	torn.what = what;
	smp_stop = true;
}

static void wake(unsigned int intid, void *context)
{
	(void)intid;
	(void)context;
}

/* Wait until *at is wanted; anything but that and former is torn. Asleep: the other one sends an SGI. */
static void await(const uint64_t *at, uint64_t wanted, uint64_t former, bool asleep,
		  const char *what)
{
	for (unsigned int spins = 0; !smp_stop; spins++) {
		uint64_t value = get(at);

		if (value == wanted)
			return;
		if (value != former) {
			tear(what, value, wanted);
			return;
		}
		if (asleep) {
			wait_for_interrupt();
			while (interrupts_take())
				;
		} else if (spins % SPINS == SPINS - 1) {
			hvc_VM_YIELD(); /* the other one may live on the same CPU */
		}
	}
}

/* Says once in a while that it goes on; true when a key was pressed. */
static bool beat(const char *name)
{
	if (counter_read() - beat_at < counter_hz() / 1000 * BEAT_MS)
		return false;
	print("%s: %lu rounds\n", name, rounds);
	beat_at = counter_read();
	return !(mmio_read32(GUEST_UART + 0x18) & 0x10); /* FR: RXFE */
}

static bool verdict(void)
{
	bool joined = smp_join_all();

	if (torn.what)
		print("TORN: vCPU %lu, %s: %lu instead of %lu\n", torn.cpu, torn.what, torn.seen,
		      torn.expected);
	return joined && !torn.what;
}

static void pong(uint64_t argument)
{
	(void)argument;
	interrupts_init();
	interrupt_enable(SGI_THERE, true, wake, NULL);
	for (uint64_t n = 1; !smp_stop; n++) {
		struct turn *turn = &turns[n % TURNS];
		uint64_t former = n > TURNS ? n - TURNS : 0, now;

		await(&turn->ping, n, former, n % 16 == 0, "ping");
		if (smp_stop)
			break;
		now = counter_read();
		if ((int64_t)(now - turn->stamp) < 0)
			tear("time", now, turn->stamp);
		if (turn->pong != former)
			tear("own pong", turn->pong, former);
		set(&turn->pong, n);
		if (n % 16 == 8)
			guest_sgi(SGI_BACK, 0);
	}
}

bool smp_cut(uint64_t argument)
{
	(void)argument;
	memset(turns, 0, sizeof(turns));
	torn.what = NULL;
	rounds = 0;
	interrupt_enable(SGI_BACK, true, wake, NULL);
	if (!smp_start(1, pong, 0))
		return false;
	for (uint64_t n = 1; !smp_stop; n++) {
		struct turn *turn = &turns[n % TURNS];
		uint64_t former = n > TURNS ? n - TURNS : 0;

		if (turn->ping != former)
			tear("own ping", turn->ping, former);
		turn->stamp = counter_read();
		set(&turn->ping, n);
		if (n % 16 == 0)
			guest_sgi(SGI_THERE, 1);
		await(&turn->pong, n, former, n % 16 == 8, "pong");
		rounds = n;
		if (beat("cut"))
			break;
	}
	return verdict();
}

/* Write all of one's own pages and say so; read all of the next vCPU's: never less than it had said, never more. */
static void pages_pass(unsigned int self, uint64_t sequence)
{
	unsigned int other = (self + 1) % smp_count;
	uint64_t before, value[PAGES], after;

	for (unsigned int i = 0; i < PAGES; i++) {
		if (pages[self][i].sequence != sequence - 1)
			tear("own page", pages[self][i].sequence, sequence - 1);
		set(&pages[self][i].sequence, sequence);
	}
	set(&published[self], sequence);
	before = get(&published[other]);
	for (unsigned int i = 0; i < PAGES; i++)
		value[i] = get(&pages[other][i].sequence);
	after = get(&published[other]);
	for (unsigned int i = 0; i < PAGES; i++)
		if (value[i] < before || value[i] > after + 1)
			tear("another's page", value[i], before);
}

static void pages_worker(uint64_t self)
{
	for (uint64_t sequence = 1; !smp_stop; sequence++)
		pages_pass((unsigned int)self, sequence);
}

bool smp_pages(uint64_t argument)
{
	(void)argument;
	memset(pages, 0, sizeof(pages));
	memset(published, 0, sizeof(published));
	torn.what = NULL;
	for (unsigned int i = 1; i < smp_count; i++)
		if (!smp_start(i, pages_worker, i))
			return false;
	for (uint64_t sequence = 1; !smp_stop; sequence++) {
		pages_pass(0, sequence);
		rounds = sequence;
		if (beat("pages"))
			break;
	}
	return verdict();
}

/* Ids are not rewound: they say how often it was done. */
static void taker(uint64_t last_id)
{
	while (!smp_stop) {
		struct hvc_result result = hvc_SNAPSHOT_TAKE(AV_VM_SELF, 0, 0, 0);
		uint64_t id = result.value[0];

		if (result.status)
			tear("SNAPSHOT_TAKE", (uint64_t)result.status, 0);
		rounds = id;
		/* To its own: the latest one may have been taken from outside, right here. */
		if (!result.value[1] && id % 3 == 2) {
			int64_t status = hvc_SNAPSHOT_RESTORE(AV_VM_SELF, id, 0).status;

			if (status != AV_E_NOT_FOUND) /* evicted meanwhile */
				tear("SNAPSHOT_RESTORE", (uint64_t)status, 0);
		}
		if (id >= last_id)
			return;
	}
}

bool smp_storm(uint64_t last_id)
{
	torn.what = NULL;
	rounds = 0;
	if (!smp_start(1, taker, last_id))
		return false;
	while (!smp_stop && rounds < last_id)
		if (beat("storm"))
			break;
	print("storm: %lu rounds\n", rounds);
	return verdict();
}
