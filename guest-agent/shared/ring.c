/* SPDX-License-Identifier: MIT */
/*
 * ring.c - the ring of ring.h. Must never use what the other side writes but as a number that was read once and checked,
 * and never publish an index in an epoch that is over.
 */
#include "shared/ring.h"

static int open_side(struct shared_ring *ring, const struct shared_view *view,
		     struct shared_ring_line *own, const struct shared_ring_line *other, void *data,
		     uint32_t capacity, uint32_t peer)
{
	if (capacity < 16 || (capacity & (capacity - 1)) || ((uintptr_t)data & 7) ||
	    peer >= AV_REGION_MEMBERS)
		return SHARED_INVALID;
	*ring = (struct shared_ring){.view = view,
				     .own = own,
				     .other = other,
				     .data = data,
				     .index = shared_load(&own->index),
				     .naps = (shared_load(&own->naps) + 1) & ~1ull,
				     .capacity = capacity,
				     .epoch = shared_epoch(view),
				     .peer = peer};
	return SHARED_OK;
}

/* A word of the own line. */
static int publish(const struct shared_ring *ring, _Atomic uint64_t *at, uint64_t value)
{
	return shared_store(ring->view, ring->epoch, at, value) ? SHARED_OK : SHARED_LOST;
}

/* Who sleeps until the own index moves hears of it, once. */
static void ring_other(struct shared_ring *ring)
{
	uint64_t naps = shared_load(&ring->other->naps);

	if (!(naps & 1) || naps == ring->rung)
		return;
	ring->rung = naps;
	shared_bell(ring->view, ring->peer, SHARED_FLAG_RING);
}

static int move_to(struct shared_ring *ring, uint64_t index)
{
	int status = publish(ring, &ring->own->index, index);

	if (status)
		return status;
	ring->index = index;
	ring_other(ring);
	return SHARED_OK;
}

static int advance(struct shared_ring *ring, uint32_t by)
{
	return move_to(ring, ring->index + by);
}

/* The life before may have ended between an index and its bell. */
static int begin_life(struct shared_ring *ring)
{
	int status = publish(ring, &ring->own->life, (uint64_t)ring->epoch << 1 | 1);

	if (!status)
		ring_other(ring);
	return status;
}

int shared_ring_open_producer(struct shared_ring *ring, const struct shared_view *view,
			      struct shared_ring_line *own, const struct shared_ring_line *consumer,
			      void *data, uint32_t capacity, uint32_t peer)
{
	int status = open_side(ring, view, own, consumer, data, capacity, peer);

	if (status)
		return status;
	ring->produces = true;
	status = publish(ring, &own->base, ring->index);
	return status ? status : begin_life(ring);
}

int shared_ring_open_consumer(struct shared_ring *ring, const struct shared_view *view,
			      struct shared_ring_line *own, const struct shared_ring_line *producer,
			      const void *data, uint32_t capacity, uint32_t peer)
{
	int status = open_side(ring, view, own, producer, (void *)(uintptr_t)data, capacity, peer);
	uint64_t put;

	if (status)
		return status;
	put = shared_load(&producer->index);
	if (put - ring->index > capacity)
		status = move_to(ring, put); /* no such state: begin with what comes now */
	return status ? status : begin_life(ring);
}

/* Is what the other side's line says the word of a life that can still be believed? */
static bool peer_is_same_life(const struct shared_ring *ring)
{
	uint32_t now =
		(uint32_t)(shared_member_word(ring->view, ring->peer) >> 8) & SHARED_EPOCH_MASK;

	return ring->peer_life == ((uint64_t)now << 1 | 1);
}

static bool peer_is_dead(const struct shared_ring *ring)
{
	uint64_t life = shared_load(&ring->other->life);

	return life && !shared_alive(ring->view, ring->peer, (uint32_t)(life >> 1));
}

/* A new life of the producer: what came before its opening is void. */
static int meet_producer(struct shared_ring *ring, uint64_t life)
{
	bool first = !ring->peer_life;
	uint64_t base = shared_load(&ring->other->base);
	uint64_t put = shared_load(&ring->other->index);

	if (shared_load(&ring->other->life) != life)
		return SHARED_EMPTY; /* it opens just now */
	if (put - base <= ring->capacity && base - ring->index <= ring->capacity &&
	    base != ring->index) {
		int status = move_to(ring, base);

		if (status)
			return status;
		first = false;
	}
	ring->peer_life = life;
	return first ? SHARED_OK : SHARED_PEER;
}

