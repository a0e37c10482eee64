/* SPDX-License-Identifier: MIT */
/*
 * snapshot_set.c - snapshots of the whole set: take, restore, delete and list them.
 * Must never do a thing to one VM alone: who means one names it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "cmd/rows.h"
#include "cmd/snapshot_pick.h"
#include "cmd/snapshot_set.h"

int snapshot_set_choose(const struct ctx *ctx, bool all)
{
	if (all && ctx->arg_count)
		return out_error(RC_USAGE, "either a VM, or --all for every one of them",
				 "--all takes no VM: \"%s\"", ctx->args[0]);
	if (!all && !ctx->arg_count)
		return out_error(RC_USAGE, "a name as `avctl ps` prints it, or --all",
				 "which VM? avctl %s VM", ctx->command->name);
	return RC_OK;
}

/* The record, and a connection. */
static int begin(struct ctx *ctx)
{
	int result = ctx_need_record(ctx);

	return result == RC_OK ? ctx_need_agent(ctx) : result;
}

/* What an error means that is about the set; the others are those of a VM. */
static int explain(struct ctx *ctx, const struct agent_reply *reply, const char *what)
{
	const char *vm = *reply->vm ? reply->vm : NULL;
	char hint[128];

	if (reply->status == AGENT_ERROR && !vm) {
		if (!strcmp(reply->code, "NOT_FOUND"))
			return out_error(RC_NOT_FOUND, "avctl snapshot list --sets", "no %s", what);
		if (!strcmp(reply->code, "EXISTS"))
			return out_error(RC_WRONG_STATE, "avctl snapshot list --sets",
					 "another set snapshot has that name");
		if (!strcmp(reply->code, "EXHAUSTED"))
			return out_error(RC_FAILED,
					 "avctl snapshot delete --all ID, or machine: {sets: SIZE}",
					 "no memory left for what the regions hold: nothing was "
					 "taken");
		if (!strcmp(reply->code, "LIMIT"))
			return out_error(RC_FAILED, "avctl snapshot delete --all ID",
					 "there are as many set snapshots as there may be");
	}
	if (reply->status == AGENT_ERROR && !strcmp(reply->code, "NOT_FOUND"))
		return out_error(
			RC_NOT_FOUND,
			out_text(hint, sizeof(hint), "avctl restore %s --undo, VM by VM", vm),
			"%s has no undo of that restore any more: nothing was changed", vm);
	return ctx_agent_error(ctx, reply, vm, strcmp(reply->code, "LIMIT") ? what : NULL);
}

static void say_id(const char *id, const char *what)
{
	if (out_style.format == OUT_NAME)
		puts(id);
	else if (out_style.format == OUT_TABLE)
		printf("all@%s %s\n", id, what);
	else
		out_json(json_pack("{s:b, s:o, s:s}", "all", true, "id", snapshot_id_json(id),
				   "result", what));
}

int snapshot_set_take(struct ctx *ctx, const char *name)
{
	uint64_t evicted = 0, paused_ns = 0;
	struct agent_request request;
	struct agent_reply reply;
	char time[32];
	const char *id;
	int result = RC_OK;

	if (ctx_option(ctx, "tag") || ctx_option(ctx, "note") || ctx_flag(ctx, "pin") ||
	    ctx_flag(ctx, "quiesce"))
		result = out_error(RC_USAGE,
				   "its parts go with it only: when it is deleted, or the oldest",
				   "--all goes with --name only");
	if (result == RC_OK)
		result = begin(ctx);
	if (result != RC_OK)
		return result;
	agent_begin(&request, "take-all");
	if (name)
		line_add_text(&request.line, "name", name);
	line_add_hex(&request.line, "request", agent_random());
	if (agent_call(ctx->agent, &request, NULL, false, &reply) != AGENT_OK)
		return explain(ctx, &reply, "set snapshot");
	id = line_text(&reply.end, "id");
	if (!id)
		return out_error(RC_FAILED, "avctl version", "the agent's answer is incomplete");
	line_number(&reply.end, "evicted", &evicted);
	line_number(&reply.end, "paused_ns", &paused_ns);
	snapshot_say_evicted(evicted);
	if (out_style.format == OUT_NAME) {
		puts(id);
	} else if (out_style.format == OUT_TABLE) {
		printf("all@%s%s%s", id, name ? " " : "", name ? name : "");
		if (paused_ns)
			printf(" (held %s)", out_duration(time, paused_ns));
		putchar('\n');
	} else {
		out_json(json_pack("{s:b, s:o, s:s?, s:I, s:f}", "all", true, "id",
				   snapshot_id_json(id), "name", name, "evicted",
				   (json_int_t)evicted, "paused_ms", (double)paused_ns / 1e6));
	}
	return RC_OK;
}

