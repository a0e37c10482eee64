/* SPDX-License-Identifier: MIT */
/* set_rig.c - what stands in for the hypervisor around snapshots of sets, and the model that follows them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <arch/mem.h>
#include "core/boot.h"
#include "core/event.h"
#include "core/operation.h"
#include "core/time.h"
#include "set_rig.h"

struct manifest_view boot_manifest;
struct vm *vms[AV_VM_MAX + 1];
unsigned vm_count = 1 + VMS;
struct region regions[AV_REGION_NUMBERS];
struct spinlock region_lock;
uint64_t counter_start;

static struct av_manifest head;
struct rig *rig;
static struct vm machine[1 + VMS];
static struct frame_budget budget;
unsigned sets_events[32];
bool sets_leave;

struct set_model sets_models[SETS];
static struct set_model undo;

/* --- what stands in for the hypervisor */

void boot_refuse(const char *text, ...)
{
	fail_msg("refused: %s", text);
	abort();
}

static bool may_go(const struct set_model *model)
{
	for (unsigned i = 0; i < VMS; i++)
		if (rig->vm[i]->m.refuse || snapshot_find(&rig->vm[i]->m, model->parts[i])->pinned)
			return false;
	return true;
}

/* All VMs of this rig are in every set, so it is the oldest of all; its parts are reported next. */
static void set_evicted(uint64_t id)
{
	struct set_model *model = sets_model(id);

	assert_non_null(model);
	assert_true(may_go(model));
	for (unsigned i = 0; i < SETS; i++)
		if (sets_models[i].used && sets_models[i].id < id)
			assert_false(may_go(&sets_models[i]));
	for (unsigned i = 0; i < VMS; i++)
		rig_model(rig->vm[i], model->parts[i])->whole = true;
	model->used = false;
}

void event_add(enum av_event_kind kind, uint32_t vm, uint64_t a, uint64_t b, const char *text)
{
	(void)b;
	(void)text;
	sets_events[kind]++;
	if (kind == AV_EVENT_EVICT && vm == AV_VM_NONE && a != AV_SNAPSHOT_UNDO)
		set_evicted(a);
}

void vm_hold(struct vm *vm)
{
	assert_false(vm->held);
	vm->held = true;
	rig_unload(vm->rig);
}

void vm_release(struct vm *vm)
{
	assert_true(vm->held);
	vm->held = false;
	rig_load(vm->rig);
}

static void all_are_held(void)
{
	for (unsigned i = 1; i < vm_count; i++)
		assert_true(vms[i]->held);
}

unsigned region_next(const uint64_t set[2], unsigned from)
{
	while (from < AV_REGION_NUMBERS && !(set[from / 64] >> from % 64 & 1))
		from++;
	return from;
}

void region_keep(struct region *region)
{
	region->attached++;
}

/* As in the hypervisor: the last one out ends it. */
void region_let_go(struct region *region)
{
	if (!--region->attached)
		region->serial = 0;
}

struct region_member *region_member_of(uint64_t number, const struct vm *vm)
{
	return &regions[number].members[vm->index];
}

void operation_facts(const struct vm *vm, uint32_t set, struct snapshot_facts *facts)
{
	all_are_held();
	*facts = (struct snapshot_facts){.set = set, .state = vm->rig->now.state[0] % 5};
}

void operation_feed(struct vm *vm)
{
	assert_false(vm->held);
}

/* As hypervisor/core/operation.c does it, and on the model. */
int operation_restore_held(struct vm *vm, uint64_t id, uint64_t flags, uint32_t set,
			   struct operation_result *result)
{
	bool keep = flags & AV_RESTORE_UNDO;
	struct rig_vm *r = vm->rig;
	struct rig_model *present = malloc(sizeof(*present));
	struct snapshot_restore plan;
	struct snapshot_facts facts;
	int error;

