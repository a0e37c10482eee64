/* SPDX-License-Identifier: MIT */
/* share.c - what guest-agent/shared waits and rings with here: the calls of the hypervisor. Must never wait without one. */
#include "baremetal/share.h"

static uint64_t now(void *context)
{
	(void)context;
	return counter_read();
}

static void yield(void *context)
{
	(void)context;
	hvc_VM_YIELD();
}

static void ring(void *context, uint32_t member, uint64_t flags)
{
	doorbell_ring(context, member, flags);
}

static void wait(void *context, uint64_t flags, uint64_t deadline)
{
	doorbell_wait(context, flags, deadline);
}

static void acknowledge(void *context, uint64_t flags)
{
	doorbell_take(context, flags);
}

bool share_view(struct shared_view *view, struct region *region)
{
	static const struct shared_calls bells = {now, yield, ring, wait, acknowledge};
	static const struct shared_calls yields = {now, yield, NULL, NULL, NULL};
	bool has_bells = hvc_FEATURES().value[0] & AV_FEATURE_DOORBELL;

	if (!region->state || region->state->magic != AV_REGION_STATE_MAGIC ||
	    region->member >= AV_REGION_MEMBERS)
		return false;
	*view = (struct shared_view){.table = region->state,
				     .calls = has_bells ? &bells : &yields,
				     .context = region,
				     .poll_ticks = counter_hz() / 200,
				     .self = region->member};
	return true;
}

uint64_t share_in_us(uint64_t microseconds)
{
	return counter_read() + microseconds * (counter_hz() / 1000000);
}
