/* SPDX-License-Identifier: MIT */
/* budget.h - page frames: what the machine has for VMs, and what each VM may hold. Pure arithmetic. */
#pragma once
#include "../config/set.h"

#define BUDGET_PAGE UINT64_C(4096)
#define BUDGET_CONTROL_RAM \
	UINT64_C(0x1000000) /* the control VM: 16 MiB, of which it touches little */
#define BUDGET_CONTROL_FRAMES UINT64_C(1024)
#define BUDGET_CONTROL_BUNDLE UINT64_C(0x200000) /* what its image may take in the bundle */
#define BUDGET_SNAPSHOT_LEAST UINT64_C(0x100000) /* bytes: a default share below this is refused */

/*
 * Frames the hypervisor has for VMs with so much machine RAM, a bundle of so many bytes and tables for regions; 0 when
 * none.
 */
uint64_t budget_available(uint64_t machine_ram, uint64_t bundle_size, uint64_t region_frames);

/* Frames for the tables of all regions: they are the hypervisor's own, not a VM's. */
uint64_t budget_regions(const struct set *set);

/* Frames VM number vm may hold without those of its snapshots: RAM, tables, its own structures. */
uint64_t budget_base(const struct set *set, size_t vm);

/* The same with its snapshots. */
uint64_t budget_vm(const struct set *set, size_t vm);

/* Frames of one spare slot without the pages that its clone changes: tables, its own structures. And with them. */
uint64_t budget_spare_base(const struct set *set);
uint64_t budget_spare(const struct set *set);
