/* SPDX-License-Identifier: MIT */
/*
 * virtio_mmio.h - virtio over MMIO, version 2 (virtio 1.1, 4.2), with split queues: no EVENT_IDX, no indirect descriptors.
 * A queue that breaks the rules sets DEVICE_NEEDS_RESET and stops the device. The caller holds the VM's device lock.
 */
#pragma once

#include "dev/guest_memory.h"

#define VIRTIO_MMIO_SLOT_SIZE 0x200ul
#define VIRTIO_QUEUE_MAX 6
#define VIRTQUEUE_SIZE_MAX 128

#define VIRTIO_F_VERSION_1 (UINT64_C(1) << 32)

#define VIRTIO_STATUS_FEATURES_OK 8u
#define VIRTIO_STATUS_DRIVER_OK 4u
#define VIRTIO_STATUS_NEEDS_RESET 0x40u

struct virtqueue_state {
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
	uint16_t size;
	uint16_t last_avail; /* next entry of the available ring to take */
	uint16_t used_idx;   /* next entry of the used ring to write */
	uint16_t ready;
};

/* What a snapshot holds of the transport. */
struct virtio_state {
	uint64_t driver_features;
	uint32_t status;
	uint32_t isr;
	uint32_t device_features_sel;
	uint32_t driver_features_sel;
	uint32_t queue_sel;
	uint32_t config_generation;
	struct virtqueue_state queue[VIRTIO_QUEUE_MAX];
};
_Static_assert(sizeof(struct virtio_state) == 32 + 32 * VIRTIO_QUEUE_MAX, "");

struct virtio_mmio;

/* What a kind of device gives to the transport. */
struct virtio_class {
	uint32_t device_id;
	uint32_t queue_count;
	uint64_t features;
	/* Bytes of configuration space; offset from its start. */
	void (*config_read)(struct virtio_mmio *m, unsigned offset, void *to, unsigned size);
	void (*notify)(struct virtio_mmio *m, unsigned queue);
	void (*queue_started)(struct virtio_mmio *m, unsigned queue); /* ready again: from index 0 */
	void (*reset)(struct virtio_mmio *m);
	void (*driver_ok)(struct virtio_mmio *m);
};

struct virtio_mmio {
	struct virtio_state state;
	const struct virtio_class *class;
	struct guest_memory memory;
	void *ctx;
	void (*line)(
		void *ctx,
		bool level); /* InterruptStatus != 0; falls and rises again when bits stay after an ACK */
	bool level;
};

/* One chain of descriptors, walked from its head. */
struct virtqueue_chain {
	unsigned queue;
	uint16_t head;
	uint16_t next;
	uint16_t flags;
	uint16_t walked; /* descriptors, at most the queue's size */
	uint64_t address;
	uint32_t left; /* bytes of the current descriptor */
	uint32_t used; /* bytes written */
	bool at_end;
};

void virtio_mmio_init(struct virtio_mmio *m, const struct virtio_class *class,
		      struct guest_memory memory, void *ctx, void (*line)(void *ctx, bool level));
/* One access of 1, 2, 4 or 8 bytes at offset < VIRTIO_MMIO_SLOT_SIZE of the device's slot. */
void virtio_mmio_access(struct virtio_mmio *m, uint64_t offset, unsigned size, bool write,
			uint64_t *value);
/* The same for a slot without a device: magic, version and DeviceID 0. */
void virtio_mmio_empty(uint64_t offset, unsigned size, bool write, uint64_t *value);
void virtio_mmio_load(struct virtio_mmio *m, const struct virtio_state *from);

/* For devices. Usable: DRIVER_OK, not broken, the queue ready. */
bool virtqueue_usable(const struct virtio_mmio *m, unsigned queue);
/* 1: *chain is the next available one, not yet taken; 0: none; -1: broken. */
int virtqueue_peek(struct virtio_mmio *m, unsigned queue, struct virtqueue_chain *chain);
/* Copy up to size bytes from the readable part or to the writable part. Bytes done (0 at the end), or -1: broken. */
int virtqueue_read(struct virtio_mmio *m, struct virtqueue_chain *chain, void *to, unsigned size);
int virtqueue_write(struct virtio_mmio *m, struct virtqueue_chain *chain, const void *from,
		    unsigned size);
/* Pass over up to size readable bytes without reading them. */
int virtqueue_skip(struct virtio_mmio *m, struct virtqueue_chain *chain, unsigned size);
/* Take the peeked chain off the queue and give it back as used. False: broken. */
bool virtqueue_done(struct virtio_mmio *m, const struct virtqueue_chain *chain);
/* Interrupt for used buffers, unless the guest said not to. */
void virtqueue_signal(struct virtio_mmio *m, unsigned queue);
/* Interrupt whether the guest said so or not (after a restore). */
void virtio_mmio_signal_used(struct virtio_mmio *m);
void virtio_mmio_broken(struct virtio_mmio *m);
