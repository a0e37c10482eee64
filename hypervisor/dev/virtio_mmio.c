/* SPDX-License-Identifier: MIT */
/* virtio_mmio.c - the registers of a virtio device over MMIO (virtio 1.1, 4.2.2).
 * Never trusts what the driver wrote: a queue becomes ready only with a size and addresses that can be right. */

#include "dev/virtio_mmio.h"

#define MAGIC 0x74726976u
#define VERSION 2u
#define VENDOR 0x52535641u /* "AVSR" */

enum {
	REG_MAGIC = 0x000,
	REG_VERSION = 0x004,
	REG_DEVICE_ID = 0x008,
	REG_VENDOR_ID = 0x00c,
	REG_DEVICE_FEATURES = 0x010,
	REG_DEVICE_FEATURES_SEL = 0x014,
	REG_DRIVER_FEATURES = 0x020,
	REG_DRIVER_FEATURES_SEL = 0x024,
	REG_QUEUE_SEL = 0x030,
	REG_QUEUE_NUM_MAX = 0x034,
	REG_QUEUE_NUM = 0x038,
	REG_QUEUE_READY = 0x044,
	REG_QUEUE_NOTIFY = 0x050,
	REG_INTERRUPT_STATUS = 0x060,
	REG_INTERRUPT_ACK = 0x064,
	REG_STATUS = 0x070,
	REG_QUEUE_DESC_LOW = 0x080,
	REG_QUEUE_USED_HIGH = 0x0a4,
	REG_SHM_LEN_LOW = 0x0b0,
	REG_SHM_BASE_HIGH = 0x0bc,
	REG_CONFIG_GENERATION = 0x0fc,
	REG_CONFIG = 0x100,
};

static void update_line(struct virtio_mmio *m)
{
	bool level = m->state.isr;

	if (level == m->level)
		return;
	m->level = level;
	m->line(m->ctx, level);
}

static void raise(struct virtio_mmio *m, uint32_t bits)
{
	m->state.isr |= bits;
	update_line(m);
}

/* A driver that configured an edge must not miss a bit that came between its read and this ACK. */
static void acknowledge(struct virtio_mmio *m, uint32_t bits)
{
	uint32_t before = m->state.isr;

	m->state.isr &= ~bits;
	if (m->state.isr && m->state.isr != before) {
		m->line(m->ctx, false);
		m->line(m->ctx, true);
	}
	update_line(m);
}

void virtio_mmio_broken(struct virtio_mmio *m)
{
	if (m->memory.starved && m->memory.starved(m->memory.ctx))
		return; /* the driver did nothing wrong: the work is done when there is memory */
	m->state.status |= VIRTIO_STATUS_NEEDS_RESET;
	if (m->state.status & VIRTIO_STATUS_DRIVER_OK)
		raise(m, 2);
}

void virtqueue_signal(struct virtio_mmio *m, unsigned queue)
{
	uint16_t flags;

	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the used index before the flags */
	if (!virtqueue_usable(m, queue))
		return;
	if (!m->memory.read(m->memory.ctx, m->state.queue[queue].avail, &flags, sizeof(flags)))
		virtio_mmio_broken(m);
	else if (!(flags & 1)) /* VIRTQ_AVAIL_F_NO_INTERRUPT */
		raise(m, 1);
}

void virtio_mmio_signal_used(struct virtio_mmio *m)
{
	if (m->state.status & VIRTIO_STATUS_DRIVER_OK)
		raise(m, 1);
}

static bool queue_plausible(const struct virtqueue_state *q)
{
	uint64_t end;

	return q->size && q->size <= VIRTQUEUE_SIZE_MAX && !(q->size & (q->size - 1)) &&
	       !(q->desc & 15) && !(q->avail & 1) && !(q->used & 3) &&
	       sum_fits(q->desc, 16ul * q->size, &end) &&
	       sum_fits(q->avail, 6 + 2ul * q->size, &end) &&
	       sum_fits(q->used, 6 + 8ul * q->size, &end);
}

static void reset(struct virtio_mmio *m)
{
	m->state = (struct virtio_state){0};
	m->class->reset(m);
	update_line(m);
}

static void write_status(struct virtio_mmio *m, uint32_t value)
{
	struct virtio_state *s = &m->state;
	bool was_ok = s->status & VIRTIO_STATUS_DRIVER_OK;

	if (!value) {
		reset(m);
		return;
	}
	value &= 0xff & ~VIRTIO_STATUS_NEEDS_RESET;
	if ((value & ~s->status & VIRTIO_STATUS_FEATURES_OK) &&
	    ((s->driver_features & ~m->class->features) ||
	     !(s->driver_features & VIRTIO_F_VERSION_1)))
		value &= ~VIRTIO_STATUS_FEATURES_OK;
	if (!((value | s->status) & VIRTIO_STATUS_FEATURES_OK))
		value &= ~VIRTIO_STATUS_DRIVER_OK;
	s->status |= value; /* bits only come; a reset takes them away */
	if (!was_ok && (s->status & VIRTIO_STATUS_DRIVER_OK))
		m->class->driver_ok(m);
}

/* Half of desc, avail or used. */
static void set_half(uint64_t *address, bool high, uint32_t value)
{
	if (high)
		*address = (*address & UINT32_MAX) | (uint64_t)value << 32;
	else
		*address = (*address & ~(uint64_t)UINT32_MAX) | value;
}

