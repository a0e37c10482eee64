/* SPDX-License-Identifier: MIT */
/*
 * snapshot.c - snapshot take, delete, pin, unpin, rename. A take carries a request id into the
 * snapshot, so that asking again after a broken connection finds it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "cmd/snapshot_notes.h"
#include "cmd/snapshot_pick.h"
#include "cmd/snapshot_prune.h"
#include "cmd/snapshot_quiesce.h"
#include "cmd/snapshot_set.h"
#include "config/value.h"

int snapshot_check_name(const char *name)
{
	static const char *const reserved[] = {"boot", "undo", "latest", "none"};

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		if (!strcmp(name, reserved[i]))
			return out_error(RC_USAGE, "choose another name",
					 "\"%s\" means something else already", name);
	}
	if (!value_is_name(name))
		return out_error(RC_USAGE, "a small letter, then up to 31 of a-z 0-9 . _ -",
				 "\"%s\" cannot be a snapshot's name", name);
	return RC_OK;
}

int snapshot_pick(struct agent_request *request, const char *text, char *what, size_t what_size)
{
	uint64_t id;

	if (!strcmp(text, "undo")) {
		line_add_number(&request->line, "undo", 1);
		snprintf(what, what_size, "undo snapshot");
		return RC_OK;
	}
	if (line_to_number(text, &id)) {
		line_add_number(&request->line, "id", id);
		snprintf(what, what_size, "snapshot %s", text);
		return RC_OK;
	}
	if (!strcmp(text, "boot"))
		return out_error(RC_WRONG_STATE, NULL, "the boot snapshot cannot be changed");
	if (!value_is_name(text))
		return out_error(RC_USAGE, "a number or a name as `avctl snapshot list` prints it",
				 "\"%s\" cannot be a snapshot", text);
	line_add_text(&request->line, "name", text);
	snprintf(what, what_size, "snapshot \"%s\"", text);
	return RC_OK;
}

json_t *snapshot_id_json(const char *id)
{
	uint64_t number;

	return line_to_number(id, &number) ? json_integer((json_int_t)number) : json_string(id);
}

/* The VM of the first argument, and a connection. */
static int begin(struct ctx *ctx, const struct set_vm **vm)
{
	int result = ctx_need_record(ctx);

	if (result == RC_OK)
		result = ctx_need_vm(ctx, ctx->args[0], vm);
	if (result == RC_OK)
		result = ctx_need_agent(ctx);
	return result;
}

/* It is replaced by the next restore, whatever is written on it. */
static int not_undo(const char *vm, const char *id)
{
	char hint[128];

	if (strcmp(id, "undo") != 0)
		return RC_OK;
	return out_error(RC_WRONG_STATE,
			 out_text(hint, sizeof(hint),
				  "avctl restore %s --undo, then avctl snapshot take %s", vm, vm),
			 "undo of %s cannot be kept: the next restore replaces it", vm);
}

static int set_pinned(struct ctx *ctx, const char *vm, const char *id, bool pinned)
{
	struct agent_request request;
	struct agent_reply reply;
	char what[64];
	int result;

	agent_begin(&request, "set");
	line_add_text(&request.line, "vm", vm);
	result = snapshot_pick(&request, id, what, sizeof(what));
	if (result != RC_OK)
		return result;
	line_add_number(&request.line, "pinned", pinned);
	if (agent_call(ctx->agent, &request, NULL, false, &reply) != AGENT_OK)
		return ctx_agent_error(ctx, &reply, vm, what);
	return RC_OK;
}

void snapshot_say_evicted(uint64_t count)
{
	if (count)
		out_note("%" PRIu64
			 " older snapshot%s evicted to make room: avctl events tells which",
			 count, count == 1 ? " or set of them was" : "s or sets of them were");
}

