/* SPDX-License-Identifier: MIT */
/*
 * snapshot_prune.c - snapshot prune, and what a take deletes as expired.
 * Decides from one list and deletes by id, so that what arrives meanwhile is never touched; never
 * deletes what is pinned, nor the last one there is.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cmd/snapshot_notes.h"
#include "cmd/snapshot_prune.h"

/* What keeps a snapshot. */
struct rules {
	uint64_t last;   /* the newest so many; 0: no such rule */
	uint64_t within; /* ns; 0: no such rule */
	const char *tag; /* NULL: no such rule */
	uint64_t
		expire; /* ns: deletes what is older, whatever keeps it but a pin; 0: no such rule */
	bool expire_only; /* nothing else goes */
	const char *within_text;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* TAKEN is a time of day. */
static uint64_t age(const struct table *table, size_t row, uint64_t now)
{
	uint64_t taken = 0;

	line_to_number(table_get(table, row, SNAP_TAKEN), &taken);
	return now > taken ? now - taken : 0;
}

static bool has_clones(const struct table *table, size_t row)
{
	const char *clones = table_get(table, row, SNAP_CLONES);

	return clones && strcmp(clones, "0") != 0;
}

static bool is_pinned(const struct table *table, size_t row)
{
	const char *pinned = table_get(table, row, SNAP_PINNED);

	return pinned && !strcmp(pinned, "1");
}

/*
 * Why this row stays, NULL when it goes; *gone then says why. newer: unpinned ones that are newer;
 * newest: it is the newest of all.
 */
static const char *reason(const struct table *table, size_t row, const struct rules *rules,
			  uint64_t newer, bool newest, char text[96], const char **gone)
{
	const char *set = table_get(table, row, SNAP_SET);
	uint64_t old = age(table, row, now_ns());

	*gone = "no rule keeps it";
	if (!strcmp(table_get(table, row, SNAP_ID), "undo"))
		return "undo";
	if (is_pinned(table, row))
		return "pinned";
	if (has_clones(table, row))
		return "held by a clone";
	if (set)
		return out_text(text, 96, "part of set snapshot %s", set);
	if (rules->expire && old > rules->expire) {
		if (newest)
			return "expired, but the newest";
		*gone = "expired";
		return NULL;
	}
	if (rules->expire_only)
		return "not expired";
	if (newer < rules->last)
		return out_text(text, 96, "among the last %" PRIu64, rules->last);
	if (rules->within && old <= rules->within)
		return out_text(text, 96, "taken within %s", rules->within_text);
	if (rules->tag && notes_match(table_get(table, row, SNAP_TAGS), rules->tag))
		return out_text(text, 96, "has the tag %s", rules->tag);
	return NULL;
}

/*
 * Fill in what prune would do with each row; returns how many go. Rows are in ascending order.
 * *kept: how many stay, without undo.
 */
static size_t decide(struct table *table, const struct rules *rules, size_t *kept)
{
	bool newest = true;
	uint64_t newer = 0;
	size_t gone = 0;

	*kept = 0;
	for (size_t row = table_row_count(table); row-- > 0;) {
		const char *why;
		bool undo = !strcmp(table_get(table, row, SNAP_ID), "undo");
		char text[96];
		const char *stays = reason(table, row, rules, newer, newest, text, &why);

		table_set_text_at(table, row, SNAP_ACTION, stays ? "keep" : "delete");
		table_set_text_at(table, row, SNAP_REASON, stays ? stays : why);
		gone += !stays;
		*kept += stays && !undo;
		newest = newest && undo;
		newer += !undo && !is_pinned(table, row) && !has_clones(table, row) &&
			 !table_get(table, row, SNAP_SET);
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
		if (ctx_need_agent(ctx) != RC_OK) /* each its own time */
			return RC_UNREACHABLE;
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
		if (reply.status != AGENT_ERROR)
			return last; /* nobody answers */
	}
	return failed && failed < gone ? RC_PARTLY : last;
}

/* What the command line says; without any rule there, what the YAML file says. */
static int read_rules(const struct ctx *ctx, const struct set_vm *vm, struct rules *rules)
{
	bool given = ctx_option(ctx, "keep-last") || ctx_option(ctx, "keep-within") ||
		     ctx_option(ctx, "keep-tag");
	int result = ctx_number_option(ctx, "keep-last", &rules->last);

	rules->within_text = ctx_option(ctx, "keep-within");
	rules->tag = ctx_option(ctx, "keep-tag");
	if (result == RC_OK && rules->within_text &&
	    (!ctx_duration(rules->within_text, &rules->within) || !rules->within))
		result = out_error(RC_USAGE, "--keep-within 12h, 7d or 2w",
				   "\"%s\" is not a duration", rules->within_text);
	if (result == RC_OK && rules->tag)
		result = notes_check_tag(rules->tag);
	if (result != RC_OK || given)
		return result;
	rules->last = vm->snapshot_keep;
	rules->expire = vm->snapshot_expire;
	rules->expire_only = !vm->snapshot_keep;
	if (!rules->last && !rules->expire)
		return out_error(RC_USAGE, "avctl snapshot prune VM --keep-last N",
				 "the YAML file has no snapshots.keep for %s", vm->name);
	return RC_OK;
}

static void choose_columns(struct column columns[SNAP_COUNT])
{
	memcpy(columns, snapshot_columns, sizeof(snapshot_columns));
	columns[SNAP_ACTION] = (struct column){"ACTION", "action", COLUMN_TEXT, NULL};
	columns[SNAP_REASON] = (struct column){"REASON", "reason", COLUMN_TEXT, NULL};
	columns[SNAP_VM].title = columns[SNAP_PARENT].title = columns[SNAP_STATE].title = NULL;
	columns[SNAP_BASE].title = columns[SNAP_UNIQUE].title = columns[SNAP_SHARED].title = NULL;
}

/* The list with what is done to each; an exit code. */
static int prune(struct ctx *ctx, const struct set_vm *vm, const struct rules *rules,
		 struct table *table)
{
	bool dry = ctx_flag(ctx, "dry-run");
	struct rows_machine machine;
	int result = rows_machine(ctx, &machine);
	size_t gone, kept;

