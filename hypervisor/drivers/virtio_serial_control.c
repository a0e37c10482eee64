/* SPDX-License-Identifier: MIT */
/*
 * virtio_serial_control.c - the control queues of the multiport console device (virtio 1.1, 5.3.6): which ports there are, what they
 * are called, and whether the host is there. Never waits: what does not fit is sent at the next interrupt.
 */
#include "core/string.h"
#include "core/types.h"
#include "drivers/virtio_mmio_regs.h"
#include "drivers/virtio_serial_private.h"

#define CONTROL_COUNT 128
#define CONTROL_SIZE 128
#define CONTROL_TX_COUNT 32

#define TODO_READY 0x1
#define TODO_OPEN 0x2

struct control_message {
	uint32_t port;
	uint16_t event, value;
};

static struct virtq control_rx, control_tx;
static uint64_t control_busy; /* control tx slots in use, bit by slot */

static VIRTQ_MEMORY(CONTROL_COUNT) control_rx_memory;
static VIRTQ_MEMORY(CONTROL_TX_COUNT) control_tx_memory;
static struct control_message control_tx_message[CONTROL_TX_COUNT];
static uint8_t control_rx_buffer[CONTROL_COUNT][CONTROL_SIZE] __attribute__((aligned(16)));

static bool control_send(uint32_t port, uint16_t event, uint16_t value)
{
	uint32_t id, length;
	unsigned slot;

	while (virtq_take(&control_tx, &id, &length))
		control_busy &= ~(1UL << id);
	slot = (unsigned)__builtin_ctzl(~control_busy);
	if (slot >= control_tx.size)
		return false;
	control_busy |= 1UL << slot;
	control_tx_message[slot] = (struct control_message){port, event, value};
	control_tx.desc[slot] = (struct virtq_desc){(uint64_t)&control_tx_message[slot],
						    sizeof(struct control_message), 0, 0};
	virtq_offer(&control_tx, (uint16_t)slot);
	virtq_notify(&control_tx);
	return true;
}

static void control_pump(void)
{
	for (unsigned i = 0; i < virtio_serial.port_count; i++) {
		struct port *port = &virtio_serial.ports[i];

		if (port->todo & TODO_READY && control_send(i, VIRTIO_CONSOLE_PORT_READY, 1))
			port->todo &= (uint8_t)~TODO_READY;
		if (!(port->todo & TODO_READY) && port->todo & TODO_OPEN &&
		    control_send(i, VIRTIO_CONSOLE_PORT_OPEN, 1))
			port->todo &= (uint8_t)~TODO_OPEN;
	}
}

static void port_named(struct port *port, const char *name, size_t length)
{
	for (unsigned i = 0; i < virtio_serial.claim_count; i++) {
		struct claim *claim = &virtio_serial.claims[i];

		if (claim->port || strnlen(claim->name, NAME_MAX) != length ||
		    strncmp(claim->name, name, length) != 0)
			continue;
		claim->port = (unsigned)(port - virtio_serial.ports) + 1;
		port->claim = claim;
		port->changed = true;
		port->todo |= TODO_OPEN;
		for (uint16_t id = 0; id < port->rx.size; id++)
			virtio_serial_offer(port, id);
		virtq_notify(&port->rx);
		return;
	}
}

static void control_receive(const uint8_t *bytes, uint32_t length)
{
	struct control_message message;
	struct port *port;

	if (length < sizeof(message))
		return;
	memcpy(&message, bytes, sizeof(message));
	if (message.port >= virtio_serial.port_count)
		return;
	port = &virtio_serial.ports[message.port];
	switch (message.event) {
	case VIRTIO_CONSOLE_PORT_ADD:
		port->added = true;
		port->todo |= TODO_READY;
		break;
	case VIRTIO_CONSOLE_PORT_OPEN:
		port->host_open = message.value != 0;
		if (!port->host_open)
			virtio_serial_forget(port);
		else if (port->claim)
			virtq_notify(&port->rx); /* QEMU looks for waiting input only then */
		port->changed = true;
		break;
	case VIRTIO_CONSOLE_PORT_NAME: {
		const char *name = (const char *)bytes + sizeof(message);

		if (!port->claim)
			port_named(port, name, strnlen(name, length - sizeof(message)));
		break;
	}
	default:
		break;
	}
}

void virtio_serial_control_poll(void)
{
	if (control_rx.used[1] == control_rx.last_used &&
	    control_tx.used[1] == control_tx.last_used)
		return;

	uint32_t id, length;

	while (virtq_take(&control_rx, &id, &length)) {
		control_receive(control_rx_buffer[id],
				length < CONTROL_SIZE ? length : CONTROL_SIZE);
		virtq_offer(&control_rx, (uint16_t)id);
	}
	virtq_notify(&control_rx);
	control_pump();
}

bool virtio_serial_control_queues(void)
{
	uint64_t device = virtio_serial.device;

	return virtq_start(&control_rx, device, 2, CONTROL_COUNT, control_rx_memory.desc,
			   control_rx_memory.avail, control_rx_memory.used_header,
			   control_rx_memory.used) &&
	       virtq_start(&control_tx, device, 3, CONTROL_TX_COUNT, control_tx_memory.desc,
			   control_tx_memory.avail, control_tx_memory.used_header,
			   control_tx_memory.used);
}

void virtio_serial_control_start(void)
{
	for (uint16_t id = 0; id < control_rx.size; id++) {
		control_rx.desc[id] = (struct virtq_desc){(uint64_t)control_rx_buffer[id],
							  CONTROL_SIZE, VIRTQ_DESC_WRITE, 0};
		virtq_offer(&control_rx, id);
	}
	virtq_notify(&control_rx);
	control_send(~0u, VIRTIO_CONSOLE_DEVICE_READY, 1);
}
