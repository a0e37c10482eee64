/* SPDX-License-Identifier: MIT */
/*
 * shm_regions.h - the shared regions of the set that is meant, as `avctl shm` verbs need them.
 */
#pragma once
#include "cmd/ctx.h"
#include "tui/shm_view.h"

struct regions {
	struct set *own_set; /* when loaded here, else the record's */
	struct set *joined;  /* the record's, and regions that guests got by key */
	size_t declared;     /* how many of joined's are the record's */
	const struct set *set;
	struct shm_view *views;
	size_t count;
	int ram_fd;
	pid_t owner;
	bool writable;
};

/*
 * Open them, for writing too when regions->writable (all else is overwritten). Returns an exit
 * code, having said what is wrong; only after RC_OK regions_close() is needed.
 */
int regions_open(struct ctx *ctx, struct regions *regions);
void regions_close(struct regions *regions);

/*
 * Add the regions that guests got at run time, as the control agent tells them. They are called
 * key-NUMBER and have no fields. Says nothing when the agent has no time; then there are none.
 */
void regions_add_run_time(struct ctx *ctx, struct regions *regions);

/*
 * The view called name, a run-time one too. Without a name the only one, or, when there are several, NULL with RC_OK.
 */
int regions_find(struct ctx *ctx, struct regions *regions, const char *name,
		 const struct shm_view **view);

/* Say that a region must be named, and which there are. RC_USAGE. */
int regions_which(const struct regions *regions);