/* Which set, of the options that choose. */
static int build(const struct ctx *ctx, struct agent_request *request, char *what, size_t size)
{
	const char *id = ctx_option(ctx, "id"), *name = ctx_option(ctx, "name");
	bool latest = ctx_flag(ctx, "latest"), undo = ctx_flag(ctx, "undo");
	const char *choice = id ? "id" : name ? "name" : latest ? "latest" : "undo";

	if (ctx_flag(ctx, "boot"))
		return out_error(RC_USAGE, "avctl restart VM...",
				 "a set has no boot snapshot: each VM has");
	if (!!id + !!name + latest + undo != 1)
		return out_error(RC_USAGE, "avctl snapshot list --sets shows what there is",
				 "exactly one of --id, --name, --latest, --undo");
	agent_begin(request, "restore-all");
	if (snapshot_add_choice(ctx, choice, request, what, size) != RC_OK)
		return RC_USAGE;
	snprintf(what, size, "set snapshot%s%s", id || name ? " " : "", id ? id : name ? name : "");
	if (undo)
		snprintf(what, size, "undo of a restore of the set");
	if (!ctx_flag(ctx, "no-undo"))
		line_add_number(&request->line, "keep_undo", 1);
	if (ctx_flag(ctx, "paused"))
		line_add_number(&request->line, "paused", 1);
	return RC_OK;
}

static void say_restored(const char *id, const char *undo, uint64_t gone, uint64_t paused_ns)
{
	char time[32];

	if (out_style.format == OUT_NAME) {
		puts(id);
	} else if (out_style.format == OUT_TABLE) {
		printf("all@%s", id);
		if (paused_ns)
			printf(" (held %s)", out_duration(time, paused_ns));
		putchar('\n');
	} else {
		out_json(json_pack("{s:b, s:o, s:s, s:I, s:f}", "all", true, "id",
				   snapshot_id_json(id), "undo", undo, "regions_gone",
				   (json_int_t)gone, "paused_ms", (double)paused_ns / 1e6));
	}
	if (gone)
		out_note("%" PRIu64 " region%s gone since: %s contents were not put back", gone,
			 gone == 1 ? " is" : "s are", gone == 1 ? "its" : "their");
	if (!strcmp(undo, "kept"))
		out_note("to go back: avctl restore --all --undo");
	else if (!strcmp(undo, "skipped"))
		out_note("no memory for undo of the whole set; avctl restore VM --undo may have it "
			 "VM by VM");
}

/*
 * Not simply repeated when an answer is lost, or `undo` would be overwritten: the generation of a
 * VM tells whether it was done.
 */
