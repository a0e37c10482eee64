/* SPDX-License-Identifier: MIT */
/*
 * snapshot_list.c - snapshot list, as rows or as the tree that the parents make.
 * Only asks; changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/clones.h"
#include "cmd/snapshot_set.h"
#include "cmd/snapshot_tree.h"

static bool has_text(const struct table *table, size_t column)
{
	for (size_t row = 0; row < table_row_count(table); row++) {
		if (table_get(table, row, column))
			return true;
	}
	return false;
}

/* Without what nobody asked about: the VM when it was named, tags and notes when there are none. */
static void choose_titles(struct column *columns, const struct table *table, bool one_vm)
{
	if (one_vm)
		columns[SNAP_VM].title = NULL;
	if (has_text(table, SNAP_SET))
		columns[SNAP_SET].title = "SET";
	if (has_text(table, SNAP_TAGS))
		columns[SNAP_TAGS].title = "TAGS";
	if (has_text(table, SNAP_NOTE))
		columns[SNAP_NOTE].title = "NOTE";
}

/* The snapshots of one VM, or of all. */
static int ask(struct ctx *ctx, const char *name, bool boot, struct table *table)
{
	int result = RC_OK;

	for (size_t i = 0; i < ctx->record->set->vm_count && result == RC_OK; i++) {
		if (!name || !strcmp(ctx->record->set->vms[i].name, name))
			result = snapshot_rows(ctx, ctx->record->set->vms[i].name, boot, table);
	}
	return result;
}

int cmd_snapshot_list(struct ctx *ctx)
{
	const char *name = ctx_arg(ctx, 0);
	bool tree = ctx_flag(ctx, "tree");
	struct column columns[SNAP_ACTION];
	json_t *document;
	struct rows_machine machine;
	const struct set_vm *vm;
	struct table *table;
	int result;

	if (ctx_flag(ctx, "sets"))
		return snapshot_set_list(ctx);
	result = ctx_need_record(ctx);
	if (result == RC_OK && name)
		result = ctx_need_vm(ctx, name, &vm);
	if (result == RC_OK)
		result = ctx_need_agent(ctx);
	if (result == RC_OK && !name)
		result = clones_learn(ctx);
	if (result == RC_OK)
		result = rows_machine(ctx, &machine);
	if (result != RC_OK)
		return result;
	memcpy(columns, snapshot_columns, sizeof(columns));
	table = table_new(columns, SNAP_ACTION);
	result = ask(ctx, name, tree || ctx_flag(ctx, "all"), table);
	if (result == RC_OK) {
		rows_to_time(table, SNAP_TAKEN, &machine);
		document = json_pack("{s:s, s:s*}", "set", ctx->record->set->name, "vm", name);
		if (table_row_count(table) == 0 && out_style.format == OUT_TABLE)
			out_note("no snapshots; avctl snapshot take %s", name ? name : "VM");
		if (tree)
			result = snapshot_tree(ctx, table, columns, document);
		choose_titles(columns, table, name);
		if (result == RC_OK)
			table_print(table, document, "snapshots");
		else
			json_decref(document);
	}
	table_free(table);
	return result;
}
