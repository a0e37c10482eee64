/* SPDX-License-Identifier: MIT */
/*
 * forward.c - the client's end of the ring in a shared region. Builds on the host too, where tests run it against the server.
 * Must never write in a slot whose serial, epoch or generation is not its own, nor wait for a server that is gone.
 */
#include "baremetal/forward.h"

static uint64_t load64(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static bool swap64(uint64_t *word, uint64_t from, uint64_t to)
{
	return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

static void copy(void *to, const void *from, uint64_t size)
{
	unsigned char *out = to;
	const unsigned char *in = from;

	if ((((uintptr_t)out | (uintptr_t)in) & 7) == 0)
		for (; size >= 8; size -= 8, out += 8, in += 8)
			*(uint64_t *)(void *)out = *(const uint64_t *)(const void *)in;
	while (size--)
		*out++ = *in++;
}

static uint64_t own_generation(const struct forward *forward)
{
	return forward->place.generation() & AV_FORWARD_GENERATION_MASK;
}

static void see_heartbeat(struct forward *forward)
{
	forward->heartbeat = load64(&forward->header->heartbeat);
	forward->heartbeat_at = forward->place.counter();
}

/* Whether the heart of the server has beaten lately, as far as looked at. */
static bool heart_beats(struct forward *forward)
{
	uint64_t limit = forward->place.hz() / 1000 * AV_FORWARD_GONE_MS;

	if (load64(&forward->header->heartbeat) != forward->heartbeat) {
		see_heartbeat(forward);
		return true;
	}
	return forward->place.counter() - forward->heartbeat_at < limit;
}

/* All that says whether the slot is this session's; for reasons of time not the generation. */
static bool is_ours(struct forward *forward)
{
	if (forward->lost || !forward->slot)
		return false;
	if (load64(&forward->header->epoch) != forward->epoch ||
	    load64(&forward->slot->serial) != forward->serial ||
	    load64(&forward->slot->owner) != forward->owner)
		forward->lost = true;
	return !forward->lost;
}

bool forward_alive(struct forward *forward)
{
	if (is_ours(forward) &&
	    own_generation(forward) != AV_FORWARD_OWNER_GENERATION(forward->owner))
		forward->lost = true;
	if (is_ours(forward) && !heart_beats(forward))
		forward->lost = true;
	return is_ours(forward);
}

/* One look at the slots: 0, BUSY, or AGAIN: one will come free soon. */
static int claim(struct forward *forward)
{
	uint64_t owner =
		AV_FORWARD_OWNER(forward->place.vm, own_generation(forward), AV_FORWARD_SLOT_OWNED);
	int result = AV_FORWARD_E_BUSY;

	/* First one that was this VM's before, last one that was another's. */
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < AV_FORWARD_SLOTS; i++) {
			struct av_forward_slot *slot = av_forward_slot(forward->region, i);
			uint64_t found = load64(&slot->owner);
			uint32_t last = __atomic_load_n(&slot->last_vm, __ATOMIC_RELAXED);
			bool ours = AV_FORWARD_OWNER_VM(found) == forward->place.vm && found;

			if (AV_FORWARD_OWNER_STATE(found) == AV_FORWARD_SLOT_LEAVING ||
			    (ours && AV_FORWARD_OWNER_GENERATION(found) !=
					     AV_FORWARD_OWNER_GENERATION(owner)))
				result = AV_FORWARD_E_AGAIN;
			if (ours ? found != (owner ^ AV_FORWARD_SLOT_OWNED ^ AV_FORWARD_SLOT_LOST)
				 : found || (round == 0 && last != forward->place.vm + 1) ||
					    (round == 1 && last))
				continue;
			if (!swap64(&slot->owner, found, owner))
				continue;
			forward->slot = slot;
			forward->slot_number = i;
			forward->serial = load64(&slot->serial);
			forward->owner = owner;
			return 0;
		}
	}
	return result;
}

/* A server whose heart beats while one looks. */
static int find_server(struct forward *forward)
{
	struct av_forward_header *header = forward->header;
	uint64_t limit = forward->place.hz() / 1000 * AV_FORWARD_GONE_MS;

	see_heartbeat(forward);
	for (unsigned int looks = 0;; looks++) {
		forward->epoch = load64(&header->epoch);
		if (forward->epoch &&
		    __atomic_load_n(&header->magic, __ATOMIC_RELAXED) == AV_FORWARD_MAGIC &&
		    load64(&header->heartbeat) != forward->heartbeat)
			return 0;
		if (forward->place.counter() - forward->heartbeat_at >= limit)
			return AV_FORWARD_E_GONE;
		forward->place.pause(looks);
	}
}

