/* SPDX-License-Identifier: MIT */
/* virtio_queue.c - split virtqueues as a driver. The device is QEMU: trusted with memory, not with indices. */
#include "drivers/virtio_queue.h"
#include "arch/sysreg.h"
#include "drivers/mmio.h"
#include "drivers/virtio_mmio_regs.h"

bool virtq_start(struct virtq *queue, uint64_t device, uint16_t index, uint16_t size,
		 struct virtq_desc *desc, uint16_t *avail, uint16_t *used,
		 struct virtq_used_entry *used_ring)
{
	uint32_t most;

	mmio_write32(device + VIRTIO_QUEUE_SEL, index);
	most = mmio_read32(device + VIRTIO_QUEUE_NUM_MAX);
	if (!most)
		return false;
	if (size > most)
		size = (uint16_t)most;
	*queue = (struct virtq){.desc = desc,
				.avail = avail,
				.used = used,
				.used_ring = used_ring,
				.device = device,
				.index = index,
				.size = size};
	mmio_write32(device + VIRTIO_QUEUE_NUM, size);
	mmio_write32(device + VIRTIO_QUEUE_DESC, (uint32_t)(uint64_t)desc);
	mmio_write32(device + VIRTIO_QUEUE_DESC + 4, (uint32_t)((uint64_t)desc >> 32));
	mmio_write32(device + VIRTIO_QUEUE_AVAIL, (uint32_t)(uint64_t)avail);
	mmio_write32(device + VIRTIO_QUEUE_AVAIL + 4, (uint32_t)((uint64_t)avail >> 32));
	mmio_write32(device + VIRTIO_QUEUE_USED, (uint32_t)(uint64_t)used);
	mmio_write32(device + VIRTIO_QUEUE_USED + 4, (uint32_t)((uint64_t)used >> 32));
	dsb(sy);
	mmio_write32(device + VIRTIO_QUEUE_READY, 1);
	return true;
}

void virtq_offer(struct virtq *queue, uint16_t id)
{
	uint16_t next = queue->avail[1];

	queue->avail[2 + next % queue->size] = id;
	dmb(ishst);
	queue->avail[1] = (uint16_t)(next + 1);
}

void virtq_notify(const struct virtq *queue)
{
	dmb(ish);
	/* The device asks not to be told while it works anyway. */
	if (!(queue->used[0] & 1)) {
		dsb(ish);
		mmio_write32(queue->device + VIRTIO_QUEUE_NOTIFY, queue->index);
	}
}

bool virtq_take(struct virtq *queue, uint32_t *id, uint32_t *length)
{
	if (queue->used[1] == queue->last_used)
		return false;
	dmb(ishld);
	*id = queue->used_ring[queue->last_used % queue->size].id;
	*length = queue->used_ring[queue->last_used % queue->size].length;
	queue->last_used++;
	return *id < queue->size;
}
