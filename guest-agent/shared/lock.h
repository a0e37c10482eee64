/* SPDX-License-Identifier: MIT */
/*
 * lock.h - a ticket lock in shared memory that survives its holder and its waiters.
 *
 * Tickets are served in order. Each ticket is a word of the queue that says whose it is: member and epoch. So whoever
 * waits sees when the ticket being served is of a member that died, was restarted, or went back in time, holder and
 * waiter alike, and passes it: by one compare-and-swap of `serving`, so exactly one does. The first living one behind
 * it gets SHARED_DIED from shared_lock_acquire(), as EOWNERDEAD from a robust mutex: the data may be half changed. It
 * mends the data and calls shared_lock_consistent(); if it does not, the next one is told, too.
 *
 * A holder that was paused or starved keeps the lock: it goes on. A holder that went back in time lost it: its
 * shared_lock_store() stores nothing, shared_lock_release() says SHARED_LOST. Plain stores to the protected data
 * cannot be held back: who can be restored inside the lock changes data by shared_lock_store() only.
 */
#pragma once

#include "shared/shared.h"

#define SHARED_LOCK_QUEUE 64 /* tickets that can be out at a time, those of past lives included */

/* In the region; all zero: free. 8-byte aligned. */
struct shared_lock {
	_Atomic uint64_t serving; /* ticket << 8 | SHARED_LOCK_* */
	_Atomic uint64_t next; /* a hint: the next ticket to give out, or one that is out already */
	_Atomic uint64_t sleepers;  /* a bit per member that waits for a doorbell */
	_Atomic uint64_t takeovers; /* how often a dead one was passed, by any member; for people */
	_Atomic uint64_t queue
		[SHARED_LOCK_QUEUE]; /* (ticket + 1) << 32 | (member + 1) << 24 | epoch; 0: none yet */
};
_Static_assert(sizeof(struct shared_lock) == 32 + 8 * SHARED_LOCK_QUEUE, "layout");
_Static_assert(AV_REGION_MEMBERS <= 64, "a bit per member");

#define SHARED_LOCK_OWNER_DIED 1u

/* The holder's own: not in the region. */
struct shared_hold {
	uint64_t ticket;
	uint32_t epoch;
	bool consistent;
};

/*
 * Take the lock; wait until now() is at the deadline. SHARED_OK; SHARED_DIED: taken, too; SHARED_TIMEOUT;
 * SHARED_CORRUPT: this is no lock. Acquire order. Not recursive.
 */
int shared_lock_acquire(const struct shared_view *view, struct shared_lock *lock,
			struct shared_hold *hold, uint64_t deadline);

/* The data is whole again after SHARED_DIED. */
void shared_lock_consistent(struct shared_hold *hold);

/* Store into the protected data, unless the lock was lost by a restore: SHARED_OK or SHARED_LOST. */
int shared_lock_store(const struct shared_view *view, const struct shared_hold *hold,
		      _Atomic uint64_t *at, uint64_t value);

/*
 * Give it up; rings the doorbell of the next one when that sleeps. Release order. SHARED_LOST: it was not the
 * caller's any more; what it did since is another life's business.
 */
int shared_lock_release(const struct shared_view *view, struct shared_lock *lock,
			const struct shared_hold *hold);

/* Does a living member hold it? For diagnosis: old when you read it. */
bool shared_lock_is_held(const struct shared_view *view, const struct shared_lock *lock);
