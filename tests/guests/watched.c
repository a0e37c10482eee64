/* SPDX-License-Identifier: MIT */
/*
 * watched.c - fills a shared region with values of many kinds, ten times a second, for the panel to show; and times by
 * its own counter how long the same work in the region takes each time: whoever watches must not make it longer.
 */
#include "baremetal/guest.h"

#define MAGIC 0x44524f42u /* "BORD" */
#define LOOPS 100000u

struct slot {
	uint32_t owner, length;
	char text[24];
};
struct board {
	uint32_t magic;
	uint32_t seq;
	uint8_t state; /* 0 idle, 1 busy, 2 done */
	uint8_t pad;
	int16_t temps[4];
	uint16_t port; /* big-endian */
	uint64_t work; /* counts up LOOPS a round */
	uint64_t half; /* bits of an f64 */
	char message[32];
	struct slot slots[4]; /* at 0x48 */
	uint64_t ticks_last, ticks_min, rounds;
};

static void put_text(volatile char *to, const char *text, uint64_t number, unsigned int size)
{
	char digits[20];
	unsigned int count = 0, at = 0;

	while (*text && at < size - 1)
		to[at++] = *text++;
	do
		digits[count++] = (char)('0' + number % 10);
	while (number /= 10);
	while (count && at < size - 1)
		to[at++] = digits[--count];
	while (at < size)
		to[at++] = 0;
}

/* The work that is timed. Ticks of the counter. */
static uint64_t work(volatile struct board *board)
{
	uint64_t start = counter_read();

	for (unsigned int i = 0; i < LOOPS; i++)
		board->work++;
	return counter_read() - start;
}

static void round(volatile struct board *board, uint32_t seq)
{
	volatile struct slot *slot = &board->slots[seq % 4];
	uint64_t ticks;

	board->state = 1;
	ticks = work(board);
	board->ticks_last = ticks;
	if (!board->ticks_min || ticks < board->ticks_min)
		board->ticks_min = ticks;
	board->temps[seq % 4] = (int16_t)(seq % 2 ? -(int)(seq % 300) : (int)(seq % 300));
	/* 0.5, 1, 2, 4...: only the exponent changes. */
	board->half = (uint64_t)(1022 + seq % 8) << 52;
	put_text(board->message, "Hello, round ", seq, sizeof(board->message));
	slot->owner = seq % 3;
	slot->length = seq % 24;
	put_text(slot->text, "slot ", seq, sizeof(slot->text));
	board->rounds++;
	board->state = seq % 10 ? 2 : 0;
	board->seq = seq;
}

void guest_main(uint64_t dtb)
{
	volatile struct board *board = (volatile struct board *)GUEST_REGION;

	(void)dtb;
	interrupts_init();
	board->magic = MAGIC;
	board->port = (uint16_t)__builtin_bswap16(8080);
	board->ticks_min = 0;
	print("watched: start\n");
	for (uint32_t seq = 1;; seq++) {
		round(board, seq);
		if (seq % 100 == 0)
			print("watched: seq=%lu\n", (unsigned long)seq);
		sleep_us(100000);
	}
}