static void say_taken(const char *vm, const char *name, const struct line *reply)
{
	const char *id = line_text(reply, "id");
	uint64_t number = 0, evicted = 0, paused_ns = 0;
	char time[32];

	line_number(reply, "id", &number);
	line_number(reply, "evicted", &evicted);
	line_number(reply, "paused_ns", &paused_ns);
	snapshot_say_evicted(evicted);
	if (out_style.format == OUT_NAME) {
		puts(id);
	} else if (out_style.format == OUT_TABLE) {
		printf("%s@%s%s%s", vm, id, name ? " " : "", name ? name : "");
		if (paused_ns)
			printf(" (held %s)", out_duration(time, paused_ns));
		putchar('\n');
	} else {
		out_json(json_pack("{s:s, s:I, s:s?, s:I, s:f}", "vm", vm, "id", (json_int_t)number,
				   "name", name, "evicted", (json_int_t)evicted, "paused_ms",
				   (double)paused_ns / 1e6));
	}
}

/* What is asked for besides the snapshot itself; it has been checked. */
static int decorate(struct ctx *ctx, const struct set_vm *vm, const char *id)
{
	const char *tag = ctx_option(ctx, "tag"), *note = ctx_option(ctx, "note");
	int result = RC_OK;

	if (ctx_flag(ctx, "pin"))
		result = set_pinned(ctx, vm->name, id, true);
	if (result == RC_OK && (tag || note)) {
		struct table *rows = table_new(snapshot_columns, SNAP_ACTION);

		result = snapshot_rows(ctx, vm->name, true, rows);
		if (result == RC_OK)
			result = notes_change(ctx->record, vm->name, rows, id, tag, note);
		table_free(rows);
	}
	if (result == RC_OK)
		result = snapshot_expire(ctx, vm);
	return result;
}

static int take_now(struct ctx *ctx, const char *vm, const char *name, struct agent_reply *reply)
{
	struct agent_request request;

	agent_begin(&request, "take");
	line_add_text(&request.line, "vm", vm);
	if (name)
		line_add_text(&request.line, "name", name);
	line_add_hex(&request.line, "request", agent_random());
	if (agent_call(ctx->agent, &request, NULL, false, reply) != AGENT_OK)
		return ctx_agent_error(ctx, reply, vm, NULL);
	if (!line_text(&reply->end, "id"))
		return out_error(RC_FAILED, "avctl version", "the agent's answer is incomplete");
	return RC_OK;
}

/* RC_PARTLY: it was taken, but not in the stillness that was asked for. */
static int take(struct ctx *ctx, const char *vm, const char *name, struct agent_reply *reply)
{
	struct quiesce quiesce;
	int result, end;

	if (!ctx_flag(ctx, "quiesce"))
		return take_now(ctx, vm, name, reply);
	result = quiesce_begin(ctx, vm, &quiesce);
	if (result != RC_OK)
		return result;
	result = ctx_need_agent(ctx); /* its deadline starts now */
	if (result == RC_OK)
		result = take_now(ctx, vm, name, reply);
	end = quiesce_end(&quiesce);
	return result != RC_OK ? result : end;
}

int cmd_snapshot_take(struct ctx *ctx)
{
	const char *name = ctx_option(ctx, "name");
	struct agent_reply reply;
	const struct set_vm *vm;
	char id[32];
	int result = snapshot_set_choose(ctx, ctx_flag(ctx, "all"));

	if (result == RC_OK && name)
		result = snapshot_check_name(name);
	if (result == RC_OK && ctx_flag(ctx, "all"))
		return snapshot_set_take(ctx, name);
	if (result == RC_OK && ctx_option(ctx, "tag"))
		result = notes_check_tag(ctx_option(ctx, "tag"));
	if (result == RC_OK && ctx_option(ctx, "note"))
		result = notes_check_note(ctx_option(ctx, "note"));
	if (result == RC_OK)
		result = begin(ctx, &vm);
	if (result != RC_OK)
		return result;
	result = take(ctx, vm->name, name, &reply);
	if (result != RC_OK && result != RC_PARTLY)
		return result;
	say_taken(vm->name, name, &reply.end);
	snprintf(id, sizeof(id), "%s", line_text(&reply.end, "id"));
	if (decorate(ctx, vm, id) != RC_OK)
		return out_error(RC_PARTLY, NULL, "%s@%s was taken, but not all was done", vm->name,
				 id);
	return result;
}

