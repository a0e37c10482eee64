/* SPDX-License-Identifier: MIT */
/* lock.h - the fake machine has one thread: a lock that is taken twice is a bug. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct spinlock {
	uint32_t held;
};

void fake_lock_misused(const struct spinlock *lock);

static inline bool spin_trylock(struct spinlock *lock)
{
	if (lock->held)
		return false;
	lock->held = 1;
	return true;
}

static inline void spin_lock(struct spinlock *lock)
{
	if (!spin_trylock(lock))
		fake_lock_misused(lock);
}

static inline void spin_unlock(struct spinlock *lock)
{
	if (!lock->held)
		fake_lock_misused(lock);
	lock->held = 0;
}
