/* SPDX-License-Identifier: MIT */
/*
 * snapshot.c - taking, restoring and deleting snapshots of one VM.
 * Prepare obtains, commit cannot fail. Never touches a shared region; boot and pinned snapshots are
 * never given up.
 */
#include "core/snapshot.h"
#include <arch/mem.h>
#include "core/bug.h"
#include "core/snapshot_index.h"
#include "mm/live.h"
#include "mm/node.h"

/* To the NUL, then zeros. */
void snapshot_set_name(struct snapshot *record, const char name[AV_NAME_SIZE])
{
	__builtin_memset(__builtin_assume_aligned(record->name, 8), 0, AV_NAME_SIZE);
	for (uint32_t i = 0; i < AV_NAME_SIZE && name[i]; i++)
		record->name[i] = name[i];
}

static __attribute__((noinline)) uint32_t state_frame(struct vmem *m)
{
	uint32_t frame = frame_alloc(&m->budget, FRAME_STATE);

	frame_at(frame)->references = 1;
	return frame;
}

/* A part that is as it was when the base was taken or restored stays in the base's frame. How many frames there are now. */
static inline uint32_t share_frames(struct vmem *m, struct snapshot *record)
{
	const struct state_part *part = m->parts;
	uint32_t i;

	for (i = 0; i < m->shared_count; i++, part++) {
		uint32_t frame = m->base->frames[1 + i];

		if (part->same(part->ctx, frame_ptr(frame)))
			frame_at(frame)->references++;
		else
			frame = state_frame(m);
		record->frames[1 + i] = frame;
	}
	return i;
}

static inline void add_facts(struct snapshot *restrict record,
			     const struct snapshot_facts *restrict facts)
{
	record->request_id = facts->request_id;
	record->taken = facts->taken;
	record->vm_time = facts->vm_time;
	record->state = facts->state;
	record->set = facts->set;
	snapshot_set_name(record, facts->name);
}

/* Entries of the root that no VM of this kind uses stay undefined: see vmem_attach_region(). */
static inline __attribute__((always_inline)) struct snapshot *record_new(
	struct vmem *m, const struct snapshot_facts *facts, bool share)
{
	struct snapshot *record;
	uint32_t frame, i;

	if (frame_available(&m->budget) < 1 + m->spill_count)
		return NULL;
	frame = frame_alloc(&m->budget, FRAME_RECORD);
	node_init(frame);
	record = frame_ptr(frame);
	record->frames[0] = frame;
	record->clones = 0;
	record->reserved = 0;
	record->pinned = 0;
	add_facts(record, facts);
	i = 0;
	if (share && m->base)
		i = share_frames(m, record);
	for (; i < m->spill_count; i++)
		record->frames[1 + i] = state_frame(m);
	return record;
}

/* For all but a take: once in the image, and for size. */
static __attribute__((cold, noinline)) struct snapshot *record_new_for_size(
	struct vmem *m, const struct snapshot_facts *facts, bool share)
{
	return record_new(m, facts, share);
}

struct snapshot *snapshot_record_new(struct vmem *m, const struct snapshot_facts *facts)
{
	return record_new_for_size(m, facts, true);
}

struct snapshot *snapshot_record_own(struct vmem *m, const struct snapshot_facts *facts)
{
	return record_new_for_size(m, facts, false);
}

static void free_spill(struct vmem *m, const struct snapshot *record)
{
	for (uint32_t i = 0; i < m->spill_count; i++)
		if (!--frame_at(record->frames[1 + i])->references)
			frame_free(&m->budget, record->frames[1 + i]);
}

void snapshot_record_free(struct vmem *m, struct snapshot *record)
{
	free_spill(m, record);
	frame_free(&m->budget, record->frames[0]);
}

void snapshot_discard(struct vmem *m, struct snapshot *record)
{
	free_spill(m, record);
	node_release(m, record->frames[0]);
}

static uint8_t *part_address(const struct vmem *m, const struct snapshot *record, uint32_t part)
{
	struct part_place place = m->places[part];

	return (uint8_t *)frame_ptr(record->frames[place.frame]) + place.offset;
}

void *snapshot_part_own(const struct vmem *m, const struct snapshot *record, uint32_t part)
{
	return part_address(m, record, part);
}

const void *snapshot_part(const struct vmem *m, const struct snapshot *record, uint32_t part)
{
	return part_address(m, record, part);
}

