/* SPDX-License-Identifier: MIT */
/*
 * snapshot_list.c - snapshot list and prune.
 * Prune decides from one list and deletes by id, so that what arrives meanwhile is never touched.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/rows.h"

enum {
	SNAP_ID,
	SNAP_VM,
	SNAP_NAME,
	SNAP_TAKEN,
	SNAP_PARENT, /* in brackets when deleted; JSON has the id and a flag */
	SNAP_PARENT_ID,
	SNAP_PARENT_DELETED,
	SNAP_UNIQUE,
	SNAP_SHARED,
	SNAP_FREES,
	SNAP_PINNED,
	SNAP_STATE,
	SNAP_BASE,
	SNAP_VM_TIME,
	SNAP_ACTION, /* prune only */
	SNAP_REASON,
	SNAP_COUNT,
};

static const struct column list_columns[SNAP_ACTION] = {
	[SNAP_ID] = {"ID", "id", COLUMN_NUMBER, "id"},
	[SNAP_VM] = {"VM", "vm", COLUMN_TEXT, NULL},
	[SNAP_NAME] = {"NAME", "name", COLUMN_TEXT, "name"},
	[SNAP_TAKEN] = {"TAKEN", "taken", COLUMN_TIME, "taken_ns"},
	[SNAP_PARENT] = {"PARENT", NULL, COLUMN_NUMBER, "parent"},
	[SNAP_PARENT_ID] = {NULL, "parent", COLUMN_NUMBER, "parent"},
	[SNAP_PARENT_DELETED] = {NULL, "parent_deleted", COLUMN_BOOL, NULL},
	[SNAP_UNIQUE] = {"UNIQUE", "unique_pages", COLUMN_FRAMES, "unique"},
	[SNAP_SHARED] = {"SHARED", "shared_pages", COLUMN_FRAMES, "shared"},
	[SNAP_FREES] = {"FREES", "reclaimable_frames", COLUMN_FRAMES, "reclaimable"},
	[SNAP_PINNED] = {"PINNED", "pinned", COLUMN_BOOL, "pinned"},
	[SNAP_STATE] = {"STATE", "state", COLUMN_TEXT, "state"},
	[SNAP_BASE] = {"BASE", "base", COLUMN_BOOL, "base"},
	[SNAP_VM_TIME] = {NULL, "vm_time_ms", COLUMN_NS, "vm_time_ns"},
};

static bool has_id(const struct table *table, const char *id)
{
	for (size_t row = 0; row < table_row_count(table); row++) {
		const char *text = table_get(table, row, SNAP_ID);

		if (text && !strcmp(text, id))
			return true;
	}
	return false;
}

static void append(struct table *to, const struct table *from, size_t row, const char *vm)
{
	const char *text, *parent = table_get(from, row, SNAP_PARENT);
	char brackets[32];

	table_row(to);
	for (size_t i = 0; i < SNAP_ACTION; i++) {
		text = table_get(from, row, i);
		if ((i == SNAP_PARENT || i == SNAP_PARENT_ID) && text && !strcmp(text, "none"))
			text = NULL;
		if (i == SNAP_NAME && text && !*text)
			text = NULL;
		table_set(to, i, text);
	}
	table_set(to, SNAP_VM, vm);
	table_set(to, SNAP_PARENT_DELETED, "0");
	if (parent && strcmp(parent, "none") != 0 && !has_id(from, parent)) {
		table_set(to, SNAP_PARENT_DELETED, "1");
		table_set(to, SNAP_PARENT, out_text(brackets, sizeof(brackets), "(%s)", parent));
	}
}

/* All snapshots of a VM (boot last, or not at all), ids ascending. */
static int ask_snapshots(struct ctx *ctx, const char *vm, bool boot, struct table *to)
{
	struct table *rows = table_new(list_columns, SNAP_ACTION);
	int result = rows_ask(ctx, "snapshots", vm, rows, list_columns, SNAP_ACTION);

	for (int pass = 0; pass < 3 && result == RC_OK; pass++) {
		for (size_t row = 0; row < table_row_count(rows); row++) {
			const char *id = table_get(rows, row, SNAP_ID);
			int kind = !id ? -1 : !strcmp(id, "boot") ? 0 : !strcmp(id, "undo") ? 2 : 1;

			if (kind == pass && (kind != 0 || boot))
				append(to, rows, row, vm);
		}
	}
	table_free(rows);
	return result;
}