	operation_facts(vm, set, &facts);
	*present = r->now;
	present->vm_state = facts.state;
	error = snapshot_restore_prepare(&r->m, id, keep, &facts, &plan);
	for (unsigned n = 0; n < REGIONS; n++) /* VMs leave and join regions now */
		if (regions[n].serial && sets_leave)
			region_let_go(&regions[n]);
	if (!error) {
		result->undo_skipped = plan.undo_skipped;
		r->now = *rig_model(r, id);
		snapshot_restore_commit(&r->m, &plan);
		if (plan.undo) {
			r->undo = *present;
			r->undo.used = true;
			r->undo.pinned = false;
		} else {
			r->undo.used = r->m.undo != NULL;
		}
	}
	for (unsigned n = 0; n < REGIONS; n++)
		if (regions[n].serial && sets_leave)
			region_keep(&regions[n]);
	free(present);
	return error;
}

/* --- the machine */

/* The last word of a page of region n. */
static uint64_t *word_of(unsigned n, uint64_t page)
{
	return (uint64_t *)pa_ptr(regions[n].memory) + (page + 1) * PAGE_SIZE / sizeof(uint64_t) -
	       1;
}

void sets_write(unsigned n, uint64_t word)
{
	for (uint64_t page = 0; page < regions[n].size / PAGE_SIZE; page++)
		*word_of(n, page) = word;
}

/* What was written last: the same in all pages. */
uint64_t sets_read(unsigned n)
{
	for (uint64_t page = 0; page < regions[n].size / PAGE_SIZE; page++)
		assert_int_equal(*word_of(n, page), *word_of(n, 0));
	return *word_of(n, 0);
}

static uint64_t next_serial;

/* Region n with n + 1 pages, attached to by all. */
void sets_region_new(unsigned n)
{
	regions[n].serial = ++next_serial;
	regions[n].attached = VMS;
	for (unsigned i = 1; i < vm_count; i++)
		vms[i]->regions[0] |= UINT64_C(1) << n;
}

void sets_begin(uint64_t seed, uint64_t set_frames, uint64_t limit, bool refuse, uint32_t keep)
{
	rig = rig_new(&(struct rig_options){
		.seed = seed, .vms = VMS, .limit = limit, .keep = keep, .refuse = refuse});
	assert_true(frame_budget_init(&budget, 201, 64));
	memset(machine, 0, sizeof(machine));
	memset(regions, 0, sizeof(regions));
	memset(sets_models, 0, sizeof(sets_models));
	memset(sets_events, 0, sizeof(sets_events));
	undo.used = false;
	for (unsigned i = 0; i < vm_count; i++) {
		vms[i] = &machine[i];
		vms[i]->index = i;
		vms[i]->rig = i ? rig->vm[i - 1] : NULL;
	}
	for (unsigned n = 0; n < REGIONS; n++) {
		uint32_t frame = frame_alloc_run(&budget, n + 1, FRAME_META);

		assert_int_not_equal(frame, 0);
		regions[n].memory = frame_pa(frame);
		regions[n].size = (n + 1) * PAGE_SIZE;
		sets_region_new(n);
		sets_write(n, n);
	}
	head.set_size = set_frames * PAGE_SIZE;
	boot_manifest.head = &head;
	set_init();
}

uint64_t sets_used(void)
{
	struct av_machine_info info = {0};

	set_counts(&info);
	return info.set_used;
}

void sets_end(void)
{
	struct set_result result;
	struct set *set;

	while ((set = set_next(0)))
		assert_int_equal(set_delete(set_id(set), &result), AV_OK);
	if (set_find(AV_SNAPSHOT_UNDO))
		assert_int_equal(set_delete(AV_SNAPSHOT_UNDO, &result), AV_OK);
	assert_int_equal(sets_used(), 0);
	for (unsigned i = 0; i < VMS; i++)
		rig_drain(rig->vm[i]);
	rig_audit(rig);
	rig_end(rig);
}

/* --- operations, on the model as well */

