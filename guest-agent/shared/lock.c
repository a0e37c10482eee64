/* SPDX-License-Identifier: MIT */
/*
 * lock.c - the ticket lock of lock.h. Must never change `serving` but from the value it judged: that is what makes a
 * takeover happen once.
 */
#include "shared/lock.h"

#define ABANDONED \
	0xf0u /* a member number: its ticket is nobody's, and nothing was changed under it */
#define TRIES 100000u /* of one step that only others' progress can make fail */

static uint64_t ticket_of(uint64_t serving)
{
	return serving >> 8;
}

static uint64_t entry(uint64_t ticket, uint32_t member, uint32_t epoch)
{
	return (ticket + 1) << 32 | (uint64_t)(member + 1) << 24 | (epoch & SHARED_EPOCH_MASK);
}

static bool entry_is(uint64_t word, uint64_t ticket)
{
	return word && (uint32_t)(word >> 32) == (uint32_t)(ticket + 1);
}

static uint32_t entry_member(uint64_t word)
{
	return ((uint32_t)(word >> 24) & 0xff) - 1;
}

static _Atomic uint64_t *slot(struct shared_lock *lock, uint64_t ticket)
{
	return &lock->queue[ticket % SHARED_LOCK_QUEUE];
}

/* The one with this ticket, if there is one and it sleeps, wakes up. */
static void wake(const struct shared_view *view, struct shared_lock *lock, uint64_t ticket)
{
	uint64_t word = shared_load(slot(lock, ticket));
	uint32_t member = entry_member(word);

	if (entry_is(word, ticket) && member < AV_REGION_MEMBERS && member != view->self &&
	    (shared_load(&lock->sleepers) >> member & 1))
		shared_bell(view, member, SHARED_FLAG_LOCK);
}

/* The ticket that is served, from `serving` as it was seen, is over; the next one's turn. */
static bool pass(const struct shared_view *view, struct shared_lock *lock, uint64_t serving,
		 uint8_t flags)
{
	if (!shared_swap(&lock->serving, serving, (ticket_of(serving) + 1) << 8 | flags))
		return false;
	wake(view, lock, ticket_of(serving) + 1);
	return true;
}

/* A free word of the queue becomes ours: that is a ticket, and everybody can see whose. */
static int take_ticket(const struct shared_view *view, struct shared_lock *lock, uint32_t epoch,
		       uint64_t *ticket)
{
	for (unsigned int i = 0; i < TRIES; i++) {
		uint64_t head = ticket_of(shared_load(&lock->serving));
		uint64_t next = shared_load(&lock->next), word;
		uint64_t at = next > head ? next : head;

		if (at - head >= SHARED_LOCK_QUEUE)
			return SHARED_FULL;
		word = shared_load(slot(lock, at));
		if (entry_is(word, at)) {
			shared_swap(&lock->next, next,
				    at + 1); /* its taker has not come so far yet */
			continue;
		}
		if (at < SHARED_LOCK_QUEUE ? word != 0 : !entry_is(word, at - SHARED_LOCK_QUEUE))
			continue; /* we are late: others went on */
		if (!shared_swap(slot(lock, at), word, entry(at, view->self, epoch)))
			continue;
		shared_swap(&lock->next, next, at + 1);
		*ticket = at;
		return SHARED_OK;
	}
	return SHARED_CORRUPT;
}

/*
 * Look at who is served; pass it when it is dead. A ticket in our name that we did not draw in this life is of a
 * past one, whatever its epoch: numbers of members are used again.
 */
static void look_at_head(const struct shared_view *view, struct shared_lock *lock, uint64_t serving,
			 const uint64_t *own)
{
	uint64_t head = ticket_of(serving), word = shared_load(slot(lock, head));
	uint32_t member = entry_member(word);

	if (!entry_is(word, head))
		return;
	if (member == ABANDONED) {
		pass(view, lock, serving, (uint8_t)serving);
		return;
	}
	if (member == view->self ? own && *own == head
				 : shared_alive(view, member, (uint32_t)word & SHARED_EPOCH_MASK))
		return;
	if (pass(view, lock, serving, SHARED_LOCK_OWNER_DIED))
		atomic_fetch_add_explicit(&lock->takeovers, 1, memory_order_relaxed);
}

/* Sleep or spin, unless the ticket served changes meanwhile. */
static void rest(const struct shared_view *view, struct shared_lock *lock,
		 struct shared_rest *state, uint64_t serving, uint64_t deadline)
{
	uint64_t bit = 1ull << view->self;

