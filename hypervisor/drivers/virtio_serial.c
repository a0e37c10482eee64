/* SPDX-License-Identifier: MIT */
/*
 * virtio_serial.c - the multiport console device (virtio 1.1, 5.3). One lock for all of it, a leaf; callbacks run
 * after it is released. Never waits for the device: what does not fit now goes out at its next interrupt.
 */
#include "drivers/virtio_serial.h"
#include "arch/sysreg.h"
#include "core/bug.h"
#include "core/log.h"
#include "core/string.h"
#include "core/types.h"
#include "drivers/gicv3.h"
#include "drivers/mmio.h"
#include "drivers/virtio_mmio_regs.h"
#include "drivers/virtio_serial_private.h"
#include "platform/qemu-virt/platform.h"

struct virtio_serial virtio_serial;

static VIRTQ_MEMORY(RX_COUNT) rx_memory[PORT_MAX];
static VIRTQ_MEMORY(TX_COUNT) tx_memory[PORT_MAX];
static uint8_t rx_buffer[PORT_MAX][RX_COUNT][RX_SIZE] __attribute__((section(".noinit")));
static uint8_t tx_ring[PORT_MAX][TX_RING] __attribute__((section(".noinit")));

static struct port *port_of(unsigned handle)
{
	unsigned number = handle ? virtio_serial.claims[handle - 1].port : 0;

	return number ? &virtio_serial.ports[number - 1] : NULL;
}

static size_t port_number(const struct port *port)
{
	return (size_t)(port - virtio_serial.ports);
}

void virtio_serial_offer(struct port *port, uint16_t id)
{
	port->rx.desc[id] = (struct virtq_desc){(uint64_t)rx_buffer[port_number(port)][id], RX_SIZE,
						VIRTQ_DESC_WRITE, 0};
	virtq_offer(&port->rx, id);
}

/* --- data */

/* QEMU never gives back the descriptor it was at when the host left: an id that is not the next one tells. */
static void tx_reclaim(struct port *port)
{
	uint32_t id, length;
	unsigned first;

	while (port->in_flight && virtq_take(&port->tx, &id, &length)) {
		do {
			first = port->tx_first;
			port->done += port->length[first];
			port->tx_first = (first + 1) % TX_COUNT;
			port->in_flight--;
		} while (first != id && port->in_flight);
	}
}

void virtio_serial_forget(struct port *port)
{
	tx_reclaim(port);
	port->tx_first = (port->tx_first + port->in_flight) % TX_COUNT;
	port->in_flight = 0;
	port->done = port->sent = port->head;
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
		port->tx.desc[id] = (struct virtq_desc){
			(uint64_t)&tx_ring[port_number(port)][start], (uint32_t)size, 0, 0};
		virtq_offer(&port->tx, (uint16_t)id);
		port->sent += size;
		port->in_flight++;
		any = true;
	}
	if (any)
		virtq_notify(&port->tx);
}

/* An interrupt when the device gives a descriptor back; it may have done so just before it was asked for. */
static void tx_want_room(struct port *port)
{
	port->want_room = true;
	port->tx.avail[0] = 0;
	dmb(sy);
	tx_reclaim(port);
}

/* Send what the device takes; the rest goes at its interrupt. */
static void tx_pump(struct port *port)
{
	tx_reclaim(port);
	tx_submit(port);
	if (port->sent == port->head)
		return;
	tx_want_room(port);
	tx_submit(port);
}

size_t virtio_serial_write(unsigned handle, const uint8_t *bytes, size_t size)
{
	struct port *port;
	uint64_t room, number;

	spin_lock(&virtio_serial.lock);
	port = port_of(handle);
	if (!port) {
		spin_unlock(&virtio_serial.lock);
		return 0;
	}
	room = TX_RING - (port->head - port->done);
	if (size > room) {
		tx_pump(port);
		tx_want_room(port);
		room = TX_RING - (port->head - port->done);
		size = size < room ? size : room;
	}
	number = port_number(port);
	for (size_t i = 0; i < size; i++)
		tx_ring[number][(port->head + i) % TX_RING] = bytes[i];
	port->head += size;
	spin_unlock(&virtio_serial.lock);
	return size;
}

