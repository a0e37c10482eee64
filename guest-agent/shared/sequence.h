/* SPDX-License-Identifier: MIT */
/*
 * sequence.h - a sequence lock: readers take nothing and write nothing, they copy and look whether it held still.
 *
 * For words that are read often and written as a whole. Writers exclude each other with the lock of lock.h; one that
 * dies in the middle leaves the count odd: readers are told SHARED_DIED instead of waiting for ever, and the next
 * write mends it. A writer that went back in time writes nothing more.
 */
#pragma once

#include "shared/lock.h"

/* In the region; all zero: the words next to it are valid as they are. */
struct shared_sequence {
	struct shared_lock lock;
	_Atomic uint64_t count; /* odd: somebody writes, or died doing so */
};

/* All `count` words of `to` become those of `from`. SHARED_OK, _TIMEOUT (nothing changed), _LOST (the caller's past life wrote). */
int shared_sequence_write(const struct shared_view *view, struct shared_sequence *sequence,
			  _Atomic uint64_t *to, const uint64_t *from, size_t count,
			  uint64_t deadline);

/*
 * A copy of all words as one write left them: SHARED_OK. SHARED_DIED: the writer is dead, the words are torn and `to`
 * is void. SHARED_TIMEOUT. Needs no right to write to the region.
 */
int shared_sequence_read(const struct shared_view *view, const struct shared_sequence *sequence,
			 const _Atomic uint64_t *from, uint64_t *to, size_t count,
			 uint64_t deadline);
