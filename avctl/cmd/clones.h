/* SPDX-License-Identifier: MIT */
/*
 * clones.h - VMs that are in no YAML file: who they are is asked of the machine, where their logs begin stands in the set's
 * log folder, clones.log, a line each: NAME SLOT CONSOLE-OFFSET HVC0-OFFSET. QEMU goes on in a slot's log with its next VM.
 */
#pragma once
#include "cmd/ctx.h"

/* Add the clones there are now to ctx->record's set. Connects to the agent, and leaves it when nobody was connected before. */
int clones_learn(struct ctx *ctx);

/* The part of SLOT.PORT.log that is a VM's. */
struct clones_log {
	char slot[AV_SLOT_NAME];
	uint64_t from, to; /* to: UINT64_MAX, it has not ended */
};
/* Of the last clone of that name, of this run or the one before; port is "console" or "hvc0". False: there was none. */
bool clones_find_log(const char *log_dir, bool previous, const char *name, const char *port,
		     struct clones_log *log);
/* Before a clone is made: what the slot's logs hold now is not its. False with errno. And when it was not made after all. */
bool clones_begin_log(const char *log_dir, const char *name, const char *slot);
void clones_cancel_log(const char *log_dir);

/* Path of a VM's log; *from: where it begins in it. */
void clones_log_path(const struct record *record, const struct set_vm *vm, const char *port,
		     char *path, size_t size, uint64_t *from);

/* "vm1b (from 3), vm1c (from boot)": the clones of that VM's snapshots. */
void clones_of(struct ctx *ctx, const char *vm, char *text, size_t size);
