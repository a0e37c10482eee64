/* SPDX-License-Identifier: MIT */
/*
 * mailbox.c - three VMs, three named channels: each sends to the other two channels and receives from its own, messages of
 * 2 to 28 bytes, pairs of the sender and a character. Both ends know each message from sender, receiver and number, so
 * each is checked: whole, in order, none lost, none doubled, and never more received than sent.
 */
#include "baremetal/share.h"
#include "shared/mailbox.h"

#define MEMBERS 3

struct board {
	_Atomic uint64_t over; /* no more new messages */
	_Atomic uint64_t done; /* members that have nothing to send any more */
	_Atomic uint64_t unused[6];
	_Atomic uint64_t received[MEMBERS][MEMBERS]; /* [receiver][sender], at 64 */
	_Atomic uint64_t sent[MEMBERS][MEMBERS];     /* [receiver][sender], at 136 */
	_Atomic uint64_t waits[MEMBERS];             /* at 208 */
	uint8_t unused2[4096 - 232];
	struct shared_mailbox mailbox; /* at 4096 */
};
_Static_assert(offsetof(struct board, mailbox) == 4096, "tests/system/mailbox.bats");

static const char *const names[MEMBERS] = {"mailbox-test-a", "mailbox-test-b", "mailbox-test-c"};
static struct region region;
static struct shared_view view;
static struct board *board;
static struct shared_box boxes[MEMBERS];
static uint32_t me;

static uint32_t make(uint8_t *message, uint32_t from, uint32_t to, uint64_t number)
{
	uint64_t seed = number * MEMBERS * MEMBERS + from * MEMBERS + to;
	uint32_t size = 2 * (uint32_t)(1 + guest_random(&seed) % 14);

	for (uint32_t i = 0; i < size; i++)
		message[i] = (uint8_t)(i % 2 ? 'a' + guest_random(&seed) % 26 : 'a' + from);
	return size;
}

static void wrong(const char *what, int64_t a, int64_t b)
{
	print("mailbox: WRONG: %s %ld %ld\n", what, a, b);
	guest_panic("mailbox: WRONG");
}

/* The next message to `to`; counted before it is sent, so that nobody can have received more. */
static bool send(uint32_t to, bool again, uint64_t deadline)
{
	uint8_t message[28];
	uint64_t number = atomic_load(&board->sent[to][me]) - again;
	uint32_t size = make(message, me, to, number);
	int status;

	if (!again)
		atomic_store(&board->sent[to][me], number + 1);
	status = shared_box_send(&boxes[to], message, size, deadline);
	if (status && status != SHARED_TIMEOUT)
		wrong("send", status, to);
	return status == SHARED_OK;
}

static bool receive(uint64_t deadline)
{
	uint8_t message[SHARED_MESSAGE_MAX], expected[28];
	uint32_t size, from;
	int status =
		shared_box_receive(&boxes[me], message, sizeof(message), &size, &from, deadline);
	uint64_t number;

	if (status == SHARED_TIMEOUT)
		return false;
	if (status)
		wrong("receive", status, 0);
	if (from == me || from >= MEMBERS)
		wrong("sender", from, me);
	number = atomic_load(&board->received[me][from]);
	if (number >= atomic_load(&board->sent[me][from]))
		wrong("more received than sent", (int64_t)number, from);
	if (size != make(expected, from, me, number))
		wrong("length", size, (int64_t)number);
	if (memcmp(message, expected, size) != 0)
		wrong("contents", from, (int64_t)number);
	atomic_store(&board->received[me][from], number + 1);
	return true;
}

static void report(void)
{
	uint32_t one = (me + 1) % MEMBERS, two = (me + 2) % MEMBERS;

	print("[%c-send] to %c: %lu  to %c: %lu\n", 'a' + me, 'a' + one,
	      (uint64_t)atomic_load(&board->sent[one][me]), 'a' + two,
	      (uint64_t)atomic_load(&board->sent[two][me]));
	print("[%c-recv] from %c: %lu  from %c: %lu\n", 'a' + me, 'a' + one,
	      (uint64_t)atomic_load(&board->received[me][one]), 'a' + two,
	      (uint64_t)atomic_load(&board->received[me][two]));
}

void guest_main(uint64_t dtb)
{
	uint64_t seed = guest_nonce(), next_report;
	bool again = false;
	uint32_t to = 0;

	(void)dtb;
	if (region_open(&region, "board") != AV_OK || !share_view(&view, &region))
		guest_panic("mailbox: no region with a state table");
	board = (struct board *)region.base;
	me = region.member;
	for (uint32_t i = 0; i < MEMBERS; i++)
		if (shared_box_open(&boxes[i], &view, &board->mailbox, names[i], SHARED_FOREVER))
			wrong("open", i, 0);
	print("mailbox: start, %s\n", view.calls->wait ? "doorbells" : "yields");
	next_report = share_in_us(1000000);
	while (again || !atomic_load(&board->over)) {
		bool got;

		if (!again)
			to = (me + 1 + (uint32_t)(guest_random(&seed) & 1)) % MEMBERS;
		again = !send(to, again, SHARED_NOW);
		/* Full: somebody must read, perhaps we; nothing there: wait for it now and then. */
		got = receive(again || guest_random(&seed) % 8 == 0 ? share_in_us(2000)
								    : SHARED_NOW);
		atomic_store(&board->waits[me], atomic_load(&board->waits[me]) + !got);
		if ((int64_t)(counter_read() - next_report) >= 0) {
			report();
			next_report = share_in_us(1000000);
		}
	}
	atomic_fetch_add(&board->done, 1);
	while (atomic_load(&board->done) < MEMBERS)
		receive(share_in_us(10000));
	while (receive(SHARED_NOW))
		;
	report();
	print("mailbox: end\n");
	guest_stop();
}
