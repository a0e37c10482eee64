/* SPDX-License-Identifier: MIT */
/* region.h - memory that VMs share: fixed by the manifest, outside every snapshot, with rights per member in stage 2. */
#pragma once
#include <avisor/hypercall.h>
#include "core/vm.h"

extern unsigned region_count;

/* Build the tables and attach all regions to their members. All VMs are created, none is sealed. */
void region_init(void);

/* What `viewer` may know of region index: NOT_FOUND when it is no member and not the control VM. */
int region_describe(const struct vm *viewer, uint64_t index, struct av_region_info *info);
