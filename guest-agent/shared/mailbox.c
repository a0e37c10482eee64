/* SPDX-License-Identifier: MIT */
/*
 * mailbox.c - the channels of mailbox.h. Each change of a channel is one word that is stored last: a member that dies
 * at any point leaves it whole, so there is nothing to mend after a takeover. Must never wait inside a lock.
 */
#include "shared/mailbox.h"

#define MASK (SHARED_CHANNEL_WORDS - 1)
_Static_assert((SHARED_CHANNEL_WORDS & MASK) == 0, "a power of two");
#define WORDS(size) (((size) + 7) / 8)

static int enter(const struct shared_view *view, struct shared_lock *lock, struct shared_hold *hold,
		 uint64_t deadline)
{
	int status = shared_lock_acquire(view, lock, hold, deadline);

	if (status == SHARED_DIED) {
		shared_lock_consistent(hold);
		status = SHARED_OK;
	}
	return status;
}

static bool in_use(const struct shared_view *view, const struct shared_channel *channel)
{
	for (uint32_t i = 0; i < AV_REGION_MEMBERS; i++) {
		uint64_t user = shared_load(&channel->users[i]);

		if ((user & 1) && shared_alive(view, i, (uint32_t)(user >> 1) & SHARED_EPOCH_MASK))
			return true;
	}
	return false;
}

static bool name_pack(const char *name, uint64_t words[SHARED_CHANNEL_NAME / 8])
{
	char text[SHARED_CHANNEL_NAME] = {0};
	unsigned int length = 0;

	while (name[length]) {
		if (length == SHARED_CHANNEL_NAME - 1)
			return false;
		text[length] = name[length];
		length++;
	}
	__builtin_memcpy(words, text, sizeof(text));
	return length != 0;
}

static bool name_is(const struct shared_channel *channel, const uint64_t words[])
{
	for (unsigned int i = 0; i < SHARED_CHANNEL_NAME / 8; i++)
		if (shared_load(&channel->name[i]) != words[i])
			return false;
	return true;
}

/* The channel of that name, or a free one that now has it. The mailbox's lock is held. */
static int find(const struct shared_view *view, const struct shared_hold *hold,
		struct shared_mailbox *mailbox, const uint64_t words[],
		struct shared_channel **found)
{
	struct shared_channel *empty = NULL;
	int status = SHARED_OK;

	for (unsigned int i = 0; i < SHARED_CHANNELS; i++) {
		struct shared_channel *channel = &mailbox->channels[i];

		if (!in_use(view, channel)) {
			empty = empty ? empty : channel;
		} else if (name_is(channel, words)) {
			*found = channel;
			return SHARED_OK;
		}
	}
	if (!empty)
		return SHARED_FULL;
	for (unsigned int i = 0; i < SHARED_CHANNEL_NAME / 8 && !status; i++)
		status = shared_lock_store(view, hold, &empty->name[i], words[i]);
	if (!status)
		status = shared_lock_store(view, hold, &empty->head, shared_load(&empty->tail));
	*found = empty;
	return status;
}

int shared_box_open(struct shared_box *box, const struct shared_view *view,
		    struct shared_mailbox *mailbox, const char *name, uint64_t deadline)
{
	uint64_t words[SHARED_CHANNEL_NAME / 8];
	struct shared_channel *channel = NULL;
	struct shared_hold hold;
	int status;

	if (!name_pack(name, words))
		return SHARED_INVALID;
	status = enter(view, &mailbox->lock, &hold, deadline);
	if (status)
		return status;
	status = find(view, &hold, mailbox, words, &channel);
	if (!status)
		status = shared_lock_store(view, &hold, &channel->users[view->self],
					   (uint64_t)hold.epoch << 1 | 1);
	shared_lock_release(view, &mailbox->lock, &hold);
	*box = (struct shared_box){view, channel, hold.epoch};
	return status;
}

int shared_box_close(struct shared_box *box)
{
	return shared_store(box->view, box->epoch, &box->channel->users[box->view->self], 0)
		       ? SHARED_OK
		       : SHARED_LOST;
}

/* Whoever waits for what just happened looks again. The lock is held; the bells ring behind it. */
static uint64_t take_waiters(const struct shared_box *box, const struct shared_hold *hold,
			     _Atomic uint64_t *waiters)
{
	uint64_t who = shared_load(waiters);

	if (who && shared_lock_store(box->view, hold, waiters, 0))
		who = 0;
	return who;
}

static void ring_all(const struct shared_box *box, uint64_t who)
{
	for (uint32_t i = 0; i < AV_REGION_MEMBERS; i++)
		if (who >> i & 1)
			shared_bell(box->view, i, SHARED_FLAG_MAILBOX);
}

