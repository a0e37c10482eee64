/* SPDX-License-Identifier: MIT */
/*
 * shared_rig.h - a region's state table, members that are threads, and doorbells between them, for host tests of
 * guest-agent/shared.
 */
#pragma once

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "shared/shared.h"

#define RIG_MEMBERS 6
#define RIG_HZ 1000000000ull

struct rig;
struct rig_member {
	struct rig *rig;
	struct shared_view view;
	pthread_mutex_t lock;
	pthread_cond_t rung;
	uint64_t pending;
	uint64_t rings;
};

struct rig {
	_Alignas(4096) struct av_region_state table;
	struct rig_member members[RIG_MEMBERS];
};

static uint64_t rig_now(void *context)
{
	struct timespec t;

	(void)context;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * RIG_HZ + (uint64_t)t.tv_nsec;
}

static void rig_yield(void *context)
{
	(void)context;
	sched_yield();
}

static void rig_ring(void *context, uint32_t member, uint64_t flags)
{
	struct rig_member *to = &((struct rig_member *)context)->rig->members[member];

	pthread_mutex_lock(&to->lock);
	to->pending |= flags;
	to->rings++;
	pthread_cond_signal(&to->rung);
	pthread_mutex_unlock(&to->lock);
}

static void rig_wait(void *context, uint64_t flags, uint64_t deadline)
{
	struct rig_member *self = context;
	struct timespec until = {(time_t)(deadline / RIG_HZ), (long)(deadline % RIG_HZ)};

	pthread_mutex_lock(&self->lock);
	while (!(self->pending & flags))
		if (pthread_cond_timedwait(&self->rung, &self->lock, &until) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&self->lock);
}

static void rig_acknowledge(void *context, uint64_t flags)
{
	struct rig_member *self = context;

	pthread_mutex_lock(&self->lock);
	self->pending &= ~flags;
	pthread_mutex_unlock(&self->lock);
}

static const struct shared_calls rig_calls = {rig_now, rig_yield, rig_ring, rig_wait,
					      rig_acknowledge};
static const struct shared_calls rig_calls_without_bells = {rig_now, rig_yield, NULL, NULL, NULL};

static inline void rig_set(struct rig *rig, uint32_t member, uint64_t generation,
			   unsigned int state)
{
	__atomic_store_n(&rig->table.member[member], generation << 8 | state, __ATOMIC_SEQ_CST);
}

static inline uint64_t rig_generation(const struct rig *rig, uint32_t member)
{
	return av_member_generation(__atomic_load_n(&rig->table.member[member], __ATOMIC_SEQ_CST));
}

/* What the hypervisor does to the word of a VM that is restored or restarted. */
static inline void rig_next_life(struct rig *rig, uint32_t member)
{
	rig_set(rig, member, rig_generation(rig, member) + 1, AV_MEMBER_RUNNING);
}

static inline struct rig *rig_new(void)
{
	struct rig *rig = aligned_alloc(4096, (sizeof(struct rig) + 4095) / 4096 * 4096);
	pthread_condattr_t monotonic;

	assert_non_null(rig);
	memset(rig, 0, sizeof(*rig));
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < RIG_MEMBERS; i++) {
		struct rig_member *m = &rig->members[i];

		rig_set(rig, i, 7, AV_MEMBER_RUNNING);
		m->rig = rig;
		m->view = (struct shared_view){.table = &rig->table,
					       .calls = &rig_calls,
					       .context = m,
					       .poll_ticks = RIG_HZ / 200,
					       .self = i};
		pthread_mutex_init(&m->lock, NULL);
		pthread_cond_init(&m->rung, &monotonic);
	}
	return rig;
}

static inline void rig_free(struct rig *rig)
{
	for (uint32_t i = 0; i < RIG_MEMBERS; i++) {
		pthread_mutex_destroy(&rig->members[i].lock);
		pthread_cond_destroy(&rig->members[i].rung);
	}
	free(rig);
}

static inline uint64_t rig_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* How often: more under SOAK=1. */
static inline unsigned long rig_count(unsigned long normal, unsigned long soak)
{
	return getenv("SOAK") ? soak : normal;
}
