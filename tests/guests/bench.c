/* SPDX-License-Identifier: MIT */
/*
 * bench.c - what one operation costs, timed by the guest itself under -icount, where a nanosecond of its counter is an
 * instruction. Start stamps and sums lie in the shared region, which no restore rewinds. Prints `bench NAME TICKS LOOPS`;
 * needs clock: follow and a region. `count NAME NUMBER` is no time, `beside NAME EXITS TLBI BYTES
 * TABLES` what one such operation costs besides: bytes and tables that were copied.
 */
#include "baremetal/guest.h"

#define LOOPS 64
#define PROBES 4u /* rounds that count what is beside the instructions; they are not timed */
#define PAGES (GUEST_RAM_BASE + 0x800000ul) /* dirtied by the loops */

/* What instructions do not tell of. */
struct beside {
	uint64_t exits, tlbi, bytes, tables;
};

struct shared {
	uint64_t start, sum, count, last, touch;
	uint64_t end, cycles,
		cycle_sum; /* from one restore's end to the next's: run, faults and restore */
	struct av_vm_stats stats;
	struct av_vm_stats before, after;
	struct beside beside;
};
static volatile struct shared *shared;
static volatile bool probing; /* in RAM: reading it after a take links nothing again */

static uint64_t empty; /* ticks of LOOPS empty measurements */

static void report(const char *name, uint64_t ticks, uint64_t loops)
{
	print("bench %s %lu %lu\n", name, ticks > empty ? ticks - empty : 0, loops);
}

static void dirty(uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		*(volatile uint64_t *)(PAGES + i * GUEST_PAGE_SIZE) = i;
}

/*
 * A tick of the counter is 16 instructions. Each measurement begins at another of them, so that over the loops the rounding to
 * ticks cancels out. Returns the ticks this has taken.
 */
static uint64_t spread(uint64_t n)
{
	uint64_t start = counter_read();

	while (counter_read() == start)
		;
	for (n %= 16; n; n--) /* 3 instructions, and 3 is odd */
		__asm__ volatile("nop");
	return counter_read() - start;
}

/* VM_STATS to memory that no snapshot has, by nothing that needs a stack: what is looked at is not changed. */
static inline __attribute__((always_inline)) void look(volatile struct av_vm_stats *to)
{
	register uint64_t x0 __asm__("x0") = AV_HVC_ID(AV_HVC_VM_STATS);
	register uint64_t x1 __asm__("x1") = AV_VM_SELF;
	register uint64_t x2 __asm__("x2") = (uint64_t)to;
	register uint64_t x3 __asm__("x3") = sizeof(*to);
	register uint64_t x4 __asm__("x4") = 0;
	register uint64_t x5 __asm__("x5") = 0;
	register uint64_t x6 __asm__("x6") = 0;

	__asm__ volatile("hvc #0"
			 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
			 : "r"(x4), "r"(x5), "r"(x6)
			 : "memory");
}

/* start and end are read by the instructions next to the hvc: nothing else is in the figure. */
struct timed {
	uint64_t start, end, id, generation;
};

static inline __attribute__((always_inline)) struct timed take_now(void)
{
	register uint64_t x0 __asm__("x0") = AV_HVC_ID(AV_HVC_SNAPSHOT_TAKE);
	register uint64_t x1 __asm__("x1") = AV_VM_SELF;
	register uint64_t x2 __asm__("x2") = 0;
	register uint64_t x3 __asm__("x3") = 0;
	register uint64_t x4 __asm__("x4") = 0;
	register uint64_t x5 __asm__("x5") = 0;
	register uint64_t x6 __asm__("x6") = 0;
	uint64_t start, end;

	__asm__ volatile("isb\n\tmrs %[start], cntvct_el0\n\thvc #0\n\tmrs %[end], cntvct_el0"
			 : [start] "=&r"(start), [end] "=&r"(end), "+r"(x0), "+r"(x1), "+r"(x2),
			   "+r"(x3)
			 : "r"(x4), "r"(x5), "r"(x6)
			 : "memory");
	if (x0)
		guest_panic("bench: take failed");
	return (struct timed){start, end, x1, x2};
}

