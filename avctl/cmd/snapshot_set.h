/* SPDX-License-Identifier: MIT */
/*
 * snapshot_set.h - set snapshots: all VMs and shared regions at one moment. What `--all` and
 * `--sets` of the snapshot verbs do.
 */
#pragma once
#include "cmd/ctx.h"

/* A VM, or --all: RC_USAGE when both or none was given. */
int snapshot_set_choose(const struct ctx *ctx, bool all);

int snapshot_set_take(struct ctx *ctx, const char *name);
int snapshot_set_restore(struct ctx *ctx);
int snapshot_set_delete(struct ctx *ctx);
int snapshot_set_list(struct ctx *ctx);

/* What a take had to give up, if anything: snapshot.c. */
void snapshot_say_evicted(uint64_t count);

/* How often the VM was restored: restore.c. */
int restore_generation(struct ctx *ctx, const char *vm, uint64_t *generation);