int snapshot_set_restore(struct ctx *ctx)
{
	uint64_t before = 0, after = 0, deadline, timeout, gone = 0, paused_ns = 0;
	struct agent_request request;
	struct agent_reply reply;
	const char *id, *undo, *vm;
	char what[64];
	int result = build(ctx, &request, what, sizeof(what));

	if (result == RC_OK)
		result = begin(ctx);
	if (result == RC_OK)
		result = ctx_timeout(ctx, 10000000000u, &timeout);
	if (result != RC_OK)
		return result;
	vm = ctx->record->set->vms[0].name;
	result = restore_generation(ctx, vm, &before);
	if (result != RC_OK)
		return result;
	deadline = agent_now() + timeout;
	while (agent_call(ctx->agent, &request, NULL, true, &reply) != AGENT_OK) {
		if (reply.status == AGENT_ERROR || agent_now() >= deadline ||
		    !record_alive(ctx->record))
			return explain(ctx, &reply, what);
		result = restore_generation(ctx, vm, &after);
		if (result != RC_OK)
			return result;
		if (after > before) {
			id = ctx_option(ctx, "id");
			say_restored(id ? id : "?", ctx_flag(ctx, "no-undo") ? "off" : "kept", 0,
				     0);
			return RC_OK;
		}
		result = build(ctx, &request, what, sizeof(what));
		if (result != RC_OK)
			return result;
	}
	id = line_text(&reply.end, "id");
	undo = line_text(&reply.end, "undo");
	line_number(&reply.end, "regions_gone", &gone);
	line_number(&reply.end, "paused_ns", &paused_ns);
	say_restored(id ? id : "?", undo ? undo : "off", gone, paused_ns);
	return RC_OK;
}

static int delete_one(struct ctx *ctx, const char *text)
{
	struct agent_request request;
	struct agent_reply reply;
	char what[64];
	int result;

	agent_begin(&request, "delete-all");
	result = snapshot_pick(&request, text, what, sizeof(what));
	if (result != RC_OK)
		return result;
	snprintf(what, sizeof(what), "set snapshot %s", text);
	/* Gone when asked a second time: the first time did it. */
	if (agent_call(ctx->agent, &request, NULL, false, &reply) != AGENT_OK &&
	    !(reply.repeated && reply.status == AGENT_ERROR && !strcmp(reply.code, "NOT_FOUND")))
		return explain(ctx, &reply, what);
	say_id(text, "deleted");
	return RC_OK;
}

int snapshot_set_delete(struct ctx *ctx)
{
	int failed = 0, last = RC_OK;
	int result = begin(ctx);

	if (result != RC_OK)
		return result;
	for (int i = 0; i < ctx->arg_count; i++) {
		result = delete_one(ctx, ctx->args[i]);
		if (result != RC_OK) {
			last = result;
			failed++;
		}
	}
	if (failed && failed < ctx->arg_count)
		return out_error(RC_PARTLY, NULL, "%d of %d failed", failed, ctx->arg_count);
	return last;
}

int snapshot_set_list(struct ctx *ctx)
{
	enum { ID, NAME, TAKEN, REGIONS, MEMORY, PARTS, COUNT };
	static const struct column columns[COUNT] = {
		[ID] = {"ID", "id", COLUMN_NUMBER, "id"},
		[NAME] = {"NAME", "name", COLUMN_TEXT, "name"},
		[TAKEN] = {"TAKEN", "taken", COLUMN_TIME, "taken_ns"},
		[REGIONS] = {"REGIONS", "regions", COLUMN_NUMBER, "regions"},
		[MEMORY] = {"MEMORY", "frames", COLUMN_FRAMES, "frames"},
		[PARTS] = {"PARTS", "parts", COLUMN_TEXT, "parts"},
	};
	struct rows_machine machine;
	struct table *table;
	int result;

	if (ctx->arg_count)
		return out_error(RC_USAGE, "avctl snapshot list --sets",
				 "--sets takes no VM: \"%s\"", ctx->args[0]);
	result = begin(ctx);
	if (result == RC_OK)
		result = rows_machine(ctx, &machine);
	if (result != RC_OK)
		return result;
	table = table_new(columns, COUNT);
	result = rows_ask(ctx, "sets", NULL, table, columns, COUNT);
	if (result == RC_OK) {
		for (size_t row = 0; row < table_row_count(table); row++)
			if (!*table_get(table, row, NAME))
				table_set_text_at(table, row, NAME, NULL);
		rows_to_time(table, TAKEN, &machine);
		if (table_row_count(table) == 0 && out_style.format == OUT_TABLE)
			out_note("no set snapshots; avctl snapshot take --all");
		table_print(table, json_pack("{s:s}", "set", ctx->record->set->name), "snapshots");
	}
	table_free(table);
	return result;
}
