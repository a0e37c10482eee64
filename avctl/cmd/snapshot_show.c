/* SPDX-License-Identifier: MIT */
/*
 * snapshot_show.c - `avctl snapshot show`: one snapshot in full, with its vCPUs.
 * Only asks; changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/snapshot_pick.h"
#include "cmd/snapshot_rows.h"

/* As lines of "Title: value". */
static void choose_columns(struct column columns[SNAP_ACTION])
{
	static const struct {
		size_t column;
		const char *title;
	} titles[] = {
		{SNAP_ID, "Snapshot"},
		{SNAP_VM, "VM"},
		{SNAP_NAME, "Name"},
		{SNAP_TAKEN, "Taken"},
		{SNAP_PARENT, "Parent"},
		{SNAP_STATE, "State"},
		{SNAP_VM_TIME, "VM time"},
		{SNAP_PINNED, "Pinned"},
		{SNAP_CLONES, "Clones"},
		{SNAP_BASE, "Base"},
		{SNAP_UNIQUE, "Private memory"},
		{SNAP_SHARED, "Shared memory"},
		{SNAP_FREES, "Deletion frees"},
		{SNAP_TAGS, "Tags"},
		{SNAP_NOTE, "Note"},
	};

	memcpy(columns, snapshot_columns, sizeof(snapshot_columns));
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		columns[titles[i].column].title = titles[i].title;
}

static void take_part(void *to, const struct line *row)
{
	const char *part = line_text(row, "part"), *pc = line_text(row, "pc");
	const char *pstate = line_text(row, "pstate"), *power = line_text(row, "power");
	uint64_t vcpu = 0;

	if (!part || strcmp(part, "vcpu") != 0)
		return;
	line_number(row, "vcpu", &vcpu);
	json_array_append_new(to, json_pack("{s:I, s:s?, s:s?, s:b}", "index", (json_int_t)vcpu,
					    "pc", pc, "pstate", pstate, "on",
					    power && !strcmp(power, "0x1")));
}

static void drop_parts(void *to)
{
	json_array_clear(to);
}

static int ask_vcpus(struct ctx *ctx, const char *vm, const char *id, json_t *vcpus)
{
	struct agent_sink sink = {.row = take_part, .restart = drop_parts, .to = vcpus};
	struct agent_request request;
	struct agent_reply reply;

	agent_begin(&request, "state");
	line_add_text(&request.line, "vm", vm);
	line_add_text(&request.line, "id", id);
	if (agent_call(ctx->agent, &request, &sink, false, &reply) != AGENT_OK)
		return ctx_agent_error(ctx, &reply, vm, "such snapshot");
	return RC_OK;
}

static void say_vcpus(const json_t *vcpus)
{
	for (size_t i = 0; i < json_array_size(vcpus); i++) {
		const json_t *vcpu = json_array_get(vcpus, i);
		const char *pc = json_string_value(json_object_get(vcpu, "pc"));
		const char *pstate = json_string_value(json_object_get(vcpu, "pstate"));
		char title[32];

		out_text(title, sizeof(title), "vCPU %d",
			 (int)json_integer_value(json_object_get(vcpu, "index")));
		if (json_is_true(json_object_get(vcpu, "on")))
			printf("%-18s pc %s pstate %s\n", title, pc ? pc : "?",
			       pstate ? pstate : "?");
		else
			printf("%-18s off\n", title);
	}
}

static int show(struct ctx *ctx, const char *vm, struct table *rows)
{
	struct rows_machine machine;
	json_t *vcpus;
	int row, result = rows_machine(ctx, &machine);

	if (result == RC_OK)
		result = snapshot_rows(ctx, vm, true, rows);
	if (result != RC_OK)
		return result;
	row = snapshot_row_pick(rows, vm, ctx->args[1]);
	if (row < 0)
		return row == -1 ? RC_NOT_FOUND : RC_USAGE;
	vcpus = json_array();
	result = ask_vcpus(ctx, vm, table_get(rows, (size_t)row, SNAP_ID), vcpus);
	if (result == RC_OK) {
		rows_to_time(rows, SNAP_TAKEN, &machine);
		table_print_record(
			rows, (size_t)row,
			json_pack("{s:s, s:O}", "set", ctx->record->set->name, "vcpus", vcpus));
		if (out_style.format == OUT_TABLE)
			say_vcpus(vcpus);
	}
	json_decref(vcpus);
	return result;
}

int cmd_snapshot_show(struct ctx *ctx)
{
	struct column columns[SNAP_ACTION];
	const struct set_vm *vm;
	struct table *rows;
	int result = ctx_need_record(ctx);

	if (result == RC_OK)
		result = ctx_need_vm(ctx, ctx->args[0], &vm);
	if (result == RC_OK)
		result = ctx_need_agent(ctx);
	if (result != RC_OK)
		return result;
	choose_columns(columns);
	rows = table_new(columns, SNAP_ACTION);
	result = show(ctx, vm->name, rows);
	table_free(rows);
	return result;
}
