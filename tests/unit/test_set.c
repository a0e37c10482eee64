/* SPDX-License-Identifier: MIT */
/*
 * test_set.c - snapshots of a whole set: one cut, all or nothing whatever allocation fails, and no part that goes alone.
 * Seed of the random operations: SEED, else fixed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "set_rig.h"

static void memory_and_regions_are_of_one_moment(void **state)
{
	uint64_t first, second;

	(void)state;
	sets_begin(1, 64, 9000, false, 0);
	for (unsigned i = 0; i < VMS; i++)
		rig_write(rig->vm[i], 1000, 10 + i);
	sets_write(0, 100);
	first = sets_take();
	for (unsigned i = 0; i < VMS; i++)
		rig_write(rig->vm[i], 1000, 20 + i);
	sets_write(0, 200);
	regions[0].members[2].pending = 5;
	second = sets_take();
	assert_int_equal(sets_restore(first, false), AV_OK);
	assert_int_equal(sets_read(0), 100);
	assert_int_equal(regions[0].members[2].pending, 0);
	for (unsigned i = 0; i < VMS; i++)
		rig_read(rig->vm[i], 1000);
	assert_int_equal(sets_restore(second, false), AV_OK);
	assert_int_equal(sets_read(0), 200);
	sets_compare();
	sets_end();
}

static void a_region_that_is_gone_is_counted_and_another_is_left_alone(void **state)
{
	struct set_result result = {0};
	uint64_t id;

	(void)state;
	sets_begin(2, 64, 9000, false, 0);
	id = sets_take();
	sets_region_new(1); /* of the same number and place */
	sets_write(1, 77);
	regions[2].attached = 0;
	assert_int_equal(set_restore(id, 0, &result), AV_OK);
	assert_int_equal(result.regions_gone, 2);
	assert_int_equal(sets_read(1), 77);
	for (unsigned i = 0; i < VMS; i++)
		rig->vm[i]->now = *rig_model(rig->vm[i], sets_model(id)->parts[i]);
	sets_compare();
	sets_end();
}

/* One VM alone is attached, and its restore leaves before it joins again. */
static void a_region_outlives_that_its_last_member_leaves_on_the_way_back(void **state)
{
	uint64_t id;

	(void)state;
	sets_begin(14, 64, 9000, false, 0);
	sets_write(2, 5);
	id = sets_take();
	sets_write(2, 6);
	regions[2].attached = 1;
	sets_leave = true;
	assert_int_equal(sets_restore(id, true), AV_OK);
	sets_leave = false;
	assert_int_equal(regions[2].attached, 1);
	assert_int_equal(sets_read(2), 5);
	sets_compare();
	sets_end();
}

static void no_part_can_be_deleted_or_given_up_alone(void **state)
{
	uint64_t id, alone;

	(void)state;
	sets_begin(3, 64, 9000, false, 3);
	id = sets_take();
	assert_int_equal(rig_delete(rig->vm[1], sets_model(id)->parts[1]), AV_E_PINNED);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(rig_take(rig->vm[1], false, &alone), AV_OK);
	assert_int_equal(rig->vm[1]->evictions, 3);
	assert_non_null(snapshot_find(&rig->vm[1]->m, sets_model(id)->parts[1]));
	assert_int_equal(sets_restore(id, true), AV_OK);
	sets_compare();
	sets_delete(id);
	assert_null(set_find(id));
	sets_compare();
	sets_end();
}