	if (result == RC_OK)
		result = snapshot_rows(ctx, vm->name, false, table);
	if (result != RC_OK)
		return result;
	rows_to_time(table, SNAP_TAKEN, &machine);
	gone = decide(table, rules, &kept);
	if (gone && !kept)
		return out_error(RC_WRONG_STATE, "--keep-last 1, or avctl snapshot delete",
				 "these rules would delete all %zu snapshots of %s", gone,
				 vm->name);
	if (!dry)
		result = delete_decided(ctx, vm->name, table, gone);
	else
		out_note("nothing was deleted (--dry-run)");
	table_print(table, json_pack("{s:s, s:b}", "vm", vm->name, "dry_run", dry), "snapshots");
	return result;
}

int cmd_snapshot_prune(struct ctx *ctx)
{
	struct column columns[SNAP_COUNT];
	struct rules rules = {0};
	const struct set_vm *vm;
	struct table *table;
	int result = ctx_need_record(ctx);

	if (result == RC_OK)
		result = ctx_need_vm(ctx, ctx->args[0], &vm);
	if (result == RC_OK)
		result = read_rules(ctx, vm, &rules);
	if (result == RC_OK)
		result = ctx_need_agent(ctx);
	if (result != RC_OK)
		return result;
	choose_columns(columns);
	table = table_new(columns, SNAP_COUNT);
	result = prune(ctx, vm, &rules, table);
	table_free(table);
	return result;
}

int snapshot_expire(struct ctx *ctx, const struct set_vm *vm)
{
	struct rules rules = {.expire = vm->snapshot_expire, .expire_only = true};
	struct column columns[SNAP_COUNT];
	struct rows_machine machine;
	struct table *table;
	size_t gone, kept;
	int result;

	if (!vm->snapshot_expire)
		return RC_OK;
	choose_columns(columns);
	table = table_new(columns, SNAP_COUNT);
	result = rows_machine(ctx, &machine);
	if (result == RC_OK)
		result = snapshot_rows(ctx, vm->name, false, table);
	if (result == RC_OK) {
		rows_to_time(table, SNAP_TAKEN, &machine);
		gone = decide(table, &rules, &kept);
		result = delete_decided(ctx, vm->name, table, gone);
		if (gone && result == RC_OK)
			out_note("%zu expired snapshot%s deleted", gone,
				 gone == 1 ? " was" : "s were");
	}
	table_free(table);
	return result;
}
