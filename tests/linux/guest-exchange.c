/* SPDX-License-Identifier: MIT */
/* guest-exchange.c - Linux's half of tests/guests/exchange.c: sends messages, and wants each back, in order and whole. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "guest-test.h"
#include "linux/share/share.h"
#include "../guests/exchange.h"

#define IN_FLIGHT 256
#define SECONDS 30 /* without any message: given up */

static struct share share;

static uint64_t deadline(void)
{
	return share.view.calls->now(&share) + share.view.poll_ticks * 200 * SECONDS;
}

/* Message number i: its number, and up to 56 bytes that follow from it. */
static uint32_t make(uint64_t number, unsigned char message[EXCHANGE_MOST])
{
	uint64_t value = number * 0x9e3779b97f4a7c15u + 1;
	uint32_t size = 8 + (uint32_t)(value >> 58) % (EXCHANGE_MOST - 8 + 1);

	memcpy(message, &number, 8);
	for (uint32_t i = 8; i < size; i++) {
		value ^= value << 13;
		value ^= value >> 7;
		value ^= value << 17;
		message[i] = (unsigned char)value;
	}
	return size;
}

static int again(struct shared_ring *ring, bool send, unsigned char *message, uint32_t *size)
{
	int status;

	do {
		status = send ? shared_ring_send(ring, message, *size, deadline())
			      : shared_ring_receive(ring, message, EXCHANGE_MOST, size, deadline());
	} while (status == SHARED_PEER); /* told once when it has just opened its side */
	return status;
}

int exchange(uint64_t count)
{
	struct shared_ring in, out;
	struct exchange_layout *layout;
	unsigned char message[EXCHANGE_MOST], wanted[EXCHANGE_MOST];
	uint64_t sent = 0, back = 0;
	uint32_t size;
	int status = SHARED_OK;

	if (share_open(&share, EXCHANGE_REGION) < 0) {
		printf("exchange: %s\n", strerror(errno));
		return 1;
	}
	layout = (struct exchange_layout *)share.base;
	if (share.region.size < sizeof(*layout) ||
	    shared_ring_open_consumer(&in, &share.view, &layout->to_linux_consumer,
				      &layout->to_linux_producer, layout->to_linux,
				      EXCHANGE_CAPACITY, EXCHANGE_RT) ||
	    shared_ring_open_producer(&out, &share.view, &layout->to_rt_producer,
				      &layout->to_rt_consumer, layout->to_rt, EXCHANGE_CAPACITY,
				      EXCHANGE_RT)) {
		printf("exchange: the rings do not open\n");
		return 1;
	}
	while (back < count && status == SHARED_OK) {
		for (; sent < count && sent - back < IN_FLIGHT && status == SHARED_OK; sent++) {
			size = make(sent, message);
			status = again(&out, true, message, &size);
		}
		for (; back < sent && status == SHARED_OK; back++) {
			status = again(&in, false, message, &size);
			if (status == SHARED_OK &&
			    (size != make(back, wanted) || memcmp(message, wanted, size) != 0)) {
				printf("exchange: message %" PRIu64 " is another one\n", back);
				return 1;
			}
		}
	}
	printf("exchange: %" PRIu64 " messages there and back, status %d\n", back, status);
	return back != count;
}
