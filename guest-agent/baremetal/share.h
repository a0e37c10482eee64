/* SPDX-License-Identifier: MIT */
/* share.h - guest-agent/shared (locks, rings, mailboxes, heaps) on a region of this guest. */
#pragma once

#include "baremetal/region.h"
#include "shared/shared.h"

/*
 * The view that shared_*() want, of a region this VM is a member of; *region stays in use with it. Waiting is by doorbell
 * where the hypervisor has them, else by VM_YIELD. False: the region has no state table.
 */
bool share_view(struct shared_view *view, struct region *region);

/* A deadline for shared_*(): so long from now, by the virtual counter. */
uint64_t share_in_us(uint64_t microseconds);
