/* SPDX-License-Identifier: MIT */
/* test_snapshot.c - ids, names, limits, undo, eviction, and what deletion brings back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "vm_rig.h"

static struct rig *rig;
static struct rig_vm *vm;

static void with(const struct rig_options *options)
{
	rig = rig_new(options);
	vm = rig->vm[0];
}

static int plain(void **state)
{
	(void)state;
	with(&(struct rig_options){.seed = 7, .vms = 2, .limit = 9000, .keep = 5});
	return 0;
}

static int end(void **state)
{
	(void)state;
	rig_audit(rig);
	rig_end(rig);
	return 0;
}

static uint64_t take(void)
{
	uint64_t id = 0;

	assert_int_equal(rig_take(vm, false, &id), 0);
	return id;
}

static int take_named(const char *name, uint64_t request)
{
	struct snapshot_facts facts = {.request_id = request, .taken = 5, .vm_time = 6};
	struct snapshot *prepared;
	int status;

	strncpy(facts.name, name, sizeof(facts.name));
	status = snapshot_take_prepare(&vm->m, &facts, &prepared);
	if (!status) {
		rig_unload(vm);
		snapshot_take_commit(&vm->m, prepared);
		rig_load(vm);
	}
	return status;
}

static void ids_grow_and_are_never_given_twice(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 5; i++) {
		rig_write(vm, 1000, 10 * (i + 1));
		assert_int_equal(take(), i);
	}
	assert_int_equal(rig_restore(vm, 1, false), 0);
	rig_read(vm, 1000);
	assert_int_equal(vm->now.tags[1000], 20);
	for (uint64_t i = 5; i < 8; i++)
		assert_int_equal(take(), i);
	/* room for five: 0, 1 and 2 are gone, oldest first */
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(rig_restore(vm, i, false), AV_E_NOT_FOUND);
	assert_int_equal(vm->evictions, 3);
	assert_int_equal(snapshot_find(&vm->m, 5)->parent, 1);
	assert_int_equal(snapshot_find(&vm->m, 3)->parent, 2);
	assert_int_equal(rig_delete(vm, 7), 0);
	assert_int_equal(take(), 8);
	assert_int_equal(snapshot_find(&vm->m, AV_SNAPSHOT_LATEST)->id, 8);
}

static void latest_of_none_is_not_found(void **state)
{
	(void)state;
	assert_int_equal(rig_restore(vm, AV_SNAPSHOT_LATEST, false), AV_E_NOT_FOUND);
	assert_int_equal(rig_restore(vm, AV_SNAPSHOT_UNDO, false), AV_E_NOT_FOUND);
	assert_int_equal(rig_restore(vm, 0, false), AV_E_NOT_FOUND);
	assert_int_equal(rig_delete(vm, AV_SNAPSHOT_LATEST), AV_E_NOT_FOUND);
	assert_int_equal(rig_restore(vm, AV_SNAPSHOT_BOOT, false), 0);
}

static void names_and_requests_are_found_and_checked(void **state)
{
	static const char *const bad[] = {"Upper", "9lives", "-x", "a b", "a/b", "\x80"};
	static const char full[AV_NAME_SIZE] = "abcdefghijklmnopqrstuvwxyz012345"; /* no NUL left */
	char name[AV_NAME_SIZE] = "clean";
	char ragged[AV_NAME_SIZE] = "a\0b";

	(void)state;
	assert_int_equal(take_named("clean", 77), 0);
	assert_int_equal(take_named("clean", 78), AV_E_EXISTS);
	for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(take_named(bad[i], 0), AV_E_INVALID);
	assert_int_equal(take_named("", 0), 0);
	assert_int_equal(snapshot_find_name(&vm->m, name)->id, 0);
	assert_int_equal(snapshot_find_request(&vm->m, 77)->id, 0);
	assert_null(snapshot_find_request(&vm->m, 78));
	assert_null(snapshot_find_request(&vm->m, 0));
	assert_int_equal(snapshot_rename(&vm->m, 1, name), AV_E_EXISTS);
	assert_int_equal(snapshot_rename(&vm->m, 0, name), 0);
	assert_int_equal(snapshot_rename(&vm->m, 1, full), 0);
	assert_int_equal(snapshot_find_name(&vm->m, full)->id, 1);
	assert_int_equal(snapshot_rename(&vm->m, 1, ragged), AV_E_INVALID);
	assert_int_equal(snapshot_rename(&vm->m, AV_SNAPSHOT_BOOT, full), AV_E_INVALID);
	assert_int_equal(snapshot_rename(&vm->m, 9, full), AV_E_NOT_FOUND);
	memset(name, 0, sizeof(name));
	assert_int_equal(snapshot_rename(&vm->m, 0, name), 0);
	assert_int_equal(take_named("clean", 0), 0);
}

