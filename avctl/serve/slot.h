/* SPDX-License-Identifier: MIT */
/*
 * slot.h - the server's end of one slot in shared memory, and nothing about what the calls mean.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <avisor/forward.h>
#include "serve/files.h"

struct slot {
	struct av_forward_slot *shared;
	uint64_t serial;               /* what shared->serial has to be */
	uint32_t head;                 /* how much of the ring is taken */
	bool busy[AV_FORWARD_ENTRIES]; /* taken and not done */
	uint64_t refused;              /* things in the ring that were none */
};

enum slot_take {
	SLOT_NOTHING,
	SLOT_REQUEST,
	SLOT_IGNORED, /* no request, but something was taken off the ring */
	SLOT_BROKEN,  /* the client does not keep to the protocol: give up its session */
};

/*
 * Empty the slot for a new session: another serial, all entries FREE, last the owner word. vm: whose it was, 0: nobody's.
 */
void slot_reset(struct slot *slot, unsigned int vm, uint64_t owner);

uint64_t slot_owner(const struct slot *slot);

/* Whether there is something in the ring; one load. */
bool slot_pending(const struct slot *slot);

/* Take the next request off the ring: copied once, its numbers unchecked but for entry. */
enum slot_take slot_take(struct slot *slot, struct request *request);

/* Give the result of a request that was taken. The caller has written the buffer. */
void slot_done(struct slot *slot, unsigned int entry, int64_t result);
