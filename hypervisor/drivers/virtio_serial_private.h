/* SPDX-License-Identifier: MIT */
/*
 * virtio_serial_private.h - what the two halves of the driver share: virtio_serial.c moves bytes,
 * virtio_serial_control.c learns of ports. virtio_serial_lock is held for all of it.
 */
#pragma once
#include "arch/lock.h"
#include "drivers/virtio_queue.h"
#include "drivers/virtio_serial.h"

#define PORT_MAX 64
#define NAME_MAX 48
#define RX_COUNT 8
#define RX_SIZE 512
#define TX_COUNT 16
#define TX_RING 32768

struct claim {
	char name[NAME_MAX];
	virtio_serial_callback callback;
	void *ctx;
	unsigned port; /* device port + 1, 0: not there yet */
};

struct port {
	bool added, host_open, want_room;
	bool changed; /* the host opened or closed: tell the owner */
	uint8_t todo;
	struct claim *claim;
	struct virtq rx, tx;
	/* input: descriptors the device has filled, oldest first */
	struct {
		uint16_t id;
		uint32_t length;
	} filled[RX_COUNT];
	unsigned filled_first, filled_count, filled_offset;
	/* output: ring positions, free-running; head >= sent >= done */
	uint64_t head, sent, done;
	uint32_t length[TX_COUNT];
	unsigned in_flight, tx_first;
};

struct virtio_serial {
	struct spinlock lock;
	uint64_t device; /* MMIO base, 0: none */
	unsigned intid, port_count, claim_count;
	struct port ports[PORT_MAX];
	struct claim claims[PORT_MAX];
};
extern struct virtio_serial virtio_serial;

/* Give buffer id of the port to the device. */
void virtio_serial_offer(struct port *port, uint16_t id);
/* The host has left: QEMU has thrown away what it had of this port's output; so do we. */
void virtio_serial_forget(struct port *port);

/* The control queues: started with the others; READY is sent when the device is live. */
bool virtio_serial_control_queues(void);
void virtio_serial_control_start(void);
/* Take what has come, answer it. */
void virtio_serial_control_poll(void);
