/* SPDX-License-Identifier: MIT */
/*
 * slot.c - takes requests out of a slot and puts results in.
 * Reads each word of shared memory once: the guest may write any of them at any time. Must never index with one unchecked.
 */
#include "serve/slot.h"

#include <string.h>

static uint64_t load64(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static uint32_t load32(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

void slot_reset(struct slot *slot, unsigned int vm, uint64_t owner)
{
	struct av_forward_slot *shared = slot->shared;

	slot->serial++;
	slot->head = 0;
	memset(slot->busy, 0, sizeof(slot->busy));
	for (unsigned int i = 0; i < AV_FORWARD_ENTRIES; i++) {
		__atomic_store_n(&shared->ring[i], 0, __ATOMIC_RELAXED);
		__atomic_store_n(&shared->entries[i].state,
				 AV_FORWARD_STATE(slot->serial, AV_FORWARD_FREE), __ATOMIC_RELAXED);
	}
	__atomic_store_n(&shared->tail, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&shared->last_vm, vm, __ATOMIC_RELAXED);
	__atomic_store_n(&shared->serial, slot->serial, __ATOMIC_RELEASE);
	__atomic_store_n(&shared->owner, owner, __ATOMIC_RELEASE);
}

uint64_t slot_owner(const struct slot *slot)
{
	return load64(&slot->shared->owner);
}

bool slot_pending(const struct slot *slot)
{
	return load32(&slot->shared->tail) != slot->head;
}

enum slot_take slot_take(struct slot *slot, struct request *request)
{
	struct av_forward_slot *shared = slot->shared;
	uint32_t waiting = load32(&shared->tail) - slot->head, number;
	uint32_t *place = &shared->ring[slot->head % AV_FORWARD_ENTRIES];
	uint64_t submitted = AV_FORWARD_STATE(slot->serial, AV_FORWARD_SUBMITTED);
	struct av_forward_entry *entry;

	if (waiting == 0)
		return SLOT_NOTHING;
	if (waiting > AV_FORWARD_ENTRIES)
		return SLOT_BROKEN;
	number = load32(place);
	if (number == 0) /* counted, and not yet put there */
		return SLOT_NOTHING;
	__atomic_store_n(place, 0, __ATOMIC_RELEASE);
	slot->head++;
	if (number > AV_FORWARD_ENTRIES || slot->busy[number - 1]) {
		slot->refused++;
		return SLOT_IGNORED;
	}
	entry = &shared->entries[number - 1];
	if (!__atomic_compare_exchange_n(&entry->state, &submitted,
					 AV_FORWARD_STATE(slot->serial, AV_FORWARD_TAKEN), false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		slot->refused++;
		return SLOT_IGNORED;
	}
	slot->busy[number - 1] = true;
	request->entry = number - 1;
	request->call = load32(&entry->call);
	request->handle = load32(&entry->handle);
	request->flags = load32(&entry->flags);
	request->mode = load32(&entry->mode);
	request->offset = __atomic_load_n(&entry->offset, __ATOMIC_ACQUIRE);
	request->length = load64(&entry->length);
	return SLOT_REQUEST;
}

void slot_done(struct slot *slot, unsigned int number, int64_t result)
{
	struct av_forward_entry *entry = &slot->shared->entries[number];

	slot->busy[number] = false;
	__atomic_store_n(&entry->result, result, __ATOMIC_RELAXED);
	__atomic_store_n(&entry->state, AV_FORWARD_STATE(slot->serial, AV_FORWARD_DONE),
			 __ATOMIC_RELEASE);
}
