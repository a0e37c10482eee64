/* SPDX-License-Identifier: MIT */
/*
 * restore.c - `avctl restore`. A restore is not simply repeated when an answer is lost, or `undo`
 * would be overwritten: the VM's generation tells whether it was done.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "cmd/snapshot_pick.h"
#include "cmd/snapshot_set.h"

static void take_generation(void *to, const struct line *row)
{
	line_number(row, "generation", to);
}

int restore_generation(struct ctx *ctx, const char *vm, uint64_t *generation)
{
	struct agent_sink sink = {.row = take_generation, .to = generation};
	struct agent_request request;
	struct agent_reply reply;

	agent_begin(&request, "vm");
	line_add_text(&request.line, "vm", vm);
	if (agent_call(ctx->agent, &request, &sink, false, &reply) != AGENT_OK)
		return ctx_agent_error(ctx, &reply, vm, NULL);
	return RC_OK;
}

static int choose(const struct ctx *ctx, const char **choice)
{
	static const char *const names[] = {"id", "name", "latest", "undo", "boot", NULL};

	return snapshot_choose(ctx, names,
			       "restore to what? --id N, --name NAME, --latest, --undo or --boot",
			       choice);
}

static int build(const struct ctx *ctx, const char *choice, struct agent_request *request,
		 char *what, size_t size)
{
	agent_begin(request, "restore");
	line_add_text(&request->line, "vm", ctx->args[0]);
	if (snapshot_add_choice(ctx, choice, request, what, size) != RC_OK)
		return RC_USAGE;
	if (!ctx_flag(ctx, "no-undo"))
		line_add_number(&request->line, "keep_undo", 1);
	if (ctx_flag(ctx, "paused"))
		line_add_number(&request->line, "paused", 1);
	return RC_OK;
}

static void say_restored(const char *vm, const char *id, uint64_t generation, const char *undo,
			 uint64_t paused_ns)
{
	char time[32];

	if (out_style.format == OUT_NAME) {
		puts(id);
	} else if (out_style.format == OUT_TABLE) {
		printf("%s@%s (generation %" PRIu64, vm, id, generation);
		if (paused_ns)
			printf(", held %s", out_duration(time, paused_ns));
		puts(")");
	} else {
		out_json(json_pack("{s:s, s:o, s:I, s:s, s:f}", "vm", vm, "id",
				   snapshot_id_json(id), "generation", (json_int_t)generation,
				   "undo", undo, "paused_ms", (double)paused_ns / 1e6));
	}
	if (!strcmp(undo, "kept"))
		out_note("to go back: avctl restore %s --undo", vm);
	else if (!strcmp(undo, "skipped"))
		out_note("no memory for undo: what %s was before is gone", vm);
}

static void say_reply(const char *vm, const struct line *reply)
{
	const char *id = line_text(reply, "id");
	const char *undo = line_text(reply, "undo");
	uint64_t generation = 0, paused_ns = 0;

	line_number(reply, "generation", &generation);
	line_number(reply, "paused_ns", &paused_ns);
	say_restored(vm, id ? id : "?", generation, undo ? undo : "off", paused_ns);
}

int cmd_restore(struct ctx *ctx)
{
	const char *choice = NULL, *vm = ctx_arg(ctx, 0);
	uint64_t before = 0, after = 0, deadline, timeout;
	struct agent_request request;
	struct agent_reply reply;
	const struct set_vm *config;
	char what[64];
	int result = snapshot_set_choose(ctx, ctx_flag(ctx, "all"));

	if (result == RC_OK && ctx_flag(ctx, "all"))
		return snapshot_set_restore(ctx);
	if (result == RC_OK)
		result = choose(ctx, &choice);
	if (result == RC_OK)
		result = build(ctx, choice, &request, what, sizeof(what));
	if (result == RC_OK)
		result = ctx_need_record(ctx);
	if (result == RC_OK)
		result = ctx_need_vm(ctx, vm, &config);
	if (result == RC_OK)
		result = ctx_need_agent(ctx);
	if (result == RC_OK)
		result = ctx_timeout(ctx, 10000000000u, &timeout);
	if (result == RC_OK)
		result = restore_generation(ctx, vm, &before);
	if (result != RC_OK)
		return result;
	deadline = agent_now() + timeout;
	for (;;) {
		if (agent_call(ctx->agent, &request, NULL, true, &reply) == AGENT_OK) {
			say_reply(vm, &reply.end);
			return RC_OK;
		}
		if (reply.status == AGENT_ERROR || agent_now() >= deadline ||
		    !record_alive(ctx->record))
			return ctx_agent_error(ctx, &reply, vm, what);
		result = restore_generation(ctx, vm, &after);
		if (result != RC_OK)
			return result;
		if (after > before) {
			say_restored(vm, strcmp(choice, "id") ? choice : ctx_option(ctx, "id"),
				     after, ctx_flag(ctx, "no-undo") ? "off" : "kept", 0);
			return RC_OK;
		}
		result = build(ctx, choice, &request, what, sizeof(what));
		if (result != RC_OK)
			return result;
	}
}
