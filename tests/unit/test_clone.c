/* SPDX-License-Identifier: MIT */
/*
 * test_clone.c - VMs made from other VMs' snapshots: nobody sees what another writes, every frame stays its owner's, and what a
 * clone needs stays. AV_SEED=n AV_OPS=n replay a run of the last ones; the seed is printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <arch/mem.h>
#include <cmocka.h>
#include "mm/live.h"
#include "vm_rig.h"

#define SPARE(count, frames)                                                       \
	&(struct rig_options)                                                      \
	{                                                                          \
		.seed = 1, .vms = 1, .spares = (count), .limit = 4000, .keep = 24, \
		.spare_limit = (frames)                                            \
	}
#define PAGE 1024u

static uint64_t taken(struct rig_vm *vm)
{
	uint64_t id = 0;

	assert_int_equal(rig_take(vm, false, &id), AV_OK);
	return id;
}

static void check(struct rig *rig)
{
	rig_audit(rig);
	fake_check();
	for (uint32_t i = 0; i < rig->vm_count; i++)
		rig_compare(rig->vm[i]);
}

static void a_clone_and_its_source_go_on_apart(void **state)
{
	struct rig *rig = rig_new(SPARE(2, 600));
	struct rig_vm *vm = rig->vm[0], *a = rig->vm[1], *b = rig->vm[2];
	uint64_t id;

	(void)state;
	rig_set_state(vm, 77);
	for (uint32_t i = 0; i < 8; i++)
		rig_write(vm, PAGE + i, 100 + i);
	id = taken(vm);
	assert_int_equal(rig_clone(vm, id, a), AV_OK);
	assert_int_equal(rig_clone(vm, id, b), AV_OK);
	check(rig);
	rig_write(vm, PAGE, 1);
	rig_write(a, PAGE, 2);
	rig_write(b, PAGE + 1, 3);
	rig_write(b, 100, 4);  /* of the bundle */
	rig_write(a, 3000, 5); /* touched by nobody yet */
	rig_set_state(a, 5);
	check(rig);
	/* Its restart is a restore of its boot. */
	assert_int_equal(rig_restore(a, AV_SNAPSHOT_BOOT, true), AV_OK);
	assert_int_equal(a->now.tags[PAGE], 100);
	check(rig);
	assert_int_equal(rig_restore(a, AV_SNAPSHOT_UNDO, false), AV_OK);
	assert_int_equal(rig_restore(vm, AV_SNAPSHOT_BOOT, false), AV_OK);
	check(rig);
	rig_end(rig);
}

static void what_a_clone_was_made_from_can_not_go(void **state)
{
	struct rig *rig = rig_new(&(struct rig_options){
		.seed = 1, .vms = 1, .spares = 2, .limit = 4000, .keep = 2, .spare_limit = 200});
	struct rig_vm *vm = rig->vm[0];
	uint64_t id = taken(vm), other;
	struct snapshot *prepared;
	struct snapshot_facts facts = {0};

	(void)state;
	rig_clone(vm, id, rig->vm[1]);
	rig_clone(vm, id, rig->vm[2]);
	assert_int_equal(rig_delete(vm, id), AV_E_IN_USE);
	other = taken(vm);
	taken(vm); /* keep is 2: `other` goes, though it is younger */
	assert_null(snapshot_find(&vm->m, other));
	assert_non_null(snapshot_find(&vm->m, id));
	rig_remove(rig->vm[1], 1);
	assert_int_equal(rig_delete(vm, id), AV_E_IN_USE);
	rig_pin(vm, AV_SNAPSHOT_LATEST, true);
	assert_int_equal(snapshot_take_prepare(&vm->m, &facts, &prepared), AV_E_LIMIT);
	rig_remove(rig->vm[2], 1000);
	check(rig);
	assert_int_equal(rig_delete(vm, id), AV_OK);
	check(rig);
	rig_end(rig);
}

static void a_removed_clone_leaves_nothing(void **state)
{
	struct rig *rig = rig_new(SPARE(1, 900));
	struct rig_vm *vm = rig->vm[0], *clone = rig->vm[1];
	uint64_t free_frames, id, used;

	(void)state;
	for (uint32_t i = 0; i < 200; i++)
		rig_write(vm, 7 * i, i);
	id = taken(vm);
	free_frames = frame_free_count();
	used = vm->m.budget.used;
	for (uint32_t round = 0; round < 4; round++) {
		rig_clone(vm, round % 2 ? id : AV_SNAPSHOT_BOOT, clone);
		for (uint32_t i = 0; i < 60; i++) {
			rig_write(clone, 31 * i, 1000 + i);
			if (i % 7 == 3)
				taken(clone);
			if (i % 20 == 19)
				rig_restore(clone, AV_SNAPSHOT_LATEST, i % 40 == 19);
		}
		check(rig);
		rig_remove(clone, 1 + round * 3);
		check(rig);
		assert_int_equal(frame_free_count(), free_frames);
		assert_int_equal(vm->m.budget.used, used);
	}
	rig_end(rig);
}