static struct timed take(void)
{
	struct timed t;

	if (probing)
		look(&shared->before);
	t = take_now();
	if (probing)
		look(&shared->after);
	return t;
}

static void forget(uint64_t id)
{
	hvc_SNAPSHOT_DELETE(AV_VM_SELF, id);
	hvc_MEMORY_DRAIN(AV_VM_SELF);
}

static struct av_vm_stats stats_now(void)
{
	struct av_vm_stats stats;

	hvc_VM_STATS(AV_VM_SELF, (uint64_t)&stats, sizeof(stats));
	return stats;
}

static uint64_t exits_of(volatile const struct av_vm_stats *stats)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < AV_EXIT_COUNT; i++)
		sum += stats->exits[i];
	return sum;
}

/* What was between the two looks. */
static void probed(void)
{
	volatile const struct av_vm_stats *before = &shared->before, *after = &shared->after;

	if (!probing)
		return;
	shared->beside.exits += exits_of(after) - exits_of(before) - 1; /* the second look */
	shared->beside.tlbi += after->tlbi_local + after->tlbi_broadcast - before->tlbi_local -
			       before->tlbi_broadcast;
	shared->beside.bytes += (after->pages_copied - before->pages_copied) * GUEST_PAGE_SIZE;
	shared->beside.tables += after->nodes_copied - before->nodes_copied;
}

/* The next rounds are counted, until they are reported. */
static void start_probe(void)
{
	probing = true;
	shared->beside = (struct beside){0};
}

static void report_beside(const char *name, uint64_t loops)
{
	if (shared->beside.exits % loops || shared->beside.tlbi % loops ||
	    shared->beside.bytes % loops || shared->beside.tables % loops)
		print("bench: the probes of %s differ\n", name);
	print("beside %s %lu %lu %lu %lu\n", name, shared->beside.exits / loops,
	      shared->beside.tlbi / loops, shared->beside.bytes / loops,
	      shared->beside.tables / loops);
	probing = false;
}

static uint64_t takes_of(uint64_t pages, unsigned int loops)
{
	uint64_t sum = 0, previous = AV_SNAPSHOT_NONE;

	for (unsigned int i = 0; i < loops; i++) {
		struct timed t;

		dirty(pages);
		spread(i);
		t = take();
		probed();
		sum += t.end - t.start;
		if (previous != AV_SNAPSHOT_NONE)
			forget(previous);
		previous = t.id;
	}
	forget(previous);
	return sum;
}

static void bench_take(const char *name, uint64_t pages)
{
	start_probe();
	takes_of(pages, PROBES);
	report_beside(name, PROBES);
	report(name, takes_of(pages, LOOPS), LOOPS);
}

/* Both timelines pass here: the stamp of before the restore is in the region, that of after it in a register. */
static void account(const struct timed *t)
{
	probed();
	shared->sum += t->end - shared->start;
	shared->count++;
	if (shared->end) {
		shared->cycle_sum += t->end - shared->end;
		shared->cycles++;
	}
	shared->end = t->end;
}

/* What a cycle costs besides instructions, which do not tell of it. */
static void report_stats(const char *name)
{
	struct av_vm_stats now = stats_now();
	uint64_t loops = shared->count;

	print("count %s.faults %lu\n", name,
	      (now.exits[AV_EXIT_FAULT_WRITE] - shared->stats.exits[AV_EXIT_FAULT_WRITE]) / loops);
	print("count %s.tlbi %lu\n", name, (now.tlbi_local - shared->stats.tlbi_local) / loops);
	print("count %s.pages_copied %lu\n", name,
	      (now.pages_copied - shared->stats.pages_copied) / loops);
	print("count %s.nodes_copied %lu\n", name,
	      (now.nodes_copied - shared->stats.nodes_copied) / loops);
}

