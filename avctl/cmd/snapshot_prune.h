/* SPDX-License-Identifier: MIT */
/*
 * snapshot_prune.h - what the YAML file's `expire` deletes.
 */
#pragma once
#include "cmd/ctx.h"

/*
 * Delete the VM's snapshots that are older than its `expire`, pinned ones and the newest left out;
 * says how many. An exit code.
 */
int snapshot_expire(struct ctx *ctx, const struct set_vm *vm);
