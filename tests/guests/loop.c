/* SPDX-License-Identifier: MIT */
/*
 * loop.c - the same pages again and again, back to a snapshot each time: what a fuzzer does. Timed by the guest itself;
 * under -icount a nanosecond is an instruction. The region says what to time ("icount", "wall N" or "own N": N rounds; "own" is
 * what EL2 says that it needed, the others are from the call to the next instruction). Stamps and sums lie there, too, because no restore rewinds it. Prints `bench NAME TICKS LOOPS` and `count NAME NUMBER` as bench.c does;
 * names end in .copyback when the VM copies pages back. Needs clock: follow.
 */
#include <avisor/manifest.h>
#include "baremetal/guest.h"

#define PAGES (GUEST_RAM_BASE + 0x800000ul)
#define BUCKETS 8192u /* of the histogram, TICKS of the counter each; the last one: or more */
#define TICKS 8u
#define OWN_EACH 8u /* asking EL2 disturbs the next round: each eighth is asked about */

struct board {
	char text[64];
	uint64_t start, end, rounds;
	uint64_t restore_ticks, cycle_ticks, cycles, samples;
	struct av_vm_stats stats;
	uint32_t buckets[BUCKETS];
};
static volatile struct board *board;
static const char *suffix = "";
static int own;

struct landed {
	uint64_t end, id, generation;
};

/* The counter is read by the next instruction, on both timelines. */
static struct landed take(void)
{
	register uint64_t x0 __asm__("x0") = AV_HVC_ID(AV_HVC_SNAPSHOT_TAKE);
	register uint64_t x1 __asm__("x1") = AV_VM_SELF;
	register uint64_t x2 __asm__("x2") = 0;
	register uint64_t x3 __asm__("x3") = 0;
	register uint64_t x4 __asm__("x4") = 0;
	register uint64_t x5 __asm__("x5") = 0;
	register uint64_t x6 __asm__("x6") = 0;
	uint64_t end;

	__asm__ volatile("hvc #0\n\tmrs %[end], cntvct_el0"
			 : [end] "=&r"(end), "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
			 : "r"(x4), "r"(x5), "r"(x6)
			 : "memory");
	if (x0)
		print("bench: take failed: %ld\n", (long)x0);
	return (struct landed){end, x1, x2};
}

static void go(uint64_t id)
{
	register uint64_t x0 __asm__("x0") = AV_HVC_ID(AV_HVC_SNAPSHOT_RESTORE);
	register uint64_t x1 __asm__("x1") = AV_VM_SELF;
	register uint64_t x2 __asm__("x2") = id;
	register uint64_t x3 __asm__("x3") = 0;
	register uint64_t x4 __asm__("x4") = 0;
	register uint64_t x5 __asm__("x5") = 0;
	register uint64_t x6 __asm__("x6") = 0;
	uint64_t stamp;

	__asm__ volatile("isb\n\tmrs %[stamp], cntvct_el0\n\tstr %[stamp], [%[start]]\n\thvc #0"
			 : [stamp] "=&r"(stamp), "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
			 : [start] "r"(&board->start), "r"(x4), "r"(x5), "r"(x6)
			 : "memory");
	print("bench: restore failed: %ld\n", (long)x0);
}

static struct av_vm_stats stats_now(void)
{
	struct av_vm_stats stats;

	hvc_VM_STATS(AV_VM_SELF, (uint64_t)&stats, sizeof(stats));
	return stats;
}

/* Not inlined: the page of the stack is not to be one of those that a round dirties. */
static __attribute__((noinline)) uint64_t own_ticks(void)
{
	return stats_now().restore_ns * counter_hz() / 1000000000;
}

static void account(uint64_t end)
{
	if (!own || board->rounds % OWN_EACH == OWN_EACH - 1) {
		uint64_t ticks = own ? own_ticks() : end - board->start;

		board->restore_ticks += ticks;
		board->samples++;
		board->buckets[ticks / TICKS < BUCKETS ? ticks / TICKS : BUCKETS - 1]++;
	}
	if (board->end) {
		board->cycle_ticks += end - board->end;
		board->cycles++;
	}
	board->end = end;
	board->rounds++;
}

static uint64_t percentile(uint64_t percent)
{
	uint64_t seen = 0, bucket = 0;

	while (bucket < BUCKETS - 1 &&
	       (seen += board->buckets[bucket]) * 100 < board->samples * percent)
		bucket++;
	return bucket * TICKS * 1000000000 / counter_hz();
}