static void with_only_parts_left_at_the_limit_the_oldest_set_goes_whole(void **state)
{
	struct set_result result;
	uint64_t first, second, id;

	(void)state;
	sets_begin(4, 64, 9000, false, 2);
	first = sets_take();
	second = sets_take();
	assert_int_equal(sets_take_as("", 0, &id, &result), AV_OK);
	sets_taken(id);
	assert_int_equal(result.evicted, 1);
	assert_int_equal(sets_events[AV_EVENT_EVICT], 1);
	assert_null(set_find(first));
	for (unsigned i = 0; i < VMS; i++)
		assert_int_equal(rig->vm[i]->evictions, 1);
	sets_compare();
	/* A pinned part keeps its set, and the next one goes. */
	assert_int_equal(snapshot_pin(&rig->vm[2]->m, sets_model(second)->parts[2], true), 0);
	assert_true(set_evict(vms[1]));
	assert_non_null(set_find(second));
	assert_null(set_find(id));
	assert_false(set_evict(NULL));
	sets_compare();
	assert_int_equal(snapshot_pin(&rig->vm[2]->m, sets_model(second)->parts[2], false), 0);
	sets_end();
}

static void a_set_with_a_part_of_a_vm_that_refuses_stays_and_the_vm_is_named(void **state)
{
	struct set_result result;
	uint64_t id;

	(void)state;
	sets_begin(15, 64, 9000, false, 2);
	rig->vm[2]->m.refuse = true;
	sets_take();
	sets_take();
	assert_int_equal(sets_take_as("", 0, &id, &result), AV_E_LIMIT);
	assert_int_equal(result.vm, 1);
	assert_int_equal(result.evicted, 0);
	sets_compare();
	sets_end();
}

/* Whatever VM has too little: it is had by what the sets hold, and never more of them go than must. */
static void memory_of_a_vm_comes_back_from_its_oldest_sets(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VMS; i++) {
		struct set_result result;
		uint64_t ids[3], id;

		sets_begin(17 + i, 64, 9000, false, 0);
		for (unsigned n = 0; n < 3; n++) {
			for (uint32_t page = 0; page < 8; page++)
				rig_write(rig->vm[i], 1000 + page, n);
			ids[n] = sets_take();
		}
		rig_drain(rig->vm[i]);
		frame_trim(&rig->vm[i]->m.budget, 0, ~0ul);
		rig->vm[i]->m.budget.limit = rig->vm[i]->m.budget.used;
		assert_int_equal(sets_take_as("", 0, &id, &result), AV_OK);
		sets_taken(id);
		assert_int_equal(result.evicted, 1);
		assert_null(set_find(ids[0]));
		assert_non_null(set_find(ids[1]));
		rig->vm[i]->m.budget.limit = 9000;
		sets_compare();
		sets_end();
	}
}

static void counts(uint64_t used[VMS + 1], uint64_t snapshots[VMS])
{
	for (unsigned i = 0; i < VMS; i++) {
		rig_drain(rig->vm[i]);
		used[i] = rig->vm[i]->m.budget.used;
		snapshots[i] = rig->vm[i]->m.snapshot_count;
	}
	used[VMS] = sets_used();
}

static void nothing_changed(const uint64_t used[VMS + 1], const uint64_t snapshots[VMS])
{
	uint64_t now[VMS + 1], there[VMS];

	counts(now, there);
	assert_memory_equal(now, used, sizeof(now));
	assert_memory_equal(there, snapshots, sizeof(there));
	sets_compare();
}

/* VM number i has k frames left, with k = 0, 1, 2 ... until the take succeeds. */
static void whatever_vm_has_too_little_nothing_changes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VMS; i++) {
		struct set_result result;
		uint64_t id, used[VMS + 1], snapshots[VMS], limit, k = 0;

		sets_begin(5 + i, 64, 9000, true, 0);
		for (unsigned n = 0; n < VMS; n++)
			rig_write(rig->vm[n], 2000, n);
		sets_take();
		counts(used, snapshots);
		limit = rig->vm[i]->m.budget.limit;
		for (;; k++) {
			frame_trim(&rig->vm[i]->m.budget, 0, ~0ul);
			rig->vm[i]->m.budget.limit = used[i] + k;
			if (sets_take_as("", 0, &id, &result) == AV_OK)
				break;
			assert_int_equal(result.vm, i + 1);
			nothing_changed(used, snapshots);
		}
		assert_in_range(k, 1, 16);
		rig->vm[i]->m.budget.limit = limit;
		sets_taken(id);
		sets_compare();
		sets_end();
	}
}

