/* SPDX-License-Identifier: MIT */
/*
 * event.c - the events of each VM in a ring of its own, so that a VM that floods its own loses nobody else's; read as
 * one sequence. A leaf lock; never waits for a reader.
 */
#include "core/event.h"
#include <avisor/manifest.h>
#include "arch/lock.h"
#include "core/string.h"
#include "core/time.h"
#include "core/types.h"

#define EVENT_RING 256 /* of each VM, and of none */

_Static_assert(sizeof(((struct av_event *)0)->text) == 24 &&
		       offsetof(struct av_event, text) % 8 == 0,
	       "cleared by words");

static struct av_event rings[AV_VM_MAX + 1][EVENT_RING];
static uint64_t counts[AV_VM_MAX + 1]; /* ever added */
static uint64_t last_sequence;         /* of all: the first event has 1 */
static struct spinlock lock;

static __attribute__((noinline)) void add_with_text(struct av_event *event, const char *text)
{
	memcpy(event->text, text, strnlen(text, sizeof(event->text) - 1));
	spin_unlock(&lock);
}

/* Part of every take and restore: no call that makes registers be saved. */
void event_add(enum av_event_kind kind, uint32_t vm, uint64_t a, uint64_t b, const char *text)
{
	uint32_t ring = vm < AV_VM_MAX ? vm : AV_VM_MAX;
	struct av_event *event;

	spin_lock(&lock);
	event = &rings[0][ring * EVENT_RING + counts[ring]++ % EVENT_RING];
	((uint64_t *)event->text)[0] = ((uint64_t *)event->text)[1] = ((uint64_t *)event->text)[2] =
		0;
	event->sequence = ++last_sequence;
	event->time_ns = counter_now(); /* ticks as long as it is in the ring */
	event->kind = kind;
	event->vm = vm;
	event->a = a;
	event->b = b;
	if (text && text[0])
		add_with_text(event, text);
	else
		spin_unlock(&lock);
}

/* The place (in counts' numbers) of a ring's first event from sequence on. lock held. */
static uint64_t first_from(uint32_t ring, uint64_t sequence)
{
	uint64_t high = counts[ring], low = high > EVENT_RING ? high - EVENT_RING : 0;

	while (low < high) {
		uint64_t middle = (low + high) / 2;

		if (rings[ring][middle % EVENT_RING].sequence < sequence)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

__attribute__((cold)) unsigned event_read(uint64_t sequence, struct av_event *to, unsigned count,
					  uint64_t *next, uint64_t *lost)
{
	uint64_t at[ARRAY_SIZE(rings)], asked = sequence ? sequence : 1;
	unsigned done = 0;

	spin_lock(&lock);
	for (unsigned i = 0; i < ARRAY_SIZE(rings); i++)
		at[i] = first_from(i, asked);
	*next = asked > last_sequence ? asked : last_sequence + 1;
	while (done < count) {
		const struct av_event *oldest = NULL;
		unsigned from = 0;

		for (unsigned i = 0; i < ARRAY_SIZE(rings); i++) {
			const struct av_event *event = &rings[i][at[i] % EVENT_RING];

			if (at[i] < counts[i] && (!oldest || event->sequence < oldest->sequence)) {
				oldest = event;
				from = i;
			}
		}
		if (!oldest)
			break;
		to[done] = *oldest;
		to[done++].time_ns = ticks_to_ns(oldest->time_ns - counter_start);
		at[from]++;
	}
	if (done && done == count)
		*next = to[done - 1].sequence + 1;
	spin_unlock(&lock);
	*lost = *next - asked - done;
	return done;
}

uint64_t event_next(void)
{
	return last_sequence + 1;
}