static void boot_and_pinned_ones_are_never_given_up(void **state)
{
	(void)state;
	assert_int_equal(rig_delete(vm, AV_SNAPSHOT_BOOT), AV_E_PINNED);
	assert_int_equal(rig_pin(vm, AV_SNAPSHOT_BOOT, false), AV_E_INVALID);
	assert_int_equal(rig_pin(vm, 0, true), AV_E_NOT_FOUND);
	for (uint64_t i = 0; i < 5; i++) {
		take();
		assert_int_equal(rig_pin(vm, i, true), 0);
	}
	uint64_t id;

	assert_int_equal(rig_take(vm, false, &id), AV_E_LIMIT);
	assert_int_equal(rig_delete(vm, 3), AV_E_PINNED);
	assert_int_equal(rig_pin(vm, 3, false), 0);
	assert_int_equal(take(), 5);
	assert_int_equal(rig_restore(vm, 3, false), AV_E_NOT_FOUND);
	assert_int_equal(rig_restore(vm, 0, false), 0);
}

static void undo_goes_back_and_forth(void **state)
{
	(void)state;
	rig_write(vm, 1000, 1);
	uint64_t id = take();

	rig_write(vm, 1000, 2);
	rig_set_state(vm, 42);
	assert_int_equal(rig_restore(vm, id, true), 0);
	assert_int_equal(vm->now.tags[1000], 1);
	assert_int_equal(rig_restore(vm, AV_SNAPSHOT_UNDO, true), 0);
	assert_int_equal(vm->now.tags[1000], 2);
	assert_int_equal(vm->now.state[0], 42);
	assert_null(vm->m.base);
	rig_compare(vm);
	assert_int_equal(rig_restore(vm, AV_SNAPSHOT_UNDO, true), 0); /* and back again */
	assert_int_equal(vm->now.tags[1000], 1);
	rig_compare(vm);
	assert_int_equal(rig_restore(vm, AV_SNAPSHOT_UNDO, false),
			 0); /* kept: may be used once more */
	assert_int_equal(rig_restore(vm, AV_SNAPSHOT_UNDO, false), 0);
	assert_int_equal(vm->now.tags[1000], 2);
	rig_compare(vm);
}

static void deleting_the_base_leaves_memory_alone(void **state)
{
	(void)state;
	rig_write(vm, 1000, 1);
	uint64_t first = take();

	rig_write(vm, 1000, 2);
	uint64_t second = take();

	rig_write(vm, 1001, 3);
	assert_int_equal(rig_delete(vm, second), 0);
	assert_null(vm->m.base);
	rig_drain(vm);
	rig_compare(vm);
	assert_int_equal(vm->m.dirty_count, 1);
	assert_int_equal(rig_restore(vm, first, false), 0);
	rig_compare(vm);
}

static void deleting_brings_back_exactly_what_info_promised(void **state)
{
	struct av_snapshot_info info;

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		for (uint32_t page = 1000; page < 1010 + i * 600; page++)
			rig_write(vm, page, ((uint64_t)i << 32) + page);
		take();
	}
	while (vm->model_count) {
		uint64_t id = vm->snapshots[rig_random(rig, vm->model_count)]->id, used;

		rig_drain(vm);
		used = vm->m.budget.used;
		snapshot_info(&vm->m, snapshot_find(&vm->m, id), &info);
		assert_int_equal(info.pages_unique + info.pages_shared,
				 rig_model(vm, id)->committed);
		assert_int_equal(info.is_base, id == 4);
		assert_int_equal(rig_delete(vm, id), 0);
		rig_drain(vm);
		assert_int_equal(used - vm->m.budget.used, info.pages_reclaimable);
		rig_compare(vm);
	}
}

static void info_never_promises_more_than_comes_back_from_a_branched_tree(void **state)
{
	struct av_snapshot_info info;
	uint64_t promised = 0, used;

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		if (vm->model_count)
			rig_restore(vm, vm->snapshots[rig_random(rig, vm->model_count)]->id, false);
		for (uint32_t n = 0; n < 40; n++)
			rig_write(vm, 1000 + (uint32_t)rig_random(rig, 64), i * 64 + n);
		take();
	}
	while (vm->model_count) {
		uint64_t id = vm->snapshots[rig_random(rig, vm->model_count)]->id;

		rig_drain(vm);
		used = vm->m.budget.used;
		snapshot_info(&vm->m, snapshot_find(&vm->m, id), &info);
		rig_delete(vm, id);
		rig_drain(vm);
		assert_true(used - vm->m.budget.used >= info.pages_reclaimable);
		promised += info.pages_reclaimable;
	}
	assert_true(promised > 0);
}

static void the_reaper_works_in_slices(void **state)
{
	uint32_t slices = 0;

	(void)state;
	for (uint32_t page = 1000; page < 4000; page++)
		rig_write(vm, page, page);
	take();
	rig_restore(vm, AV_SNAPSHOT_BOOT, false);
	rig_delete(vm, 0);
	do {
		uint64_t used = vm->m.budget.used;

		slices++;
		if (!vmem_reap(&vm->m, 1))
			break;
		assert_true(used - vm->m.budget.used <= S2_TABLE_ENTRIES + 1);
		rig_audit(rig);
	} while (slices < 100);
	assert_true(slices > 6 && slices < 20);
}

