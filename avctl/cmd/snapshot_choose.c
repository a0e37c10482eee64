/* SPDX-License-Identifier: MIT */
/*
 * snapshot_choose.c - the options that name a snapshot: --id, --name, --latest and the like, of which exactly one has to be there.
 * Must never choose one that was not asked for.
 */
#include <stdio.h>
#include <string.h>
#include "cmd/snapshot_pick.h"

int snapshot_choose(const struct ctx *ctx, const char *const *names, const char *question,
		    const char **choice)
{
	char all[128];
	size_t length = 0;
	int count = 0;

	for (; *names; names++) {
		length += (size_t)snprintf(all + length, sizeof(all) - length, "%s--%s",
					   length ? ", " : "", *names);
		if (ctx_option(ctx, *names)) {
			*choice = *names;
			count++;
		}
	}
	if (count == 1)
		return RC_OK;
	return out_error(RC_USAGE, "avctl snapshot list VM shows what there is",
			 count ? "only one of %s" : "%s", count ? all : question);
}

int snapshot_add_choice(const struct ctx *ctx, const char *choice, struct agent_request *request,
			char *what, size_t size)
{
	const char *value = ctx_option(ctx, choice);
	uint64_t id;

	if (!strcmp(choice, "id")) {
		if (!line_to_number(value, &id))
			return out_error(RC_USAGE, "--name NAME for a name",
					 "--id needs a number, not \"%s\"", value);
		line_add_number(&request->line, "id", id);
		snprintf(what, size, "snapshot %s", value);
	} else if (!strcmp(choice, "name")) {
		if (snapshot_check_name(value) != RC_OK)
			return RC_USAGE;
		line_add_text(&request->line, "name", value);
		snprintf(what, size, "snapshot \"%s\"", value);
	} else {
		line_add_number(&request->line, choice, 1);
		snprintf(what, size, "%s", strcmp(choice, "latest") ? choice : "snapshot");
	}
	return RC_OK;
}