int sets_take_as(const char *name, uint64_t request, uint64_t *id, struct set_result *result)
{
	struct snapshot_facts wanted = {.request_id = request};
	int error;

	memset(result, 0, sizeof(*result));
	strncpy(wanted.name, name, sizeof(wanted.name));
	error = set_take(&wanted, result);
	*id = result->id;
	return error;
}

void sets_taken(uint64_t id)
{
	struct set_model *model = sets_models;

	while (model->used)
		model++;
	assert_true(model < sets_models + SETS);
	*model = (struct set_model){.used = true, .id = id};
	for (unsigned i = 0; i < VMS; i++) {
		struct rig_vm *r = rig->vm[i];
		struct rig_model *part = malloc(sizeof(*part));

		*part = r->now;
		part->id = model->parts[i] = set_member(set_find(id), i + 1);
		part->pinned = true; /* it cannot go alone */
		part->vm_state = r->now.state[0] % 5;
		assert_true(r->model_count < RIG_MODELS);
		r->snapshots[r->model_count++] = part;
	}
	for (unsigned n = 0; n < REGIONS; n++) {
		model->serials[n] = regions[n].serial;
		model->words[n] = sets_read(n);
	}
}

uint64_t sets_take(void)
{
	struct set_result result;
	uint64_t id;

	assert_int_equal(sets_take_as("", 0, &id, &result), AV_OK);
	sets_taken(id);
	return id;
}

struct set_model *sets_model(uint64_t id)
{
	for (unsigned i = 0; i < SETS; i++)
		if (sets_models[i].used && sets_models[i].id == id)
			return &sets_models[i];
	return NULL;
}

static void forget_part(struct rig_vm *r, uint64_t id)
{
	uint32_t at = 0;

	while (r->snapshots[at]->id != id)
		at++;
	free(r->snapshots[at]);
	r->model_count--;
	memmove(&r->snapshots[at], &r->snapshots[at + 1],
		(r->model_count - at) * sizeof(r->snapshots[0]));
}

void sets_delete(uint64_t id)
{
	struct set_model *model = sets_model(id);
	struct set_result result;

	assert_int_equal(set_delete(id, &result), AV_OK);
	assert_int_equal(result.id, id);
	for (unsigned i = 0; i < VMS; i++)
		forget_part(rig->vm[i], model->parts[i]);
	model->used = false;
}

static void regions_go_back(const struct set_model *model, uint64_t gone)
{
	for (unsigned n = 0; n < REGIONS; n++) {
		if (regions[n].serial != model->serials[n])
			gone--;
		else
			assert_int_equal(sets_read(n), model->words[n]);
	}
	assert_int_equal(gone, 0);
}

int sets_restore(uint64_t id, bool keep)
{
	struct set_model present = {.used = true, .whole = true, .id = AV_SNAPSHOT_UNDO};
	struct set_model target;
	struct set_result result = {0};
	int error;

	for (unsigned n = 0; n < REGIONS; n++) {
		present.serials[n] = regions[n].serial;
		present.words[n] = sets_read(n);
	}
	target = id == AV_SNAPSHOT_UNDO ? undo : *sets_model(id);
	error = set_restore(id, keep ? AV_RESTORE_UNDO : 0, &result);
	if (error)
		return error;
	regions_go_back(&target, result.regions_gone);
	if (keep) {
		undo = present;
		undo.used = set_find(AV_SNAPSHOT_UNDO) != NULL;
		undo.whole = !result.undo_skipped;
	}
	return AV_OK;
}

void sets_compare(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < VMS; i++)
		rig_compare(rig->vm[i]);
	for (unsigned i = 0; i < SETS; i++) {
		count += sets_models[i].used;
		for (unsigned k = 0; sets_models[i].used && k < VMS; k++)
			assert_int_equal(set_member(set_find(sets_models[i].id), k + 1),
					 sets_models[i].parts[k]);
	}
	for (const struct set *set = set_next(0); set; set = set_next(set_id(set) + 1))
		count--;
	assert_int_equal(count, 0);
	rig_audit(rig);
}
