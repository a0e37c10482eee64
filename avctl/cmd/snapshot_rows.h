/* SPDX-License-Identifier: MIT */
/*
 * snapshot_rows.h - the snapshots of a VM as rows of a table: what the agent says, and what
 * snapshot_notes.h keeps beside it.
 */
#pragma once
#include "cmd/rows.h"

enum {
	SNAP_ID,
	SNAP_VM,
	SNAP_NAME,
	SNAP_TAKEN,
	SNAP_PARENT, /* in brackets when deleted; JSON has the id and a flag */
	SNAP_PARENT_ID,
	SNAP_PARENT_DELETED,
	SNAP_UNIQUE,
	SNAP_SHARED,
	SNAP_FREES,
	SNAP_PINNED,
	SNAP_STATE,
	SNAP_BASE,
	SNAP_CLONES, /* VMs made from it */
	SNAP_SET, /* number of the set snapshot it is part of, or none */
	SNAP_VM_TIME,
	SNAP_TAGS, /* "a=1 b"; from the notes file, as is the next one */
	SNAP_NOTE,
	SNAP_ACTION, /* prune only */
	SNAP_REASON,
	SNAP_COUNT,
};

/* The first SNAP_ACTION columns; a copy of them may leave titles out. */
extern const struct column snapshot_columns[SNAP_ACTION];

/* All snapshots of a VM: boot (or not), ids ascending, undo last. TAKEN is hypervisor uptime. */
int snapshot_rows(struct ctx *ctx, const char *vm, bool boot, struct table *to);

/* The row of that id ("3", "undo"), -1 when there is none. */
int snapshot_row_find(const struct table *table, const char *id);

/* Resolve what a user typed (a number, a name, boot, undo, latest) to a row. -1: there is none; -2: it can be none; said so. */
int snapshot_row_pick(const struct table *table, const char *vm, const char *text);