static void a_clone_executes_without_writing_to_the_others_tables(void **state)
{
	struct rig *rig = rig_new(SPARE(1, 100));
	struct rig_vm *vm = rig->vm[0], *clone = rig->vm[1];
	uint64_t before[S2_TABLE_ENTRIES];
	struct vmem_walk walk;
	uint64_t id;

	(void)state;
	rig_write(vm, PAGE, 1);
	rig_write(vm, PAGE + 1, 2);
	id = taken(vm);
	rig_clone(vm, id, clone);
	vmem_walk(&vm->m, RIG_BASE + PAGE * PAGE_SIZE, &walk);
	memcpy(before, walk.l3, sizeof(before));
	assert_true(rig_execute(clone, PAGE));
	assert_true(rig_execute(clone, PAGE + 1));
	assert_true(rig_execute(clone, 120));
	assert_memory_equal(before, walk.l3, sizeof(before));
	rig_write(clone, PAGE, 3);
	assert_true(rig_execute(clone, PAGE));
	assert_int_equal(rig_restore(clone, AV_SNAPSHOT_BOOT, false), AV_OK);
	assert_true(rig_execute(clone, PAGE));
	/* The other way round: what the source makes executable meanwhile. */
	assert_true(rig_execute(vm, PAGE));
	check(rig);
	rig_end(rig);
}

static void clones_of_clones_hold_each_other(void **state)
{
	struct rig *rig = rig_new(SPARE(4, 300));
	struct rig_vm *vm = rig->vm[0];
	uint64_t id;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		rig_write(rig->vm[i], PAGE + i, 10 + i);
		rig_write(rig->vm[i], 100 + i, 20 + i);
		id = taken(rig->vm[i]);
		rig_clone(rig->vm[i], i == 2 ? AV_SNAPSHOT_BOOT : id, rig->vm[i + 1]);
		rig_write(rig->vm[i], PAGE + i, 30 + i);
		assert_int_equal(rig->vm[i]->m.clone_count, 1);
		check(rig);
	}
	rig_restore(vm, AV_SNAPSHOT_BOOT, false);
	for (uint32_t i = 4; i; i--) {
		check(rig);
		rig_remove(rig->vm[i], 5);
	}
	check(rig);
	rig_end(rig);
}

/* True when a slot of so many frames is refused. */
static bool is_too_little(uint64_t limit)
{
	struct rig *rig = rig_new(SPARE(0, 0));
	struct vmem_config config = {.owner = 9,
				     .ram_base = RIG_BASE,
				     .ram_size = RIG_RAM,
				     .frame_limit = limit,
				     .vmid_first = 60,
				     .vmid_count = 2,
				     .snapshot_keep = 24,
				     .part_count = 3,
				     .parts = rig->vm[0]->m.parts};
	struct vmem trial;
	bool refused = vmem_init_spare(&trial, &config) != 0;

	rig_end(rig);
	return refused;
}

/* The same steps with every budget from the least on: each allocation is once the one that fails. */
static void a_clone_short_of_frames_starves_and_nothing_else(void **state)
{
	uint64_t least = 1, id;

	(void)state;
	while (is_too_little(least))
		least++;
	for (uint64_t limit = least; limit < least + 50; limit++) {
		struct rig *rig = rig_new(SPARE(1, limit));
		struct rig_vm *vm = rig->vm[0], *clone = rig->vm[1];
		uint32_t starved = 0;

		rig_write(vm, PAGE, 1);
		id = taken(vm);
		assert_int_equal(rig_clone(vm, id, clone), AV_OK);
		for (uint32_t i = 0; i < 12; i++) {
			starved += !rig_write(clone, PAGE + 300 * (i % 5), i + 5);
			starved += !rig_execute(clone, 100 + i % 3);
			starved += !rig_host_write(rig, clone, 140 + i, i);
			if (i % 3 == 1)
				rig_take(clone, false, &id);
			if (i % 4 == 3)
				rig_restore(clone, AV_SNAPSHOT_BOOT, true);
			if (i % 2)
				check(rig);
		}
		assert_true(starved ? limit < least + 45 : limit > least + 5);
		rig_remove(clone, 2);
		check(rig);
		rig_end(rig);
	}
}

/* --- at random */

static uint64_t tag_next;

static uint32_t any_page(struct rig *rig)
{
	if (!rig_random(rig, 6))
		return (uint32_t)rig_random(rig, RIG_PAGES);
	return rig_random(rig, 3) ? 1000 + (uint32_t)rig_random(rig, 48)
				  : 96 + (uint32_t)rig_random(rig, 12);
}

