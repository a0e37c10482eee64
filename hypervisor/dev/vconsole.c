/* SPDX-License-Identifier: MIT */
/* vconsole.c - a virtio console with two ports (virtio 1.1, 5.3): control messages, bytes in, bytes out.
 * Never does more than a bounded amount of work a call: the rest is remembered in work. */

#include "core/string.h"
#include "dev/vconsole.h"

#define F_MULTIPORT (UINT64_C(1) << 1)

#define QUEUE_CONTROL_TO_GUEST 2u
#define QUEUE_CONTROL_FROM_GUEST 3u
#define QUEUE_COUNT 6u

/* One call's worth of work on one queue. */
#define WORK_DESCRIPTORS 256u
#define WORK_BYTES 16384u
#define WORK_OFFSET_MAX (1u << 30)

enum control_event {
	CONTROL_DEVICE_READY = 0,
	CONTROL_PORT_ADD = 1,
	CONTROL_PORT_READY = 3,
	CONTROL_CONSOLE_PORT = 4,
	CONTROL_PORT_OPEN = 6,
	CONTROL_PORT_NAME = 7,
};

struct control {
	uint32_t id;
	uint16_t event;
	uint16_t value;
};
_Static_assert(sizeof(struct control) == 8, "as virtio lays it out");

/* Control messages a port still owes the guest, in the order in which they go. */
enum { TODO_ADD, TODO_CONSOLE, TODO_NAME, TODO_CLOSE, TODO_OPEN, TODO_COUNT };

static const struct {
	uint16_t event;
	uint16_t value;
} todo_message[TODO_COUNT] = {
	[TODO_ADD] = {CONTROL_PORT_ADD, 1},   [TODO_CONSOLE] = {CONTROL_CONSOLE_PORT, 1},
	[TODO_NAME] = {CONTROL_PORT_NAME, 1}, [TODO_CLOSE] = {CONTROL_PORT_OPEN, 0},
	[TODO_OPEN] = {CONTROL_PORT_OPEN, 1},
};

static struct vconsole *of(struct virtio_mmio *m)
{
	return (struct vconsole *)m;
}

static unsigned rx_queue(unsigned port)
{
	return port ? 4 : 0;
}

static unsigned tx_queue(unsigned port)
{
	return port ? 5 : 1;
}

static bool multiport(const struct vconsole *c)
{
	return c->virtio.state.driver_features & F_MULTIPORT;
}

static void set_work(struct vconsole *c, unsigned queue, bool more)
{
	c->work = (uint8_t)(more ? c->work | 1u << queue : c->work & ~(1u << queue));
}

static void set_todo(struct vconsole *c, unsigned port, unsigned what, bool owed)
{
	uint8_t *todo = &c->port[port].todo;

	*todo = (uint8_t)(owed ? *todo | 1u << what : *todo & ~(1u << what));
	if (owed)
		set_work(c, QUEUE_CONTROL_TO_GUEST, true);
}

static bool owes(const struct vconsole *c, unsigned port, unsigned what)
{
	return c->port[port].todo >> what & 1;
}

static void set_guest_open(struct vconsole *c, unsigned port, bool open)
{
	bool changed = c->port[port].guest_open != open;

	c->port[port].guest_open = open;
	if (!changed)
		return;
	if (c->ops->guest_open)
		c->ops->guest_open(c->ctx, port, open);
	if (open)
		set_work(c, rx_queue(port), true);
}

bool vconsole_guest_open(const struct vconsole *c, unsigned port)
{
	return virtqueue_usable(&c->virtio, rx_queue(port)) &&
	       (multiport(c) ? c->port[port].guest_open : !port);
}

/* --- control messages */

