/* SPDX-License-Identifier: MIT */
/* console_rig.h - a VM's RAM, a small driver for the virtio console, and the host's side of it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dev/vconsole.h"

#define RAM_BASE 0x40000000ul
#define RAM_SIZE 0x40000ul
#define QUEUE_SIZE 8u
#define BUFFER_SIZE 64u

#define DESC_NEXT 1u
#define DESC_WRITE 2u

#define QUEUE_AREA(q) (0x1000ul * (q)) /* desc, avail at + 0x800, used at + 0xc00 */
#define BUFFER(q, i) (0x10000ul + 0x1000ul * (q) + BUFFER_SIZE * (i))

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags;
	uint16_t next;
};

struct rig {
	struct vconsole c;
	uint8_t ram[RAM_SIZE];
	uint64_t ram_accesses;
	unsigned starve_in; /* that many writes from now, one finds no memory; 0: none does */
	bool starved;
	uint16_t used_seen[VIRTIO_QUEUE_MAX];
	bool line;
	unsigned rises;
	uint8_t out[2][4096];
	size_t out_size[2];
	size_t out_limit[2]; /* taken in all */
	bool guest_open[2];
	unsigned rooms[2];
};

static inline bool ram_read(void *ctx, uint64_t ipa, void *to, size_t size)
{
	struct rig *r = ctx;

	r->ram_accesses++;
	if (!range_within(ipa, size, RAM_BASE, RAM_SIZE))
		return false;
	memcpy(to, r->ram + (ipa - RAM_BASE), size);
	return true;
}

static inline bool ram_write(void *ctx, uint64_t ipa, const void *from, size_t size)
{
	struct rig *r = ctx;

	r->ram_accesses++;
	if (!range_within(ipa, size, RAM_BASE, RAM_SIZE))
		return false;
	if (r->starve_in && !--r->starve_in) {
		r->starved = true;
		return false;
	}
	memcpy(r->ram + (ipa - RAM_BASE), from, size);
	return true;
}

static inline bool rig_starved(void *ctx)
{
	return ((const struct rig *)ctx)->starved;
}

static inline size_t rig_out(void *ctx, unsigned port, const uint8_t *bytes, size_t size)
{
	struct rig *r = ctx;
	size_t room = r->out_limit[port] - r->out_size[port];
	size_t keep;

	if (size > room)
		size = room;
	keep = size < sizeof(r->out[port]) - r->out_size[port]
		       ? size
		       : sizeof(r->out[port]) - r->out_size[port];
	memcpy(r->out[port] + r->out_size[port], bytes, keep);
	r->out_size[port] += keep;
	return size;
}

static inline void rig_room(void *ctx, unsigned port)
{
	((struct rig *)ctx)->rooms[port]++;
}

static inline void rig_guest_open(void *ctx, unsigned port, bool open)
{
	((struct rig *)ctx)->guest_open[port] = open;
}

static inline void rig_line(void *ctx, bool level)
{
	struct rig *r = ctx;

	r->rises += level && !r->line;
	r->line = level;
}

static const struct vconsole_ops rig_ops = {
	.out = rig_out, .room = rig_room, .guest_open = rig_guest_open, .line = rig_line};

static inline void rig_init(struct rig *r)
{
	struct guest_memory memory = {
		.ctx = r, .read = ram_read, .write = ram_write, .starved = rig_starved};

	memset(r, 0, sizeof(*r));
	r->out_limit[0] = r->out_limit[1] = SIZE_MAX;
	vconsole_init(&r->c, memory, &rig_ops, r, "org.avisor.agent");
}

static inline void reg_write(struct rig *r, uint64_t offset, uint64_t value)
{
	vconsole_mmio(&r->c, offset, 4, true, &value);
}

static inline uint32_t reg_read(struct rig *r, uint64_t offset)
{
	uint64_t value = UINT64_MAX;

	vconsole_mmio(&r->c, offset, 4, false, &value);
	return (uint32_t)value;
}

static inline void put16(struct rig *r, uint64_t at, uint16_t value)
{
	memcpy(r->ram + at, &value, sizeof(value));
}

static inline uint16_t get16(const struct rig *r, uint64_t at)
{
	uint16_t value;

	memcpy(&value, r->ram + at, sizeof(value));
	return value;
}

static inline void put_descriptor(struct rig *r, unsigned q, unsigned i, struct descriptor d)
{
	memcpy(r->ram + QUEUE_AREA(q) + 16 * i, &d, sizeof(d));
}

