/* SPDX-License-Identifier: MIT */
/* region.h - of a region, what snapshots of a set look at: it stands in for hypervisor/core/region.h in test_set.c. */
#pragma once
#include <avisor/hypercall.h>
#include <avisor/region.h>
#include "core/vm.h"

struct region_member {
	uint64_t pending;
};

struct region {
	uint64_t serial;
	uint64_t size;
	pa_t memory;
	uint32_t attached;
	struct region_member members[AV_VM_MAX]; /* by VM index */
};

extern struct region regions[AV_REGION_NUMBERS];
extern struct spinlock region_lock;

void region_keep(struct region *region);
void region_let_go(struct region *region);
unsigned region_next(const uint64_t set[2], unsigned from);
struct region_member *region_member_of(uint64_t number, const struct vm *vm);

static inline unsigned region_number(const struct region *region)
{
	return (unsigned)(region - regions);
}
