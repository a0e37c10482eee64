/* SPDX-License-Identifier: MIT */
/* sequence.c - the sequence lock of sequence.h. A reader must never believe a copy whose count moved or was odd. */
#include "shared/sequence.h"

int shared_sequence_write(const struct shared_view *view, struct shared_sequence *sequence,
			  _Atomic uint64_t *to, const uint64_t *from, size_t count,
			  uint64_t deadline)
{
	struct shared_hold hold;
	int status = shared_lock_acquire(view, &sequence->lock, &hold, deadline);
	uint64_t odd;

	if (status < 0)
		return status;
	odd = (shared_load(&sequence->count) + 1) | 1;
	status = shared_lock_store(view, &hold, &sequence->count, odd);
	/* Each store is a release: nobody sees a word and not the odd count before it. */
	for (size_t i = 0; i < count && !status; i++)
		status = shared_lock_store(view, &hold, &to[i], from[i]);
	if (!status)
		status = shared_lock_store(view, &hold, &sequence->count, odd + 1);
	if (status)
		return status;
	shared_lock_consistent(&hold);
	shared_lock_release(view, &sequence->lock, &hold); /* lost or not: it is written */
	return SHARED_OK;
}

int shared_sequence_read(const struct shared_view *view, const struct shared_sequence *sequence,
			 const _Atomic uint64_t *from, uint64_t *to, size_t count,
			 uint64_t deadline)
{
	struct shared_rest rest = {0};

	for (;;) {
		uint64_t before = shared_load(&sequence->count);

		if (!(before & 1)) {
			for (size_t i = 0; i < count; i++)
				to[i] = atomic_load_explicit(&from[i], memory_order_acquire);
			if (shared_load(&sequence->count) == before)
				return SHARED_OK;
		} else if (!shared_lock_is_held(view, &sequence->lock) &&
			   shared_load(&sequence->count) == before) {
			return SHARED_DIED;
		}
		if (shared_late(view, deadline))
			return SHARED_TIMEOUT;
		shared_rest(view, &rest, SHARED_FLAG_LOCK, deadline);
	}
}
