/* SPDX-License-Identifier: MIT */
/*
 * budget.c - page frames: what the machine has for VMs, and what each VM may hold.
 * Never counts memory twice: what is in the bundle is not a frame.
 */
#include "budget.h"

#define FRAME_RECORD 32          /* bytes the hypervisor keeps for each page of the machine */
#define SLACK UINT64_C(0x100000) /* for the hypervisor itself, behind the bundle */
#define VM_STRUCTURES 128 /* frames: vCPU, devices, snapshot index, saved states of boot and undo */
#define DIRTY_RECORD 128  /* bytes of dirty map for each 2 MiB, */
#define ROUND_RECORD 256  /* and of what earlier rounds dirtied, with copy-back */
/* Frames of a VM with flash: views of both banks, and 4 MiB of contents with their tables and records. */
#define FLASH_FRAMES (2 * 32 + 1024 + 2 * 16)
#define SIZE_2M UINT64_C(0x200000)
#define SIZE_1G UINT64_C(0x40000000)

static uint64_t divide_up(uint64_t value, uint64_t by)
{
	return value / by + (value % by != 0);
}

uint64_t budget_available(uint64_t machine_ram, uint64_t bundle_size, uint64_t region_frames)
{
	uint64_t used = AV_BUNDLE_PA - AV_RAM_PA + bundle_size +
			machine_ram / BUDGET_PAGE * FRAME_RECORD + region_frames * BUDGET_PAGE +
			SLACK;

	return used < machine_ram ? (machine_ram - used) / BUDGET_PAGE : 0;
}

uint64_t budget_regions(const struct set *set)
{
	uint64_t frames = 0;

	/* One set of tables for each right, or for each member when each has a section of its own. */
	for (size_t i = 0; i < set->region_count; i++)
		frames += (set->regions[i].output_size ? set->regions[i].member_count : 2) *
			  divide_up(set->regions[i].size + BUDGET_PAGE, SIZE_2M);
	return frames;
}

static bool is_member(const struct set_region *region, size_t vm)
{
	for (size_t i = 0; i < region->member_count; i++)
		if (region->members[i].vm == vm)
			return true;
	return false;
}

uint64_t budget_base(const struct set *set, size_t vm)
{
	uint64_t ram = set->vms[vm].ram_size;
	/* The live tree and that of the boot snapshot: level 3, level 2, root. */
	uint64_t tables = 2 * (divide_up(ram, SIZE_2M) + divide_up(ram, SIZE_1G) + 2);

	for (size_t i = 0; i < set->region_count; i++)
		if (is_member(&set->regions[i], vm))
			tables += 2 * (divide_up(set->regions[i].size + BUDGET_PAGE, SIZE_1G) + 1);
	/* What it gets at run time lies in a window of its own. */
	if (set->shm_size && !set->vms[vm].no_shm)
		tables += 2 * (divide_up(set->shm_size, SIZE_1G) + 1);
	tables += divide_up(divide_up(ram, SIZE_2M) * DIRTY_RECORD, BUDGET_PAGE);
	if (set->vms[vm].snapshot_copy_back)
		tables += divide_up(divide_up(ram, SIZE_2M) * ROUND_RECORD, BUDGET_PAGE);
	if (set->vms[vm].flash)
		tables += FLASH_FRAMES;
	return ram / BUDGET_PAGE + tables + VM_STRUCTURES;
}

uint64_t budget_vm(const struct set *set, size_t vm)
{
	return budget_base(set, vm) + set->vms[vm].snapshot_memory / BUDGET_PAGE;
}

uint64_t budget_spare_base(const struct set *set)
{
	uint64_t ram = set->spare.memory;
	uint64_t tables = 2 * (divide_up(ram, SIZE_2M) + divide_up(ram, SIZE_1G) + 2);

	if (set->shm_size)
		tables += 2 * (divide_up(set->shm_size, SIZE_1G) + 1);
	tables += divide_up(divide_up(ram, SIZE_2M) * DIRTY_RECORD, BUDGET_PAGE);
	return tables + VM_STRUCTURES;
}

uint64_t budget_spare(const struct set *set)
{
	return budget_spare_base(set) + set->spare.budget / BUDGET_PAGE;
}
