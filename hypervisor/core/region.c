/* SPDX-License-Identifier: MIT */
/* region.c - shared regions. Their memory is part of the bundle: EL2 maps it, never frees it, and no snapshot reaches it. */
#include "core/region.h"
#include "core/boot.h"
#include "core/string.h"

unsigned region_count;
static struct frame_budget budget;

struct region {
	struct region_tables tables[2]; /* read-only, read-write */
	bool built[2];
};
static struct region regions[AV_REGION_MAX];

/* Tables all regions can need: one per 2 MiB and right. */
static uint64_t tables_needed(void)
{
	uint64_t count = 0;

	for (uint32_t r = 0; r < boot_manifest.head->region_count; r++)
		count += 2 * ((boot_manifest.regions[r].size + REGION_2M_SIZE - 1) / REGION_2M_SIZE);
	return count;
}

void region_init(void)
{
	region_count = boot_manifest.head->region_count;
	if (!region_count)
		return;
	if (!frame_budget_init(&budget, AV_VM_MAX + 2, tables_needed()))
		boot_refuse("regions: no frames left for %lu tables", tables_needed());
	for (uint32_t r = 0; r < region_count; r++) {
		const struct av_manifest_region *m = &boot_manifest.regions[r];

		for (uint32_t i = 0; i < m->member_count; i++) {
			const struct av_manifest_member *member = &boot_manifest.members[m->member_first + i];
			unsigned kind = member->rights & AV_RIGHT_WRITE ? 1 : 0;
			struct region_tables *tables = &regions[r].tables[kind];
			int error = 0;

			if (!regions[r].built[kind])
				error = region_tables_init(tables, &budget, pa(AV_BUNDLE_PA + m->offset), m->size,
							   kind == 1);
			regions[r].built[kind] = true;
			if (!error)
				error = vmem_attach_region(&vms[member->vm]->mem, ipa(m->ipa), tables);
			if (error)
				boot_refuse("region[%u] (%s): member %u: error %d", r, m->name, i, error);
		}
	}
}

int region_describe(const struct vm *viewer, uint64_t index, struct av_region_info *info)
{
	const struct av_manifest_region *m;
	bool control = viewer->flags & AV_VM_FLAG_CONTROL, member = false;

	if (index >= region_count)
		return AV_E_NOT_FOUND;
	m = &boot_manifest.regions[index];
	memset(info, 0, sizeof(*info));
	memcpy(info->name, m->name, sizeof(info->name));
	info->ipa = m->ipa;
	info->size = m->size;
	info->pa = control ? AV_BUNDLE_PA + m->offset : 0;
	info->index = (uint32_t)index;
	for (uint32_t i = 0; i < m->member_count && i < ARRAY_SIZE(info->members); i++) {
		info->members[i].vm = boot_manifest.members[m->member_first + i].vm;
		info->members[i].rights = boot_manifest.members[m->member_first + i].rights;
		info->member_count++;
		member |= info->members[i].vm == viewer->index;
	}
	return control || member ? AV_OK : AV_E_NOT_FOUND;
}
