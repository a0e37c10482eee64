/* SPDX-License-Identifier: MIT */
/*
 * virtio_serial.c - the multiport console device (virtio 1.1, 5.3). One lock for all of it, a leaf; callbacks run
 * after it is released. Never waits for the device: what does not fit now goes out at its next interrupt.
 */
#include "drivers/virtio_serial.h"
#include "arch/lock.h"
#include "core/bug.h"
#include "core/log.h"
#include "core/string.h"
#include "core/types.h"
#include "drivers/gicv3.h"
#include "drivers/mmio.h"
#include "drivers/virtio_mmio_regs.h"
#include "drivers/virtio_queue.h"
#include "platform/qemu-virt/platform.h"

#define PORT_MAX 64
#define NAME_MAX 48
#define RX_COUNT 8
#define RX_SIZE 512
#define TX_COUNT 16
#define TX_RING 32768
#define CONTROL_COUNT 128
#define CONTROL_SIZE 128

#define TODO_READY 0x1
#define TODO_OPEN 0x2

struct control_message {
	uint32_t port;
	uint16_t event, value;
};

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

static struct spinlock lock;
static uint64_t device;
static unsigned device_intid, port_count;
static struct port ports[PORT_MAX];
static struct claim claims[PORT_MAX];
static unsigned claim_count;
static struct virtq control_rx, control_tx;
static uint64_t control_busy; /* control tx slots in use, bit by slot */

static VIRTQ_MEMORY(RX_COUNT) rx_memory[PORT_MAX];
static VIRTQ_MEMORY(TX_COUNT) tx_memory[PORT_MAX];
static VIRTQ_MEMORY(CONTROL_COUNT) control_rx_memory;
static VIRTQ_MEMORY(32) control_tx_memory;
static struct control_message control_tx_message[32];
static uint8_t control_rx_buffer[CONTROL_COUNT][CONTROL_SIZE] __attribute__((aligned(16)));
static uint8_t rx_buffer[PORT_MAX][RX_COUNT][RX_SIZE] __attribute__((section(".noinit")));
static uint8_t tx_ring[PORT_MAX][TX_RING] __attribute__((section(".noinit")));

static struct port *port_of(unsigned handle)
{
	unsigned number = handle ? claims[handle - 1].port : 0;

	return number ? &ports[number - 1] : NULL;
}

static size_t port_number(const struct port *port)
{
	return (size_t)(port - ports);
}

/* --- control */

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
	for (unsigned i = 0; i < port_count; i++) {
		struct port *port = &ports[i];

		if (port->todo & TODO_READY && control_send(i, VIRTIO_CONSOLE_PORT_READY, 1))
			port->todo &= (uint8_t)~TODO_READY;
		if (!(port->todo & TODO_READY) && port->todo & TODO_OPEN &&
		    control_send(i, VIRTIO_CONSOLE_PORT_OPEN, 1))
			port->todo &= (uint8_t)~TODO_OPEN;
	}
}

static void rx_offer(struct port *port, uint16_t id)
{
	port->rx.desc[id] = (struct virtq_desc){(uint64_t)rx_buffer[port_number(port)][id], RX_SIZE,
						VIRTQ_DESC_WRITE, 0};
	virtq_offer(&port->rx, id);
}