int forward_connect(struct forward *forward, void *region, uint64_t size)
{
	uint64_t limit = forward->place.hz() / 1000 * AV_FORWARD_GONE_MS, start;
	unsigned int looks = 0;
	int result;

	if (forward->slot)
		forward_disconnect(forward);
	forward->region = region;
	forward->header = region;
	forward->lost = false;
	forward->buffer_size = av_forward_buffer_size(size);
	if (forward->buffer_size == 0)
		return AV_FORWARD_E_INVALID;
	result = find_server(forward);
	if (result)
		return result;
	if (forward->header->version != AV_FORWARD_VERSION ||
	    forward->header->buffer_size != forward->buffer_size)
		return AV_FORWARD_E_INVALID;
	if (!(load64(&forward->header->served) >> forward->place.vm & 1))
		return AV_FORWARD_E_DENIED;
	start = forward->place.counter();
	while ((result = claim(forward)) == AV_FORWARD_E_AGAIN &&
	       forward->place.counter() - start < limit)
		forward->place.pause(looks++);
	see_heartbeat(forward);
	return result == AV_FORWARD_E_AGAIN ? AV_FORWARD_E_BUSY : result;
}

void forward_disconnect(struct forward *forward)
{
	if (forward->slot)
		swap64(&forward->slot->owner, forward->owner,
		       forward->owner ^ AV_FORWARD_SLOT_OWNED ^ AV_FORWARD_SLOT_LEAVING);
	forward->slot = NULL;
	forward->lost = true;
}

static uint64_t state_of(const struct forward *forward, uint64_t state)
{
	return AV_FORWARD_STATE(forward->serial, state);
}

/* Fill in a claimed entry and put it in the ring. */
static int submit(struct forward *forward, struct forward_request *request, unsigned int number)
{
	struct av_forward_entry *entry = &forward->slot->entries[number];
	uint32_t place;

	if (request->out)
		copy(av_forward_buffer(forward->region, forward->buffer_size, forward->slot_number,
				       number),
		     request->out, request->length);
	entry->call = request->call;
	entry->handle = request->handle;
	entry->flags = request->flags;
	entry->mode = request->mode;
	entry->offset = request->offset;
	entry->length = request->length;
	request->entry = number;
	request->serial = forward->serial;
	if (!swap64(&entry->state, state_of(forward, AV_FORWARD_CLAIMED),
		    state_of(forward, AV_FORWARD_SUBMITTED))) {
		forward->lost = true;
		return AV_FORWARD_E_GONE;
	}
	place = __atomic_fetch_add(&forward->slot->tail, 1, __ATOMIC_ACQ_REL);
	__atomic_store_n(&forward->slot->ring[place % AV_FORWARD_ENTRIES], number + 1,
			 __ATOMIC_RELEASE);
	return 0;
}

int forward_try(struct forward *forward, struct forward_request *request)
{
	if (request->out && request->length > forward->buffer_size)
		return AV_FORWARD_E_INVALID;
	if (!forward_alive(forward))
		return AV_FORWARD_E_GONE;
	for (unsigned int i = 0; i < AV_FORWARD_ENTRIES; i++)
		if (swap64(&forward->slot->entries[i].state, state_of(forward, AV_FORWARD_FREE),
			   state_of(forward, AV_FORWARD_CLAIMED)))
			return submit(forward, request, i);
	return is_ours(forward) ? AV_FORWARD_E_AGAIN : AV_FORWARD_E_GONE;
}

int forward_start(struct forward *forward, struct forward_request *request)
{
	unsigned int looks = 0;
	int result;

	while ((result = forward_try(forward, request)) == AV_FORWARD_E_AGAIN)
		forward->place.pause(looks++);
	return result;
}

bool forward_ready(struct forward *forward, const struct forward_request *request)
{
	if (!is_ours(forward) || request->serial != forward->serial)
		return true;
	if (load64(&forward->slot->entries[request->entry].state) ==
	    state_of(forward, AV_FORWARD_DONE))
		return true;
	if (heart_beats(forward))
		return false;
	forward->lost = true;
	return true;
}

int64_t forward_finish(struct forward *forward, struct forward_request *request)
{
	struct av_forward_entry *entry;
	unsigned int looks = 0;
	int64_t result;

	while (!forward_ready(forward, request))
		forward->place.pause(looks++);
	if (!is_ours(forward) || request->serial != forward->serial)
		return AV_FORWARD_E_GONE;
	entry = &forward->slot->entries[request->entry];
	result = entry->result;
	if (request->in && result > 0)
		copy(request->in,
		     av_forward_buffer(forward->region, forward->buffer_size, forward->slot_number,
				       request->entry),
		     (uint64_t)result < request->in_size ? (uint64_t)result : request->in_size);
	/* What was read is ours only if the session was, all the time. */
	if (!swap64(&entry->state, state_of(forward, AV_FORWARD_DONE),
		    state_of(forward, AV_FORWARD_FREE))) {
		forward->lost = true;
		return AV_FORWARD_E_GONE;
	}
	return result;
}
