/* SPDX-License-Identifier: MIT */
/* virtqueue.c - the device's side of a split virtqueue (virtio 1.1, 2.6), all of it in guest memory.
 * Never believes an index, a length or an address, and never walks more descriptors than the queue has. */

#include "dev/virtio_mmio.h"

#define DESC_NEXT 1u
#define DESC_WRITE 2u
#define DESC_INDIRECT 4u

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags;
	uint16_t next;
};
_Static_assert(sizeof(struct descriptor) == 16, "as virtio lays it out");

static int broken(struct virtio_mmio *m)
{
	virtio_mmio_broken(m);
	return -1;
}

bool virtqueue_usable(const struct virtio_mmio *m, unsigned queue)
{
	return (m->state.status & (VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_NEEDS_RESET)) ==
		       VIRTIO_STATUS_DRIVER_OK &&
	       m->state.queue[queue].ready;
}

/* Go to descriptor index. Readable ones come before writable ones, and no more than the queue's size in all. */
static int enter(struct virtio_mmio *m, struct virtqueue_chain *chain, uint16_t index)
{
	const struct virtqueue_state *q = &m->state.queue[chain->queue];
	uint16_t flags = chain->flags;
	struct descriptor d;

	if (index >= q->size || chain->walked >= q->size ||
	    !m->memory.read(m->memory.ctx, q->desc + 16ul * index, &d, sizeof(d)))
		return broken(m);
	if ((d.flags & DESC_INDIRECT) || ((flags & DESC_WRITE) && !(d.flags & DESC_WRITE)))
		return broken(m);
	chain->walked++;
	chain->flags = d.flags;
	chain->next = d.next;
	chain->address = d.address;
	chain->left = d.length;
	return 1;
}

int virtqueue_peek(struct virtio_mmio *m, unsigned queue, struct virtqueue_chain *chain)
{
	const struct virtqueue_state *q = &m->state.queue[queue];
	uint16_t index;
	uint16_t available;

	*chain = (struct virtqueue_chain){.queue = queue};
	if (!virtqueue_usable(m, queue))
		return 0;
	if (!m->memory.read(m->memory.ctx, q->avail + 2, &index, sizeof(index)))
		return broken(m);
	available = (uint16_t)(index - q->last_avail);
	if (!available)
		return 0;
	if (available > q->size)
		return broken(m);
	__atomic_thread_fence(__ATOMIC_ACQUIRE); /* the index before the entry */
	if (!m->memory.read(m->memory.ctx, q->avail + 4 + 2ul * (q->last_avail % q->size),
			    &chain->head, sizeof(chain->head)))
		return broken(m);
	return enter(m, chain, chain->head);
}

/* Make the current descriptor one that has bytes left and the wanted direction: 1, 0 at the end, -1. */
static int advance(struct virtio_mmio *m, struct virtqueue_chain *chain, bool writable)
{
	while (!chain->at_end) {
		bool is_writable = chain->flags & DESC_WRITE;

		if (is_writable && !writable)
			return 0;
		if (is_writable == writable && chain->left)
			return 1;
		if (!(chain->flags & DESC_NEXT)) {
			chain->at_end = true;
			break;
		}
		if (enter(m, chain, chain->next) < 0)
			return -1;
	}
	return 0;
}

/* What a caller does with each piece of a chain: copies out, copies in, or passes over. */
enum transfer { TRANSFER_READ, TRANSFER_WRITE, TRANSFER_SKIP };

static int transfer(struct virtio_mmio *m, struct virtqueue_chain *chain, enum transfer what,
		    void *to, const void *from, unsigned size)
{
	unsigned done = 0;

	while (done < size) {
		int there = advance(m, chain, what == TRANSFER_WRITE);
		unsigned piece = size - done;
		bool good = true;

		if (there < 0)
			return -1;
		if (!there)
			break;
		if (piece > chain->left)
			piece = chain->left;
		if (what == TRANSFER_READ)
			good = m->memory.read(m->memory.ctx, chain->address, (char *)to + done,
					      piece);
		else if (what == TRANSFER_WRITE)
			good = m->memory.write(m->memory.ctx, chain->address,
					       (const char *)from + done, piece);
		if (!good || !sum_fits(chain->address, piece, &chain->address))
			return broken(m);
		chain->left -= piece;
		done += piece;
	}
	if (what == TRANSFER_WRITE)
		chain->used += done;
	return (int)done;
}

int virtqueue_read(struct virtio_mmio *m, struct virtqueue_chain *chain, void *to, unsigned size)
{
	return transfer(m, chain, TRANSFER_READ, to, NULL, size);
}

int virtqueue_write(struct virtio_mmio *m, struct virtqueue_chain *chain, const void *from,
		    unsigned size)
{
	return transfer(m, chain, TRANSFER_WRITE, NULL, from, size);
}

int virtqueue_skip(struct virtio_mmio *m, struct virtqueue_chain *chain, unsigned size)
{
	return transfer(m, chain, TRANSFER_SKIP, NULL, NULL, size);
}

bool virtqueue_done(struct virtio_mmio *m, const struct virtqueue_chain *chain)
{
	struct virtqueue_state *q = &m->state.queue[chain->queue];
	uint32_t entry[2] = {chain->head, chain->used};
	uint16_t index = (uint16_t)(q->used_idx + 1);

	if (!m->memory.write(m->memory.ctx, q->used + 4 + 8ul * (q->used_idx % q->size), entry,
			     sizeof(entry)))
		return broken(m) > 0;
	__atomic_thread_fence(__ATOMIC_RELEASE); /* the entry before the index */
	if (!m->memory.write(m->memory.ctx, q->used + 2, &index, sizeof(index)))
		return broken(m) > 0;
	q->used_idx = index;
	q->last_avail++;
	return true;
}
