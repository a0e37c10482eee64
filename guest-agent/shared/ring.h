/* SPDX-License-Identifier: MIT */
/*
 * ring.h - a ring between one producer and one consumer: a stream of bytes, or whole messages.
 *
 * Each side has a line of its own that only it writes, so a ring fits one-writer sections: the producer's line and the
 * data in the producer's section, the consumer's line in the consumer's. Neither side trusts the other: an index or a
 * length that cannot be is SHARED_CORRUPT, and whatever stands there, nothing outside the ring is read or written.
 *
 * Lives. A side that was restored or restarted opens the ring anew. Until then its calls are SHARED_LOST and change
 * nothing the other side looks at. What the *producer* had sent and nobody had read by then is dropped, as its older
 * life may have written over it when it came back: the consumer gets SHARED_PEER, once, and goes on with what is sent
 * after the opening. (What a producer that crashed or was stopped had sent is read to its end.) What the *consumer* had
 * not finished reading is read again.
 *
 * Not for several contexts at a time on one side. Stream and messages do not mix in one ring.
 */
#pragma once

#include "shared/shared.h"

/* In the region; all zero: nobody has opened it, and it is empty. */
struct shared_ring_line {
	_Atomic uint64_t index; /* bytes ever put in, or taken out */
	_Atomic uint64_t base;  /* producer: index at its opening */
	_Atomic uint64_t life;  /* epoch << 1 | 1 of the opening */
	_Atomic uint64_t naps;  /* odd: sleeps, and wants the doorbell rung once */
	uint64_t reserved[4];
};
_Static_assert(sizeof(struct shared_ring_line) == 64, "a cache line");

/* The caller's own: not in the region. */
struct shared_ring {
	const struct shared_view *view;
	struct shared_ring_line *own;
	const struct shared_ring_line *other;
	unsigned char *data;
	uint64_t index;
	uint64_t peer_life;
	uint64_t naps; /* own */
	uint64_t rung; /* the other's nap that was ended */
	uint32_t capacity;
	uint32_t epoch;
	uint32_t peer;
	bool produces;
};

/* Bytes a message of `size` takes in the ring. */
#define SHARED_RING_NEEDS(size) (8 + (((uint64_t)(size) + 7) & ~7ull))

/*
 * Become one side. capacity: bytes at data, a power of two of at least 16, data 8-byte aligned; peer: the member number
 * of the other side. Both sides give the same. Opening drops nothing. SHARED_OK, SHARED_INVALID, SHARED_LOST.
 */
int shared_ring_open_producer(struct shared_ring *ring, const struct shared_view *view,
			      struct shared_ring_line *own, const struct shared_ring_line *consumer,
			      void *data, uint32_t capacity, uint32_t peer);
int shared_ring_open_consumer(struct shared_ring *ring, const struct shared_view *view,
			      struct shared_ring_line *own, const struct shared_ring_line *producer,
			      const void *data, uint32_t capacity, uint32_t peer);

/*
 * The stream: 1 to `size` bytes are put in or taken out, *done says how many. Waits for the first one until the
 * deadline: SHARED_TIMEOUT, and *done is 0. SHARED_PEER: the other side is dead, and there is no room or nothing left.
 */
int shared_ring_write(struct shared_ring *ring, const void *from, uint32_t size, uint32_t *done,
		      uint64_t deadline);
int shared_ring_read(struct shared_ring *ring, void *to, uint32_t size, uint32_t *done,
		     uint64_t deadline);

/*
 * One message, whole or not at all, up to capacity - 8 bytes. Receiving: *size is its length; one longer than `most`
 * stays where it is, SHARED_INVALID. Else as the stream.
 */
int shared_ring_send(struct shared_ring *ring, const void *message, uint32_t size,
		     uint64_t deadline);
int shared_ring_receive(struct shared_ring *ring, void *message, uint32_t most, uint32_t *size,
			uint64_t deadline);