static void start_account(void)
{
	shared->stats = stats_now();
	shared->sum = shared->count = shared->end = shared->cycles = shared->cycle_sum = 0;
}

static void report_account(const char *name, const char *cycle)
{
	report(name, shared->sum, shared->count);
	if (cycle) {
		report(cycle, shared->cycle_sum, shared->cycles);
		report_stats(cycle);
	}
}

static inline __attribute__((always_inline)) void go_now(uint64_t id)
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
			 : [start] "r"(&shared->start), "r"(x4), "r"(x5), "r"(x6)
			 : "memory");
	print("bench: restore failed: %ld\n", (long)x0);
}

static void go(uint64_t id, uint64_t pages)
{
	uint64_t wait;

	dirty(pages);
	shared->touch = 1; /* the region is linked again after a restore: not part of the cost */
	wait = spread(shared->count);
	if (shared->end)
		shared->cycle_sum -= wait;
	if (probing)
		look(&shared->before);
	go_now(id);
}

static void restores_to_base(uint64_t pages, unsigned int loops)
{
	struct timed t;

	start_account();
	t = take();
	if (t.generation)
		account(&t);
	if (shared->count < loops)
		go(t.id, pages);
	forget(t.id);
}

static void bench_restore_base(const char *name, const char *cycle, uint64_t pages)
{
	start_probe();
	restores_to_base(pages, PROBES);
	report_beside(name, PROBES);
	restores_to_base(pages, LOOPS);
	report_account(name, cycle);
}

static void restores_to_other(uint64_t pages, unsigned int loops)
{
	struct timed first, second;

	start_account();
	shared->last = 0;
	first = take();
	if (first.generation) {
		account(&first);
		if (shared->count < loops)
			go(shared->last, pages);
	} else {
		second = take();
		shared->last = second.id;
		if (second.generation)
			account(&second);
		if (shared->count < loops)
			go(first.id, pages);
	}
	forget(first.id);
	forget(shared->last);
}

static void bench_restore_other(const char *name, const char *cycle, uint64_t pages)
{
	start_probe();
	restores_to_other(pages, PROBES);
	report_beside(name, PROBES);
	restores_to_other(pages, LOOPS);
	report_account(name, cycle);
}

static void bench_first_write(void)
{
	uint64_t start, ticks;
	struct timed t;

	dirty(LOOPS + 1 + PROBES);
	t = take();
	dirty(1); /* the node of this 2 MiB is private now */
	start = counter_read();
	for (uint64_t i = 1; i <= LOOPS; i++)
		*(volatile uint64_t *)(PAGES + i * GUEST_PAGE_SIZE) = i;
	ticks = counter_read() - start;
	report("first_write", ticks, LOOPS);
	start_probe();
	look(&shared->before);
	for (uint64_t i = 0; i < PROBES; i++)
		*(volatile uint64_t *)(PAGES + (LOOPS + 1 + i) * GUEST_PAGE_SIZE) = i;
	look(&shared->after);
	probed();
	report_beside("first_write", PROBES);
	forget(t.id);
}

#define REGIONS (5ul + PROBES)
#define POPULATED (GUEST_RAM_BASE + 0x2000000ul)

/* The first page written in a 2 MiB region since a take, all its 512 leaves populated. */
static void bench_new_region(void)
{
	uint64_t start, ticks;
	struct timed t;

	for (uint64_t i = 0; i < REGIONS * 512; i++)
		*(volatile uint64_t *)(POPULATED + i * GUEST_PAGE_SIZE) = i;
	t = take();
	*(volatile uint64_t *)POPULATED = 1; /* the level 2 table is private now */
	start = counter_read();
	for (uint64_t i = 1; i < REGIONS - PROBES; i++)
		*(volatile uint64_t *)(POPULATED + i * 0x200000) = i;
	ticks = counter_read() - start;
	report("first_write.new_region", ticks, REGIONS - PROBES - 1);
	start_probe();
	look(&shared->before);
	for (uint64_t i = REGIONS - PROBES; i < REGIONS; i++)
		*(volatile uint64_t *)(POPULATED + i * 0x200000) = i;
	look(&shared->after);
	probed();
	report_beside("first_write.new_region", PROBES);
	forget(t.id);
}