void virtio_serial_flush(unsigned handle)
{
	struct port *port = port_of(handle);

	if (!port || port->sent == port->head)
		return;
	spin_lock(&virtio_serial.lock);
	tx_pump(port);
	spin_unlock(&virtio_serial.lock);
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
	spin_lock(&virtio_serial.lock);
	for (unsigned i = 0, offset = port->filled_offset; i < port->filled_count && done < size;
	     i++, offset = 0) {
		unsigned slot = (port->filled_first + i) % RX_COUNT;
		size_t part = port->filled[slot].length - offset;

		if (part > size - done)
			part = size - done;
		memcpy(to + done, rx_buffer[port_number(port)][port->filled[slot].id] + offset,
		       part);
		done += part;
	}
	spin_unlock(&virtio_serial.lock);
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
		virtio_serial_offer(port, port->filled[slot].id);
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
	spin_lock(&virtio_serial.lock);
	consume(port, size);
	spin_unlock(&virtio_serial.lock);
}

size_t virtio_serial_drop(unsigned handle)
{
	struct port *port = port_of(handle);
	size_t total = 0;

	if (!port || !port->filled_count)
		return 0;
	spin_lock(&virtio_serial.lock);
	for (unsigned i = 0; i < port->filled_count; i++)
		total += port->filled[(port->filled_first + i) % RX_COUNT].length;
	total -= port->filled_offset;
	consume(port, total);
	spin_unlock(&virtio_serial.lock);
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
		if (port->sent == port->head && port->head - port->done < TX_RING / 2) {
			port->want_room = false;
			port->tx.avail[0] = VIRTQ_AVAIL_NO_INTERRUPT;
			*output = true;
		}
	}
}

void virtio_serial_interrupt(unsigned intid)
{
	uint64_t input = 0, output = 0;

	if (!virtio_serial.device || intid != virtio_serial.intid)
		return;
	spin_lock(&virtio_serial.lock);
	mmio_write32(virtio_serial.device + VIRTIO_INTERRUPT_ACK,
		     mmio_read32(virtio_serial.device + VIRTIO_INTERRUPT_STATUS));
	/* Bytes first, then who is there: a byte is never told of before the opening it followed. */
	for (unsigned i = 0; i < virtio_serial.port_count; i++) {
		bool in = false, out = false;

		if (!virtio_serial.ports[i].claim)
			continue;
		port_poll(&virtio_serial.ports[i], &in, &out);
		input |= (uint64_t)in << i;
		output |= (uint64_t)out << i;
	}
	virtio_serial_control_poll();
	for (unsigned i = 0; i < virtio_serial.port_count; i++) {
		input |= (uint64_t)virtio_serial.ports[i].changed << i;
		virtio_serial.ports[i].changed = false;
	}
	spin_unlock(&virtio_serial.lock);
	for (uint64_t told = input | output; told; told &= told - 1) {
		unsigned i = (unsigned)__builtin_ctzl(told);
		struct claim *claim = virtio_serial.ports[i].claim;

		if (claim)
			claim->callback(claim->ctx, input >> i & 1, output >> i & 1);
	}
}

/* --- start */

unsigned virtio_serial_claim(const char *name, const char *suffix, virtio_serial_callback callback,
			     void *ctx)
{
	struct claim *claim = &virtio_serial.claims[virtio_serial.claim_count];

	BUG_ON(virtio_serial.claim_count == PORT_MAX);
	format(claim->name, sizeof(claim->name), "%s%s", name, suffix);
	claim->callback = callback;
	claim->ctx = ctx;
	return ++virtio_serial.claim_count;
}