/* Send one message if the guest has a buffer: 1, 0 when it has none, -1 broken. */
static int send_one(struct vconsole *c, unsigned port, unsigned what)
{
	struct control control = {
		.id = port, .event = todo_message[what].event, .value = todo_message[what].value};
	struct virtqueue_chain chain;
	int there = virtqueue_peek(&c->virtio, QUEUE_CONTROL_TO_GUEST, &chain);

	if (there <= 0)
		return there;
	if (virtqueue_write(&c->virtio, &chain, &control, sizeof(control)) < 0)
		return -1;
	if (what == TODO_NAME && virtqueue_write(&c->virtio, &chain, c->name,
						 (unsigned)strnlen(c->name, sizeof(c->name))) < 0)
		return -1;
	if (!virtqueue_done(&c->virtio, &chain))
		return -1;
	set_todo(c, port, what, false);
	if (what == TODO_OPEN || what == TODO_CLOSE)
		c->port[port].shown_open = what == TODO_OPEN;
	return 1;
}

static void run_control_to_guest(struct vconsole *c)
{
	bool any = false;
	int sent = 1;

	for (unsigned port = 0; port < VCONSOLE_PORT_COUNT; port++) {
		for (unsigned what = 0; what < TODO_COUNT && sent > 0; what++) {
			if (!owes(c, port, what))
				continue;
			sent = send_one(c, port, what);
			any |= sent > 0;
		}
	}
	set_work(c, QUEUE_CONTROL_TO_GUEST,
		 false); /* what is still owed goes when the guest adds buffers */
	if (any)
		virtqueue_signal(&c->virtio, QUEUE_CONTROL_TO_GUEST);
}

static void on_control(struct vconsole *c, const struct control *control)
{
	struct vconsole_port_state *p;

	if (control->event == CONTROL_DEVICE_READY) {
		for (unsigned port = 0; control->value == 1 && port < VCONSOLE_PORT_COUNT; port++) {
			c->port[port].todo = 0;
			c->port[port].shown_open = 0;
			c->port[port].guest_ready = 0;
			set_todo(c, port, TODO_ADD, true);
		}
		return;
	}
	if (control->id >= VCONSOLE_PORT_COUNT)
		return;
	p = &c->port[control->id];
	if (control->event == CONTROL_PORT_READY && control->value == 1) {
		p->guest_ready = 1;
		set_todo(c, control->id, control->id ? TODO_NAME : TODO_CONSOLE, true);
		if (c->host_open[control->id] && !p->shown_open)
			set_todo(c, control->id, TODO_OPEN, true);
	} else if (control->event == CONTROL_PORT_OPEN) {
		set_guest_open(c, control->id, control->value & 1);
	}
}

static void run_control_from_guest(struct vconsole *c)
{
	struct virtqueue_chain chain;
	unsigned descriptors = 0;
	bool any = false;
	int there;

	while ((there = virtqueue_peek(&c->virtio, QUEUE_CONTROL_FROM_GUEST, &chain)) > 0) {
		struct control control;
		int size = virtqueue_read(&c->virtio, &chain, &control, sizeof(control));

		if (size < 0 || !virtqueue_done(&c->virtio, &chain))
			break;
		any = true;
		if (size == sizeof(control))
			on_control(c, &control);
		descriptors += chain.walked;
		if (descriptors >= WORK_DESCRIPTORS)
			break;
	}
	set_work(c, QUEUE_CONTROL_FROM_GUEST,
		 there > 0 && virtqueue_usable(&c->virtio, QUEUE_CONTROL_FROM_GUEST));
	if (any)
		virtqueue_signal(&c->virtio, QUEUE_CONTROL_FROM_GUEST);
}

/* --- bytes from the guest */

enum tx_result { TX_CHAIN_DONE, TX_BLOCKED, TX_BUDGET, TX_BROKEN };

