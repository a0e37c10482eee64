/* SPDX-License-Identifier: MIT */
/* event.c - the event ring. A leaf lock; never waits for a reader. */
#include "core/event.h"
#include "arch/lock.h"
#include "core/string.h"
#include "core/time.h"

#define EVENT_RING 1024

_Static_assert(sizeof(((struct av_event *)0)->text) == 24 && offsetof(struct av_event, text) % 8 == 0, "cleared by words");

static struct av_event ring[EVENT_RING];
static uint64_t next_sequence = 1;
static struct spinlock lock;

void event_add(enum av_event_kind kind, uint32_t vm, uint64_t a, uint64_t b, const char *text)
{
	struct av_event *event;

	spin_lock(&lock);
	event = &ring[next_sequence % EVENT_RING];
	((uint64_t *)event->text)[0] = ((uint64_t *)event->text)[1] = ((uint64_t *)event->text)[2] = 0;
	event->sequence = next_sequence++;
	event->time_ns = counter_now(); /* ticks as long as it is in the ring */
	event->kind = kind;
	event->vm = vm;
	event->a = a;
	event->b = b;
	if (text && text[0])
		memcpy(event->text, text, strnlen(text, sizeof(event->text) - 1));
	spin_unlock(&lock);
}

unsigned event_read(uint64_t sequence, struct av_event *to, unsigned count, uint64_t *next, uint64_t *lost)
{
	unsigned done = 0;
	uint64_t oldest;

	spin_lock(&lock);
	oldest = next_sequence > EVENT_RING ? next_sequence - EVENT_RING : 1;
	if (sequence == 0)
		sequence = 1;
	*lost = sequence < oldest ? oldest - sequence : 0;
	if (sequence < oldest)
		sequence = oldest;
	for (; done < count && sequence < next_sequence; sequence++, done++) {
		to[done] = ring[sequence % EVENT_RING];
		to[done].time_ns = ticks_to_ns(to[done].time_ns - counter_start);
	}
	*next = sequence;
	spin_unlock(&lock);
	return done;
}

uint64_t event_next(void)
{
	return next_sequence;
}
