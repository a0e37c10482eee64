/* SPDX-License-Identifier: MIT */
/*
 * snapshot_tag.c - snapshot tag and note.
 * Never touches the snapshot itself: see snapshot_notes.h.
 */
#include <stdio.h>
#include <string.h>
#include "cmd/snapshot_notes.h"
#include "cmd/snapshot_pick.h"

#define TAGS_SIZE (NOTES_TAGS_MAX * (NOTES_TAG_MAX + 1) + 1)

/* The set's VM and its snapshots in *rows (to be freed by the caller), and the row meant. */
static int begin(struct ctx *ctx, const struct set_vm **vm, struct table **rows, int *row)
{
	int result = ctx_need_record(ctx);

	if (result == RC_OK)
		result = ctx_need_vm(ctx, ctx->args[0], vm);
	if (result == RC_OK)
		result = ctx_need_agent(ctx);
	if (result != RC_OK)
		return result;
	*rows = table_new(snapshot_columns, SNAP_ACTION);
	result = snapshot_rows(ctx, (*vm)->name, true, *rows);
	if (result != RC_OK)
		return result;
	*row = snapshot_row_pick(*rows, (*vm)->name, ctx->args[1]);
	if (*row < 0)
		return *row == -1 ? RC_NOT_FOUND : RC_USAGE;
	if (!strcmp(table_get(*rows, (size_t)*row, SNAP_ID), "boot") ||
	    !strcmp(table_get(*rows, (size_t)*row, SNAP_ID), "undo"))
		return out_error(RC_WRONG_STATE, "avctl snapshot take",
				 "the %s snapshot has no tags and no note",
				 table_get(*rows, (size_t)*row, SNAP_ID));
	return RC_OK;
}

/* The tags without the one of that key. */
static void drop_key(char *tags, const char *key, size_t key_length)
{
	char kept[TAGS_SIZE] = "";
	const char *from = tags;

	while (*from) {
		size_t length = strcspn(from, " "), here = strcspn(from, "= ");

		if (here != key_length || strncmp(from, key, key_length) != 0) {
			if (*kept)
				strcat(kept, " ");
			strncat(kept, from, length);
		}
		from += length + strspn(from + length, " ");
	}
	strcpy(tags, kept);
}

static size_t count_tags(const char *tags)
{
	size_t count = *tags != '\0';

	for (; *tags; tags++)
		count += *tags == ' ';
	return count;
}

/* Put a tag, or replace the one of that key. */
static int add_tag(char *tags, const char *tag)
{
	int result = notes_check_tag(tag);

	if (result != RC_OK)
		return result;
	drop_key(tags, tag, strcspn(tag, "="));
	if (count_tags(tags) >= NOTES_TAGS_MAX || strlen(tags) + strlen(tag) + 2 > TAGS_SIZE)
		return out_error(RC_USAGE, NULL, "at most %d tags", NOTES_TAGS_MAX);
	if (*tags)
		strcat(tags, " ");
	strcat(tags, tag);
	return RC_OK;
}

static void say(const char *vm, const char *id, const char *what)
{
	if (out_style.format == OUT_NAME)
		puts(id);
	else if (out_style.format == OUT_TABLE)
		printf("%s@%s %s\n", vm, id, what);
	else
		out_json(json_pack("{s:s, s:o, s:s}", "vm", vm, "id", snapshot_id_json(id),
				   "result", what));
}

int cmd_snapshot_tag(struct ctx *ctx)
{
	const char *remove = ctx_option(ctx, "remove"), *old;
	struct table *rows = NULL;
	const struct set_vm *vm;
	char tags[TAGS_SIZE];
	int row, result = RC_OK;

	if (ctx->arg_count < 3 && !remove)
		return out_error(RC_USAGE, "avctl snapshot tag VM ID KEY=VALUE", "which tag?");
	result = begin(ctx, &vm, &rows, &row);
	if (result == RC_OK) {
		const char *id = table_get(rows, (size_t)row, SNAP_ID);

		old = table_get(rows, (size_t)row, SNAP_TAGS);
		snprintf(tags, sizeof(tags), "%s", old ? old : "");
		if (remove)
			drop_key(tags, remove, strlen(remove));
		for (int i = 2; i < ctx->arg_count && result == RC_OK; i++)
			result = add_tag(tags, ctx->args[i]);
		if (result == RC_OK)
			result = notes_change(ctx->record, vm->name, rows, id, tags, NULL);
		if (result == RC_OK)
			say(vm->name, id, *tags ? tags : "without tags");
	}
	table_free(rows);
	return result;
}

int cmd_snapshot_note(struct ctx *ctx)
{
	const char *note = ctx->args[2];
	struct table *rows = NULL;
	const struct set_vm *vm;
	int row, result = notes_check_note(note);

	if (result != RC_OK)
		return result;
	result = begin(ctx, &vm, &rows, &row);
	if (result == RC_OK) {
		const char *id = table_get(rows, (size_t)row, SNAP_ID);

		result = notes_change(ctx->record, vm->name, rows, id, NULL, note);
		if (result == RC_OK)
			say(vm->name, id, *note ? "noted" : "without a note");
	}
	table_free(rows);
	return result;
}
