/* SPDX-License-Identifier: MIT */
/*
 * vcon.c - virtio-mmio (version 2) multiport console.
 * Must never wait for the host without looking at the control queue (the host may have left), and must never
 * notify without need: each notification is an exit.
 */
#include "baremetal/vcon.h"
#include "baremetal/guest.h"

#define BASE (GUEST_VIRTIO + 0x200 * GUEST_VIRTIO_SLOT)
#define INTID (32 + 16 + GUEST_VIRTIO_SLOT)

enum {
	MAGIC = 0x000,
	VERSION = 0x004,
	DEVICE_ID = 0x008,
	DEVICE_FEATURES = 0x010,
	DEVICE_FEATURES_SEL = 0x014,
	DRIVER_FEATURES = 0x020,
	DRIVER_FEATURES_SEL = 0x024,
	QUEUE_SEL = 0x030,
	QUEUE_NUM_MAX = 0x034,
	QUEUE_NUM = 0x038,
	QUEUE_READY = 0x044,
	QUEUE_NOTIFY = 0x050,
	INTERRUPT_ACK = 0x064,
	STATUS = 0x070,
	QUEUE_DESC = 0x080,
	QUEUE_DRIVER = 0x090,
	QUEUE_DEVICE = 0x0a0,
};

#define F_MULTIPORT 0x2u
#define F_VERSION_1 0x1u /* of the high word */
#define DESC_WRITE 2
#define AVAIL_NO_INTERRUPT 1
#define USED_NO_NOTIFY 1

#define QUEUE_COUNT 6
#define QUEUE_SIZE 16u
#define CONTROL_RX 2
#define CONTROL_TX 3
#define RX_OF(port) ((port) == 0 ? 0u : 2u + 2u * (port))
#define TX_OF(port) (RX_OF(port) + 1u)

#define RX_SIZE 512u
#define TX_SIZE 4096u
#define TX_COUNT 4u
#define CONTROL_SIZE 128u

