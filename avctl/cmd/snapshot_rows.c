/* SPDX-License-Identifier: MIT */
/*
 * snapshot_rows.c - asking for a VM's snapshots.
 * Never shows a parent that is gone without saying so.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "cmd/snapshot_notes.h"
#include "config/value.h"

const struct column snapshot_columns[SNAP_ACTION] = {
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
	[SNAP_CLONES] = {NULL, "clones", COLUMN_NUMBER, "clones"},
	[SNAP_SET] = {NULL, "set", COLUMN_NUMBER, "set"},
	[SNAP_VM_TIME] = {NULL, "vm_time_ms", COLUMN_NS, "vm_time_ns"},
	[SNAP_TAGS] = {NULL, "tags", COLUMN_WORDS, NULL},
	[SNAP_NOTE] = {NULL, "note", COLUMN_TEXT, NULL},
};

int snapshot_row_find(const struct table *table, const char *id)
{
	for (size_t row = 0; row < table_row_count(table); row++) {
		const char *text = table_get(table, row, SNAP_ID);

		if (text && !strcmp(text, id))
			return (int)row;
	}
	return -1;
}

static bool has_id(const struct table *table, const char *id)
{
	return snapshot_row_find(table, id) >= 0;
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

int snapshot_rows(struct ctx *ctx, const char *vm, bool boot, struct table *to)
{
	struct table *rows = table_new(snapshot_columns, SNAP_ACTION);
	size_t first = table_row_count(to);
	int result = rows_ask(ctx, "snapshots", vm, rows, snapshot_columns, SNAP_ACTION);

	for (int pass = 0; pass < 3 && result == RC_OK; pass++) {
		for (size_t row = 0; row < table_row_count(rows); row++) {
			const char *id = table_get(rows, row, SNAP_ID);
			int kind = !id ? -1 : !strcmp(id, "boot") ? 0 : !strcmp(id, "undo") ? 2 : 1;

			if (kind == pass && (kind != 0 || boot))
				append(to, rows, row, vm);
		}
	}
	table_free(rows);
	if (result == RC_OK)
		notes_fill(ctx->record, vm, to, first);
	return result;
}

static int find_name(const struct table *table, const char *name)
{
	for (size_t row = 0; row < table_row_count(table); row++) {
		const char *text = table_get(table, row, SNAP_NAME);

		if (text && !strcmp(text, name))
			return (int)row;
	}
	return -1;
}

int snapshot_row_pick(const struct table *table, const char *vm, const char *text)
{
	char hint[80], number[32];
	uint64_t id;
	int found;

	if (!strcmp(text, "latest")) {
		for (found = (int)table_row_count(table) - 1; found >= 0; found--)
			if (line_to_number(table_get(table, (size_t)found, SNAP_ID), &id))
				break;
	} else if (line_to_number(text, &id)) {
		found = snapshot_row_find(table, out_text(number, sizeof(number), "%" PRIu64, id));
	} else if (!strcmp(text, "boot") || !strcmp(text, "undo")) {
		found = snapshot_row_find(table, text);
	} else if (value_is_name(text)) {
		found = find_name(table, text);
	} else {
		out_error(RC_USAGE, "a number or a name as `avctl snapshot list` prints it",
			  "\"%s\" cannot be a snapshot", text);
		return -2;
	}
	if (found < 0)
		out_error(RC_NOT_FOUND, out_text(hint, sizeof(hint), "avctl snapshot list %s", vm),
			  "no snapshot %s of %s", text, vm);
	return found;
}
