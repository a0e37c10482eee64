/* SPDX-License-Identifier: MIT */
/* snapshot_quiesce.h - a VM held still by its own agent while a snapshot of it is taken. */
#pragma once
#include "cmd/ctx.h"

struct quiesce {
	struct agent *agent;
	const char *vm;
	uint64_t hooks_failed;
};

/*
 * Asks the VM's own agent to hold still. RC_OK, or it has said why not and nothing is held. A hook that failed or took too
 * long is told and counted, no more.
 */
int quiesce_begin(struct ctx *ctx, const char *vm, struct quiesce *quiesce);

/*
 * Ends it, whatever came of the snapshot. RC_OK when all was held until now and no hook had failed, else RC_PARTLY. The
 * agent also ends it by itself when this process is gone.
 */
int quiesce_end(struct quiesce *quiesce);
