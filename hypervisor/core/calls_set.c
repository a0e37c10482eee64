/* SPDX-License-Identifier: MIT */
/* calls_set.c - the calls of hypercalls.def that are about all VMs at once. */
#include "core/hypercall.h"
#include "core/set.h"
#include "core/string.h"
#include "core/time.h"

int call_SET_TAKE(struct call *call)
{
	struct snapshot_facts facts;
	struct set_result result = {0};
	const struct set *found;
	int error;

	error = call_read_name(call, call->in.args[0], facts.name);
	if (error)
		return error;
	facts.request_id = call->in.args[1];
	if (!call_operation_begin(call->vcpu))
		return CALL_NO_RETURN;
	found = set_find_request(facts.request_id);
	if (found) {
		call->results[0] = set_id(found);
		call->results[1] = AV_TAKE_FOUND;
		return call_end_with(call, AV_OK);
	}
	error = set_take(&facts, &result);
	call->results[0] = error ? result.vm : result.id;
	call->results[1] = result.evicted;
	call->results[2] = ticks_to_ns(result.held_ticks);
	return call_end_with(call, error);
}

int call_SET_RESTORE(struct call *call)
{
	struct set_result result = {0};
	int error;

	if (call->in.args[1] & ~(uint64_t)(AV_RESTORE_PAUSED | AV_RESTORE_UNDO))
		return AV_E_INVALID;
	if (!call_operation_begin(call->vcpu))
		return CALL_NO_RETURN;
	error = set_restore(call->in.args[0], call->in.args[1], &result);
	call->results[0] = error ? result.vm : result.id;
	call->results[1] =
		result.regions_gone | (result.undo_skipped ? AV_RESTORE_UNDO_SKIPPED : 0);
	call->results[2] = ticks_to_ns(result.held_ticks);
	return call_end_with(call, error);
}

int call_SET_DELETE(struct call *call)
{
	struct set_result result = {0};
	int error;

	if (!call_operation_begin(call->vcpu))
		return CALL_NO_RETURN;
	error = set_delete(call->in.args[0], &result);
	call->results[0] = error ? result.vm : result.id;
	return call_end_with(call, error);
}

int call_SET_INFO(struct call *call)
{
	uint64_t cursor = call->in.args[0];
	const struct set *set;
	struct av_set_info info;

	if (!call_operation_begin(call->vcpu))
		return CALL_NO_RETURN;
	set = cursor >= AV_SNAPSHOT_NONE ? set_find(cursor) : set_next(cursor);
	if (set)
		set_describe(set, &info);
	call_operation_end();
	if (!set)
		return AV_E_NOT_FOUND;
	info.taken_ns = ticks_to_ns(info.taken_ns);
	return call_give(call, call->in.args[1], call->in.args[2], &info, sizeof(info));
}
