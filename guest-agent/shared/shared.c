/* SPDX-License-Identifier: MIT */
/*
 * shared.c - waiting and ringing, for all that lives in a shared region.
 * Must never wait without a bound: who should ring may be dead.
 */
#include "shared/shared.h"

#define SPINS 4    /* looks before others are let run: who is waited for may want this very CPU */
#define YIELDS 100 /* times they are, before sleeping: a sleeper takes long to wake up */

bool shared_late(const struct shared_view *view, uint64_t deadline)
{
	return deadline != SHARED_FOREVER && view->calls->now(view->context) >= deadline;
}

void shared_bell(const struct shared_view *view, uint32_t member, uint64_t flags)
{
	if (view->calls->ring)
		view->calls->ring(view->context, member, flags);
}

void shared_bell_acknowledge(const struct shared_view *view, uint64_t flags)
{
	if (view->calls->acknowledge)
		view->calls->acknowledge(view->context, flags);
}

bool shared_rest_sleeps(const struct shared_view *view, struct shared_rest *rest)
{
	return view->calls->wait && rest->rounds >= SPINS + YIELDS;
}

void shared_rest(const struct shared_view *view, struct shared_rest *rest, uint64_t flags,
		 uint64_t deadline)
{
	if (shared_rest_sleeps(view, rest)) {
		uint64_t poll = view->poll_ticks ? view->poll_ticks : SHARED_POLL_DEFAULT;
		uint64_t until = view->calls->now(view->context) + poll;

		view->calls->wait(view->context, flags, until < deadline ? until : deadline);
		return;
	}
	if (rest->rounds >= SPINS)
		view->calls->yield(view->context);
	if (rest->rounds < SPINS + YIELDS)
		rest->rounds++;
}
