/* SPDX-License-Identifier: MIT */
/* snapshot_index.h - the snapshots of a VM that have ids: a ring of record frames, ids ascending.
 * For core/snapshot*.c. */
#pragma once
#include "core/snapshot.h"

struct snapshot *snapshot_at(const struct vmem *m, uint32_t position);
/* Position of the first id >= cursor; snapshot_count when there is none. */
uint32_t snapshot_position(const struct vmem *m, uint64_t cursor);
void snapshot_index_append(struct vmem *m, const struct snapshot *snapshot);
void snapshot_index_remove(struct vmem *m, uint32_t position);

/* A record with its spill frames, root empty, unlinked; NULL: not affordable. Takes what is
 * available, evicts nothing. */
struct snapshot *snapshot_record_new(struct vmem *m, const struct snapshot_facts *facts);
/* The same, but it shares no state with any other. */
struct snapshot *snapshot_record_own(struct vmem *m, const struct snapshot_facts *facts);
/* Where such a record has the part of that number. */
void *snapshot_part_own(const struct vmem *m, const struct snapshot *record, uint32_t part);
void snapshot_set_name(struct snapshot *record, const char name[AV_NAME_SIZE]);
/* One more of that name (empty: none) may be added, and evicts one at the limit. AV_E_INVALID, _EXISTS, _LIMIT. */
int snapshot_may_add(struct vmem *m, const char name[AV_NAME_SIZE]);
/* That one goes. */
void snapshot_make_room(struct vmem *m);
void snapshot_record_free(struct vmem *m, struct snapshot *record);
/* The state parts go into the record, but those that another record shares with it. */
void snapshot_save_parts(struct vmem *m, struct snapshot *record);
/* The live tree and the state parts go into the record. */
void snapshot_seal(struct vmem *m, struct snapshot *record);
/* A record out of all lists: state freed, tree to the reaper. */
void snapshot_discard(struct vmem *m, struct snapshot *record);
bool snapshot_name_valid(const char name[AV_NAME_SIZE]);
