/* SPDX-License-Identifier: MIT */
/* lock.h - a ticketless spinlock: LDAXR/STXR, WFE while it is held, SEV implied by the release store's monitor event. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct spinlock {
	uint32_t held;
};

static inline bool spin_trylock(struct spinlock *lock)
{
	uint32_t old, failed;

	__asm__ volatile("1:	ldaxr	%w0, [%2]\n"
			 "	cbnz	%w0, 2f\n"
			 "	stxr	%w1, %w3, [%2]\n"
			 "	cbnz	%w1, 1b\n"
			 "2:"
			 : "=&r"(old), "=&r"(failed)
			 : "r"(&lock->held), "r"(1)
			 : "memory");
	return old == 0;
}

/* No call: what is in registers stays there. Who waits does so out of line; the unlock's store ends its WFE. */
static inline void spin_lock(struct spinlock *lock)
{
	uint32_t old;

	__asm__ volatile("1:	ldaxr	%w0, [%1]\n"
			 "	cbnz	%w0, 2f\n"
			 "	stxr	%w0, %w2, [%1]\n"
			 "	cbnz	%w0, 1b\n"
			 "	.subsection 1\n"
			 "2:	wfe\n"
			 "	b	1b\n"
			 "	.previous"
			 : "=&r"(old)
			 : "r"(&lock->held), "r"(1)
			 : "memory");
}

static inline void spin_unlock(struct spinlock *lock)
{
	__asm__ volatile("stlr wzr, [%0]" ::"r"(&lock->held) : "memory");
}