/* Out of line: what the caller holds in registers is more than what this needs. */
static __attribute__((noinline)) void load_parts(const struct vmem *m,
						 const struct snapshot *record)
{
	const struct state_part *part = m->parts;
	uint32_t i;

	for (i = 0; i < m->shared_count; i++, part++) {
		const uint8_t *from = frame_ptr(record->frames[1 + i]);

		if (!part->same(part->ctx, from))
			part->load(part->ctx, from);
	}
	for (; i < m->part_count; i++, part++)
		part->load(part->ctx, part_address(m, record, i));
}

void snapshot_save_parts(struct vmem *m, struct snapshot *record)
{
	const struct state_part *part = m->parts, *end = part + m->part_count;
	uint32_t i;

	for (i = 0; i < m->shared_count; i++, part++) {
		uint32_t frame = record->frames[1 + i];

		if (frame_at(frame)->references == 1)
			part->save(part->ctx, frame_ptr(frame));
	}
	for (; part != end; i++, part++)
		part->save(part->ctx, part_address(m, record, i));
}

void snapshot_seal(struct vmem *m, struct snapshot *record)
{
	snapshot_save_parts(m, record);
	record->parent = m->origin;
	record->ram_count = m->ram_count;
	vmem_hand_over(m, record);
}

int snapshot_seal_boot(struct vmem *m, const struct snapshot_facts *facts)
{
	struct snapshot *record = snapshot_record_new(m, facts);

	if (!record)
		return AV_E_NO_MEMORY;
	record->id = AV_SNAPSHOT_BOOT;
	record->pinned = 1;
	snapshot_seal(m, record);
	m->boot = record;
	m->base = record;
	m->origin = AV_SNAPSHOT_BOOT;
	vmem_renew_vmid(m);
	return 0;
}

static void report_eviction(struct vmem *m, uint64_t id)
{
	m->stats.evictions++;
	if (m->evicted)
		m->evicted(m->evicted_ctx, id);
}

static void drop_undo(struct vmem *m)
{
	snapshot_discard(m, m->undo);
	m->undo = NULL;
}

__attribute__((cold)) static void delete_at(struct vmem *m, uint32_t position)
{
	struct snapshot *snapshot = snapshot_at(m, position);

	snapshot_index_remove(m, position);
	if (m->base == snapshot)
		m->base = NULL;
	snapshot_discard(m, snapshot);
}

/* Neither pinned, nor held by a clone, nor part of a set. */
static bool is_expendable(const struct snapshot *snapshot)
{
	return !snapshot->pinned && !snapshot->clones && !snapshot->set;
}

static __attribute__((cold)) bool evict_oldest(struct vmem *m)
{
	for (uint32_t i = 0; i < m->snapshot_count; i++) {
		uint64_t id = snapshot_at(m, i)->id;

		if (!is_expendable(snapshot_at(m, i)))
			continue;
		delete_at(m, i);
		report_eviction(m, id);
		return true;
	}
	return false;
}

bool snapshot_evict(struct vmem *m)
{
	if (m->undo) {
		drop_undo(m);
		report_eviction(m, AV_SNAPSHOT_UNDO);
		return true;
	}
	return !m->refuse && evict_oldest(m);
}

static bool may_evict(const struct vmem *m)
{
	for (uint32_t i = 0; !m->refuse && i < m->snapshot_count; i++)
		if (is_expendable(snapshot_at(m, i)))
			return true;
	return false;
}

__attribute__((cold)) int snapshot_may_add(struct vmem *m, const char name[AV_NAME_SIZE])
{
	if (name[0] && !snapshot_name_valid(name))
		return AV_E_INVALID;
	if (name[0] && snapshot_find_name(m, name))
		return AV_E_EXISTS;
	if (m->snapshot_count >= m->snapshot_keep && !may_evict(m))
		return AV_E_LIMIT;
	return 0;
}

void snapshot_make_room(struct vmem *m)
{
	if (m->snapshot_count >= m->snapshot_keep)
		evict_oldest(m);
}

int snapshot_take_prepare(struct vmem *m, const struct snapshot_facts *facts,
			  struct snapshot **prepared)
{
	if (facts->name[0] || m->snapshot_count >= m->snapshot_keep) {
		int error = snapshot_may_add(m, facts->name);

		if (error)
			return error;
		snapshot_make_room(m);
	}
	*prepared = record_new(m, facts, true);
	if (*prepared)
		return 0;
	if (!vmem_obtain(m, 1 + m->spill_count))
		return AV_E_NO_MEMORY;
	*prepared = snapshot_record_new(m, facts);
	return 0;
}

