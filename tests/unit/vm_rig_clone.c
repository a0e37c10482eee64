/* SPDX-License-Identifier: MIT */
/* vm_rig_clone.c - clones on the rig: made, removed, and what the model says of both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "vm_rig.h"

int rig_clone(struct rig_vm *from, uint64_t id, struct rig_vm *slot)
{
	struct snapshot_facts facts = {.state = AV_STATE_RUNNING};
	struct snapshot *source = snapshot_find(&from->m, id);
	struct rig_model *model = rig_model(from, id);

	assert_true(rig_is_empty(slot));
	assert_int_equal(source != NULL, model != NULL);
	if (!source || source == from->m.undo)
		return AV_E_NOT_FOUND;
	assert_true(snapshot_clone_fits(&slot->m, &from->m));
	snapshot_hold(&from->m, source);
	model->clones++;
	for (uint32_t i = 0; i < 3; i++)
		slot->m.parts[i].load(slot->m.parts[i].ctx, snapshot_part(&from->m, source, i));
	snapshot_clone(&slot->m, &from->m, source, 3, &facts);
	slot->now = *model;
	slot->boot = *model;
	slot->boot.id = AV_SNAPSHOT_BOOT;
	slot->boot.vm_state = facts.state;
	slot->boot.clones = 0;
	slot->source = from;
	slot->source_id = model->id;
	rig_load(slot);
	rig_check_state(slot);
	return AV_OK;
}

void rig_remove(struct rig_vm *clone, uint32_t most)
{
	struct snapshot *source = clone->m.source;

	rig_unload(clone);
	fake_vm_gone(vmem_vttbr(&clone->m));
	while (snapshot_clone_empty(&clone->m, most))
		;
	snapshot_unhold(&clone->source->m, source);
	rig_model(clone->source, clone->source_id)->clones--;
	for (uint32_t i = 0; i < clone->model_count; i++)
		free(clone->snapshots[i]);
	clone->model_count = 0;
	clone->undo.used = false;
	clone->source = NULL;
	assert_int_equal(clone->m.budget.used, clone->used_empty);
	assert_true(rig_is_empty(clone));
}
