/* SPDX-License-Identifier: MIT */
/*
 * vmem.c - the memory of one VM: set-up, boot image, the reaper's slices.
 * Never trusts an address it is given: all are checked against RAM and the other windows.
 */
#include "mm/vmem.h"
#include <arch/tlb.h>
#include <avisor/hypercall.h>
#include "core/snapshot.h"
#include "mm/live.h"
#include "mm/node.h"

#define CACHE_KEEP 4096 /* free frames a VM holds on to */
#define CACHE_TRIM 64   /* given back per slice */
#define RECORD_HEAD ((uint32_t)((sizeof(struct snapshot) + 63) & ~63UL))

static uint64_t frames_for(uint64_t bytes)
{
	return (bytes + PAGE_MASK) >> PAGE_SHIFT;
}

/* First fit, 64-aligned; false when a part is too big or there are too many. Those to be shared come
 * first. */
__attribute__((cold)) bool vmem_place_parts(struct vmem *m, uint32_t part_count)
{
	uint32_t end[1 + SNAPSHOT_SPILL_MAX] = {RECORD_HEAD};

	if (part_count > VMEM_PART_MAX)
		return false;
	m->part_count = part_count;
	m->shared_count = 0;
	while (m->shared_count < m->part_count && m->parts[m->shared_count].same) {
		if (++m->shared_count > SNAPSHOT_SPILL_MAX)
			return false;
		end[m->shared_count] = PAGE_SIZE;
	}
	m->spill_count = m->shared_count;
	for (uint32_t i = 0; i < m->part_count; i++) {
		uint32_t size = (m->parts[i].size + 63) & ~63U;
		uint32_t frame = 0;

		if (m->parts[i].size > VMEM_PART_SIZE_MAX)
			return false;
		if (i < m->shared_count) {
			m->places[i] = (struct part_place){(uint16_t)(i + 1), 0};
			continue;
		}
		if (m->parts[i].same)
			return false;
		while (frame <= SNAPSHOT_SPILL_MAX && end[frame] + size > PAGE_SIZE)
			frame++;
		if (frame > SNAPSHOT_SPILL_MAX)
			return false;
		m->places[i] = (struct part_place){(uint16_t)frame, (uint16_t)end[frame]};
		end[frame] += size;
		if (m->spill_count < frame)
			m->spill_count = frame;
	}
	return true;
}

static uint64_t index_capacity(uint64_t limit, uint32_t keep)
{
	uint64_t want = keep ? keep : limit < SNAPSHOT_MAX ? limit : SNAPSHOT_MAX;
	uint64_t capacity = PAGE_SIZE / sizeof(uint32_t);

	while (capacity < want)
		capacity *= 2;
	return capacity;
}

static void *zeroed_run(uint32_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		arch_page_zero(frame_ptr(first + (uint32_t)i));
	return frame_ptr(first);
}

static int allocate_maps(struct vmem *m, const struct vmem_config *config)
{
	uint64_t chunk_bytes = (config->ram_size >> REGION_2M_SHIFT) * sizeof(struct dirty_chunk);
	uint64_t history_bytes =
		(config->ram_size >> REGION_2M_SHIFT) * sizeof(struct dirty_history);
	uint64_t capacity = index_capacity(config->frame_limit, config->snapshot_keep);
	uint32_t history = 0;
	uint32_t chunks = frame_alloc_run(&m->budget, frames_for(chunk_bytes), FRAME_META);
	uint32_t index =
		frame_alloc_run(&m->budget, frames_for(capacity * sizeof(uint32_t)), FRAME_META);

	if (config->copy_back)
		history = frame_alloc_run(&m->budget, frames_for(history_bytes), FRAME_META);
	m->root_frame = frame_alloc(&m->budget, FRAME_ROOT);
	if (!chunks || !index || !m->root_frame || (config->copy_back && !history))
		return AV_E_NO_MEMORY;
	m->chunks = zeroed_run(chunks, frames_for(chunk_bytes));
	m->chunk_count = config->ram_size >> REGION_2M_SHIFT;
	if (config->copy_back)
		m->history = zeroed_run(history, frames_for(history_bytes));
	m->index = frame_ptr(index);
	m->index_mask = (uint32_t)capacity - 1;
	node_init(m->root_frame);
	m->root = frame_ptr(m->root_frame);
	arch_page_zero(m->root);
	return 0;
}

__attribute__((cold)) void vmem_use_root(struct vmem *m, uint64_t first, uint64_t last)
{
	uint32_t from = (uint32_t)s2_root_index(first), to = (uint32_t)s2_root_index(last);

	if (from > m->root_first)
		from = m->root_first;
	if (to < m->root_last)
		to = m->root_last;
	to = from + ((to - from) | (S2_ROOT_GROUP - 1U));
	if (to >= S2_ROOT_ENTRIES) {
		from -= to - (S2_ROOT_ENTRIES - 1);
		to = S2_ROOT_ENTRIES - 1;
	}
	m->root_first = from;
	m->root_last = to;
}

