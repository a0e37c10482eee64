/* SPDX-License-Identifier: MIT */
/*
 * pingpong.c - members 0 and 1 of the region `court` send a ball to and fro, with a number, and each knows in its own RAM what it
 * sent last. So memory and region are of one moment, or one of them says `pingpong: TORN ...` on its console, which nothing takes
 * back. The vCPUs of a VM that has two check each other as well. Half of the time it waits for a doorbell that rings once.
 */
#include "baremetal/region.h"

#define PAGES 64u      /* of own RAM that are written in turn */
#define BELL_TURNS 32u /* so many by doorbell, then as many by yielding */
#define PING 1ul

/* fields: of tests/system/sets.bats */
struct court {
	uint64_t turn; /* the member that has to play */
	uint64_t seq;
	uint64_t sum;   /* of all numbers played, stirred */
	uint64_t token; /* a random number of who played last */
	uint64_t echo;  /* and that of the one before */
	uint64_t generation[2];
};

/* What is to be the same in the region as here: all of it in RAM. */
static struct own {
	uint64_t seq, sum, token;
	uint64_t reserved[5];
} own __attribute__((aligned(4096)));
static uint64_t pages[PAGES][512] __attribute__((aligned(4096)));
static volatile uint64_t played, seen; /* of vCPU 0; of vCPU 1 */
static bool second;

static struct region region;
static volatile struct court *court;

static void torn(const char *what, uint64_t found, uint64_t wanted)
{
	print("pingpong: TORN %s: 0x%lx, not 0x%lx, at %lu\n", what, found, wanted, own.seq);
	guest_stop();
}

static void expect(const char *what, uint64_t found, uint64_t wanted)
{
	if (found != wanted)
		torn(what, found, wanted);
}

static uint64_t stirred(uint64_t sum, uint64_t seq)
{
	uint64_t seed = sum ^ seq;

	return guest_random(&seed);
}

/* One word in each page of the region but the first: all are of the last ball. */
static volatile uint64_t *stamp(uint64_t page)
{
	return (volatile uint64_t *)(region.base + page * GUEST_PAGE_SIZE + page * 8);
}

static uint64_t stamps(void)
{
	return region.common_size / GUEST_PAGE_SIZE;
}

/* vCPU 1 follows vCPU 0. */
static void follow(uint64_t unused)
{
	(void)unused;
	for (;;) {
		uint64_t now = played;

		if (now < seen)
			torn("the other vCPU's count", now, seen);
		seen = now;
		hvc_VM_YIELD();
	}
}

static void wait_for_turn(uint64_t seq)
{
	while (__atomic_load_n(&court->turn, __ATOMIC_ACQUIRE) != region.member) {
		if (seq / 2 % (2 * BELL_TURNS) < BELL_TURNS) {
			doorbell_wait(&region, PING, AV_WAIT_FOREVER);
			doorbell_take(&region, PING);
		} else {
			hvc_VM_YIELD();
		}
	}
}

static void check_ball(void)
{
	expect("seq", court->seq, own.seq + 1);
	expect("echo", court->echo, own.token);
	expect("sum", court->sum, stirred(own.sum, own.seq + 1));
	for (uint64_t page = 1; page < stamps(); page++)
		expect("a page of the region", *stamp(page), court->seq);
}

/* Its own page of this turn still has what it wrote PAGES turns ago. */
static void check_page(uint64_t seq)
{
	uint64_t *page = pages[seq / 2 % PAGES], wanted = seq >= 2 * PAGES ? seq - 2 * PAGES : 0;

	expect("own page", page[0], wanted);
	expect("own page's end", page[511], wanted);
	page[0] = page[511] = seq;
}

static void play(uint64_t seq)
{
	uint64_t sum = stirred(seq == 1 ? 0 : court->sum, seq), token = guest_nonce();

	check_page(seq);
	own.seq = seq;
	own.sum = sum;
	own.token = token;
	for (uint64_t page = 1; page < stamps(); page++)
		*stamp(page) = seq;
	court->echo = court->token;
	court->token = token;
	court->sum = sum;
	court->seq = seq;
	court->generation[region.member] = guest_generation();
	__atomic_store_n(&court->turn, !region.member, __ATOMIC_RELEASE);
	doorbell_ring(&region, !region.member, PING);
	played = seq;
	for (uint64_t i = 0; second && seq % 16 < 2 && seen != seq; i++)
		hvc_VM_YIELD();
}

void guest_main(uint64_t dtb)
{
	uint64_t seq; /* in a register or on the stack: of the same moment, too */

	(void)dtb;
	interrupts_init();
	if (region_open(&region, "court") != AV_OK || region.member > 1)
		guest_panic("no court");
	court = (volatile struct court *)region.base;
	second = guest_cpu_on(1, follow, 0) == 0;
	print("pingpong: start, member %u%s\n", region.member, second ? ", two vCPUs" : "");
	seq = region.member ? 0 : 1;
	/* Member 1 waits for number 1: what it would have sent before is number 0, with sum and token 0. */
	if (!region.member)
		play(seq);
	for (;;) {
		wait_for_turn(seq);
		expect("own count", own.seq, seq);
		check_ball();
		seq += 2;
		play(seq);
	}
}
