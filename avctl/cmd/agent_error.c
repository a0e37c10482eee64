/* SPDX-License-Identifier: MIT */
/*
 * agent_error.c - an agent's error codes in words, exit codes and the next thing to type.
 */
#include <stdio.h>
#include <string.h>
#include "cmd/clones.h"
#include "cmd/ctx.h"

static int unreachable(struct ctx *ctx, const struct agent_reply *reply)
{
	const char *name = ctx->record->set->name;

	/* Did it end while we talked? */
	if (!record_alive(ctx->record))
		return ctx_need_record(ctx);
	if (reply->status == AGENT_GARBLED)
		return out_error(RC_INTEGRITY, "avctl version",
				 "the control agent's answer cannot be read");
	if (reply->status == AGENT_TIMEOUT)
		return out_error(RC_TIMEOUT, "avctl logs --hypervisor",
				 "the control agent of set \"%s\" does not answer", name);
	return out_error(RC_UNREACHABLE, "avctl logs --hypervisor",
			 "the connection to the control agent of set \"%s\" broke", name);
}

static int wrong_state(const struct agent_reply *reply, const char *vm)
{
	char hint[256] = "";

	if (vm)
		snprintf(hint, sizeof(hint), "avctl status %s", vm);
	return out_error(RC_WRONG_STATE, hint, "%s%sits state does not allow it%s%s", vm ? vm : "",
			 vm ? ": " : "", *reply->message ? ": " : "", reply->message);
}

static int not_found(const char *vm, const char *what)
{
	char hint[256];

	if (vm && what)
		return out_error(RC_NOT_FOUND,
				 out_text(hint, sizeof(hint), "avctl snapshot list %s", vm),
				 "no %s of %s", what, vm);
	return out_error(RC_NOT_FOUND, "avctl ps", "no VM \"%s\" in the running machine",
			 vm ? vm : "?");
}

static int in_use(struct ctx *ctx, const char *vm, const char *what)
{
	char clones[512] = "";

	if (vm && ctx->agent)
		clones_of(ctx, vm, clones, sizeof(clones));
	if (!*clones)
		return out_error(RC_WRONG_STATE, "avctl snapshot list --sets",
				 "%s is part of a set snapshot", vm ? vm : "the VM");
	return out_error(RC_WRONG_STATE, "avctl rm NAME removes a clone",
			 "%s%s%s is held: its clones share its pages: %s", what ? what : "",
			 what ? " of " : "", vm ? vm : "the VM", clones);
}

int ctx_agent_error(struct ctx *ctx, const struct agent_reply *reply, const char *vm,
		    const char *what)
{
	const char *code = reply->code;
	char hint[256];

	if (reply->status != AGENT_ERROR)
		return unreachable(ctx, reply);
	if (!strcmp(code, "NOT_FOUND"))
		return not_found(vm, what);
	if (!strcmp(code, "WRONG_STATE"))
		return wrong_state(reply, vm);
	if (!strcmp(code, "NO_MEMORY"))
		return out_error(RC_FAILED,
				 out_text(hint, sizeof(hint),
					  "avctl snapshot delete %s ID, or more snapshots.memory",
					  vm ? vm : "VM"),
				 "%s has no memory left for it: nothing was changed",
				 vm ? vm : "the machine");
	if (!strcmp(code, "EXISTS"))
		return out_error(
			RC_WRONG_STATE,
			out_text(hint, sizeof(hint), "avctl snapshot list %s", vm ? vm : ""),
			"the name is taken by another snapshot of %s", vm ? vm : "the VM");
	if (!strcmp(code, "PINNED"))
		return out_error(RC_WRONG_STATE,
				 out_text(hint, sizeof(hint),
					  "avctl snapshot list %s: unpin it, or delete --all the "
					  "SET it is part of",
					  vm ? vm : ""),
				 "%s of %s is pinned, or part of a set snapshot",
				 what ? what : "the snapshot", vm ? vm : "the VM");
	if (!strcmp(code, "IN_USE"))
		return in_use(ctx, vm, what);
	if (!strcmp(code, "DENIED"))
		return out_error(RC_WRONG_STATE, NULL, "not allowed for %s", vm ? vm : "this VM");
	if (!strcmp(code, "INTEGRITY"))
		return out_error(RC_INTEGRITY, "avctl logs --hypervisor", "the audit failed: %s",
				 reply->message);
	if (!strcmp(code, "LIMIT") && vm && !what)
		return out_error(
			RC_FAILED,
			out_text(hint, sizeof(hint),
				 "avctl snapshot list %s: delete or unpin one; or a higher "
				 "`keep` in the YAML file",
				 vm),
			"%s: as many snapshots as `keep` allows, and none that may be evicted", vm);
	if (!strcmp(code, "LIMIT"))
		return out_error(RC_FAILED, "avctl status VM tells snapshots and memory", "%s%s%s",
				 vm ? vm : "", vm ? ": " : "",
				 *reply->message ? reply->message : "a limit is reached");
	return out_error(RC_FAILED, "avctl version", "the agent refused: %s%s%s", code,
			 *reply->message ? ": " : "", reply->message);
}