	if (!shared_rest_sleeps(view, state)) {
		shared_rest(view, state, SHARED_FLAG_LOCK, deadline);
		return;
	}
	shared_bell_acknowledge(view, SHARED_FLAG_LOCK);
	shared_step();
	atomic_fetch_or_explicit(&lock->sleepers, bit, memory_order_seq_cst);
	if (shared_load(&lock->serving) == serving)
		shared_rest(view, state, SHARED_FLAG_LOCK, deadline);
	shared_step();
	atomic_fetch_and_explicit(&lock->sleepers, ~bit, memory_order_seq_cst);
}

/* SHARED_LOST: the ticket is void, draw another one. */
static int wait_turn(const struct shared_view *view, struct shared_lock *lock,
		     const struct shared_hold *hold, uint64_t deadline)
{
	struct shared_rest state = {0};

	for (;;) {
		uint64_t serving = shared_load(&lock->serving);

		if (shared_epoch(view) != hold->epoch || ticket_of(serving) > hold->ticket)
			return SHARED_LOST;
		if (ticket_of(serving) == hold->ticket)
			return serving & SHARED_LOCK_OWNER_DIED ? SHARED_DIED : SHARED_OK;
		look_at_head(view, lock, serving, &hold->ticket);
		if (shared_load(&lock->serving) != serving)
			continue;
		if (shared_late(view, deadline))
			return SHARED_TIMEOUT;
		rest(view, lock, &state, serving, deadline);
	}
}

/* Others pass an abandoned ticket when its turn comes; if it has come, we do. */
static void abandon(const struct shared_view *view, struct shared_lock *lock,
		    const struct shared_hold *hold)
{
	uint64_t serving;

	if (!shared_swap(slot(lock, hold->ticket), entry(hold->ticket, view->self, hold->epoch),
			 entry(hold->ticket, ABANDONED, 0)))
		return;
	serving = shared_load(&lock->serving);
	if (ticket_of(serving) == hold->ticket)
		pass(view, lock, serving, (uint8_t)serving);
}

int shared_lock_acquire(const struct shared_view *view, struct shared_lock *lock,
			struct shared_hold *hold, uint64_t deadline)
{
	struct shared_rest full = {0};

	for (;;) {
		uint64_t serving = shared_load(&lock->serving);
		int status;

		look_at_head(view, lock, serving, NULL);
		*hold = (struct shared_hold){.epoch = shared_epoch(view)};
		if (deadline == SHARED_NOW && shared_lock_is_held(view, lock))
			return SHARED_TIMEOUT;
		status = take_ticket(view, lock, hold->epoch, &hold->ticket);
		if (status == SHARED_FULL) {
			if (shared_late(view, deadline))
				return SHARED_TIMEOUT;
			if (shared_rest_sleeps(view, &full))
				shared_bell_acknowledge(view, SHARED_FLAG_LOCK);
			shared_rest(view, &full, SHARED_FLAG_LOCK, deadline);
			continue;
		}
		if (status)
			return status;
		status = wait_turn(view, lock, hold, deadline);
		if (status == SHARED_TIMEOUT)
			abandon(view, lock, hold);
		if (status != SHARED_LOST)
			return status;
	}
}

void shared_lock_consistent(struct shared_hold *hold)
{
	hold->consistent = true;
}

int shared_lock_store(const struct shared_view *view, const struct shared_hold *hold,
		      _Atomic uint64_t *at, uint64_t value)
{
	return shared_store(view, hold->epoch, at, value) ? SHARED_OK : SHARED_LOST;
}

int shared_lock_release(const struct shared_view *view, struct shared_lock *lock,
			const struct shared_hold *hold)
{
	uint64_t serving = shared_load(&lock->serving);
	uint8_t flags = hold->consistent ? 0 : (uint8_t)serving;

	if (shared_epoch(view) != hold->epoch || ticket_of(serving) != hold->ticket)
		return SHARED_LOST;
	return pass(view, lock, serving, flags) ? SHARED_OK : SHARED_LOST;
}

bool shared_lock_is_held(const struct shared_view *view, const struct shared_lock *lock)
{
	uint64_t head = ticket_of(shared_load(&lock->serving));
	uint64_t word = shared_load(&lock->queue[head % SHARED_LOCK_QUEUE]);

	return entry_is(word, head) &&
	       shared_alive(view, entry_member(word), (uint32_t)word & SHARED_EPOCH_MASK);
}