uint64_t snapshot_take_commit(struct vmem *m, struct snapshot *prepared)
{
	uint64_t id = m->next_id++;

	prepared->id = id;
	snapshot_seal(m, prepared);
	snapshot_index_append(m, prepared);
	m->base = prepared;
	m->origin = id;
	vmem_renew_vmid(m);
	return id;
}

void snapshot_take_abort(struct vmem *m, struct snapshot *prepared)
{
	snapshot_record_free(m, prepared);
}

/* A record for undo: the present one may go for it, but no other snapshot. */
static __attribute__((cold, noinline)) struct snapshot *undo_record(
	struct vmem *m, const struct snapshot *target, const struct snapshot_facts *now)
{
	struct snapshot *record = snapshot_record_new(m, now);

	while (!record && node_reap_one(m))
		record = snapshot_record_new(m, now);
	if (!record && m->undo && m->undo != target) {
		drop_undo(m);
		record = snapshot_record_new(m, now);
	}
	while (!record && node_reap_one(m))
		record = snapshot_record_new(m, now);
	return record;
}

int snapshot_restore_prepare(struct vmem *m, uint64_t id, bool keep_undo,
			     const struct snapshot_facts *now, struct snapshot_restore *plan)
{
	*plan = (struct snapshot_restore){.target = snapshot_find(m, id)};
	if (!plan->target)
		return AV_E_NOT_FOUND;
	if (keep_undo) {
		plan->undo = undo_record(m, plan->target, now);
		plan->undo_skipped = !plan->undo;
	}
	plan->to_base = plan->target == m->base && !plan->undo;
	return 0;
}

void snapshot_restore_abort(struct vmem *m, const struct snapshot_restore *plan)
{
	if (plan->undo)
		snapshot_record_free(m, plan->undo);
}

/* The present state goes into plan->undo; who was undo before is returned, to be discarded last. */
static __attribute__((cold, noinline)) struct snapshot *keep_present(
	struct vmem *m, const struct snapshot_restore *plan)
{
	struct snapshot *former = m->undo;

	plan->undo->id = AV_SNAPSHOT_UNDO;
	snapshot_seal(m, plan->undo);
	m->undo = plan->undo;
	return former;
}

void snapshot_restore_commit(struct vmem *m, const struct snapshot_restore *plan)
{
	struct snapshot *target = plan->target;
	struct snapshot *former = plan->undo ? keep_present(m, plan) : NULL;

	if (plan->to_base)
		vmem_revert(m);
	else
		vmem_switch(m, target);
	load_parts(m, target);
	if (target->id == AV_SNAPSHOT_UNDO) {
		m->base = NULL;
		m->origin = target->parent;
	} else {
		m->base = target;
		m->origin = target->id;
	}
	if (former)
		snapshot_discard(m, former);
	vmem_renew_vmid(m);
}

__attribute__((cold)) int snapshot_delete(struct vmem *m, uint64_t id)
{
	struct snapshot *snapshot = snapshot_find(m, id);

	if (!snapshot)
		return AV_E_NOT_FOUND;
	if (snapshot == m->undo) {
		drop_undo(m);
		return 0;
	}
	if (snapshot->pinned || snapshot->set)
		return AV_E_PINNED;
	if (snapshot->clones)
		return AV_E_IN_USE;
	delete_at(m, snapshot_position(m, snapshot->id));
	return 0;
}

__attribute__((cold)) void snapshot_delete_part(struct vmem *m, struct snapshot *snapshot,
						bool evicted)
{
	uint64_t id = snapshot->id;

	BUG_ON(!snapshot->set || snapshot->clones || snapshot == m->undo);
	delete_at(m, snapshot_position(m, id));
	if (evicted)
		report_eviction(m, id);
}

__attribute__((cold)) int snapshot_rename(struct vmem *m, uint64_t id,
					  const char name[AV_NAME_SIZE])
{
	struct snapshot *snapshot = snapshot_find(m, id);
	const struct snapshot *other = snapshot_find_name(m, name);

	if (!snapshot)
		return AV_E_NOT_FOUND;
	if (snapshot == m->boot || snapshot == m->undo || !snapshot_name_valid(name))
		return AV_E_INVALID;
	if (other && other != snapshot)
		return AV_E_EXISTS;
	snapshot_set_name(snapshot, name);
	return 0;
}

__attribute__((cold)) int snapshot_pin(struct vmem *m, uint64_t id, bool pinned)
{
	struct snapshot *snapshot = snapshot_find(m, id);

	if (!snapshot)
		return AV_E_NOT_FOUND;
	if (snapshot == m->boot || snapshot == m->undo)
		return AV_E_INVALID;
	snapshot->pinned = pinned;
	return 0;
}
