/* SPDX-License-Identifier: MIT */
/*
 * shared.h - what the library over a shared region stands on: who I am, who lives, how to wait.
 *
 * Plain C11 with atomics: no libc, no allocation, no system call of its own. The caller gives a view of the region:
 * the state table that EL2 writes, its own member number, and the calls to wait and to ring (from bare metal:
 * baremetal/region.h; on Linux or on the host: anything that does the same).
 *
 * Epochs. A member's epoch is its VM's generation in the state table. It grows when the VM is restored, restarted or
 * started, before the first instruction it executes then. What one of its lives wrote into the region under one
 * epoch is told by that from what another life writes, and a life that is over is seen by everybody.
 *
 * A VM that goes back in time goes on in the middle of something, with old values in its registers. It cannot know
 * until it looks. So this library changes memory that others rely on only by a compare-and-swap from the very value
 * it saw, or by shared_store(), which stores nothing in an epoch that is over.
 *
 * All memory objects (lock, ring, mailbox, heap) are valid when they are zero: nobody has to be first.
 * One context (vCPU, thread) of a member uses an object at a time; several take a lock of their own around it.
 * Whatever other members write, no call here reads or writes outside the object it was given.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <avisor/region.h>

/* What calls return. Negative: it was not done. */
enum shared_status {
	SHARED_OK = 0,
	SHARED_DIED =
		1, /* done, and the data is as a dead member left it: look at it, then say so */
	SHARED_LOST =
		-1, /* this member went back in time, or was taken for dead: another life goes on */
	SHARED_TIMEOUT = -2, /* the deadline came first */
	SHARED_INVALID = -3, /* an argument is out of range */
	SHARED_CORRUPT = -4, /* what stands in the region cannot be */
	SHARED_FULL = -5,    /* no room now */
	SHARED_EMPTY = -6,   /* nothing there now */
	SHARED_PEER = -7,    /* the other side is not there, or started anew: told once */
	SHARED_NOT_FOUND = -8,
};

#define SHARED_FOREVER UINT64_MAX
#define SHARED_NOW 0 /* a deadline: do not wait */

/* Doorbell flags this library rings; 0 to 55 are the guest's own. */
#define SHARED_FLAG_LOCK (1ull << 62)
#define SHARED_FLAG_RING (1ull << 61)
#define SHARED_FLAG_MAILBOX (1ull << 60)

/* Where shared_view.calls leads. ring, wait and acknowledge are all there, or all NULL: then waiting is yielding. */
struct shared_calls {
	uint64_t (*now)(void *context); /* ticks, growing */
	void (*yield)(void *context);   /* let others run */
	void (*ring)(void *context, uint32_t member, uint64_t flags);
	/* Until one of the flags is pending, or now() is at the deadline; may return early. Clears nothing. */
	void (*wait)(void *context, uint64_t flags, uint64_t deadline);
	void (*acknowledge)(void *context, uint64_t flags); /* clears own pending flags */
};

struct shared_view {
	const volatile struct av_region_state *table; /* read-only, written by EL2 */
	const struct shared_calls *calls;
	void *context;       /* of the calls */
	uint64_t poll_ticks; /* the longest sleep without a look who died; 0: SHARED_POLL_DEFAULT */
	uint32_t self;       /* own member number */
};

/* A tool that explores interleavings is told before each access to memory that others see. */
#ifdef SHARED_STEP
void shared_step(void);
#else
static inline void shared_step(void)
{
}
#endif

/* One load: state and generation of a member belong together. */
static inline uint64_t shared_member_word(const struct shared_view *view, uint32_t member)
{
	shared_step();
	return __atomic_load_n(&view->table->member[member], __ATOMIC_SEQ_CST);
}

#define SHARED_EPOCH_MASK 0xffffffu

/* Own epoch now. */
static inline uint32_t shared_epoch(const struct shared_view *view)
{
	return (uint32_t)(shared_member_word(view, view->self) >> 8) & SHARED_EPOCH_MASK;
}

/* Does that life of the member go on? Once false it stays so: a VM that runs again has another epoch. */
static inline bool shared_alive(const struct shared_view *view, uint32_t member, uint32_t epoch)
{
	uint64_t word;

	if (member >= AV_REGION_MEMBERS)
		return false;
	word = shared_member_word(view, member);
	return ((uint32_t)(word >> 8) & SHARED_EPOCH_MASK) == epoch && av_member_lives(word);
}

/*
 * Store value at `at` (release) if the caller's epoch is still this one; false: it is over and nothing was stored.
 * A restore can fall before or behind it, not into it: on AArch64 it is one exclusive pair, which an exception
 * between the two breaks. (The load between them is what the architecture advises against: it can make a try
 * fail, not succeed wrongly.)
 */
static inline bool shared_store(const struct shared_view *view, uint32_t epoch,
				_Atomic uint64_t *at, uint64_t value)
{
#ifdef __aarch64__
	uint64_t seen;
	uint32_t failed;

	__asm__ volatile("1:	ldaxr	%x[seen], %[at]\n"
			 "	ldr	%x[seen], %[word]\n"
			 "	ubfx	%x[seen], %x[seen], #8, #24\n"
			 "	cmp	%w[seen], %w[epoch]\n"
			 "	b.ne	2f\n"
			 "	stlxr	%w[failed], %x[value], %[at]\n"
			 "	cbnz	%w[failed], 1b\n"
			 "	b	3f\n"
			 "2:	clrex\n"
			 "	mov	%w[failed], #1\n"
			 "3:\n"
			 : [seen] "=&r"(seen), [failed] "=&r"(failed), [at] "+Q"(*at)
			 : [word] "Q"(view->table->member[view->self]), [epoch] "r"(epoch),
			   [value] "r"(value)
			 : "memory", "cc");
	return !failed;
#else
	if (shared_epoch(view) != epoch) /* no time travel between these two outside a VM */
		return false;
	__atomic_store_n((uint64_t *)at, value, __ATOMIC_SEQ_CST);
	return true;
#endif
}

static inline uint64_t shared_load(const _Atomic uint64_t *at)
{
	shared_step();
	return atomic_load_explicit(at, memory_order_seq_cst);
}

static inline bool shared_swap(_Atomic uint64_t *at, uint64_t from, uint64_t to)
{
	shared_step();
	return atomic_compare_exchange_strong_explicit(at, &from, to, memory_order_seq_cst,
						       memory_order_seq_cst);
}

/* What was read before this was read before what is read behind it. */
static inline void shared_reads_done(void)
{
#ifdef __aarch64__
	__asm__ volatile("dmb ishld" : : : "memory");
#else
	__asm__ volatile("" : : : "memory"); /* x86 keeps loads in order */
#endif
}

#define SHARED_POLL_DEFAULT 312500 /* 5 ms of QEMU's 62.5 MHz */

/*
 * How one waits: look again at once for a while, then let others run, then sleep until a doorbell rings. Set to 0
 * before the first round.
 */
struct shared_rest {
	uint32_t rounds;
};

/* True when the next rest would sleep: announce yourself to whoever shall ring, and look once more. */
bool shared_rest_sleeps(const struct shared_view *view, struct shared_rest *rest);

/* One round; sleeping ends with a flag, at the deadline, or after poll_ticks. */
void shared_rest(const struct shared_view *view, struct shared_rest *rest, uint64_t flags,
		 uint64_t deadline);

bool shared_late(const struct shared_view *view, uint64_t deadline);
void shared_bell(const struct shared_view *view, uint32_t member, uint64_t flags);
void shared_bell_acknowledge(const struct shared_view *view, uint64_t flags);
