/* SPDX-License-Identifier: MIT */
/*
 * import.c - a snapshot that comes from outside, page by page, into a tree of its own.
 * Must never show a page before it was zeroed by EL2: another VM's data may be in it, and an emulator forgets what it
 * translated of a page only when the machine itself writes there.
 */
#include "mm/import.h"
#include <arch/mem.h>
#include <arch/tlb.h>
#include "core/snapshot_index.h"
#include "core/string.h"
#include "mm/live.h"
#include "mm/node.h"

/* A page, and the two tables above it. */
#define FRAMES_PER_PAGE 3

bool vmem_import_drop(struct vmem *m)
{
	struct snapshot *record = m->import;

	if (!record)
		return false;
	m->import = NULL;
	snapshot_discard(m, record);
	return true;
}

int vmem_import_begin(struct vmem *m)
{
	static const struct snapshot_facts nothing;
	struct snapshot *record;

	vmem_import_drop(m);
	if (!vmem_obtain(m, 1 + m->spill_count))
		return AV_E_NO_MEMORY;
	record = snapshot_record_own(m, &nothing);
	record->id = AV_SNAPSHOT_NONE;
	record->parent = AV_SNAPSHOT_BOOT;
	record->ram_count = 0;
	for (uint32_t i = m->root_first; i <= m->root_last; i++)
		record->root[i] = 0;
	for (uint32_t i = 0; i < m->part_count; i++)
		memset(snapshot_part_own(m, record, i), 0, m->parts[i].size);
	m->import = record;
	return 0;
}

/* The table below an entry, made if there is none. */
static uint64_t *table_below(struct vmem *m, uint64_t *entry, enum frame_kind kind)
{
	if (!(*entry & S2_VALID)) {
		uint32_t frame = frame_alloc(&m->budget, kind);

		node_init(frame);
		arch_page_zero(frame_ptr(frame));
		arch_entry_write(entry, frame_pa(frame).value | S2_TABLE | S2_OWN);
	}
	return entry_table(*entry);
}

/* The leaf of an address, NULL where there is no table for it yet. */
static const uint64_t *find_leaf(const struct vmem *m, uint64_t address)
{
	uint64_t entry = m->import->root[s2_root_index(address)];

	if (entry & S2_VALID)
		entry = entry_table(entry)[s2_l2_index(address)];
	return entry & S2_VALID ? &entry_table(entry)[s2_l3_index(address)] : NULL;
}

static uint64_t add_page(struct vmem *m, uint64_t address)
{
	uint64_t *l2 = table_below(m, &m->import->root[s2_root_index(address)], FRAME_L2);
	uint64_t *l3 = table_below(m, &l2[s2_l2_index(address)], FRAME_L3);
	uint32_t frame = frame_alloc(&m->budget, FRAME_DATA);

	arch_page_zero(frame_ptr(frame));
	arch_entry_write(&l3[s2_l3_index(address)],
			 frame_pa(frame).value | S2_PAGE | S2_XN | S2_OWN);
	m->import->ram_count++;
	return frame_pa(frame).value;
}

static bool continues(const struct av_page_run *run, uint64_t page)
{
	return page == run->pa_b + run->count * PAGE_SIZE;
}

int vmem_import_pages(struct vmem *m, uint64_t start, uint64_t count, struct av_page_run *runs,
		      uint32_t *run_count, uint64_t *done)
{
	*run_count = 0;
	*done = 0;
	if (!m->import)
		return AV_E_NOT_FOUND;
	if (start & PAGE_MASK || !count || count > m->ram_size >> PAGE_SHIFT ||
	    !range_within(start, count << PAGE_SHIFT, m->ram_base, m->ram_size))
		return AV_E_INVALID;
	if (count > IMPORT_PAGES_MAX)
		count = IMPORT_PAGES_MAX;
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t *leaf = find_leaf(m, start + i * PAGE_SIZE);

		if (leaf && *leaf & S2_VALID)
			return AV_E_INVALID;
	}
	for (; *done < count && *run_count < AV_PAGE_RUNS; (*done)++) {
		uint64_t at = start + *done * PAGE_SIZE, page;

		if (!vmem_obtain(m, FRAMES_PER_PAGE))
			return *done ? 0 : AV_E_NO_MEMORY;
		page = add_page(m, at);
		if (*run_count && continues(&runs[*run_count - 1], page))
			runs[*run_count - 1].count++;
		else
			runs[(*run_count)++] = (struct av_page_run){
				.ipa = at, .pa_b = page, .count = 1, .kind = AV_PAGE_ONLY_B};
	}
	return 0;
}

int vmem_import_commit(struct vmem *m, const struct snapshot_facts *facts, uint64_t *id,
		       uint32_t *part)
{
	struct snapshot *record = m->import;
	int error;

	if (!record)
		return AV_E_NOT_FOUND;
	error = snapshot_may_add(m, facts->name);
	if (error)
		return error;
	for (*part = 0; *part < m->part_count; (*part)++) {
		const struct state_part *about = &m->parts[*part];

		if (about->adopt && !about->adopt(about->ctx, snapshot_part_own(m, record, *part)))
			return AV_E_INTEGRITY;
	}
	snapshot_make_room(m);
	m->import = NULL;
	snapshot_set_name(record, facts->name);
	record->request_id = facts->request_id;
	record->taken = facts->taken;
	record->vm_time = facts->vm_time;
	record->state = facts->state;
	record->id = m->next_id++;
	arch_table_barrier();
	snapshot_index_append(m, record);
	*id = record->id;
	return 0;
}