static uint64_t any_id(struct rig *rig, const struct rig_vm *vm)
{
	uint64_t which = rig_random(rig, 8);

	if (which < 3 || !vm->model_count)
		return which == 0   ? AV_SNAPSHOT_BOOT
		       : which == 1 ? AV_SNAPSHOT_UNDO
				    : AV_SNAPSHOT_LATEST;
	return vm->snapshots[rig_random(rig, vm->model_count)]->id;
}

static void come_or_go(struct rig *rig, struct rig_vm *vm)
{
	struct rig_vm *from = rig->vm[rig_random(rig, rig->vm_count)];

	if (!rig_is_empty(vm)) {
		if (vm->used_empty && !vm->m.clone_count && !rig_random(rig, 3))
			rig_remove(vm, 1 + (uint32_t)rig_random(rig, 9));
	} else if (!rig_is_empty(from)) {
		rig_clone(from, any_id(rig, from), vm);
	}
}

static void random_operation(struct rig *rig, struct rig_vm *vm)
{
	uint64_t id, what = rig_random(rig, 40);

	if (what < 3 || rig_is_empty(vm))
		come_or_go(rig, vm);
	else if (what < 5)
		rig_take(vm, !rig_random(rig, 16), &id);
	else if (what < 8)
		rig_restore(vm, any_id(rig, vm), what == 7);
	else if (what < 10)
		rig_delete(vm, any_id(rig, vm));
	else if (what < 11)
		rig_pin(vm, any_id(rig, vm), !rig_random(rig, 3));
	else if (what < 13)
		vmem_reap(&vm->m, (uint32_t)rig_random(rig, 6));
	else if (what < 14)
		rig_set_state(vm, (uint32_t)rig_random(rig, 1U << 30));
	else if (what < 16)
		rig_host_write(rig, vm, any_page(rig), ++tag_next);
	else if (what < 18)
		rig_execute(vm, any_page(rig));
	else if (what < 22)
		rig_read(vm, any_page(rig));
	else
		rig_write(vm, any_page(rig), ++tag_next);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static uint64_t seed(void)
{
	static uint64_t value;

	if (!value) {
		value = from_environment("AV_SEED", (uint64_t)time(NULL));
		printf("AV_SEED=%llu\n", (unsigned long long)value);
		fflush(stdout);
	}
	return value;
}

/* All clones go, those of clones first. */
static void remove_all(struct rig *rig)
{
	bool any = true;

	while (any) {
		any = false;
		for (uint32_t i = 0; i < rig->vm_count; i++) {
			if (rig_is_empty(rig->vm[i]) || !rig->vm[i]->used_empty ||
			    rig->vm[i]->m.clone_count)
				continue;
			rig_remove(rig->vm[i], 7);
			any = true;
		}
	}
	for (uint32_t i = 0; i < rig->vm_count; i++)
		assert_int_equal(rig->vm[i]->m.clone_count, 0);
}

static void run(const struct rig_options *options, uint64_t operations, uint64_t every)
{
	struct rig *rig = rig_new(options);

	for (uint64_t n = 1; n <= operations; n++) {
		random_operation(rig, rig->vm[rig_random(rig, rig->vm_count)]);
		if (!(n % every))
			check(rig);
	}
	remove_all(rig);
	check(rig);
	rig_end(rig);
}

static void random_clones_agree_with_the_model(void **state)
{
	(void)state;
	run(&(struct rig_options){.seed = seed(),
				  .vms = 2,
				  .spares = 4,
				  .limit = 4000,
				  .keep = 20,
				  .spare_limit = 3000},
	    from_environment("AV_OPS", 20000), 1000);
}

static void random_clones_short_of_frames_agree_with_the_model(void **state)
{
	(void)state;
	run(&(struct rig_options){.seed = seed() + 1,
				  .vms = 2,
				  .spares = 4,
				  .limit = 400,
				  .keep = 20,
				  .spare_limit = 60},
	    from_environment("AV_OPS", 8000), 500);
}

static void each_single_operation_leaves_everything_consistent(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 3; i++)
		run(&(struct rig_options){.seed = seed() + 2 + i,
					  .vms = 1,
					  .spares = 3,
					  .limit = i % 2 ? 600 : 200,
					  .keep = 6,
					  .spare_limit = 40 + 200 * i},
		    from_environment("AV_OPS", 250), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clone_and_its_source_go_on_apart),
		cmocka_unit_test(what_a_clone_was_made_from_can_not_go),
		cmocka_unit_test(a_removed_clone_leaves_nothing),
		cmocka_unit_test(a_clone_executes_without_writing_to_the_others_tables),
		cmocka_unit_test(clones_of_clones_hold_each_other),
		cmocka_unit_test(a_clone_short_of_frames_starves_and_nothing_else),
		cmocka_unit_test(random_clones_agree_with_the_model),
		cmocka_unit_test(random_clones_short_of_frames_agree_with_the_model),
		cmocka_unit_test(each_single_operation_leaves_everything_consistent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