static void whatever_memory_for_regions_is_missing_nothing_changes(void **state)
{
	(void)state;
	for (uint64_t frames = 1; frames < SET_FRAMES; frames++) {
		struct set_result result;
		uint64_t id, used[VMS + 1], snapshots[VMS];

		sets_begin(9, frames, 9000, true, 0);
		counts(used, snapshots);
		assert_int_equal(sets_take_as("", 0, &id, &result), AV_E_EXHAUSTED);
		assert_int_equal(result.vm, AV_VM_NONE);
		nothing_changed(used, snapshots);
		sets_end();
	}
}

static void undo_goes_back_and_forth_and_is_void_when_one_vm_has_another(void **state)
{
	uint64_t id;

	(void)state;
	sets_begin(10, 64, 9000, false, 0);
	sets_write(1, 1);
	id = sets_take();
	sets_write(1, 2);
	rig_write(rig->vm[0], 1500, 3);
	assert_int_equal(sets_restore(id, true), AV_OK);
	assert_int_equal(sets_read(1), 1);
	assert_int_equal(sets_restore(AV_SNAPSHOT_UNDO, true), AV_OK);
	assert_int_equal(sets_read(1), 2);
	assert_int_equal(rig->vm[0]->now.tags[1500], 3);
	assert_int_equal(sets_restore(AV_SNAPSHOT_UNDO, true), AV_OK);
	assert_int_equal(sets_read(1), 1);
	sets_compare();
	assert_int_equal(rig_restore(rig->vm[2], AV_SNAPSHOT_BOOT, true), AV_OK);
	assert_int_equal(sets_restore(AV_SNAPSHOT_UNDO, true), AV_E_NOT_FOUND);
	sets_compare();
	sets_end();
}

/* Room for one set and undo: a second set takes undo's, but only if that is enough. */
static void a_take_gives_up_undo_for_room_but_never_in_vain(void **state)
{
	struct set_result result;
	uint64_t id;

	(void)state;
	sets_begin(11, 2 * SET_FRAMES + 1, 9000, false, 0);
	assert_int_equal(sets_restore(sets_take(), true), AV_OK);
	assert_non_null(set_find(AV_SNAPSHOT_UNDO));
	assert_int_equal(sets_take_as("", 0, &id, &result), AV_OK);
	sets_taken(id);
	assert_null(set_find(AV_SNAPSHOT_UNDO));
	assert_int_equal(result.evicted, 1);
	assert_int_equal(sets_events[AV_EVENT_EVICT], 1);
	/* The next one takes the first one's. */
	assert_int_equal(sets_take_as("", 0, &id, &result), AV_OK);
	sets_taken(id);
	assert_int_equal(result.evicted, 1);
	assert_int_equal(sets_events[AV_EVENT_EVICT], 2);
	sets_compare();
	sets_end();

	sets_begin(12, 2 * SET_FRAMES, 9000, false, 0);
	assert_int_equal(sets_restore(sets_take(), true), AV_OK);
	/* As if regions had grown since: even with undo's frames there is not enough. */
	regions[3] = regions[2];
	regions[4] = regions[2];
	regions[5] = regions[2];
	assert_int_equal(sets_take_as("", 0, &id, &result), AV_E_EXHAUSTED);
	assert_non_null(set_find(AV_SNAPSHOT_UNDO));
	memset(&regions[3], 0, 3 * sizeof(regions[0]));
	assert_int_equal(sets_restore(AV_SNAPSHOT_UNDO, false), AV_OK);
	sets_compare();
	sets_end();
}

