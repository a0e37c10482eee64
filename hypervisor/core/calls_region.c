/* SPDX-License-Identifier: MIT */
/* calls_region.c - the region and doorbell calls of hypercalls.def. */
#include "core/doorbell.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/sched.h"

int call_REGION_INFO(struct call *call)
{
	struct av_region_info info;
	int error = region_describe(call->caller, call->in.args[0], &info);

	if (error)
		return error;
	return call_give(call, call->in.args[1], call->in.args[2], &info, sizeof(info));
}

/* The instruction is executed again. */
static int again(struct call *call)
{
	call->vcpu->pc -= 4;
	return CALL_NO_RETURN;
}

int call_REGION_GET(struct call *call)
{
	struct region_place place;
	int status = region_get(call->caller, call->in.args[0], call->in.args[1], call->in.args[2],
				&place);

	if (status == REGION_AGAIN)
		return again(call);
	if (!status) {
		call->results[0] = place.address;
		call->results[1] = place.region;
		call->results[2] = place.member;
	}
	return status;
}

int call_REGION_DETACH(struct call *call)
{
	return region_detach(call->caller, call->in.args[0]);
}

int call_DOORBELL_RING(struct call *call)
{
	return doorbell_ring_call(call->caller, call->in.args[0], call->in.args[1],
				  call->in.args[2], &call->results[0]);
}

int call_DOORBELL_STATUS(struct call *call)
{
	return doorbell_status(call->caller, call->in.args[0], call->in.args[1], &call->results[0]);
}

int call_DOORBELL_MASK(struct call *call)
{
	return doorbell_mask(call->vcpu, call->in.args[0], call->in.args[1], call->in.args[2],
			     &call->results[0]);
}

/* REGION_AGAIN: it waits with the PC at the hvc, and doorbell_wait_over() answers it. */
static int answer_or_wait(struct call *call, int status)
{
	if (status != REGION_AGAIN)
		return status;
	call->vcpu->waiting = VCPU_WAITS_BELL;
	sched_yield();
	return again(call);
}

int call_DOORBELL_WAIT(struct call *call)
{
	return answer_or_wait(call, doorbell_wait(call->vcpu, false, &call->results[0]));
}

int call_DOORBELL_CALL(struct call *call)
{
	return answer_or_wait(call, doorbell_call(call->vcpu, &call->results[0]));
}