struct desc {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

struct ring {
	_Alignas(64) struct desc desc[QUEUE_SIZE];
	struct {
		uint16_t flags, index, ring[QUEUE_SIZE], event;
	} avail;
	struct {
		_Alignas(4) uint16_t flags;
		uint16_t index;
		struct {
			uint32_t id, length;
		} ring[QUEUE_SIZE];
	} used;
};

struct queue {
	struct ring *ring;
	uint32_t number;
	uint16_t avail; /* how many were ever made available */
	uint16_t seen;  /* how many used ones were looked at */
};

enum {
	DEVICE_READY,
	PORT_ADD,
	PORT_REMOVE,
	PORT_READY,
	CONSOLE_PORT,
	RESIZE,
	PORT_OPEN,
	PORT_NAME
};

struct control_message {
	uint32_t port;
	uint16_t event, value;
};

struct port {
	bool open;        /* the host's end, as of the last control message */
	bool told;        /* what was called back last */
	uint32_t session; /* grows with each opening */
	uint32_t told_session;
	size_t filled; /* bytes in the current tx buffer */
};

static struct ring rings[QUEUE_COUNT] __attribute__((aligned(4096)));
static struct queue queues[QUEUE_COUNT];
static struct port ports[VCON_PORT_COUNT];
static char rx_buffers[VCON_PORT_COUNT][QUEUE_SIZE][RX_SIZE];
static char tx_buffers[VCON_PORT_COUNT][TX_COUNT][TX_SIZE];
static char control_rx[QUEUE_SIZE][CONTROL_SIZE];
static struct control_message control_tx[QUEUE_SIZE];

static const struct vcon_ops *ops;
static void *ops_context;
static bool sleep_allowed;
static volatile bool pending;

void (*vcon_interrupt_hook)(void);

static void barrier(void)
{
	__asm__ volatile("dmb sy" ::: "memory");
}

static uint16_t used_index(const struct queue *queue)
{
	return *(volatile uint16_t *)&queue->ring->used.index;
}

static void notify(struct queue *queue)
{
	barrier();
	if (!(*(volatile uint16_t *)&queue->ring->used.flags & USED_NO_NOTIFY))
		mmio_write32(BASE + QUEUE_NOTIFY, queue->number);
}

/* Put a buffer into the ring; the device sees it with publish(). */
static void add(struct queue *queue, uint16_t id)
{
	queue->ring->avail.ring[queue->avail % QUEUE_SIZE] = id;
	queue->avail++;
}

static void publish(struct queue *queue)
{
	barrier();
	*(volatile uint16_t *)&queue->ring->avail.index = queue->avail;
}

static void post(struct queue *queue, uint16_t id)
{
	add(queue, id);
	publish(queue);
}

/* The next buffer the device is done with: its id, or -1. */
static int take_used(struct queue *queue, uint32_t *length)
{
	uint32_t id;

	if (used_index(queue) == queue->seen)
		return -1;
	barrier();
	id = queue->ring->used.ring[queue->seen % QUEUE_SIZE].id;
	*length = queue->ring->used.ring[queue->seen % QUEUE_SIZE].length;
	queue->seen++;
	return (int)(id % QUEUE_SIZE);
}

/*
 * Give back the buffers added since old, all at once. The device needs to be told only if it may have run dry:
 * if it had used all that it could see before when we look after making the new ones visible.
 */
static bool give_back(struct queue *queue, uint16_t old)
{
	if (queue->avail == old)
		return false;
	publish(queue);
	barrier();
	if (used_index(queue) == old)
		notify(queue);
	return true;
}

static void send_control(uint32_t port, uint16_t event, uint16_t value)
{
	struct queue *queue = &queues[CONTROL_TX];
	uint16_t id = queue->avail % QUEUE_SIZE;

	/* The slot is free when all but QUEUE_SIZE - 1 are used; the device never holds control messages back. */
	while ((uint16_t)(queue->avail - used_index(queue)) >= QUEUE_SIZE)
		barrier();
	control_tx[id] = (struct control_message){port, event, value};
	queue->ring->desc[id] =
		(struct desc){(uint64_t)(uintptr_t)&control_tx[id], sizeof(control_tx[id]), 0, 0};
	post(queue, id);
	notify(queue);
}

static void handle_control(const struct control_message *message)
{
	if (message->port >= VCON_PORT_COUNT)
		return;
	if (message->event == PORT_ADD) {
		send_control(message->port, PORT_READY, 1);
		send_control(message->port, PORT_OPEN, 1);
		/* QEMU looks at what waits for an opened port only when its queue is notified. */
		notify(&queues[RX_OF(message->port)]);
	} else if (message->event == PORT_OPEN) {
		struct port *port = &ports[message->port];

		port->open = message->value != 0;
		if (port->open)
			port->session++;
	}
}

static bool poll_control(void)
{
	struct queue *queue = &queues[CONTROL_RX];
	uint16_t old = queue->avail;
	uint32_t length;
	int id;

	while ((id = take_used(queue, &length)) >= 0) {
		struct control_message message;

		memcpy(&message, control_rx[id], sizeof(message));
		add(queue, (uint16_t)id);
		if (length >= sizeof(message))
			handle_control(&message);
	}
	return give_back(queue, old);
}

static void tell_opening(unsigned int number)
{
	struct port *port = &ports[number];

	if (port->told && (!port->open || port->session != port->told_session)) {
		port->told = false;
		port->filled = 0;
		if (ops->close)
			ops->close(ops_context, number);
	}
	if (port->open && !port->told) {
		port->told = true;
		port->told_session = port->session;
		if (ops->open)
			ops->open(ops_context, number);
	}
}

static bool poll_input(unsigned int number, uint16_t limit)
{
	struct queue *queue = &queues[RX_OF(number)];
	uint16_t old = queue->avail;
	uint32_t length;
	int id;

	while (queue->seen != limit && (id = take_used(queue, &length)) >= 0) {
		if (length > RX_SIZE)
			length = RX_SIZE;
		if (ops->input)
			ops->input(ops_context, number, rx_buffers[number][id], length);
		add(queue, (uint16_t)id);
	}
	return give_back(queue, old);
}

bool vcon_pending(void)
{
	return pending;
}

bool vcon_poll(void)
{
	uint16_t limits[VCON_PORT_COUNT];
	bool worked;

	pending = false;
	/*
	 * Only input that is there before the control queue is read: then the opening that it came after has been
	 * seen, and its answer is not taken for one to nobody.
	 */
	for (unsigned int i = 0; i < VCON_PORT_COUNT; i++)
		limits[i] = used_index(&queues[RX_OF(i)]);
	barrier();
	worked = poll_control();
	for (unsigned int i = 0; i < VCON_PORT_COUNT; i++) {
		tell_opening(i);
		worked |= poll_input(i, limits[i]);
		worked |= used_index(&queues[RX_OF(i)]) != queues[RX_OF(i)].seen;
	}
	return worked;
}

static bool tx_is_free(const struct queue *queue)
{
	return (uint16_t)(queue->avail - used_index(queue)) < TX_COUNT;
}

/* Wait for a free tx buffer; false when the host has left or, without sleep, when it takes too long. */
static bool wait_for_tx(unsigned int number, uint32_t session)
{
	struct queue *queue = &queues[TX_OF(number)];
	uint64_t start = counter_read();
	bool open = true;

	if (tx_is_free(queue))
		return true;
	*(volatile uint16_t *)&queue->ring->avail.flags = 0;
	barrier();
	while (open && !tx_is_free(queue)) {
		if (sleep_allowed) {
			wait_for_interrupt();
			while (interrupts_take())
				;
		} else if (counter_read() - start > counter_hz() / 20) {
			break;
		}
		poll_control();
		/* What came in was not looked at: the caller's next poll must. */
		pending = true;
		open = ports[number].open && ports[number].session == session;
	}
	*(volatile uint16_t *)&queue->ring->avail.flags = AVAIL_NO_INTERRUPT;
	return open && tx_is_free(queue);
}

void vcon_flush(unsigned int number)
{
	struct port *port = &ports[number];
	struct queue *queue = &queues[TX_OF(number)];
	uint16_t id = queue->avail % TX_COUNT;

	if (port->filled == 0)
		return;
	queue->ring->desc[id] = (struct desc){(uint64_t)(uintptr_t)tx_buffers[number][id],
					      (uint32_t)port->filled, 0, 0};
	port->filled = 0;
	post(queue, id);
	notify(queue);
}

void vcon_write(unsigned int number, const char *data, size_t size)
{
	struct port *port = &ports[number];
	struct queue *queue = &queues[TX_OF(number)];

	while (size > 0) {
		size_t part = TX_SIZE - port->filled;

		/* A reply belongs to the connection it began in. */
		if (!port->open || (port->told && port->session != port->told_session) ||
		    !wait_for_tx(number, port->session)) {
			port->filled = 0;
			return;
		}
		part = part < size ? part : size;
		memcpy(tx_buffers[number][queue->avail % TX_COUNT] + port->filled, data, part);
		port->filled += part;
		data += part;
		size -= part;
		if (port->filled == TX_SIZE)
			vcon_flush(number);
	}
}

bool vcon_is_open(unsigned int number)
{
	return ports[number].open;
}

static void interrupt(unsigned int intid, void *context)
{
	(void)intid;
	(void)context;
	/* Before the queues are looked at: what comes later interrupts again. */
	mmio_write32(BASE + INTERRUPT_ACK, 3);
	pending = true;
	if (vcon_interrupt_hook)
		vcon_interrupt_hook();
}

static void write_address(uint64_t offset, const void *address)
{
	mmio_write32(BASE + offset, (uint32_t)(uintptr_t)address);
	mmio_write32(BASE + offset + 4, (uint32_t)((uintptr_t)address >> 32));
}

static bool start_queue(uint32_t number)
{
	struct queue *queue = &queues[number];

	memset(&rings[number], 0, sizeof(rings[number]));
	*queue = (struct queue){.ring = &rings[number], .number = number};
	if (number % 2 == 1)
		rings[number].avail.flags = AVAIL_NO_INTERRUPT;
	mmio_write32(BASE + QUEUE_SEL, number);
	if (mmio_read32(BASE + QUEUE_NUM_MAX) < QUEUE_SIZE)
		return false;
	mmio_write32(BASE + QUEUE_NUM, QUEUE_SIZE);
	write_address(QUEUE_DESC, rings[number].desc);
	write_address(QUEUE_DRIVER, &rings[number].avail);
	write_address(QUEUE_DEVICE, &rings[number].used);
	mmio_write32(BASE + QUEUE_READY, 1);
	return true;
}

static void fill_queue(uint32_t number, char *buffers, uint32_t size)
{
	struct queue *queue = &queues[number];

	for (uint16_t i = 0; i < QUEUE_SIZE; i++) {
		queue->ring->desc[i] = (struct desc){(uint64_t)(uintptr_t)(buffers + i * size),
						     size, DESC_WRITE, 0};
		post(queue, i);
	}
}

static bool negotiate(void)
{
	if (mmio_read32(BASE + MAGIC) != 0x74726976 || mmio_read32(BASE + VERSION) != 2 ||
	    mmio_read32(BASE + DEVICE_ID) != 3)
		return false;
	mmio_write32(BASE + STATUS, 0);
	mmio_write32(BASE + STATUS, 3); /* ACKNOWLEDGE, DRIVER */
	mmio_write32(BASE + DEVICE_FEATURES_SEL, 0);
	if (!(mmio_read32(BASE + DEVICE_FEATURES) & F_MULTIPORT))
		return false;
	mmio_write32(BASE + DRIVER_FEATURES_SEL, 0);
	mmio_write32(BASE + DRIVER_FEATURES, F_MULTIPORT);
	mmio_write32(BASE + DRIVER_FEATURES_SEL, 1);
	mmio_write32(BASE + DRIVER_FEATURES, F_VERSION_1);
	mmio_write32(BASE + STATUS, 11); /* and FEATURES_OK */
	return mmio_read32(BASE + STATUS) & 8;
}

bool vcon_init(const struct vcon_ops *operations, void *context, bool may_sleep)
{
	ops = operations;
	ops_context = context;
	sleep_allowed = may_sleep;
	memset(ports, 0, sizeof(ports));
	if (!negotiate())
		return false;
	for (uint32_t i = 0; i < QUEUE_COUNT; i++)
		if (!start_queue(i))
			return false;
	fill_queue(CONTROL_RX, control_rx[0], CONTROL_SIZE);
	for (unsigned int i = 0; i < VCON_PORT_COUNT; i++)
		fill_queue(RX_OF(i), rx_buffers[i][0], RX_SIZE);
	interrupt_enable(INTID, true, interrupt, NULL);
	mmio_write32(BASE + STATUS, 15); /* and DRIVER_OK */
	notify(&queues[CONTROL_RX]);
	for (unsigned int i = 0; i < VCON_PORT_COUNT; i++)
		notify(&queues[RX_OF(i)]);
	send_control(0, DEVICE_READY, 1);
	return true;
}
