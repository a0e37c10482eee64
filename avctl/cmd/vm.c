/* SPDX-License-Identifier: MIT */
/*
 * vm.c - pause, resume, stop, start, restart: one request for each VM named. Asking for what is so
 * already is no error. All names are looked up before anything is done.
 */
#include <stdio.h>
#include <string.h>
#include "cmd/ctx.h"

struct vm_verb {
	const char *verb;
	const char
		*done; /* the state it leads to, when being there already counts as done; or NULL */
};

/* The state of a VM now; false when it could not be had (the reply says why). */
struct vm_state {
	char state[16];
	uint64_t generation;
};

static void take_state(void *to, const struct line *row)
{
	struct vm_state *state = to;
	const char *text = line_text(row, "state");

	snprintf(state->state, sizeof(state->state), "%s", text ? text : "");
	line_number(row, "generation", &state->generation);
}

static bool ask_state(struct ctx *ctx, const char *vm, struct vm_state *state,
		      struct agent_reply *reply)
{
	struct agent_sink sink = {.row = take_state, .to = state};
	struct agent_request request;

	agent_begin(&request, "vm");
	line_add_text(&request.line, "vm", vm);
	return agent_call(ctx->agent, &request, &sink, false, reply) == AGENT_OK;
}

static void say_done(const char *vm, const char *verb, const char *state)
{
	if (out_style.format == OUT_TABLE)
		printf("%s %s\n", vm, state);
	else if (out_style.format == OUT_NAME)
		puts(vm);
	else
		out_json(json_pack("{s:s, s:s, s:s}", "vm", vm, "verb", verb, "state", state));
}

static int one_vm(struct ctx *ctx, const struct vm_verb *verb, const char *vm)
{
	struct agent_request request;
	struct agent_reply reply;
	struct vm_state now = {0};
	const char *state;

	agent_begin(&request, verb->verb);
	line_add_text(&request.line, "vm", vm);
	if (ctx_flag(ctx, "paused"))
		line_add_number(&request.line, "paused", 1);
	if (agent_call(ctx->agent, &request, NULL, false, &reply) == AGENT_OK) {
		state = line_text(&reply.end, "state");
		say_done(vm, verb->verb, state ? state : "done");
		return RC_OK;
	}
	if (verb->done && reply.status == AGENT_ERROR && !strcmp(reply.code, "WRONG_STATE")) {
		struct agent_reply second;

		if (ask_state(ctx, vm, &now, &second) && !strcmp(now.state, verb->done)) {
			if (!reply.repeated)
				out_note("%s is %s already", vm, now.state);
			say_done(vm, verb->verb, now.state);
			return RC_OK;
		}
		if (*now.state)
			return out_error(RC_WRONG_STATE,
					 "avctl restart or avctl restore work in every state",
					 "%s is %s: %s is not possible", vm, now.state, verb->verb);
	}
	return ctx_agent_error(ctx, &reply, vm, NULL);
}

static int each_vm(struct ctx *ctx, const struct vm_verb *verb)
{
	const struct set_vm *vm;
	int failed = 0, last = RC_OK;
	int result = ctx_need_agent(ctx);

	for (int i = 0; i < ctx->arg_count && result == RC_OK; i++)
		result = ctx_need_vm(ctx, ctx->args[i], &vm);
	if (result != RC_OK)
		return result;
	for (int i = 0; i < ctx->arg_count; i++) {
		result = one_vm(ctx, verb, ctx->args[i]);
		if (result != RC_OK) {
			last = result;
			failed++;
		}
	}
	if (failed && failed < ctx->arg_count)
		return out_error(RC_PARTLY, NULL, "%d of %d failed", failed, ctx->arg_count);
	return last;
}

int cmd_pause(struct ctx *ctx)
{
	return each_vm(ctx, &(struct vm_verb){.verb = "pause", .done = "paused"});
}

int cmd_resume(struct ctx *ctx)
{
	return each_vm(ctx, &(struct vm_verb){.verb = "resume", .done = "running"});
}

int cmd_stop(struct ctx *ctx)
{
	return each_vm(ctx, &(struct vm_verb){.verb = "stop", .done = "stopped"});
}

int cmd_start(struct ctx *ctx)
{
	const char *done = ctx_flag(ctx, "paused") ? "paused" : "running";

	return each_vm(ctx, &(struct vm_verb){.verb = "start", .done = done});
}

int cmd_restart(struct ctx *ctx)
{
	return each_vm(ctx, &(struct vm_verb){.verb = "restart"});
}