static enum tx_result send_chain(struct vconsole *c, unsigned port, struct virtqueue_chain *chain,
				 unsigned *budget)
{
	struct vconsole_port_state *p = &c->port[port];
	uint8_t buffer[256];
	int size;

	if (p->tx_offset > WORK_OFFSET_MAX)
		virtio_mmio_broken(&c->virtio); /* no driver sends a buffer this long */
	if (p->tx_offset > WORK_OFFSET_MAX || virtqueue_skip(&c->virtio, chain, p->tx_offset) < 0)
		return TX_BROKEN;
	while ((size = virtqueue_read(&c->virtio, chain, buffer, sizeof(buffer))) > 0) {
		size_t taken = c->ops->out(c->ctx, port, buffer, (size_t)size);

		p->tx_offset += (uint32_t)taken;
		if (taken < (size_t)size)
			return TX_BLOCKED;
		if (*budget < sizeof(buffer))
			return TX_BUDGET;
		*budget -= (unsigned)sizeof(buffer);
	}
	if (size < 0 || !virtqueue_done(&c->virtio, chain))
		return TX_BROKEN;
	p->tx_offset = 0;
	return TX_CHAIN_DONE;
}

static void run_tx(struct vconsole *c, unsigned port)
{
	unsigned queue = tx_queue(port);
	struct virtqueue_chain chain;
	enum tx_result result = TX_CHAIN_DONE;
	unsigned budget = WORK_BYTES;
	unsigned descriptors = 0;
	bool any = false;

	while (result == TX_CHAIN_DONE && virtqueue_peek(&c->virtio, queue, &chain) > 0) {
		if (descriptors >= WORK_DESCRIPTORS) {
			result = TX_BUDGET;
			break;
		}
		result = send_chain(c, port, &chain, &budget);
		any |= result == TX_CHAIN_DONE;
		descriptors += chain.walked;
	}
	set_work(c, queue, result == TX_BUDGET);
	if (any)
		virtqueue_signal(&c->virtio, queue);
}

/* --- bytes to the guest */

size_t vconsole_input(struct vconsole *c, unsigned port, const uint8_t *bytes, size_t size)
{
	unsigned queue = rx_queue(port);
	struct virtqueue_chain chain;
	unsigned descriptors = 0;
	size_t taken = 0;
	bool any = false;

	if (!vconsole_guest_open(c, port))
		return 0;
	while (taken < size && virtqueue_peek(&c->virtio, queue, &chain) > 0) {
		size_t piece = size - taken < WORK_BYTES ? size - taken : WORK_BYTES;
		int put;

		if (descriptors >= WORK_DESCRIPTORS || taken >= WORK_BYTES) {
			set_work(c, queue, true); /* ops->room() will ask for the rest */
			break;
		}
		put = virtqueue_write(&c->virtio, &chain, bytes + taken, (unsigned)piece);
		if (put < 0 || !virtqueue_done(&c->virtio, &chain))
			break;
		any = true;
		taken += (size_t)put;
		descriptors += chain.walked;
	}
	if (any)
		virtqueue_signal(&c->virtio, queue);
	return taken;
}

static void run_rx(struct vconsole *c, unsigned port)
{
	set_work(c, rx_queue(port), false);
	if (c->ops->room && vconsole_guest_open(c, port))
		c->ops->room(c->ctx, port);
}

/* --- the whole */

bool vconsole_work(struct vconsole *c)
{
	uint8_t work = c->work;

	if (work >> QUEUE_CONTROL_FROM_GUEST & 1)
		run_control_from_guest(c);
	if (c->work >> QUEUE_CONTROL_TO_GUEST & 1)
		run_control_to_guest(c);
	for (unsigned port = 0; port < VCONSOLE_PORT_COUNT; port++) {
		if (work >> tx_queue(port) & 1)
			run_tx(c, port);
		if (c->work >> rx_queue(port) & 1)
			run_rx(c, port);
	}
	return c->work;
}

void vconsole_retry(struct vconsole *c)
{
	c->work = (1u << QUEUE_COUNT) - 1;
}

static void on_notify(struct virtio_mmio *m, unsigned queue)
{
	set_work(of(m), queue, true);
	vconsole_work(of(m));
}

static void on_driver_ok(struct virtio_mmio *m)
{
	vconsole_retry(of(m));
	vconsole_work(of(m));
}

/* What had gone out of a chain was of one that is not there any more. */
static void on_queue_started(struct virtio_mmio *m, unsigned queue)
{
	for (unsigned port = 0; port < VCONSOLE_PORT_COUNT; port++)
		if (queue == tx_queue(port))
			of(m)->port[port].tx_offset = 0;
}