static void names_and_requests_find_sets(void **state)
{
	struct set_result result;
	uint64_t id, again;

	(void)state;
	sets_begin(13, 64, 9000, false, 0);
	assert_int_equal(sets_take_as("one", 42, &id, &result), AV_OK);
	sets_taken(id);
	assert_int_equal(sets_take_as("one", 43, &again, &result), AV_E_EXISTS);
	assert_int_equal(sets_take_as("No", 43, &again, &result), AV_E_INVALID);
	assert_int_equal(set_id(set_find_request(42)), id);
	assert_null(set_find_request(43));
	assert_null(set_find_request(0));
	sets_compare();
	sets_end();
}

static void random_step(void)
{
	unsigned vm = (unsigned)rig_random(rig, VMS), n = (unsigned)rig_random(rig, REGIONS);
	struct set_model *model = &sets_models[rig_random(rig, SETS)];
	struct set_result result;
	uint64_t id;

	switch (rig_random(rig, 16)) {
	case 0:
		if (!model->used && sets_take_as("", 0, &id, &result) == AV_OK)
			sets_taken(id);
		break;
	case 1:
	case 2:
		if (model->used)
			assert_int_equal(sets_restore(model->id, rig_random(rig, 2)), AV_OK);
		break;
	case 3:
		if (set_find(AV_SNAPSHOT_UNDO))
			sets_restore(AV_SNAPSHOT_UNDO, rig_random(rig, 2));
		break;
	case 4:
		if (model->used)
			sets_delete(model->id);
		break;
	case 5:
		if (rig->vm[vm]->model_count < RIG_MODELS - SETS - 1)
			rig_take(rig->vm[vm], false, &id);
		break;
	case 6:
		rig_restore(rig->vm[vm], AV_SNAPSHOT_LATEST, rig_random(rig, 2));
		break;
	case 7:
		rig_delete(rig->vm[vm], AV_SNAPSHOT_LATEST);
		break;
	case 8:
		sets_region_new(n);
		break;
	case 9:
		sets_write(n, rig_random(rig, 1000000));
		break;
	default:
		rig_write(rig->vm[vm], (uint32_t)rig_random(rig, RIG_PAGES),
			  rig_random(rig, 1000000));
		rig_set_state(rig->vm[vm], (uint32_t)rig_random(rig, 1000));
	}
}

static void random_operations_agree_with_the_model(void **state)
{
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : 2026;

	(void)state;
	for (unsigned run = 0; run < 6; run++) {
		printf("seed %llu\n", (unsigned long long)(seed + run));
		/* Two are short of memory, and one of those may evict. */
		sets_begin(seed + run, run % 2 ? 64 : 3 * SET_FRAMES, run < 2 ? 4800 : 9000,
			   run & 1, 0);
		for (unsigned i = 0; i < 1500; i++) {
			random_step();
			if (i % 25 == 0)
				sets_compare();
		}
		sets_compare();
		sets_end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_and_regions_are_of_one_moment),
		cmocka_unit_test(a_region_that_is_gone_is_counted_and_another_is_left_alone),
		cmocka_unit_test(a_region_outlives_that_its_last_member_leaves_on_the_way_back),
		cmocka_unit_test(no_part_can_be_deleted_or_given_up_alone),
		cmocka_unit_test(with_only_parts_left_at_the_limit_the_oldest_set_goes_whole),
		cmocka_unit_test(a_set_with_a_part_of_a_vm_that_refuses_stays_and_the_vm_is_named),
		cmocka_unit_test(memory_of_a_vm_comes_back_from_its_oldest_sets),
		cmocka_unit_test(whatever_vm_has_too_little_nothing_changes),
		cmocka_unit_test(whatever_memory_for_regions_is_missing_nothing_changes),
		cmocka_unit_test(undo_goes_back_and_forth_and_is_void_when_one_vm_has_another),
		cmocka_unit_test(a_take_gives_up_undo_for_room_but_never_in_vain),
		cmocka_unit_test(names_and_requests_find_sets),
		cmocka_unit_test(random_operations_agree_with_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
