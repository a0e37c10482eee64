/* SPDX-License-Identifier: MIT */
/*
 * down.c - `avctl down`: end QEMU, remove what the set left, keep the logs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/ctx.h"
#include "machine/paths.h"
#include "machine/qemu.h"

#define DOWN_WAIT_NS 3000000000u

/* Whether the set that is meant has a record, in ctx. One without is down. */
static int find_down(struct ctx *ctx, bool *found)
{
	char **sets = paths_sets();
	bool none = !sets || !sets[0];
	int result;

	paths_sets_free(sets);
	*found = false;
	/* With no set running at all there is nothing to be unsure about. */
	if (none)
		return RC_OK;
	ctx->missing_is_fine = true;
	result = ctx_find_set(ctx);
	*found = result == RC_OK;
	return result == RC_UNREACHABLE ? RC_OK : result;
}

int cmd_down(struct ctx *ctx)
{
	struct record *record;
	char *folder;
	bool found;
	int result = find_down(ctx, &found);

	if (result != RC_OK)
		return result;
	if (!found) {
		out_note("nothing to end: the set is down");
		return RC_OK;
	}
	result = ctx_lock(ctx, ctx->record->set->name);
	if (result != RC_OK)
		return result;
	/* Another `down` or `up` may have been before us. */
	folder = strdup(ctx->record->runtime_dir);
	record = folder ? record_load(folder) : NULL;
	free(folder);
	if (!record) {
		out_note("nothing to end: the set is down");
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