static void a_restart_two_hundred_times_holds_the_same_frames(void **state)
{
	uint64_t used = 0;

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		for (uint32_t n = 0; n < 20; n++)
			rig_write(vm, (uint32_t)rig_random(rig, RIG_PAGES), n);
		rig_restore(vm, AV_SNAPSHOT_BOOT, i % 3 == 2);
		rig_delete(vm, AV_SNAPSHOT_UNDO);
		rig_unload(vm);
		vmem_drain(&vm->m, true);
		rig_load(vm);
		if (!i)
			used = vm->m.budget.used;
		assert_int_equal(vm->m.budget.used, used);
	}
	rig_compare(vm);
}

static void restores_to_the_base_copy_no_tables_and_keep_no_frames(void **state)
{
	uint64_t nodes = 0, used = 0;

	(void)state;
	take();
	for (uint32_t i = 0; i < 50; i++) {
		for (uint32_t n = 0; n < 44; n++)
			rig_write(vm, 1000 + n * 7, i);
		assert_int_equal(vm->m.dirty_count, 44);
		assert_int_equal(rig_restore(vm, 0, false), 0);
		assert_int_equal(vm->m.dirty_count, 0);
		if (!i) {
			nodes = vm->m.stats.nodes_copied;
			used = vm->m.budget.used;
		}
	}
	assert_int_equal(vm->m.stats.nodes_copied, nodes);
	assert_int_equal(vm->m.budget.used, used);
}

static void thousands_of_snapshots_are_found_in_any_order(void **state)
{
	struct snapshot_facts facts = {.state = 0};
	struct snapshot *prepared;

	(void)state;
	with(&(struct rig_options){.seed = 9, .vms = 1, .limit = 20000, .keep = 3000});
	for (uint64_t i = 0; i < 5000; i++) {
		uint64_t *words =
			vmem_host_access(&vm->m, ipa(RIG_BASE + (i % 50) * PAGE_SIZE), true);

		words[0] = words[511] = i;
		assert_int_equal(snapshot_take_prepare(&vm->m, &facts, &prepared), 0);
		rig_unload(vm);
		/* the oracle has no room for so many: it is told of evictions only */
		vm->m.evicted = NULL;
		assert_int_equal(snapshot_take_commit(&vm->m, prepared), i);
		rig_load(vm);
	}
	assert_int_equal(vm->m.snapshot_count, 3000);
	for (uint64_t i = 0; i < 3000; i++) {
		uint64_t id = rig_random(rig, 5000);
		struct snapshot *found = snapshot_find(&vm->m, id);

		assert_int_equal(found != NULL, id >= 2000 && !(id % 7 == 0 && id < 2000 + i));
		if (id == 2000 + i)
			continue;
		if ((2000 + i) % 7 == 0)
			assert_int_equal(snapshot_delete(&vm->m, 2000 + i), 0);
	}
	assert_int_equal(snapshot_next(&vm->m, 0)->id, 2000);
	assert_int_equal(snapshot_next(&vm->m, 2002)->id, 2003); /* 2002 is one of those deleted */
	assert_null(snapshot_next(&vm->m, 5000));
	rig_drain(vm);
	rig_audit(rig);
	rig_end(rig);
}

static void a_take_that_is_refused_changes_nothing(void **state)
{
	uint64_t id, used;

	(void)state;
	with(&(struct rig_options){.seed = 9, .vms = 1, .limit = 200, .keep = 2, .refuse = true});
	take();
	take();
	used = vm->m.budget.used;
	assert_int_equal(rig_take(vm, false, &id), AV_E_LIMIT);
	assert_int_equal(rig_delete(vm, 0), 0);
	rig_drain(vm);
	for (uint32_t i = 0; rig_write(vm, 1000 + i, i); i++)
		;
	assert_int_equal(rig_take(vm, false, &id), AV_E_NO_MEMORY);
	assert_int_equal(vm->evictions, 0);
	assert_true(used < vm->m.budget.used);
	rig_compare(vm);
	rig_audit(rig);
	assert_int_equal(rig_delete(vm, 1), 0); /* and a delete lets it go on */
	assert_true(rig_write(vm, 3000, 1));
	rig_compare(vm);
	rig_end(rig);
}

#define T(test) cmocka_unit_test_setup_teardown(test, plain, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(ids_grow_and_are_never_given_twice),
		T(latest_of_none_is_not_found),
		T(names_and_requests_are_found_and_checked),
		T(boot_and_pinned_ones_are_never_given_up),
		T(undo_goes_back_and_forth),
		T(deleting_the_base_leaves_memory_alone),
		T(deleting_brings_back_exactly_what_info_promised),
		T(info_never_promises_more_than_comes_back_from_a_branched_tree),
		T(the_reaper_works_in_slices),
		T(a_restart_two_hundred_times_holds_the_same_frames),
		T(restores_to_the_base_copy_no_tables_and_keep_no_frames),
		cmocka_unit_test(thousands_of_snapshots_are_found_in_any_order),
		cmocka_unit_test(a_take_that_is_refused_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
