/* SPDX-License-Identifier: MIT */
/*
 * snapshot_pick.h - naming a snapshot on the command line and in a request.
 */
#pragma once
#include "cmd/ctx.h"

/*
 * Add the field that names the snapshot: a number, a name, or "undo". what ("snapshot 7") is for
 * messages. RC_USAGE when the text can be neither.
 */
int snapshot_pick(struct agent_request *request, const char *text, char *what, size_t what_size);

/*
 * Which of the options `names` (NULL-terminated) was given. RC_USAGE, said so, when it is not exactly one; `question` is for none.
 */
int snapshot_choose(const struct ctx *ctx, const char *const *names, const char *question,
		    const char **choice);
/* Add what that option says to the request. what ("snapshot 7") is for messages. RC_USAGE when its value cannot be. */
int snapshot_add_choice(const struct ctx *ctx, const char *choice, struct agent_request *request,
			char *what, size_t size);

/* Is it a name that a snapshot may have? Says so when not. */
int snapshot_check_name(const char *name);

/* An id for JSON: a number, or a string when it is "undo", "boot" or a name. */
json_t *snapshot_id_json(const char *id);
