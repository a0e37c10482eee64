/* SPDX-License-Identifier: MIT */
/*
 * set_rig.h - three VMs of vm_rig.h and three regions as one set, beside a model that copies everything.
 * set_rig/ has the headers that stand in for those of the target.
 */
#pragma once
#include "core/region.h"
#include "core/set.h"

#define VMS 3u
#define REGIONS 3u
#define SETS 6u
#define SET_FRAMES (1 + 1 + 2 + 3) /* its own, and the regions' pages */

/* What a set held. */
struct set_model {
	bool used, whole; /* whole: undo only */
	uint64_t id;
	uint64_t parts[VMS];
	uint64_t serials[REGIONS];
	uint64_t words[REGIONS];
};
extern struct rig *rig;
extern struct set_model sets_models[SETS];
extern unsigned sets_events[32]; /* by kind */
extern bool sets_leave;          /* VMs leave their regions in a restore, and join them again */

/* set_frames: for sets; limit, refuse and keep of each VM. */
void sets_begin(uint64_t seed, uint64_t set_frames, uint64_t limit, bool refuse, uint32_t keep);
/* Deletes all sets; nothing may be left. */
void sets_end(void);
uint64_t sets_used(void);
/* Another region of this number, attached to by all. */
void sets_region_new(unsigned n);
/* All of its pages; and what was written last. */
void sets_write(unsigned n, uint64_t word);
uint64_t sets_read(unsigned n);
/* AV_E_* and *result; the model follows by sets_taken(). */
int sets_take_as(const char *name, uint64_t request, uint64_t *id, struct set_result *result);
void sets_taken(uint64_t id);
/* These must succeed; the model follows. */
uint64_t sets_take(void);
void sets_delete(uint64_t id);
/* AV_E_*; the model follows. keep: undo. */
int sets_restore(uint64_t id, bool keep);
struct set_model *sets_model(uint64_t id);
/* Everything of the model against everything there is, and the audit. */
void sets_compare(void);