/* Make chain head available; notify by hand. */
static inline void put_available(struct rig *r, unsigned q, unsigned head)
{
	uint64_t avail = QUEUE_AREA(q) + 0x800;
	uint16_t index = get16(r, avail + 2);

	put16(r, avail + 4 + 2 * (index % QUEUE_SIZE), (uint16_t)head);
	put16(r, avail + 2, (uint16_t)(index + 1));
}

static inline void notify(struct rig *r, unsigned q)
{
	reg_write(r, 0x050, q);
}

static inline void add_rx(struct rig *r, unsigned q, unsigned i)
{
	put_descriptor(r, q, i,
		       (struct descriptor){RAM_BASE + BUFFER(q, i), BUFFER_SIZE, DESC_WRITE, 0});
	put_available(r, q, i);
}

static inline void send_bytes(struct rig *r, unsigned q, unsigned i, const void *bytes, size_t size)
{
	memcpy(r->ram + BUFFER(q, i), bytes, size);
	put_descriptor(r, q, i, (struct descriptor){RAM_BASE + BUFFER(q, i), (uint32_t)size, 0, 0});
	put_available(r, q, i);
	notify(r, q);
}

static inline void send_control(struct rig *r, uint32_t id, uint16_t event, uint16_t value)
{
	uint8_t message[8];

	memcpy(message, &id, 4);
	memcpy(message + 4, &event, 2);
	memcpy(message + 6, &value, 2);
	send_bytes(r, 3, get16(r, QUEUE_AREA(3) + 0x802) % QUEUE_SIZE, message, sizeof(message));
}

/* The next used buffer of a queue: its length, bytes in out; -1 when there is none. */
static inline int take_used(struct rig *r, unsigned q, uint8_t out[BUFFER_SIZE])
{
	uint64_t used = QUEUE_AREA(q) + 0xc00;
	uint32_t entry[2];

	if (get16(r, used + 2) == r->used_seen[q])
		return -1;
	memcpy(entry, r->ram + used + 4 + 8 * (r->used_seen[q] % QUEUE_SIZE), sizeof(entry));
	r->used_seen[q]++;
	memcpy(out, r->ram + BUFFER(q, entry[0]), BUFFER_SIZE);
	return (int)entry[1];
}

static inline void setup_queue(struct rig *r, unsigned q, unsigned size)
{
	reg_write(r, 0x030, q);
	assert_int_equal(reg_read(r, 0x034), VIRTQUEUE_SIZE_MAX);
	reg_write(r, 0x038, size);
	reg_write(r, 0x080, RAM_BASE + QUEUE_AREA(q));
	reg_write(r, 0x090, RAM_BASE + QUEUE_AREA(q) + 0x800);
	reg_write(r, 0x0a0, RAM_BASE + QUEUE_AREA(q) + 0xc00);
	reg_write(r, 0x044, 1);
	assert_int_equal(reg_read(r, 0x044), 1);
}

/* Up to DRIVER_OK, receive queues full. */
static inline void start_driver(struct rig *r, bool multiport)
{
	reg_write(r, 0x070, 0);
	reg_write(r, 0x070, 1);
	reg_write(r, 0x070, 3);
	reg_write(r, 0x024, 0);
	reg_write(r, 0x020, multiport ? 2 : 0);
	reg_write(r, 0x024, 1);
	reg_write(r, 0x020, 1);
	reg_write(r, 0x070, 3 | 8);
	assert_true(reg_read(r, 0x070) & 8);
	for (unsigned q = 0; q < (multiport ? 6 : 2); q++) {
		setup_queue(r, q, QUEUE_SIZE);
		for (unsigned i = 0; i < QUEUE_SIZE && !(q & 1); i++)
			add_rx(r, q, i);
	}
	reg_write(r, 0x070, 3 | 8 | 4);
}

/* The next control message as ID << 32 | event << 16 | value, or 0; its buffer goes back to the device. */
static inline uint64_t take_control(struct rig *r, char name[BUFFER_SIZE])
{
	uint8_t message[BUFFER_SIZE];
	uint64_t all;
	int size = take_used(r, 2, message);

	if (size < 0)
		return 0;
	memcpy(&all, message, 8);
	memset(name, 0, BUFFER_SIZE);
	memcpy(name, message + 8, (size_t)size - 8);
	add_rx(r, 2, (unsigned)(r->used_seen[2] - 1) % QUEUE_SIZE);
	notify(r, 2);
	return (all & UINT32_MAX) << 32 | (all >> 32 & 0xffff) << 16 | all >> 48;
}

#define CONTROL(id, event, value) ((uint64_t)(id) << 32 | (event) << 16 | (value))