__attribute__((cold)) int vmem_init(struct vmem *m, const struct vmem_config *config)
{
	uint64_t end;

	*m = (struct vmem){
		.ram_base = config->ram_base,
		.ram_size = config->ram_size,
		.epoch = 1,
		.vmid = config->vmid_first,
		.vmid_first = config->vmid_first,
		.vmid_count = config->vmid_count,
		.origin = AV_SNAPSHOT_NONE,
		.snapshot_keep = config->snapshot_keep ? config->snapshot_keep : SNAPSHOT_MAX,
		.refuse = config->refuse,
		.parts = config->parts,
		.evicted = config->evicted,
		.evicted_ctx = config->evicted_ctx,
		.reclaim = snapshot_evict,
	};
	if (!config->ram_size || (config->ram_base | config->ram_size) & (REGION_2M_SIZE - 1) ||
	    !sum_fits(config->ram_base, config->ram_size, &end) || end > 1UL << S2_IPA_BITS)
		return AV_E_INVALID;
	if (!config->owner || !config->vmid_first || !config->vmid_count ||
	    config->snapshot_keep > SNAPSHOT_MAX || !vmem_place_parts(m, config->part_count))
		return AV_E_INVALID;
	m->root_first = S2_ROOT_ENTRIES;
	vmem_use_root(m, config->ram_base, end - 1);
	if (!frame_budget_init(&m->budget, config->owner, config->frame_limit))
		return AV_E_NO_MEMORY;
	return allocate_maps(m, config);
}

int vmem_init_spare(struct vmem *m, const struct vmem_config *config)
{
	int error = vmem_init(m, config);

	if (!error && frame_available(&m->budget) < 1 + m->spill_count)
		error = AV_E_NO_MEMORY;
	m->ram_size = 0;
	return error;
}

/* The live tree's own L3 for this address, made if there is none. Before the boot snapshot: nothing
 * is shared yet. */
static uint64_t *boot_l3(struct vmem *m, uint64_t address)
{
	uint64_t *table = m->root;
	uint64_t index = s2_root_index(address);

	for (enum frame_kind kind = FRAME_L2;; kind = FRAME_L3) {
		if (!(table[index] & S2_VALID)) {
			uint32_t frame = frame_alloc(&m->budget, kind);

			if (!frame)
				return NULL;
			node_init(frame);
			arch_page_zero(frame_ptr(frame));
			arch_entry_write(&table[index], frame_pa(frame).value | S2_TABLE | S2_OWN);
		}
		table = entry_table(table[index]);
		if (kind == FRAME_L3)
			return table;
		index = s2_l2_index(address);
	}
}

__attribute__((cold)) int vmem_map_bundle(struct vmem *m, ipa_t start, pa_t memory, uint64_t pages)
{
	if (m->boot || (start.value | memory.value) & PAGE_MASK ||
	    pages > m->ram_size >> PAGE_SHIFT ||
	    !range_within(start.value, pages << PAGE_SHIFT, m->ram_base, m->ram_size))
		return AV_E_INVALID;
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t at = start.value + (i << PAGE_SHIFT);
		uint64_t *l3 = boot_l3(m, at);

		if (!l3)
			return AV_E_NO_MEMORY;
		if (s2_has_page(l3[s2_l3_index(at)]))
			return AV_E_INVALID;
		arch_entry_write(&l3[s2_l3_index(at)], ((memory.value + (i << PAGE_SHIFT)) |
							S2_PAGE | S2_XN | S2_BUNDLE) &
							       ~S2_VALID);
	}
	arch_table_barrier();
	return 0;
}

uint64_t vmem_vttbr(const struct vmem *m)
{
	return (uint64_t)m->vmid << 48 | ptr_pa(m->root).value;
}

bool vmem_reap(struct vmem *m, uint32_t nodes)
{
	while (nodes-- && node_reap_one(m))
		;
	return frame_trim(&m->budget, CACHE_KEEP, CACHE_TRIM) || m->reap_first;
}

void vmem_drain(struct vmem *m, bool stopped)
{
	if (stopped) {
		vmem_keep_drop(m);
		if (m->base && !m->dirty_count)
			vmem_switch(m, m->base);
		vmem_renew_vmid(m);
	}
	while (node_reap_one(m))
		;
}

uint64_t vmem_frames_min(uint64_t ram_size, uint32_t record_frames, uint32_t keep)
{
	uint64_t chunks = ram_size >> REGION_2M_SHIFT;
	uint64_t tables = chunks + (ram_size >> S2_ROOT_SHIFT) + 3;
	uint64_t index = index_capacity(SNAPSHOT_MAX, keep) * sizeof(uint32_t);

	return (ram_size >> PAGE_SHIFT) + 2 * tables + 1 + record_frames +
	       frames_for(chunks * sizeof(struct dirty_chunk)) + frames_for(index);
}