static uint64_t frames_used(void)
{
	struct av_vm_info info;

	hvc_MEMORY_DRAIN(AV_VM_SELF);
	hvc_VM_INFO(AV_VM_SELF, (uint64_t)&info, sizeof(info));
	return info.frames_used;
}

/* Of a VM that does nothing but take it: with the one page, and its tables, that this takes. */
static void bench_idle_snapshot(void)
{
	uint64_t before, last = take().id; /* the frame that the others share */

	before = frames_used();
	for (unsigned int i = 0; i < 16; i++)
		last = take().id;
	print("count idle_snapshot_bytes %lu\n", (frames_used() - before) * GUEST_PAGE_SIZE / 16);
	for (unsigned int i = 0; i < 17; i++)
		forget(last - i);
}

#define DEPTH 1000u

/* The same restore as restore.base.d16, below 1,000 other snapshots. */
static void bench_depth(void)
{
	uint64_t last = 0;

	for (unsigned int i = 0; i < DEPTH; i++) {
		dirty(1);
		last = take().id;
	}
	bench_take("depth1000.take.d16", 16);
	bench_restore_base("depth1000.restore.d16", NULL, 16);
	bench_restore_other("depth1000.restore.other.d16", NULL, 16);
	for (unsigned int i = 0; i < DEPTH; i++)
		forget(last - i);
}

void guest_main(uint64_t dtb)
{
	static const uint64_t pages[] = {0, 16, 256, 1024, 4096};
	static const char *const takes[] = {"take.d0", "take.d16", "take.d256", "take.d1024",
					    "take.d4096"};
	static const char *const bases[] = {"restore.base.d0", "restore.base.d16",
					    "restore.base.d256", "restore.base.d1024",
					    "restore.base.d4096"};
	static const char *const others[] = {"restore.other.d0", "restore.other.d16",
					     "restore.other.d256", "restore.other.d1024",
					     "restore.other.d4096"};
	static const char *const cycles[] = {NULL, "cycle.d16", "cycle.d256", "cycle.d1024", NULL};
	struct av_vm_info info;
	struct av_region_info region;
	unsigned int sizes = 5;
	uint64_t start, sum = 0;

	(void)dtb;
	if (hvc_VM_INFO(AV_VM_SELF, (uint64_t)&info, sizeof(info)).status ||
	    hvc_REGION_INFO(0, (uint64_t)&region, sizeof(region)).status)
		guest_panic("bench: no region");
	shared = (volatile struct shared *)region.ipa;
	if (info.ram_size < 0x4000000)
		sizes = 2; /* 16 MiB hold no 4096 dirty pages */
	for (unsigned int i = 0; i < LOOPS; i++) {
		start = counter_read();
		sum += counter_read() - start;
	}
	print("bench empty %lu %u\n", sum, LOOPS);
	bench_first_write();
	for (unsigned int i = 0; i < sizes; i++)
		bench_take(takes[i], pages[i]);
	for (unsigned int i = 0; i < sizes; i++)
		bench_restore_base(bases[i], cycles[i], pages[i]);
	for (unsigned int i = 0; i < sizes; i++)
		bench_restore_other(others[i], i == 1 ? "restore.other.cycle.d16" : NULL, pages[i]);
	if (sizes == 5)
		bench_restore_base("restore.base.d44", "cycle.d44", 44);
	bench_idle_snapshot();
	if (sizes == 5) {
		bench_new_region();
		bench_depth();
	}
	print("bench done hz=%lu\n", counter_hz());
	guest_stop();
}