static void write_queue(struct virtio_mmio *m, unsigned offset, uint32_t value)
{
	struct virtqueue_state *q;

	if (m->state.queue_sel >= m->class->queue_count)
		return;
	q = &m->state.queue[m->state.queue_sel];
	if (offset == REG_QUEUE_READY) {
		if (!(value & 1)) {
			q->ready = 0;
		} else if (!q->ready && queue_plausible(q)) {
			q->last_avail = 0;
			q->used_idx = 0;
			q->ready = 1;
			m->class->queue_started(m, m->state.queue_sel);
		}
		return;
	}
	if (q->ready)
		return;
	if (offset == REG_QUEUE_NUM)
		q->size = (uint16_t)(value <= VIRTQUEUE_SIZE_MAX ? value : 0);
	else if ((offset & ~4u) == 0x80)
		set_half(&q->desc, offset & 4, value);
	else if ((offset & ~4u) == 0x90)
		set_half(&q->avail, offset & 4, value);
	else if ((offset & ~4u) == 0xa0)
		set_half(&q->used, offset & 4, value);
}

static void reg_write(struct virtio_mmio *m, unsigned offset, uint32_t value)
{
	struct virtio_state *s = &m->state;

	switch (offset) {
	case REG_DEVICE_FEATURES_SEL:
		s->device_features_sel = value;
		break;
	case REG_DRIVER_FEATURES:
		if (!(s->status & VIRTIO_STATUS_FEATURES_OK) && s->driver_features_sel < 2)
			set_half(&s->driver_features, s->driver_features_sel, value);
		break;
	case REG_DRIVER_FEATURES_SEL:
		s->driver_features_sel = value;
		break;
	case REG_QUEUE_SEL:
		s->queue_sel = value;
		break;
	case REG_QUEUE_NOTIFY:
		if (value < m->class->queue_count && virtqueue_usable(m, value))
			m->class->notify(m, value);
		break;
	case REG_INTERRUPT_ACK:
		acknowledge(m, value);
		break;
	case REG_STATUS:
		write_status(m, value);
		break;
	default:
		if (offset == REG_QUEUE_NUM || offset == REG_QUEUE_READY ||
		    (offset >= REG_QUEUE_DESC_LOW && offset <= REG_QUEUE_USED_HIGH))
			write_queue(m, offset, value);
		break;
	}
}

static uint32_t reg_read(const struct virtio_mmio *m, unsigned offset)
{
	const struct virtio_state *s = &m->state;
	bool queue_exists = s->queue_sel < m->class->queue_count;

	switch (offset) {
	case REG_MAGIC:
		return MAGIC;
	case REG_VERSION:
		return VERSION;
	case REG_DEVICE_ID:
		return m->class->device_id;
	case REG_VENDOR_ID:
		return VENDOR;
	case REG_DEVICE_FEATURES:
		return s->device_features_sel < 2
			       ? (uint32_t)(m->class->features >> 32 * s->device_features_sel)
			       : 0;
	case REG_QUEUE_NUM_MAX:
		return queue_exists ? VIRTQUEUE_SIZE_MAX : 0;
	case REG_QUEUE_READY:
		return queue_exists ? s->queue[s->queue_sel].ready : 0;
	case REG_INTERRUPT_STATUS:
		return s->isr;
	case REG_STATUS:
		return s->status;
	case REG_CONFIG_GENERATION:
		return s->config_generation;
	default:
		/* No shared memory region: length and base are all ones. */
		return offset >= REG_SHM_LEN_LOW && offset <= REG_SHM_BASE_HIGH ? UINT32_MAX : 0;
	}
}

void virtio_mmio_init(struct virtio_mmio *m, const struct virtio_class *class,
		      struct guest_memory memory, void *ctx, void (*line)(void *ctx, bool level))
{
	*m = (struct virtio_mmio){.class = class, .memory = memory, .ctx = ctx, .line = line};
}

void virtio_mmio_access(struct virtio_mmio *m, uint64_t offset, unsigned size, bool write,
			uint64_t *value)
{
	bool aligned = (size == 1 || size == 2 || size == 4 || size == 8) && !(offset & (size - 1));

	if (!write)
		*value = 0;
	if (!aligned || offset >= VIRTIO_MMIO_SLOT_SIZE)
		return;
	if (offset >= REG_CONFIG) {
		if (!write)
			m->class->config_read(m, (unsigned)offset - REG_CONFIG, value, size);
	} else if (size == 4) {
		if (write)
			reg_write(m, (unsigned)offset, (uint32_t)*value);
		else
			*value = reg_read(m, (unsigned)offset);
	}
}

void virtio_mmio_empty(uint64_t offset, unsigned size, bool write, uint64_t *value)
{
	if (write)
		return;
	*value = 0;
	if (size != 4)
		return;
	if (offset == REG_MAGIC)
		*value = MAGIC;
	else if (offset == REG_VERSION)
		*value = VERSION;
	else if (offset == REG_VENDOR_ID)
		*value = VENDOR;
}

void virtio_mmio_load(struct virtio_mmio *m, const struct virtio_state *from)
{
	m->state = *from;
	for (unsigned i = 0; i < VIRTIO_QUEUE_MAX; i++) {
		struct virtqueue_state *q = &m->state.queue[i];

		if (q->ready && !queue_plausible(q))
			q->ready = 0;
	}
	update_line(m);
}
