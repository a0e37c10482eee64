/* SPDX-License-Identifier: MIT */
/*
 * down.c - `avctl down`: end QEMU, remove what the set left, keep the logs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cmd/ctx.h"
#include "config/value.h"
#include "machine/paths.h"
#include "machine/qemu.h"

#define DOWN_WAIT_NS 3000000000u

/* Whether the set that is meant has a record, in ctx. One without is down. */
static int find_down(struct ctx *ctx, bool *found)
{
	int result;

	ctx->missing_is_fine = true;
	result = ctx_find_set(ctx);
	ctx->missing_is_fine = false;
	*found = result == RC_OK;
	return result == RC_UNREACHABLE ? RC_OK : result;
}

/* Was a set of that name ever up on this host? Its folders stay. */
static bool known_by_name(const char *name)
{
	char *runtime = paths_runtime(name), *logs = paths_logs(name);
	bool known = value_is_name(name) && (access(runtime, F_OK) == 0 || access(logs, F_OK) == 0);

	free(runtime);
	free(logs);
	return known;
}

/* The set that is meant has no record: what is there to say about it? */
static int nothing_to_end(struct ctx *ctx)
{
	struct record *record;
	char *name, *folder, hint[64];
	int result;

	if (!ctx_is_chosen(ctx)) {
		out_note("no set is running: nothing to end");
		return RC_OK;
	}
	result = ctx_find_name(ctx, &name);
	if (result != RC_OK)
		return result;
	folder = paths_runtime(name);
	record = value_is_name(name) ? record_load(folder) : NULL;
	free(folder);
	if (record)
		result = out_error(
			RC_WRONG_STATE, out_text(hint, sizeof(hint), "avctl -s %s down", name),
			"a set \"%s\" runs, but from another file: %s", name, record->set->path);
	else if (ctx->globals.set && !ctx->globals.file && !known_by_name(name))
		result = ctx_no_such_set(name, RC_NOT_FOUND);
	else
		out_note("set \"%s\" is not running: nothing to end", name);
	record_free(record);
	free(name);
	return result;
}

int cmd_down(struct ctx *ctx)
{
	struct record *record;
	char *folder;
	bool found;
	int result = find_down(ctx, &found);

	if (result != RC_OK)
		return result;
	if (!found)
		return nothing_to_end(ctx);
	result = ctx_lock(ctx, ctx->record->set->name);
	if (result != RC_OK)
		return result;
	/* Another `down` or `up` may have been before us. */
	folder = strdup(ctx->record->runtime_dir);
	record = folder ? record_load(folder) : NULL;
	free(folder);
	if (!record) {
		out_note("set \"%s\" is not running: nothing to end", ctx->record->set->name);
		return RC_OK;
	}
	out_progress("%s: ending the machine", record->set->name);
	if (record->pid > 0 && qemu_stop(record->pid, record->pid_start, DOWN_WAIT_NS) < 0)
		result = out_error(RC_FAILED, NULL, "QEMU (pid %d) does not end", (int)record->pid);
	else
		machine_clean(record->runtime_dir, record->ram_file);
	out_progress(NULL);
	if (result == RC_OK && out_style.format == OUT_TABLE)
		printf("%s is down\n", record->set->name);
	else if (result == RC_OK && out_style.format == OUT_NAME)
		puts(record->set->name);
	else if (result == RC_OK)
		out_json(json_pack("{s:s, s:s}", "set", record->set->name, "result", "down"));
	record_free(record);
	return result;
}