static const char *features_agree(void)
{
	uint32_t low;

	mmio_write32(virtio_serial.device + VIRTIO_STATUS, 0);
	mmio_write32(virtio_serial.device + VIRTIO_STATUS, 1 | 2);
	mmio_write32(virtio_serial.device + VIRTIO_DEVICE_FEATURES_SEL, 1);
	if (!(mmio_read32(virtio_serial.device + VIRTIO_DEVICE_FEATURES) & 1))
		return "a modern virtio-serial device (-global virtio-mmio.force-legacy=false)";
	mmio_write32(virtio_serial.device + VIRTIO_DEVICE_FEATURES_SEL, 0);
	low = mmio_read32(virtio_serial.device + VIRTIO_DEVICE_FEATURES);
	if (!(low & 2))
		return "a multiport virtio-serial device (max_ports)";
	mmio_write32(virtio_serial.device + VIRTIO_DRIVER_FEATURES_SEL, 0);
	mmio_write32(virtio_serial.device + VIRTIO_DRIVER_FEATURES, 2);
	mmio_write32(virtio_serial.device + VIRTIO_DRIVER_FEATURES_SEL, 1);
	mmio_write32(virtio_serial.device + VIRTIO_DRIVER_FEATURES, 1);
	mmio_write32(virtio_serial.device + VIRTIO_STATUS, 1 | 2 | 8);
	if (!(mmio_read32(virtio_serial.device + VIRTIO_STATUS) & 8))
		return "a virtio-serial device that takes our features";
	return NULL;
}

static const char *queues_start(void)
{
	bool ok = true;

	for (unsigned i = 0; i < virtio_serial.port_count; i++) {
		uint16_t rx = (uint16_t)(i ? 2 * i + 2 : 0);

		ok &= virtq_start(&virtio_serial.ports[i].rx, virtio_serial.device, rx, RX_COUNT,
				  rx_memory[i].desc, rx_memory[i].avail, rx_memory[i].used_header,
				  rx_memory[i].used);
		ok &= virtq_start(&virtio_serial.ports[i].tx, virtio_serial.device,
				  (uint16_t)(rx + 1), TX_COUNT, tx_memory[i].desc,
				  tx_memory[i].avail, tx_memory[i].used_header, tx_memory[i].used);
		virtio_serial.ports[i].tx.avail[0] = VIRTQ_AVAIL_NO_INTERRUPT;
	}
	ok &= virtio_serial_control_queues();
	return ok ? NULL : "all queues of the virtio-serial device";
}

const char *virtio_serial_init(unsigned cpu)
{
	const char *missing;

	for (unsigned slot = 0; slot < PLAT_VIRTIO_COUNT && !virtio_serial.device; slot++) {
		uint64_t at = PLAT_VIRTIO + (uint64_t)slot * PLAT_VIRTIO_STRIDE;

		if (mmio_read32(at + VIRTIO_MAGIC) == VIRTIO_MAGIC_VALUE &&
		    mmio_read32(at + VIRTIO_DEVICE_ID) == VIRTIO_ID_CONSOLE) {
			virtio_serial.device = at;
			virtio_serial.intid = PLAT_VIRTIO_INTID(slot);
		}
	}
	if (!virtio_serial.device)
		return "a virtio-serial device (-device "
		       "virtio-serial-virtio_serial.device,max_ports=64)";
	if (mmio_read32(virtio_serial.device + VIRTIO_VERSION) != 2)
		return "a modern virtio-serial device (-global virtio-mmio.force-legacy=false)";
	missing = features_agree();
	if (missing)
		return missing;
	virtio_serial.port_count =
		mmio_read32(virtio_serial.device + VIRTIO_CONSOLE_CONFIG_MAX_PORTS);
	if (virtio_serial.port_count > PORT_MAX)
		virtio_serial.port_count = PORT_MAX;
	missing = queues_start();
	if (missing)
		return missing;
	gicv3_enable_spi(virtio_serial.intid, cpu);
	mmio_write32(virtio_serial.device + VIRTIO_STATUS, 1 | 2 | 8 | 4);
	virtio_serial_control_start();
	return NULL;
}

bool virtio_serial_settled(void)
{
	bool all = true;

	spin_lock(&virtio_serial.lock);
	virtio_serial_control_poll();
	for (unsigned i = 0; i < virtio_serial.claim_count; i++)
		all &= virtio_serial.claims[i].port != 0;
	spin_unlock(&virtio_serial.lock);
	return all;
}
