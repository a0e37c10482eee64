/* SPDX-License-Identifier: MIT */
/*
 * attach.c - shared regions in a VM's address space: their tables, their windows, attaching and detaching.
 * Never copies a region's page and never puts a region where RAM or another region is.
 */
#include <arch/mem.h>
#include <arch/tlb.h>
#include <avisor/hypercall.h>
#include "mm/live.h"
#include "mm/node.h"

uint64_t region_tables_count(uint64_t size)
{
	return (size + REGION_2M_SIZE - 1) >> REGION_2M_SHIFT;
}

void region_tables_fill(struct region_tables *tables, pa_t at, pa_t memory, uint64_t size)
{
	uint64_t *leaf = pa_ptr(at);

	for (uint64_t i = 0; i < region_tables_count(size); i++)
		arch_page_zero(pa_ptr(pa(at.value + (i << PAGE_SHIFT))));
	for (uint64_t i = 0; i < size >> PAGE_SHIFT; i++)
		arch_entry_write(&leaf[i], (memory.value + (i << PAGE_SHIFT)) | S2_PAGE);
	arch_table_barrier();
	*tables = (struct region_tables){memory, size, at};
}

void region_tables_allow(struct region_tables *tables, uint64_t offset, uint64_t size)
{
	uint64_t *leaf = pa_ptr(tables->tables);

	for (uint64_t i = offset >> PAGE_SHIFT; i < (offset + size) >> PAGE_SHIFT; i++)
		arch_entry_write(&leaf[i], arch_entry_read(&leaf[i]) | S2_WRITE);
	arch_table_barrier();
}

uint64_t region_tables_leaf(const struct region_tables *tables, uint64_t offset)
{
	return ((const uint64_t *)pa_ptr(tables->tables))[offset >> PAGE_SHIFT];
}

int region_tables_init(struct region_tables *tables, struct frame_budget *budget, pa_t memory,
		       uint64_t size, bool writable)
{
	uint32_t first;

	if (!size || (memory.value | size) & PAGE_MASK || size > 1UL << S2_IPA_BITS)
		return AV_E_INVALID;
	first = frame_alloc_run(budget, region_tables_count(size), FRAME_META);
	if (!first)
		return AV_E_NO_MEMORY;
	region_tables_fill(tables, frame_pa(first), memory, size);
	if (writable)
		region_tables_allow(tables, 0, size);
	return 0;
}

static uint64_t window_of(uint64_t size)
{
	return (size + REGION_2M_SIZE - 1) & ~(REGION_2M_SIZE - 1);
}

/* The attachment whose window overlaps this one, or NULL. */
static const struct vmem_attach *window_user(const struct vmem *m, uint64_t start, uint64_t window)
{
	for (uint32_t i = 0; i < m->attach_count; i++)
		if (range_overlaps(start, window, m->attach[i].start, window_of(m->attach[i].size)))
			return &m->attach[i];
	return NULL;
}

/* The 2 MiB windows, not only the bytes, must be apart. Records hold the root entries in use when
 * they were taken. */
int vmem_attach_region(struct vmem *m, ipa_t start, const struct region_tables *tables)
{
	uint64_t window = window_of(tables->size);
	uint32_t first, last;

	if (start.value & (REGION_2M_SIZE - 1) ||
	    !range_within(start.value, window, 0, 1UL << S2_IPA_BITS) ||
	    range_overlaps(start.value, window, m->ram_base, m->ram_size) ||
	    window_user(m, start.value, window))
		return AV_E_INVALID;
	first = (uint32_t)s2_root_index(start.value);
	last = (uint32_t)s2_root_index(start.value + window - 1);
	if (m->boot && (first < m->root_first || last > m->root_last))
		return AV_E_LIMIT;
	if (m->attach_count == VMEM_ATTACH_MAX)
		return AV_E_LIMIT;
	m->attach[m->attach_count++] =
		(struct vmem_attach){.start = start.value, .size = tables->size, .tables = tables};
	vmem_use_root(m, start.value, start.value + window - 1);
	return 0;
}

void vmem_unlink_region(struct vmem *m, struct vmem_attach *attach)
{
	if (!attach->linked)
		return;
	attach->linked = false;
	for (uint64_t at = attach->start; at < attach->start + attach->size; at += REGION_2M_SIZE) {
		uint64_t root = m->root[s2_root_index(at)];

		if (root & S2_OWN)
			arch_entry_write(&entry_table(root)[s2_l2_index(at)], 0);
	}
}

static struct vmem_attach *attached_at(struct vmem *m, ipa_t start)
{
	for (uint32_t i = 0; i < m->attach_count; i++)
		if (m->attach[i].start == start.value)
			return &m->attach[i];
	return NULL;
}

/* Any of its vCPUs, on any PE, may have it cached; the memory may be another's next. */
static void unlink_everywhere(struct vmem *m, struct vmem_attach *attach)
{
	if (!attach->linked)
		return;
	vmem_unlink_region(m, attach);
	m->stats.tlbi_broadcast++;
	arch_tlb_all();
}

bool vmem_detach_region(struct vmem *m, ipa_t start)
{
	struct vmem_attach *attach = attached_at(m, start);

	if (!attach)
		return false;
	unlink_everywhere(m, attach);
	*attach = m->attach[--m->attach_count];
	return true;
}

void vmem_unlink(struct vmem *m, ipa_t start)
{
	struct vmem_attach *attach = attached_at(m, start);

	if (attach)
		unlink_everywhere(m, attach);
}

void vmem_reserve_window(struct vmem *m, uint64_t least)
{
	uint64_t start = m->ram_base + m->ram_size, end;

	for (uint32_t i = 0; i < m->attach_count; i++) {
		end = m->attach[i].start + window_of(m->attach[i].size);
		if (end > start)
			start = end;
	}
	end = (start + (1UL << S2_ROOT_SHIFT) - 1) >> S2_ROOT_SHIFT << S2_ROOT_SHIFT;
	while (end - start < least && end < 1UL << S2_IPA_BITS)
		end += 1UL << S2_ROOT_SHIFT;
	m->window_start = m->window_next = start;
	m->window_end = end;
	if (end > start)
		vmem_use_root(m, start, end - 1);
}

uint64_t vmem_find_window(struct vmem *m, uint64_t size)
{
	uint64_t window = window_of(size), at = m->window_next;
	const struct vmem_attach *user;

	/* Once round: an address given up is the last to be given again. Each step passes an attachment, or wraps. */
	for (uint32_t steps = 0; steps <= 2 * m->attach_count + 2; steps++) {
		if (window > m->window_end - m->window_start)
			return 0;
		if (at > m->window_end - window)
			at = m->window_start;
		user = window_user(m, at, window);
		if (!user) {
			m->window_next = at + window;
			return at;
		}
		at = user->start + window_of(user->size);
	}
	return 0;
}
