/* SPDX-License-Identifier: MIT */
/*
 * share-bench.c - what an exchange between two VMs costs: lock handovers, a stream and messages over a ring, the same over a
 * pair of consoles that the host connects, and a plain copy. The region's first byte says which part: i (instruction
 * counts, both VMs on one CPU) or w (wall clock, a CPU each). Member 0 prints "bench NAME TICKS COUNT"; the VMs need the
 * same clock (`clock: follow`).
 */
#include "baremetal/share.h"
#include "shared/lock.h"
#include "shared/ring.h"

#define RING_BYTES 0x100000
#define CHUNK 0x10000
#define STREAM_BYTES 0x8000000ul
#define MESSAGES 400000
#define MESSAGE_BYTES 64
#define CONSOLE_BYTES 4096
#define CONSOLE_ROUNDS 50

struct board {
	char part[8];
	_Atomic uint64_t arrived, stamp, stamp_of, ticks, count;
	uint64_t unused[2];
	struct shared_ring_line lines[2]; /* at 64 */
	struct shared_lock lock;
	uint8_t unused2[4096 - 192 - sizeof(struct shared_lock)];
	uint8_t data[RING_BYTES]; /* at 4096 */
};
_Static_assert(offsetof(struct board, lines) == 64 && offsetof(struct board, data) == 4096,
	       "layout");

static struct region region;
static struct shared_view view;
static struct board *board;
static struct shared_ring ring;
static uint8_t buffer[2][CHUNK] __attribute__((aligned(64)));
static uint32_t me;

static void must(int status, const char *what)
{
	if (!status)
		return;
	print("bench: %s: %d\n", what, status);
	guest_panic("bench");
}

/* Both are here. */
static void meet(void)
{
	static uint64_t meetings;

	atomic_fetch_add(&board->arrived, 1);
	meetings += 2;
	while (atomic_load(&board->arrived) < meetings)
		hvc_VM_YIELD();
}

static void result(const char *name, uint64_t ticks, uint64_t count)
{
	if (me == 0)
		print("\nbench %s %lu %lu\n", name, ticks, count);
}

/* A ticket is out behind the one that is served. */
static bool somebody_waits(void)
{
	return atomic_load(&board->lock.next) > (atomic_load(&board->lock.serving) >> 8) + 1;
}

/* From before a release until the other one has it; both want it all the time. */
static void bench_handover(uint64_t rounds)
{
	atomic_store(&board->ticks, 0);
	atomic_store(&board->count, 0);
	meet();
	for (uint64_t i = 0; i < rounds; i++) {
		struct shared_hold hold;
		uint64_t now;

		must(shared_lock_acquire(&view, &board->lock, &hold, SHARED_FOREVER), "acquire");
		now = counter_read();
		if (i > 10 && atomic_load(&board->stamp_of) != me) {
			atomic_store(&board->ticks,
				     atomic_load(&board->ticks) + now - atomic_load(&board->stamp));
			atomic_store(&board->count, atomic_load(&board->count) + 1);
		}
		while (i + 1 < rounds && !somebody_waits())
			hvc_VM_YIELD();
		atomic_store(&board->stamp_of, me);
		atomic_store(&board->stamp, counter_read());
		must(shared_lock_release(&view, &board->lock, &hold), "release");
	}
	meet();
	result("lock_handover", atomic_load(&board->ticks), atomic_load(&board->count));
}

static void open_ring(void)
{
	meet();
	if (me == 0)
		must(shared_ring_open_producer(&ring, &view, &board->lines[0], &board->lines[1],
					       board->data, RING_BYTES, 1),
		     "open");
	else
		must(shared_ring_open_consumer(&ring, &view, &board->lines[1], &board->lines[0],
					       board->data, RING_BYTES, 0),
		     "open");
	meet();
}

static void bench_stream(void)
{
	uint64_t start = counter_read(), moved = 0;

	while (moved < STREAM_BYTES) {
		uint32_t done;

		must(me == 0 ? shared_ring_write(&ring, buffer[0], CHUNK, &done, SHARED_FOREVER)
			     : shared_ring_read(&ring, buffer[0], CHUNK, &done, SHARED_FOREVER),
		     "stream");
		moved += done;
	}
	meet();
	result("ring_stream", counter_read() - start, STREAM_BYTES);
}

static void bench_messages(const char *name, uint64_t count)
{
	uint64_t start = counter_read();
	uint32_t size;

	for (uint64_t i = 0; i < count; i++)
		must(me == 0 ? shared_ring_send(&ring, buffer[0], MESSAGE_BYTES, SHARED_FOREVER)
			     : shared_ring_receive(&ring, buffer[0], MESSAGE_BYTES, &size,
						   SHARED_FOREVER),
		     "message");
	meet();
	result(name, counter_read() - start, count);
}

static void bench_copy(void)
{
	uint64_t start;

	memset(buffer, 1, sizeof(buffer));
	start = counter_read();
	if (me == 0)
		for (uint64_t moved = 0; moved < STREAM_BYTES; moved += CHUNK)
			memcpy(buffer[1], buffer[0], CHUNK);
	result("memcpy", counter_read() - start, STREAM_BYTES);
	meet();
}

/* Not console_poll(): that takes all there is, and more than its buffer holds can come meanwhile. */
static char next_byte(void)
{
	while (mmio_read32(GUEST_UART + 0x18) & 0x10) /* FR: the receive FIFO is empty */
		;
	return (char)mmio_read32(GUEST_UART);
}

/* The host passes every byte of one console to the other from here on; it says G when it does. */
static void bench_consoles(void)
{
	uint64_t start;

	meet();
	if (me == 0)
		print("bench consoles\n");
	else
		print("bench other console\n");
	while (next_byte() != 'G')
		;
	meet();
	start = counter_read();
	for (unsigned int i = 0; i < CONSOLE_BYTES; i++) {
		if (me == 0)
			console_put('b');
		else if (next_byte() != 'b')
			must(-1, "console: a byte is missing");
	}
	meet();
	atomic_store(&board->ticks, counter_read() - start);
	start = counter_read();
	for (unsigned int i = 0; i < CONSOLE_ROUNDS; i++) {
		if (me == 0)
			console_put('p');
		while (next_byte() != 'p')
			;
		if (me == 1)
			console_put('p');
	}
	meet();
	result("console_stream", atomic_load(&board->ticks), CONSOLE_BYTES);
	result("console_handover", counter_read() - start, 2 * CONSOLE_ROUNDS);
}

void guest_main(uint64_t dtb)
{
	(void)dtb;
	if (region_open(&region, "board") != AV_OK || !share_view(&view, &region))
		guest_panic("bench: no region with a state table");
	board = (struct board *)region.base;
	me = region.member;
	open_ring();
	if (board->part[0] == 'i') {
		bench_handover(2000);
		bench_messages("ring_message", 4096);
		bench_copy();
	} else {
		bench_handover(5000);
		bench_stream();
		bench_messages("ring_message", MESSAGES);
		bench_copy();
		bench_consoles();
	}
	if (me == 0)
		print("bench done hz=%lu\n", counter_hz());
	guest_stop();
}
