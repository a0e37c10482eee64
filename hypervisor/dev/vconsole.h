/* SPDX-License-Identifier: MIT */
/*
 * vconsole.h - the virtio console of a VM: port 0 a console, port 1 a named port (the agent's). With
 * VIRTIO_CONSOLE_F_MULTIPORT or, for simple drivers, without (port 0 only). The caller holds the VM's device lock; callbacks run under it.
 */
#pragma once

#include "dev/virtio_mmio.h"

#define VCONSOLE_PORT_COUNT 2
#define VCONSOLE_NAME_MAX 32 /* with the ending 0 */

struct vconsole_port_state {
	uint32_t
		tx_offset; /* bytes of the chain at the head of the tx queue that went out already */
	uint8_t todo;      /* control messages still to send */
	uint8_t shown_open; /* what the guest was told of the host's side */
	uint8_t guest_open;
	uint8_t guest_ready;
};

/* What a snapshot holds. */
struct vconsole_state {
	struct virtio_state virtio;
	struct vconsole_port_state port[VCONSOLE_PORT_COUNT];
};

struct vconsole_ops {
	/* Bytes from the guest; returns how many were taken. Fewer than size: the rest stays in the guest's queue until
	 * vconsole_kick_tx(). */
	size_t (*out)(void *ctx, unsigned port, const uint8_t *bytes, size_t size);
	/* The guest has (again) room for input. May call vconsole_input(). May be NULL. */
	void (*room)(void *ctx, unsigned port);
	/* The guest opened or closed its side. May be NULL. */
	void (*guest_open)(void *ctx, unsigned port, bool open);
	void (*line)(void *ctx, bool level);
};

struct vconsole {
	struct virtio_mmio virtio; /* first: for virtio_mmio_access(&c->virtio, ...) */
	struct vconsole_port_state port[VCONSOLE_PORT_COUNT];
	const struct vconsole_ops *ops;
	void *ctx;
	char name[VCONSOLE_NAME_MAX];        /* of port 1 */
	uint8_t work;                        /* queues that have work left, one bit each */
	bool host_open[VCONSOLE_PORT_COUNT]; /* of now, not of a snapshot */
};

/* name is copied. Port 0's host side is open from the start, port 1's is not. */
void vconsole_init(struct vconsole *c, struct guest_memory memory, const struct vconsole_ops *ops,
		   void *ctx, const char *name);
void vconsole_mmio(struct vconsole *c, uint64_t offset, unsigned size, bool write, uint64_t *value);
/* Go on with what a notification left undone, a bounded amount. True: there is still more. Call it before the
 * vCPU is entered while vconsole_has_work(). */
bool vconsole_work(struct vconsole *c);
/* Look at every queue again: a write had found no memory. */
void vconsole_retry(struct vconsole *c);
static inline bool vconsole_has_work(const struct vconsole *c)
{
	return c->work != 0;
}

/* Bytes from the host. Returns how many were put into the guest's buffers; the caller keeps the rest until
 * ops->room(). */
size_t vconsole_input(struct vconsole *c, unsigned port, const uint8_t *bytes, size_t size);
/* ops->out() would take bytes again. */
void vconsole_kick_tx(struct vconsole *c, unsigned port);
/* Somebody connected to or left the host's end. */
void vconsole_host_open(struct vconsole *c, unsigned port, bool open);
/* The guest's side is open: input may be delivered. */
bool vconsole_guest_open(const struct vconsole *c, unsigned port);

void vconsole_save(const struct vconsole *c, struct vconsole_state *to);
/* Reset is a load of the state as saved after vconsole_init(). */
void vconsole_load(struct vconsole *c, const struct vconsole_state *from);
/* After a load that was a restore, guest RAM being that of the snapshot: look at all queues again, raise the
 * interrupt, show port 1 closed and, if it is open, opened again. */
void vconsole_after_restore(struct vconsole *c);
/* False: after the load just made vconsole_after_restore() and vconsole_host_open() have nothing to do. */
bool vconsole_wants_restored(const struct vconsole *c);