/* The channel's lock, in the life in which the box was opened; head and tail that can be. */
static int channel_enter(struct shared_box *box, struct shared_hold *hold, uint64_t *head,
			 uint64_t *tail, uint64_t deadline)
{
	struct shared_channel *channel = box->channel;
	int status;

	shared_bell_acknowledge(box->view, SHARED_FLAG_MAILBOX);
	status = enter(box->view, &channel->lock, hold, deadline);
	if (status)
		return status;
	*head = shared_load(&channel->head);
	*tail = shared_load(&channel->tail);
	if (hold->epoch == box->epoch && *tail - *head <= SHARED_CHANNEL_WORDS)
		return SHARED_OK;
	shared_lock_release(box->view, &channel->lock, hold);
	return hold->epoch == box->epoch ? SHARED_CORRUPT : SHARED_LOST;
}

/* Not now: leaves the lock and waits until `index` is not `seen` any more. */
static int channel_wait(struct shared_box *box, const struct shared_hold *hold,
			_Atomic uint64_t *waiters, const _Atomic uint64_t *index, uint64_t seen,
			uint64_t deadline)
{
	const struct shared_view *view = box->view;
	struct shared_rest rest = {0};
	bool slept = false;

	if (shared_lock_store(view, hold, waiters, shared_load(waiters) | 1ull << view->self) ||
	    shared_lock_release(view, &box->channel->lock, hold))
		return SHARED_LOST;
	while (!slept && shared_load(index) == seen) {
		if (shared_late(view, deadline))
			return SHARED_TIMEOUT;
		slept = shared_rest_sleeps(view, &rest);
		shared_rest(view, &rest, SHARED_FLAG_MAILBOX, deadline);
	}
	return SHARED_OK;
}

static int put(struct shared_box *box, const struct shared_hold *hold, uint64_t tail,
	       const void *message, uint32_t size)
{
	struct shared_channel *channel = box->channel;
	uint64_t words[SHARED_MESSAGE_MAX / 8] = {0};
	int status = shared_lock_store(box->view, hold, &channel->data[tail & MASK],
				       (uint64_t)box->view->self << 32 | size);

	__builtin_memcpy(words, message, size);
	for (uint32_t i = 0; i < WORDS(size) && !status; i++)
		status = shared_lock_store(box->view, hold, &channel->data[(tail + 1 + i) & MASK],
					   words[i]);
	return status ? status
		      : shared_lock_store(box->view, hold, &channel->tail, tail + 1 + WORDS(size));
}

int shared_box_send(struct shared_box *box, const void *message, uint32_t size, uint64_t deadline)
{
	struct shared_channel *channel = box->channel;

	if (!size || size > SHARED_MESSAGE_MAX)
		return SHARED_INVALID;
	for (;;) {
		struct shared_hold hold;
		uint64_t head, tail, who;
		int status = channel_enter(box, &hold, &head, &tail, deadline);

		if (status)
			return status;
		if (SHARED_CHANNEL_WORDS - (tail - head) < 1 + WORDS(size)) {
			status = channel_wait(box, &hold, &channel->writers, &channel->head, head,
					      deadline);
			if (status)
				return status;
			continue;
		}
		status = put(box, &hold, tail, message, size);
		who = status ? 0 : take_waiters(box, &hold, &channel->readers);
		shared_lock_release(box->view, &channel->lock, &hold); /* lost or not: it is sent */
		ring_all(box, who);
		return status;
	}
}

static int get(struct shared_box *box, const struct shared_hold *hold, uint64_t head, uint64_t tail,
	       void *message, uint32_t most, uint32_t *size, uint32_t *from)
{
	struct shared_channel *channel = box->channel;
	uint64_t words[SHARED_MESSAGE_MAX / 8];
	uint64_t first = shared_load(&channel->data[head & MASK]);

	*size = (uint32_t)first;
	*from = (uint32_t)(first >> 32);
	if (!*size || *size > SHARED_MESSAGE_MAX || 1 + WORDS(*size) > tail - head)
		return SHARED_CORRUPT;
	if (*size > most)
		return SHARED_INVALID;
	for (uint32_t i = 0; i < WORDS(*size); i++)
		words[i] = shared_load(&channel->data[(head + 1 + i) & MASK]);
	__builtin_memcpy(message, words, *size);
	return shared_lock_store(box->view, hold, &channel->head, head + 1 + WORDS(*size));
}

int shared_box_receive(struct shared_box *box, void *message, uint32_t most, uint32_t *size,
		       uint32_t *from, uint64_t deadline)
{
	struct shared_channel *channel = box->channel;

	*size = 0;
	for (;;) {
		struct shared_hold hold;
		uint64_t head, tail, who;
		int status = channel_enter(box, &hold, &head, &tail, deadline);

		if (status)
			return status;
		if (head == tail) {
			status = channel_wait(box, &hold, &channel->readers, &channel->tail, tail,
					      deadline);
			if (status)
				return status;
			continue;
		}
		status = get(box, &hold, head, tail, message, most, size, from);
		who = status ? 0 : take_waiters(box, &hold, &channel->writers);
		shared_lock_release(box->view, &channel->lock, &hold);
		ring_all(box, who);
		return status;
	}
}
