/* SPDX-License-Identifier: MIT */
/*
 * snapshot_tree.c - `snapshot list --tree`.
 * A restore deletes nothing, so the parents are a tree; must show where in it the VM stands.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/snapshot_pick.h"
#include "cmd/snapshot_tree.h"

struct position {
	char origin[32];
	char state[16];
};

static void take_position(void *to, const struct line *row)
{
	struct position *position = to;
	const char *origin = line_text(row, "origin"), *state = line_text(row, "state");

	snprintf(position->origin, sizeof(position->origin), "%s", origin ? origin : "boot");
	snprintf(position->state, sizeof(position->state), "%s", state ? state : "?");
}

static int ask_position(struct ctx *ctx, const char *vm, struct position *position)
{
	struct agent_sink sink = {.row = take_position, .to = position};
	struct agent_request request;
	struct agent_reply reply;

	agent_begin(&request, "vm");
	line_add_text(&request.line, "vm", vm);
	if (agent_call(ctx->agent, &request, &sink, false, &reply) != AGENT_OK)
		return ctx_agent_error(ctx, &reply, vm, NULL);
	return RC_OK;
}

static bool same(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

/* The row of that VM's id, or SIZE_MAX. */
static size_t find(const struct table *table, const char *vm, const char *id)
{
	for (size_t row = 0; row < table_row_count(table); row++) {
		if (same(table_get(table, row, SNAP_VM), vm) &&
		    same(table_get(table, row, SNAP_ID), id))
			return row;
	}
	return SIZE_MAX;
}

static size_t add(struct table *table, const char *vm, const char *id, const char *name,
		  const char *parent)
{
	table_row(table);
	table_set(table, SNAP_ID, id);
	table_set(table, SNAP_VM, vm);
	table_set(table, SNAP_NAME, name);
	table_set(table, SNAP_PARENT_ID, parent);
	return table_row_count(table) - 1;
}

/* A row for each parent of that VM that is deleted; then the leaf. */
static void add_missing(struct table *table, const char *vm, const struct position *position)
{
	size_t count = table_row_count(table), leaf;

	for (size_t row = 0; row < count; row++) {
		const char *parent = table_get(table, row, SNAP_PARENT_ID);

		if (same(table_get(table, row, SNAP_VM), vm) && parent &&
		    find(table, vm, parent) == SIZE_MAX)
			add(table, vm, parent, "(deleted)", "boot");
	}
	if (find(table, vm, position->origin) == SIZE_MAX)
		add(table, vm, position->origin, "(deleted)", "boot");
	leaf = add(table, vm, "now", "(the VM as it is)", position->origin);
	table_set_text_at(table, leaf, SNAP_STATE, position->state);
}

/* A row and all below it; deeper than there are rows is a ring, which no machine has. */
static json_t *node_json(const struct table *table, size_t row, size_t depth)
{
	const char *id = table_get(table, row, SNAP_ID), *vm = table_get(table, row, SNAP_VM);
	const char *name = table_get(table, row, SNAP_NAME);
	json_t *children = json_array(), *node;

	for (size_t i = 0; depth && i < table_row_count(table); i++) {
		if (same(table_get(table, i, SNAP_VM), vm) &&
		    same(table_get(table, i, SNAP_PARENT_ID), id))
			json_array_append_new(children, node_json(table, i, depth - 1));
	}
	node = json_pack("{s:o, s:b, s:b}", "id", snapshot_id_json(id), "current",
			 !strcmp(id, "now"), "deleted", same(name, "(deleted)"));
	json_object_set_new(node, "children", children);
	return node;
}

static void link_rows(struct table *table)
{
	for (size_t row = 0; row < table_row_count(table); row++) {
		const char *parent = table_get(table, row, SNAP_PARENT_ID);
		size_t at = parent ? find(table, table_get(table, row, SNAP_VM), parent) : SIZE_MAX;

		if (at != SIZE_MAX && at != row)
			table_set_parent(table, row, at);
	}
}

int snapshot_tree(struct ctx *ctx, struct table *table, struct column *columns, json_t *document)
{
	size_t listed = table_row_count(table);
	json_t *trees = json_object();
	struct position position;
	int result = RC_OK;

	for (size_t i = 0; i < ctx->record->set->vm_count && result == RC_OK; i++) {
		const char *vm = ctx->record->set->vms[i].name;
		size_t boot = find(table, vm, "boot");

		if (boot == SIZE_MAX)
			continue;
		result = ask_position(ctx, vm, &position);
		if (result != RC_OK)
			break;
		add_missing(table, vm, &position);
		json_object_set_new(trees, vm, node_json(table, boot, table_row_count(table)));
	}
	json_object_set_new(document, "trees", trees);
	if (out_style.format == OUT_TABLE)
		link_rows(table);
	else
		table_truncate(table, listed);
	columns[SNAP_PARENT].title = NULL;
	return result;
}
