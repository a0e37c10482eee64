/* SPDX-License-Identifier: MIT */
/*
 * members.h - what is known of the VMs of a set: which generation, in which state. Asks the control agent, in a thread of its own,
 * while somebody wants to know.
 */
#pragma once
#include <stdint.h>
#include "cmd/ctx.h"

struct members;

/* Ask once, with ctx's lock and agent, then in the background. NULL with *code, which was said. */
struct members *members_start(struct ctx *ctx, int *code);

void members_stop(struct members *members);

/* generation << 8 | AV_MEMBER_* (region.h) of the VM with that index; 0: not known. Any thread. */
uint64_t members_word(struct members *members, unsigned int vm);