int cmd_snapshot_list(struct ctx *ctx)
{
	const char *name = ctx_arg(ctx, 0);
	struct column columns[SNAP_ACTION];
	struct rows_machine machine;
	const struct set_vm *vm;
	struct table *table;
	int result = ctx_need_record(ctx);

	if (result == RC_OK && name)
		result = ctx_need_vm(ctx, name, &vm);
	if (result == RC_OK)
		result = ctx_need_agent(ctx);
	if (result == RC_OK)
		result = rows_machine(ctx, &machine);
	if (result != RC_OK)
		return result;
	memcpy(columns, list_columns, sizeof(columns));
	if (name)
		columns[SNAP_VM].title = NULL;
	table = table_new(columns, SNAP_ACTION);
	for (size_t i = 0; i < ctx->record->set->vm_count && result == RC_OK; i++) {
		if (!name || !strcmp(ctx->record->set->vms[i].name, name))
			result = ask_snapshots(ctx, ctx->record->set->vms[i].name,
					       ctx_flag(ctx, "all"), table);
	}
	if (result == RC_OK) {
		rows_to_time(table, SNAP_TAKEN, &machine);
		if (table_row_count(table) == 0 && out_style.format == OUT_TABLE)
			out_note("no snapshots; avctl snapshot take %s", name ? name : "VM");
		table_print(table,
			    json_pack("{s:s, s:s*}", "set", ctx->record->set->name, "vm", name),
			    "snapshots");
	}
	table_free(table);
	return result;
}

/* Fill in what prune would do with each row; returns how many go. Rows are in ascending order. */
static size_t decide(struct table *table, uint64_t keep)
{
	uint64_t kept = 0;
	size_t gone = 0;

	for (size_t row = table_row_count(table); row-- > 0;) {
		const char *pinned = table_get(table, row, SNAP_PINNED);
		const char *action = "keep", *reason = "one of the newest";

		if (!strcmp(table_get(table, row, SNAP_ID), "undo")) {
			reason = "undo";
		} else if (pinned && !strcmp(pinned, "1")) {
			reason = "pinned";
		} else if (kept < keep) {
			kept++;
		} else {
			action = "delete";
			reason = "older";
			gone++;
		}
		table_set_text_at(table, row, SNAP_ACTION, action);
		table_set_text_at(table, row, SNAP_REASON, reason);
	}
	return gone;
}

static int delete_decided(struct ctx *ctx, const char *vm, struct table *table, size_t gone)
{
	size_t failed = 0;
	int last = RC_OK;

	for (size_t row = 0; row < table_row_count(table); row++) {
		struct agent_request request;
		struct agent_reply reply;

		if (strcmp(table_get(table, row, SNAP_ACTION), "delete") != 0)
			continue;
		agent_begin(&request, "delete");
		line_add_text(&request.line, "vm", vm);
		line_add_text(&request.line, "id", table_get(table, row, SNAP_ID));
		/* One that is gone (evicted meanwhile) is what we want. */
		if (agent_call(ctx->agent, &request, NULL, false, &reply) == AGENT_OK ||
		    (reply.status == AGENT_ERROR && !strcmp(reply.code, "NOT_FOUND")))
			continue;
		table_set_text_at(table, row, SNAP_ACTION, "failed");
		last = ctx_agent_error(ctx, &reply, vm, "snapshot");
		failed++;
	}
	return failed && failed < gone ? RC_PARTLY : last;
}

int cmd_snapshot_prune(struct ctx *ctx)
{
	struct column columns[SNAP_COUNT];
	struct rows_machine machine;
	const struct set_vm *vm;
	struct table *table;
	uint64_t keep;
	size_t gone;
	int result = ctx_need_record(ctx);

	if (result == RC_OK)
		result = ctx_need_vm(ctx, ctx->args[0], &vm);
	if (result != RC_OK)
		return result;
	keep = vm->snapshot_keep;
	result = ctx_number_option(ctx, "keep-last", &keep);
	if (result == RC_OK && !ctx_option(ctx, "keep-last") && keep == 0)
		result = out_error(RC_USAGE, "avctl snapshot prune VM --keep-last N",
				   "the YAML file has no snapshots.keep for %s", vm->name);
	if (result == RC_OK)
		result = ctx_need_agent(ctx);
	if (result == RC_OK)
		result = rows_machine(ctx, &machine);
	if (result != RC_OK)
		return result;
	memcpy(columns, list_columns, sizeof(list_columns));
	columns[SNAP_ACTION] = (struct column){"ACTION", "action", COLUMN_TEXT, NULL};
	columns[SNAP_REASON] = (struct column){"REASON", "reason", COLUMN_TEXT, NULL};
	columns[SNAP_VM].title = columns[SNAP_PARENT].title = columns[SNAP_STATE].title = NULL;
	columns[SNAP_BASE].title = columns[SNAP_UNIQUE].title = columns[SNAP_SHARED].title = NULL;
	table = table_new(columns, SNAP_COUNT);
	result = ask_snapshots(ctx, vm->name, false, table);
	if (result == RC_OK) {
		rows_to_time(table, SNAP_TAKEN, &machine);
		gone = decide(table, keep);
		if (!ctx_flag(ctx, "dry-run"))
			result = delete_decided(ctx, vm->name, table, gone);
		else
			out_note("nothing was deleted (--dry-run)");
		table_print(table,
			    json_pack("{s:s, s:b}", "vm", vm->name, "dry_run",
				      ctx_flag(ctx, "dry-run")),
			    "snapshots");
	}
	table_free(table);
	return result;
}