static void say_one(const char *vm, const char *id, const char *what)
{
	if (out_style.format == OUT_NAME)
		puts(id);
	else if (out_style.format == OUT_TABLE)
		printf("%s@%s %s\n", vm, id, what);
	else
		out_json(json_pack("{s:s, s:o, s:s}", "vm", vm, "id", snapshot_id_json(id),
				   "result", what));
}

static int delete_one(struct ctx *ctx, const char *vm, const char *id)
{
	struct agent_request request;
	struct agent_reply reply;
	char what[64];
	int result;

	agent_begin(&request, "delete");
	line_add_text(&request.line, "vm", vm);
	result = snapshot_pick(&request, id, what, sizeof(what));
	if (result != RC_OK)
		return result;
	/* Gone when asked a second time: the first time did it. */
	if (agent_call(ctx->agent, &request, NULL, false, &reply) != AGENT_OK &&
	    !(reply.repeated && reply.status == AGENT_ERROR && !strcmp(reply.code, "NOT_FOUND")))
		return ctx_agent_error(ctx, &reply, vm, what);
	say_one(vm, id, "deleted");
	return RC_OK;
}

int cmd_snapshot_delete(struct ctx *ctx)
{
	const struct set_vm *vm;
	int failed = 0, last = RC_OK, result;

	if (ctx_flag(ctx, "all") && !ctx->arg_count)
		return out_error(RC_USAGE, "avctl snapshot list --sets",
				 "which set snapshot? avctl snapshot delete --all ID");
	if (ctx_flag(ctx, "all"))
		return snapshot_set_delete(ctx);
	if (ctx->arg_count < 2)
		return out_error(RC_USAGE, "avctl snapshot list VM shows what there is",
				 "which snapshot? avctl snapshot delete %s ID",
				 ctx->arg_count ? ctx->args[0] : "VM");
	result = begin(ctx, &vm);

	if (result != RC_OK)
		return result;
	for (int i = 1; i < ctx->arg_count; i++) {
		result = delete_one(ctx, vm->name, ctx->args[i]);
		if (result != RC_OK) {
			last = result;
			failed++;
		}
	}
	if (failed && failed < ctx->arg_count - 1)
		return out_error(RC_PARTLY, NULL, "%d of %d failed", failed, ctx->arg_count - 1);
	return last;
}

static int pin(struct ctx *ctx, bool pinned)
{
	const struct set_vm *vm;
	int result = begin(ctx, &vm);

	if (result == RC_OK)
		result = not_undo(vm->name, ctx->args[1]);
	if (result == RC_OK)
		result = set_pinned(ctx, vm->name, ctx->args[1], pinned);
	if (result == RC_OK)
		say_one(vm->name, ctx->args[1], pinned ? "pinned" : "unpinned");
	return result;
}

int cmd_snapshot_pin(struct ctx *ctx)
{
	return pin(ctx, true);
}

int cmd_snapshot_unpin(struct ctx *ctx)
{
	return pin(ctx, false);
}

int cmd_snapshot_rename(struct ctx *ctx)
{
	const char *name = ctx->args[2];
	struct agent_request request;
	struct agent_reply reply;
	const struct set_vm *vm;
	char what[64];
	int result = *name ? snapshot_check_name(name) : RC_OK;

	if (result == RC_OK)
		result = begin(ctx, &vm);
	if (result == RC_OK)
		result = not_undo(vm->name, ctx->args[1]);
	if (result != RC_OK)
		return result;
	agent_begin(&request, "set");
	line_add_text(&request.line, "vm", vm->name);
	result = snapshot_pick(&request, ctx->args[1], what, sizeof(what));
	if (result != RC_OK)
		return result;
	line_add_text(&request.line, "new_name", name);
	if (agent_call(ctx->agent, &request, NULL, false, &reply) != AGENT_OK)
		return ctx_agent_error(ctx, &reply, vm->name, what);
	say_one(vm->name, ctx->args[1],
		*name ? out_text(what, sizeof(what), "renamed to %s", name) : "without a name now");
	return RC_OK;
}