static void on_reset(struct virtio_mmio *m)
{
	struct vconsole *c = of(m);

	c->work = 0;
	for (unsigned port = 0; port < VCONSOLE_PORT_COUNT; port++) {
		set_guest_open(c, port, false);
		c->port[port] = (struct vconsole_port_state){0};
	}
}

static void config_read(struct virtio_mmio *m, unsigned offset, void *to, unsigned size)
{
	static const struct {
		uint16_t columns;
		uint16_t rows;
		uint32_t max_port_count;
		uint32_t emergency_write;
	} config = {.max_port_count = VCONSOLE_PORT_COUNT};

	(void)m;
	if (range_within(offset, size, 0, sizeof(config)))
		memcpy(to, (const char *)&config + offset, size);
}

static const struct virtio_class console_class = {
	.device_id = 3,
	.queue_count = QUEUE_COUNT,
	.features = VIRTIO_F_VERSION_1 | F_MULTIPORT,
	.config_read = config_read,
	.notify = on_notify,
	.queue_started = on_queue_started,
	.reset = on_reset,
	.driver_ok = on_driver_ok,
};

static void on_line(void *ctx, bool level)
{
	struct vconsole *c = ctx;

	c->ops->line(c->ctx, level);
}

void vconsole_init(struct vconsole *c, struct guest_memory memory, const struct vconsole_ops *ops,
		   void *ctx, const char *name)
{
	*c = (struct vconsole){.ops = ops, .ctx = ctx, .host_open = {true, false}};
	virtio_mmio_init(&c->virtio, &console_class, memory, c, on_line);
	memcpy(c->name, name, strnlen(name, sizeof(c->name) - 1));
}

void vconsole_mmio(struct vconsole *c, uint64_t offset, unsigned size, bool write, uint64_t *value)
{
	virtio_mmio_access(&c->virtio, offset, size, write, value);
}

void vconsole_kick_tx(struct vconsole *c, unsigned port)
{
	run_tx(c, port);
}

void vconsole_host_open(struct vconsole *c, unsigned port, bool open)
{
	const struct vconsole_port_state *p = &c->port[port];

	c->host_open[port] = open;
	if (!p->guest_ready)
		return;
	if (!open) {
		set_todo(c, port, TODO_OPEN, false);
		if (p->shown_open)
			set_todo(c, port, TODO_CLOSE, true);
	} else if (!p->shown_open || owes(c, port, TODO_CLOSE)) {
		set_todo(c, port, TODO_OPEN, true);
	}
	run_control_to_guest(c);
}

void vconsole_save(const struct vconsole *c, struct vconsole_state *to)
{
	to->virtio = c->virtio.state;
	for (unsigned port = 0; port < VCONSOLE_PORT_COUNT; port++)
		to->port[port] = c->port[port];
}

void vconsole_load(struct vconsole *c, const struct vconsole_state *from)
{
	for (unsigned port = 0; port < VCONSOLE_PORT_COUNT; port++)
		c->port[port] = from->port[port];
	c->work = 0;
	virtio_mmio_load(&c->virtio, &from->virtio);
}

bool vconsole_wants_restored(const struct vconsole *c)
{
	return c->ops->guest_open || c->virtio.state.status & VIRTIO_STATUS_DRIVER_OK;
}

void vconsole_after_restore(struct vconsole *c)
{
	const struct vconsole_port_state *agent = &c->port[1];

	for (unsigned port = 0; port < VCONSOLE_PORT_COUNT; port++) {
		if (c->ops->guest_open)
			c->ops->guest_open(c->ctx, port, c->port[port].guest_open);
	}
	if (!(c->virtio.state.status & VIRTIO_STATUS_DRIVER_OK))
		return;
	set_todo(c, 1, TODO_CLOSE, agent->guest_ready && agent->shown_open);
	set_todo(c, 1, TODO_OPEN, agent->guest_ready && c->host_open[1]);
	virtio_mmio_signal_used(&c->virtio);
	vconsole_retry(c);
	vconsole_work(c);
}
