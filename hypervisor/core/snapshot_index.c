/* SPDX-License-Identifier: MIT */
/*
 * snapshot_index.c - finding snapshots by id in O(log n), at once where no id is missing, by name and request id in O(n).
 * Ids only grow, so the ring stays sorted by appending. Never touches a tree.
 */
#include "core/snapshot_index.h"
#include <arch/mem.h>
#include "core/bug.h"
#include "mm/node.h"

static uint32_t *slot(const struct vmem *m, uint32_t position)
{
	return &m->index[(m->index_first + position) & m->index_mask];
}

struct snapshot *snapshot_at(const struct vmem *m, uint32_t position)
{
	return frame_ptr(*slot(m, position));
}

uint32_t snapshot_position(const struct vmem *m, uint64_t cursor)
{
	uint32_t low = 0, high = m->snapshot_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (snapshot_at(m, middle)->id < cursor)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void snapshot_index_append(struct vmem *m, const struct snapshot *snapshot)
{
	BUG_ON(m->snapshot_count > m->index_mask);
	*slot(m, m->snapshot_count++) = snapshot->frames[0];
}

/* The shorter side moves, so the oldest and the newest go at once. */
void snapshot_index_remove(struct vmem *m, uint32_t position)
{
	if (position < m->snapshot_count / 2) {
		for (; position; position--)
			*slot(m, position) = *slot(m, position - 1);
		m->index_first = (m->index_first + 1) & m->index_mask;
	} else {
		for (; position + 1 < m->snapshot_count; position++)
			*slot(m, position) = *slot(m, position + 1);
	}
	m->snapshot_count--;
}

struct snapshot *snapshot_find(struct vmem *m, uint64_t id)
{
	uint32_t position;

	if (m->base && m->base->id == id)
		return m->base; /* the one most asked for */
	if (id == AV_SNAPSHOT_BOOT)
		return m->boot;
	if (id == AV_SNAPSHOT_UNDO)
		return m->undo;
	if (id == AV_SNAPSHOT_LATEST)
		return m->snapshot_count ? snapshot_at(m, m->snapshot_count - 1) : NULL;
	if (!m->snapshot_count)
		return NULL;
	/* Where it is when none behind it, or none before it, was deleted; the newest are asked for most. */
	position =
		m->snapshot_count - 1 - (uint32_t)(snapshot_at(m, m->snapshot_count - 1)->id - id);
	if (position < m->snapshot_count && snapshot_at(m, position)->id == id)
		return snapshot_at(m, position);
	position = (uint32_t)(id - snapshot_at(m, 0)->id);
	if (position < m->snapshot_count && snapshot_at(m, position)->id == id)
		return snapshot_at(m, position);
	position = snapshot_position(m, id);
	if (position == m->snapshot_count || snapshot_at(m, position)->id != id)
		return NULL;
	return snapshot_at(m, position);
}

struct snapshot *snapshot_next(struct vmem *m, uint64_t cursor)
{
	uint32_t position = snapshot_position(m, cursor);

	return position < m->snapshot_count ? snapshot_at(m, position) : NULL;
}

static bool same_name(const char a[AV_NAME_SIZE], const char b[AV_NAME_SIZE])
{
	for (uint32_t i = 0; i < AV_NAME_SIZE; i++) {
		if (a[i] != b[i])
			return false;
		if (!a[i])
			break;
	}
	return true;
}

struct snapshot *snapshot_find_name(struct vmem *m, const char name[AV_NAME_SIZE])
{
	if (!name[0])
		return NULL;
	for (uint32_t i = m->snapshot_count; i--;)
		if (same_name(snapshot_at(m, i)->name, name))
			return snapshot_at(m, i);
	return NULL;
}

struct snapshot *snapshot_find_request(struct vmem *m, uint64_t request_id)
{
	if (!request_id)
		return NULL;
	for (uint32_t i = m->snapshot_count; i--;)
		if (snapshot_at(m, i)->request_id == request_id)
			return snapshot_at(m, i);
	return NULL;
}

static bool name_character(char c, bool first)
{
	if (c >= 'a' && c <= 'z')
		return true;
	return !first && ((c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-');
}

/* [a-z][a-z0-9._-]{0,31} or empty, NUL-padded. */
bool snapshot_name_valid(const char name[AV_NAME_SIZE])
{
	bool ended = false;

	for (uint32_t i = 0; i < AV_NAME_SIZE; i++) {
		if (!name[i])
			ended = true;
		else if (ended || !name_character(name[i], i == 0))
			return false;
	}
	return true;
}
