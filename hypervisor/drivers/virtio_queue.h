/* SPDX-License-Identifier: MIT */
/* virtio_queue.h - a split virtqueue from the driver's side (virtio 1.1, 2.6), over virtio-mmio version 2. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define VIRTQ_DESC_WRITE 2u
#define VIRTQ_AVAIL_NO_INTERRUPT 1u

struct virtq_desc {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};
struct virtq_used_entry {
	uint32_t id, length;
};

/* Memory of one queue of SIZE entries. */
#define VIRTQ_MEMORY(SIZE)                            \
	struct {                                      \
		struct virtq_desc desc[SIZE];         \
		uint16_t avail[3 + (SIZE) + 1];       \
		uint16_t used_header[2] __attribute__((aligned(4))); \
		struct virtq_used_entry used[SIZE];   \
		uint16_t avail_event;                 \
	} __attribute__((aligned(16)))

struct virtq {
	struct virtq_desc *desc;
	volatile uint16_t *avail; /* flags, idx, ring */
	volatile uint16_t *used;  /* flags, idx */
	volatile struct virtq_used_entry *used_ring;
	uint64_t device; /* MMIO base */
	uint16_t index, size, last_used;
};

/* Give the queue to the device. False when the device does not have it. size may become smaller. */
bool virtq_start(struct virtq *queue, uint64_t device, uint16_t index, uint16_t size, struct virtq_desc *desc,
		 uint16_t *avail, uint16_t *used, struct virtq_used_entry *used_ring);
/* Offer descriptor id, already filled in. The device hears of it by virtq_notify(). */
void virtq_offer(struct virtq *queue, uint16_t id);
void virtq_notify(const struct virtq *queue);
/* One used entry, in order; false when there is none. */
bool virtq_take(struct virtq *queue, uint32_t *id, uint32_t *length);