static void port_named(struct port *port, const char *name, size_t length)
{
	for (unsigned i = 0; i < claim_count; i++) {
		struct claim *claim = &claims[i];

		if (claim->port || strnlen(claim->name, NAME_MAX) != length ||
		    strncmp(claim->name, name, length) != 0)
			continue;
		claim->port = (unsigned)port_number(port) + 1;
		port->claim = claim;
		port->changed = true;
		port->todo |= TODO_OPEN;
		for (uint16_t id = 0; id < port->rx.size; id++)
			rx_offer(port, id);
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
	if (message.port >= port_count)
		return;
	port = &ports[message.port];
	switch (message.event) {
	case VIRTIO_CONSOLE_PORT_ADD:
		port->added = true;
		port->todo |= TODO_READY;
		break;
	case VIRTIO_CONSOLE_PORT_OPEN:
		port->host_open = message.value != 0;
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

/* --- data */

static void tx_reclaim(struct port *port)
{
	uint32_t id, length;

	while (port->in_flight && virtq_take(&port->tx, &id, &length)) {
		port->done += port->length[port->tx_first];
		port->tx_first = (port->tx_first + 1) % TX_COUNT;
		port->in_flight--;
	}
}

static void tx_submit(struct port *port)
{
	bool any = false;

	while (port->sent < port->head && port->in_flight < port->tx.size) {
		uint64_t start = port->sent % TX_RING;
		uint64_t size = port->head - port->sent;
		unsigned id = (port->tx_first + port->in_flight) % TX_COUNT;

		if (size > TX_RING - start)
			size = TX_RING - start;
		port->length[id] = (uint32_t)size;
		port->tx.desc[id] = (struct virtq_desc){(uint64_t)&tx_ring[port_number(port)][start],
							(uint32_t)size, 0, 0};
		virtq_offer(&port->tx, (uint16_t)id);
		port->sent += size;
		port->in_flight++;
		any = true;
	}
	if (any)
		virtq_notify(&port->tx);
}

size_t virtio_serial_write(unsigned handle, const uint8_t *bytes, size_t size)
{
	struct port *port;
	uint64_t room, number;

	spin_lock(&lock);
	port = port_of(handle);
	if (!port) {
		spin_unlock(&lock);
		return 0;
	}
	room = TX_RING - (port->head - port->done);
	if (size > room) {
		tx_submit(port);
		tx_reclaim(port);
		room = TX_RING - (port->head - port->done);
	}
	if (size > room) {
		size = room;
		port->want_room = true;
		port->tx.avail[0] = 0; /* interrupt when something has gone out */
	}
	number = port_number(port);
	for (size_t i = 0; i < size; i++)
		tx_ring[number][(port->head + i) % TX_RING] = bytes[i];
	port->head += size;
	spin_unlock(&lock);
	return size;
}

void virtio_serial_flush(unsigned handle)
{
	struct port *port = port_of(handle);

	if (!port || port->sent == port->head)
		return;
	spin_lock(&lock);
	tx_reclaim(port);
	tx_submit(port);
	spin_unlock(&lock);
}

bool virtio_serial_has_input(unsigned handle)
{
	struct port *port = port_of(handle);

	return port && port->filled_count;
}

size_t virtio_serial_peek(unsigned handle, uint8_t *to, size_t size)
{
	struct port *port = port_of(handle);
	size_t done = 0;

	if (!port || !port->filled_count)
		return 0;
	spin_lock(&lock);
	for (unsigned i = 0, offset = port->filled_offset; i < port->filled_count && done < size; i++, offset = 0) {
		unsigned slot = (port->filled_first + i) % RX_COUNT;
		size_t part = port->filled[slot].length - offset;

		if (part > size - done)
			part = size - done;
		memcpy(to + done, rx_buffer[port_number(port)][port->filled[slot].id] + offset, part);
		done += part;
	}
	spin_unlock(&lock);
	return done;
}

/* lock held */
static void consume(struct port *port, size_t size)
{
	bool any = false;

	while (port->filled_count) {
		unsigned slot = port->filled_first;
		size_t left = port->filled[slot].length - port->filled_offset;

		if (size < left) {
			port->filled_offset += (unsigned)size;
			break;
		}
		size -= left;
		rx_offer(port, port->filled[slot].id);
		port->filled_offset = 0;
		port->filled_first = (port->filled_first + 1) % RX_COUNT;
		port->filled_count--;
		any = true;
	}
	if (any)
		virtq_notify(&port->rx);
}

void virtio_serial_consume(unsigned handle, size_t size)
{
	struct port *port = port_of(handle);

	if (!port || !size)
		return;
	spin_lock(&lock);
	consume(port, size);
	spin_unlock(&lock);
}

size_t virtio_serial_drop(unsigned handle)
{
	struct port *port = port_of(handle);
	size_t total = 0;

	if (!port || !port->filled_count)
		return 0;
	spin_lock(&lock);
	for (unsigned i = 0; i < port->filled_count; i++)
		total += port->filled[(port->filled_first + i) % RX_COUNT].length;
	total -= port->filled_offset;
	consume(port, total);
	spin_unlock(&lock);
	return total;
}

bool virtio_serial_host_open(unsigned handle)
{
	struct port *port = port_of(handle);

	return port && port->host_open;
}

/* --- interrupts */

/* What this port has to tell its owner. lock held. */
static void port_poll(struct port *port, bool *input, bool *output)
{
	uint32_t id, length;

	while (port->filled_count < RX_COUNT && virtq_take(&port->rx, &id, &length)) {
		unsigned slot = (port->filled_first + port->filled_count) % RX_COUNT;

		port->filled[slot].id = (uint16_t)id;
		port->filled[slot].length = length < RX_SIZE ? length : RX_SIZE;
		port->filled_count++;
		*input = true;
	}
	if (port->want_room) {
		tx_reclaim(port);
		tx_submit(port);
		if (port->head - port->done < TX_RING / 2) {
			port->want_room = false;
			port->tx.avail[0] = VIRTQ_AVAIL_NO_INTERRUPT;
			*output = true;
		}
	}
}

static void control_poll(void)
{
	uint32_t id, length;

	while (virtq_take(&control_rx, &id, &length)) {
		control_receive(control_rx_buffer[id], length < CONTROL_SIZE ? length : CONTROL_SIZE);
		virtq_offer(&control_rx, (uint16_t)id);
	}
	virtq_notify(&control_rx);
	control_pump();
}

void virtio_serial_interrupt(unsigned intid)
{
	if (!device || intid != device_intid)
		return;
	spin_lock(&lock);
	mmio_write32(device + VIRTIO_INTERRUPT_ACK, mmio_read32(device + VIRTIO_INTERRUPT_STATUS));
	if (control_rx.used[1] != control_rx.last_used || control_tx.used[1] != control_tx.last_used)
		control_poll();
	spin_unlock(&lock);
	for (unsigned i = 0; i < port_count; i++) {
		struct port *port = &ports[i];
		bool input = port->changed, output = false;

		if (!port->claim)
			continue;
		spin_lock(&lock);
		port->changed = false;
		port_poll(port, &input, &output);
		spin_unlock(&lock);
		if (input || output)
			port->claim->callback(port->claim->ctx, input, output);
	}
}

/* --- start */

unsigned virtio_serial_claim(const char *name, const char *suffix, virtio_serial_callback callback, void *ctx)
{
	struct claim *claim = &claims[claim_count];

	BUG_ON(claim_count == PORT_MAX);
	format(claim->name, sizeof(claim->name), "%s%s", name, suffix);
	claim->callback = callback;
	claim->ctx = ctx;
	return ++claim_count;
}

static const char *features_agree(void)
{
	uint32_t low;

	mmio_write32(device + VIRTIO_STATUS, 0);
	mmio_write32(device + VIRTIO_STATUS, 1 | 2);
	mmio_write32(device + VIRTIO_DEVICE_FEATURES_SEL, 1);
	if (!(mmio_read32(device + VIRTIO_DEVICE_FEATURES) & 1))
		return "a modern virtio-serial device (-global virtio-mmio.force-legacy=false)";
	mmio_write32(device + VIRTIO_DEVICE_FEATURES_SEL, 0);
	low = mmio_read32(device + VIRTIO_DEVICE_FEATURES);
	if (!(low & 2))
		return "a multiport virtio-serial device (max_ports)";
	mmio_write32(device + VIRTIO_DRIVER_FEATURES_SEL, 0);
	mmio_write32(device + VIRTIO_DRIVER_FEATURES, 2);
	mmio_write32(device + VIRTIO_DRIVER_FEATURES_SEL, 1);
	mmio_write32(device + VIRTIO_DRIVER_FEATURES, 1);
	mmio_write32(device + VIRTIO_STATUS, 1 | 2 | 8);
	if (!(mmio_read32(device + VIRTIO_STATUS) & 8))
		return "a virtio-serial device that takes our features";
	return NULL;
}

static const char *queues_start(void)
{
	bool ok = true;

	for (unsigned i = 0; i < port_count; i++) {
		uint16_t rx = (uint16_t)(i ? 2 * i + 2 : 0);

		ok &= virtq_start(&ports[i].rx, device, rx, RX_COUNT, rx_memory[i].desc, rx_memory[i].avail,
				  rx_memory[i].used_header, rx_memory[i].used);
		ok &= virtq_start(&ports[i].tx, device, (uint16_t)(rx + 1), TX_COUNT, tx_memory[i].desc,
				  tx_memory[i].avail, tx_memory[i].used_header, tx_memory[i].used);
		ports[i].tx.avail[0] = VIRTQ_AVAIL_NO_INTERRUPT;
	}
	ok &= virtq_start(&control_rx, device, 2, CONTROL_COUNT, control_rx_memory.desc, control_rx_memory.avail,
			  control_rx_memory.used_header, control_rx_memory.used);
	ok &= virtq_start(&control_tx, device, 3, 32, control_tx_memory.desc, control_tx_memory.avail,
			  control_tx_memory.used_header, control_tx_memory.used);
	return ok ? NULL : "all queues of the virtio-serial device";
}

const char *virtio_serial_init(unsigned cpu)
{
	const char *missing;

	for (unsigned slot = 0; slot < PLAT_VIRTIO_COUNT && !device; slot++) {
		uint64_t at = PLAT_VIRTIO + (uint64_t)slot * PLAT_VIRTIO_STRIDE;

		if (mmio_read32(at + VIRTIO_MAGIC) == VIRTIO_MAGIC_VALUE &&
		    mmio_read32(at + VIRTIO_DEVICE_ID) == VIRTIO_ID_CONSOLE) {
			device = at;
			device_intid = PLAT_VIRTIO_INTID(slot);
		}
	}
	if (!device)
		return "a virtio-serial device (-device virtio-serial-device,max_ports=64)";
	if (mmio_read32(device + VIRTIO_VERSION) != 2)
		return "a modern virtio-serial device (-global virtio-mmio.force-legacy=false)";
	missing = features_agree();
	if (missing)
		return missing;
	port_count = mmio_read32(device + VIRTIO_CONSOLE_CONFIG_MAX_PORTS);
	if (port_count > PORT_MAX)
		port_count = PORT_MAX;
	missing = queues_start();
	if (missing)
		return missing;
	gicv3_enable_spi(device_intid, cpu);
	mmio_write32(device + VIRTIO_STATUS, 1 | 2 | 8 | 4);
	for (uint16_t id = 0; id < control_rx.size; id++) {
		control_rx.desc[id] = (struct virtq_desc){(uint64_t)control_rx_buffer[id], CONTROL_SIZE,
							  VIRTQ_DESC_WRITE, 0};
		virtq_offer(&control_rx, id);
	}
	virtq_notify(&control_rx);
	control_send(~0u, VIRTIO_CONSOLE_DEVICE_READY, 1);
	return NULL;
}