/* Bytes that can be put in or taken out now: at least `least`, or the reason why not. */
static int look(struct shared_ring *ring, uint32_t least, uint32_t *available)
{
	uint64_t other, gap;
	int status;

	if (shared_epoch(ring->view) != ring->epoch)
		return SHARED_LOST;
	if (!ring->produces) {
		uint64_t life = shared_load(&ring->other->life);

		if (!life)
			return SHARED_EMPTY;
		status = life == ring->peer_life ? SHARED_OK : meet_producer(ring, life);
		if (status)
			return status;
	}
	other = shared_load(&ring->other->index);
	gap = ring->produces ? ring->index - other : other - ring->index;
	if (gap > ring->capacity)
		return SHARED_CORRUPT;
	*available = ring->produces ? ring->capacity - (uint32_t)gap : (uint32_t)gap;
	if (*available >= least)
		return SHARED_OK;
	if (peer_is_dead(ring) && shared_load(&ring->other->index) == other)
		return SHARED_PEER;
	return ring->produces ? SHARED_FULL : SHARED_EMPTY;
}

/* As look(), and waits while there is not enough. */
static int await(struct shared_ring *ring, uint32_t least, uint32_t *available, uint64_t deadline)
{
	struct shared_rest rest = {0};

	for (;;) {
		int status = look(ring, least, available);
		bool sleeps = shared_rest_sleeps(ring->view, &rest);

		if (status != SHARED_FULL && status != SHARED_EMPTY)
			return status;
		if (shared_late(ring->view, deadline))
			return SHARED_TIMEOUT;
		if (sleeps) {
			shared_bell_acknowledge(ring->view, SHARED_FLAG_RING);
			if (publish(ring, &ring->own->naps, ++ring->naps))
				return SHARED_LOST;
			status = look(ring, least, available);
		}
		if (status == SHARED_FULL || status == SHARED_EMPTY)
			shared_rest(ring->view, &rest, SHARED_FLAG_RING, deadline);
		if (sleeps && publish(ring, &ring->own->naps, ++ring->naps))
			return SHARED_LOST;
	}
}

static void copy_in(struct shared_ring *ring, uint32_t skip, const void *from, uint32_t size)
{
	uint32_t at = (uint32_t)(ring->index + skip) & (ring->capacity - 1);
	uint32_t first = size < ring->capacity - at ? size : ring->capacity - at;

	__builtin_memcpy(ring->data + at, from, first);
	__builtin_memcpy(ring->data, (const unsigned char *)from + first, size - first);
}

static void copy_out(const struct shared_ring *ring, uint32_t skip, void *to, uint32_t size)
{
	uint32_t at = (uint32_t)(ring->index + skip) & (ring->capacity - 1);
	uint32_t first = size < ring->capacity - at ? size : ring->capacity - at;

	__builtin_memcpy(to, ring->data + at, first);
	__builtin_memcpy((unsigned char *)to + first, ring->data, size - first);
}

int shared_ring_write(struct shared_ring *ring, const void *from, uint32_t size, uint32_t *done,
		      uint64_t deadline)
{
	uint32_t room;
	int status = await(ring, 1, &room, deadline);

	*done = 0;
	if (status || !size)
		return status;
	if (size > room)
		size = room;
	copy_in(ring, 0, from, size);
	status = advance(ring, size);
	if (!status)
		*done = size;
	return status;
}

int shared_ring_read(struct shared_ring *ring, void *to, uint32_t size, uint32_t *done,
		     uint64_t deadline)
{
	uint32_t there;
	int status = await(ring, 1, &there, deadline);

	*done = 0;
	if (status || !size)
		return status;
	if (size > there)
		size = there;
	copy_out(ring, 0, to, size);
	shared_reads_done();
	if (!peer_is_same_life(ring))
		return SHARED_PEER; /* it may have written over what we copied */
	status = advance(ring, size);
	if (!status)
		*done = size;
	return status;
}

int shared_ring_send(struct shared_ring *ring, const void *message, uint32_t size,
		     uint64_t deadline)
{
	uint64_t head = size, needs = SHARED_RING_NEEDS(size);
	uint32_t room;
	int status;

	if (needs > ring->capacity)
		return SHARED_INVALID;
	status = await(ring, (uint32_t)needs, &room, deadline);
	if (status)
		return status;
	copy_in(ring, 0, &head, 8);
	copy_in(ring, 8, message, size);
	return advance(ring, (uint32_t)needs);
}

int shared_ring_receive(struct shared_ring *ring, void *message, uint32_t most, uint32_t *size,
			uint64_t deadline)
{
	uint64_t head;
	uint32_t there;
	int status = await(ring, 8, &there, deadline);

	*size = 0;
	if (status)
		return status;
	copy_out(ring, 0, &head, 8);
	__asm__("" : "+r"(head)); /* read once, then only checked */
	shared_reads_done();
	if (!peer_is_same_life(ring))
		return SHARED_PEER;
	if (head > ring->capacity || SHARED_RING_NEEDS(head) > there)
		return SHARED_CORRUPT;
	*size = (uint32_t)head;
	if (head > most)
		return SHARED_INVALID;
	copy_out(ring, 8, message, (uint32_t)head);
	shared_reads_done();
	if (!peer_is_same_life(ring))
		return SHARED_PEER;
	return advance(ring, (uint32_t)SHARED_RING_NEEDS(head));
}