static void report(uint64_t pages)
{
	struct av_vm_stats now = stats_now();
	uint64_t rounds = board->rounds;

	print("bench restore.d%lu%s %lu %lu\n", pages, suffix, board->restore_ticks,
	      board->samples);
	print("bench loop.d%lu%s %lu %lu\n", pages, suffix, board->cycle_ticks, board->cycles);
	print("count restore.d%lu%s.p50_ns %lu\n", pages, suffix, percentile(50));
	print("count restore.d%lu%s.p99_ns %lu\n", pages, suffix, percentile(99));
	print("count loop.d%lu%s.faults %lu\n", pages, suffix,
	      (now.exits[AV_EXIT_FAULT_WRITE] - board->stats.exits[AV_EXIT_FAULT_WRITE]) / rounds);
	print("count loop.d%lu%s.tlbi %lu\n", pages, suffix,
	      (now.tlbi_local + now.tlbi_broadcast - board->stats.tlbi_local -
	       board->stats.tlbi_broadcast) /
		      rounds);
	print("count loop.d%lu%s.bytes_copied %lu\n", pages, suffix,
	      (now.pages_copied + now.pages_copied_back - board->stats.pages_copied -
	       board->stats.pages_copied_back) *
		      GUEST_PAGE_SIZE / rounds);
	print("count loop.d%lu%s.nodes_copied %lu\n", pages, suffix,
	      (now.nodes_copied - board->stats.nodes_copied) / rounds);
}

static uint64_t frames_used(void)
{
	struct av_vm_info info;

	hvc_MEMORY_DRAIN(AV_VM_SELF);
	hvc_VM_INFO(AV_VM_SELF, (uint64_t)&info, sizeof(info));
	return info.frames_used;
}

static void dirty(uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		*(volatile uint64_t *)(PAGES + i * GUEST_PAGE_SIZE) = i;
}

static void loop(uint64_t pages, uint64_t rounds)
{
	struct landed landed;

	dirty(pages);
	board->stats = stats_now();
	board->end = board->rounds = board->samples = board->restore_ticks = board->cycle_ticks =
		board->cycles = 0;
	for (unsigned int i = 0; i < BUCKETS; i++)
		board->buckets[i] = 0;
	landed = take();
	if (landed.generation)
		account(landed.end);
	if (board->rounds < rounds) {
		dirty(pages);
		go(landed.id);
	}
	hvc_SNAPSHOT_DELETE(AV_VM_SELF, landed.id);
}

/* The same twice: what is there after the first is there after the second. */
static void measure(uint64_t pages, uint64_t rounds)
{
	uint64_t used;

	loop(pages, 5);
	used = frames_used();
	loop(pages, rounds);
	report(pages);
	if (frames_used() != used)
		print("bench: %lu frames before %lu rounds, %lu after\n", used, rounds,
		      frames_used());
}

/* What a page costs with the best memcpy there is without SVE or FEAT_MOPS. */
static void measure_memcpy(void)
{
	uint64_t to = PAGES + 256 * GUEST_PAGE_SIZE, from = PAGES, end = to + 256 * GUEST_PAGE_SIZE;
	uint64_t start, ticks;

	dirty(512);
	start = counter_read();
	__asm__ volatile("1:\n\t.rept 16\n\t"
			 "ldp q0, q1, [%1], #32\n\tldp q2, q3, [%1], #32\n\t"
			 "stp q0, q1, [%0], #32\n\tstp q2, q3, [%0], #32\n\t"
			 ".endr\n\tcmp %0, %2\n\tb.ne 1b"
			 : "+r"(to), "+r"(from)
			 : "r"(end)
			 : "memory", "cc");
	ticks = counter_read() - start;
	print("bench memcpy.page %lu 256\n", ticks);
}

void guest_main(uint64_t dtb)
{
	static const uint64_t counted[] = {16, 44, 256, 1024}, timed[] = {44, 64, 256};
	struct av_region_info region;
	struct av_vm_info info;
	uint64_t rounds = 0;

	(void)dtb;
	if (hvc_VM_INFO(AV_VM_SELF, (uint64_t)&info, sizeof(info)).status ||
	    hvc_REGION_INFO(0, (uint64_t)&region, sizeof(region)).status)
		guest_panic("bench: no region");
	board = (volatile struct board *)region.ipa;
	if (info.flags & AV_VM_FLAG_COPY_BACK)
		suffix = ".copyback";
	own = board->text[0] == 'o';
	for (unsigned int i = own ? 4 : 5; board->text[0] != 'i' && board->text[i] >= '0'; i++)
		rounds = rounds * 10 + (uint64_t)(board->text[i] - '0');
	if (!rounds)
		measure_memcpy();
	for (unsigned int i = 0; !rounds && i < sizeof(counted) / sizeof(counted[0]); i++)
		measure(counted[i], 256);
	for (unsigned int i = 0; rounds && i < sizeof(timed) / sizeof(timed[0]); i++)
		measure(timed[i], rounds);
	print("bench done hz=%lu\n", counter_hz());
	guest_stop();
}
