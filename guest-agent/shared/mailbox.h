/* SPDX-License-Identifier: MIT */
/*
 * mailbox.h - named channels for whole messages, any number of senders and receivers each.
 *
 * A channel is there while a living member has it open; the first one makes it, empty. Messages are received in the
 * order in which they were sent, each by one receiver, whole. A sender that dies has sent a message or has not.
 * After a restore or restart a VM opens its channels anew; before, its calls are SHARED_LOST and do nothing: whether the
 * message in hand had been sent by the life before, it cannot know.
 *
 * The channel's lock is held for the time of a copy, with the order and the takeover of lock.h.
 */
#pragma once

#include "shared/lock.h"

#define SHARED_CHANNELS 16
#define SHARED_CHANNEL_NAME 32 /* bytes, the NUL included */
#define SHARED_CHANNEL_WORDS \
	256 /* of 8 bytes: room for messages, each of which takes one more than its bytes */
#define SHARED_MESSAGE_MAX 256

/* In the region; all zero: empty. */
struct shared_channel {
	struct shared_lock lock;
	_Atomic uint64_t name[SHARED_CHANNEL_NAME / 8];
	_Atomic uint64_t head, tail;               /* words ever taken out, put in */
	_Atomic uint64_t readers, writers;         /* a bit per member that waits */
	_Atomic uint64_t users[AV_REGION_MEMBERS]; /* epoch << 1 | 1: has it open */
	_Atomic uint64_t data[SHARED_CHANNEL_WORDS];
};

struct shared_mailbox {
	struct shared_lock lock; /* of the names and of who has what open */
	struct shared_channel channels[SHARED_CHANNELS];
};

/* The caller's own: not in the region. */
struct shared_box {
	const struct shared_view *view;
	struct shared_channel *channel;
	uint32_t epoch;
};

/* SHARED_OK, _INVALID (an empty or long name), _FULL (all channels are in use), _TIMEOUT, _LOST, _CORRUPT. */
int shared_box_open(struct shared_box *box, const struct shared_view *view,
		    struct shared_mailbox *mailbox, const char *name, uint64_t deadline);

/* What the last one to close leaves unread is gone. */
int shared_box_close(struct shared_box *box);

/* 1 to SHARED_MESSAGE_MAX bytes; waits for room. SHARED_OK: it is in the channel. */
int shared_box_send(struct shared_box *box, const void *message, uint32_t size, uint64_t deadline);

/* Waits for a message. *from: the member that sent it. One longer than `most` stays, SHARED_INVALID. */
int shared_box_receive(struct shared_box *box, void *message, uint32_t most, uint32_t *size,
		       uint32_t *from, uint64_t deadline);
