/* SPDX-License-Identifier: MIT */
/*
 * snapshot_quiesce.c - `snapshot take --quiesce`: hold still, and let go.
 * Never leaves a VM held: what is begun is ended on every path, and by the agent itself when its client is gone.
 */
#include "cmd/snapshot_quiesce.h"

#include <stdio.h>
#include <string.h>

#define PING_NS 10000000000u     /* is there an agent? */
#define QUIESCE_NS 120000000000u /* many hooks, each within its own time */
#define THAW_NS 30000000000u
#define HOLD_MS 15000 /* more than a take is waited for */

static int no_agent(const struct agent_reply *reply, const char *vm)
{
	if (reply->status == AGENT_ERROR && !strcmp(reply->code, "WRONG_STATE"))
		return out_error(RC_WRONG_STATE, "wait until it is done",
				 "%s is being quiesced already", vm);
	if (reply->status == AGENT_ERROR &&
	    (!strcmp(reply->code, "NOT_SUPPORTED") || !strcmp(reply->code, "UNKNOWN_VERB")))
		return out_error(RC_FAILED,
				 "leave out --quiesce; docs/linux.md has the agent that can",
				 "the agent of %s cannot quiesce", vm);
	if (reply->status == AGENT_ERROR)
		return out_error(RC_FAILED, "dmesg in the guest tells more",
				 "the agent of %s could not quiesce it: %s", vm, reply->message);
	if (reply->status == AGENT_GARBLED)
		return out_error(RC_INTEGRITY, "avctl version",
				 "the agent of %s cannot be understood", vm);
	return out_error(RC_TIMEOUT,
			 "does it run, with avisor-agentd in it? avctl ps; or leave out --quiesce",
			 "no agent answers in %s: nothing was taken", vm);
}

/* A hook that did not do well. */
static void on_hook(void *to, const struct line *row)
{
	const char *vm = ((struct quiesce *)to)->vm;
	const char *hook = line_text(row, "hook"), *result = line_text(row, "result");
	uint64_t code = 0;

	if (!hook || !result || !strcmp(result, "done"))
		return;
	line_number(row, "code", &code);
	if (!strcmp(result, "timeout"))
		out_note("hook %s of %s took too long, and was ended", hook, vm);
	else
		out_note("hook %s of %s failed (%llu)", hook, vm, (unsigned long long)code);
}

int quiesce_begin(struct ctx *ctx, const char *vm, struct quiesce *quiesce)
{
	const struct agent_sink sink = {.row = on_hook, .to = quiesce};
	struct agent_request request;
	struct agent_reply reply;
	enum agent_status status;
	uint64_t timeout;
	char port[64];
	int result = ctx_timeout(ctx, PING_NS, &timeout);

	if (result != RC_OK)
		return result;
	*quiesce = (struct quiesce){.vm = vm};
	snprintf(port, sizeof(port), "%s.agent", vm);
	quiesce->agent = agent_open(ctx->record->runtime_dir, port, agent_now() + timeout, &status);
	if (!quiesce->agent)
		return out_error(RC_UNREACHABLE, "avctl ps",
				 "the agent port of %s cannot be reached", vm);
	agent_begin(&request, "ping");
	if (agent_call(quiesce->agent, &request, NULL, false, &reply) == AGENT_OK) {
		agent_deadline(quiesce->agent, agent_now() + QUIESCE_NS);
		agent_begin(&request, "quiesce");
		line_add_number(&request.line, "hold_ms", HOLD_MS);
		agent_call(quiesce->agent, &request, &sink, true, &reply);
	}
	if (reply.status != AGENT_OK) {
		agent_close(quiesce->agent); /* it lets go by itself, if it had begun */
		return no_agent(&reply, vm);
	}
	line_number(&reply.end, "failed", &quiesce->hooks_failed);
	return RC_OK;
}

int quiesce_end(struct quiesce *quiesce)
{
	struct agent_request request;
	struct agent_reply reply;
	uint64_t held = 0;

	agent_deadline(quiesce->agent, agent_now() + THAW_NS);
	agent_begin(&request, "thaw");
	if (agent_call(quiesce->agent, &request, NULL, false, &reply) == AGENT_OK)
		line_number(&reply.end, "held", &held);
	agent_close(quiesce->agent);
	if (reply.status != AGENT_OK)
		return out_error(RC_PARTLY, "avctl console, and dmesg there",
				 "the agent of %s does not say that it let go", quiesce->vm);
	if (!held && !reply.repeated)
		return out_error(RC_PARTLY, "take another one",
				 "%s was not held still until the snapshot was taken", quiesce->vm);
	return quiesce->hooks_failed ? RC_PARTLY : RC_OK;
}
