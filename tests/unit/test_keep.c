/* SPDX-License-Identifier: MIT */
/* test_keep.c - copy-back: which pages keep their frames, what is in them, and when they are given up. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "vm_rig.h"

static struct rig *rig;
static struct rig_vm *vm;
static uint64_t tag;

static int begin(void **state)
{
	(void)state;
	rig = rig_new(&(struct rig_options){
		.seed = 11, .vms = 2, .limit = 6000, .keep = 5, .copy_back = true});
	vm = rig->vm[0];
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

/* Write pages first, first + 1... and go back to the base, so many times. */
static void rounds(uint64_t count, uint32_t first, uint32_t pages)
{
	for (uint64_t n = 0; n < count; n++) {
		for (uint32_t i = 0; i < pages; i++)
			assert_true(rig_write(vm, first + i, ++tag));
		assert_int_equal(rig_restore(vm, vm->m.base->id, false), 0);
		rig_audit(rig);
		rig_compare(vm);
	}
}

static bool may_be_written(uint32_t page)
{
	return fake_guest_access(vm->pe, ipa(RIG_BASE + page * PAGE_SIZE), true, NULL) == FAKE_GOOD;
}

static void three_rounds_in_a_row_keep_a_page_and_its_contents_are_the_snapshots(void **state)
{
	uint64_t used;

	(void)state;
	rig_write(vm, 1000,
		  ++tag); /* of the VM's own; 150 is the bundle's, 3000 was never touched */
	take();
	for (uint32_t i = 0; i < 2; i++) {
		rounds(1, 1000, 1);
		rounds(1, 1000, 1);
		rounds(1, 150, 1);
		assert_int_equal(vm->m.kept_count, 0); /* not in a row */
	}
	rounds(1, 2600, 1);
	for (uint32_t i = 0; i < 3; i++) {
		assert_false(may_be_written(1000) || may_be_written(150) || may_be_written(3000));
		rig_write(vm, 1000, ++tag);
		rig_write(vm, 150, ++tag);
		rig_write(vm, 3000, ++tag);
		rig_restore(vm, vm->m.base->id, false);
		rig_compare(vm);
		rig_audit(rig);
	}
	assert_int_equal(vm->m.kept_count, 3);
	assert_int_equal(vm->m.dirty_count, 3);
	assert_true(may_be_written(1000) && may_be_written(150) && may_be_written(3000));
	used = vm->m.budget.used;
	rig_write(vm, 1000, ++tag);
	rig_write(vm, 3000, ++tag);
	assert_int_equal(vm->m.budget.used, used);
	rig_restore(vm, vm->m.base->id, false);
	rig_read(vm, 1000);
	rig_read(vm, 150);
	rig_read(vm, 3000);
	assert_int_equal(vm->m.stats.pages_kept, 6);
}

static void every_64th_restore_gives_all_up_and_one_round_brings_them_back(void **state)
{
	uint64_t given_up = 0;

	(void)state;
	take();
	rounds(3, 2000, 10);
	assert_int_equal(vm->m.kept_count, 10);
	for (uint32_t i = 0; i < 128; i++) {
		rounds(1, 2000, 10);
		given_up += !vm->m.kept_count;
		assert_true(vm->m.kept_count == 0 || vm->m.kept_count == 10);
	}
	assert_int_equal(given_up, 2);
	/* What is written no more goes with the next time. */
	for (uint32_t i = 0; i < 64; i++)
		rig_restore(vm, vm->m.base->id, false);
	assert_int_equal(vm->m.kept_count, 0);
	assert_int_equal(vm->m.dirty_count, 0);
}

static void code_in_a_kept_page_is_made_fit_for_execution_again(void **state)
{
	(void)state;
	rig_write(vm, 1000, ++tag);
	take();
	for (uint32_t i = 0; i < 6; i++) {
		uint64_t syncs = fake_exec_syncs;

		rig_write(vm, 1000, ++tag);
		assert_true(rig_execute(vm, 1000));
		assert_int_equal(fake_exec_syncs, syncs + 1);
		rig_restore(vm, vm->m.base->id, false);
	}
	assert_int_equal(vm->m.kept_count, 1);
}

static void a_take_seals_what_was_kept(void **state)
{
	uint64_t first, second;

	(void)state;
	rig_write(vm, 1000, ++tag);
	first = take();
	rounds(4, 1000, 20);
	assert_int_equal(vm->m.kept_count, 20);
	rig_write(vm, 1005, ++tag);
	second = take();
	assert_int_equal(vm->m.dirty_count, 0);
	assert_int_equal(vm->m.kept_count, 0);
	assert_false(may_be_written(1000));
	rig_write(vm, 1000, ++tag);
	rig_restore(vm, first, false);
	rig_compare(vm);
	rig_restore(vm, second, false);
	rig_compare(vm);
}

static void a_drain_of_a_stopped_vm_gives_back_what_was_not_written_since(void **state)
{
	uint64_t used;

	(void)state;
	take();
	rig_unload(vm);
	vmem_drain(&vm->m, true);
	rig_load(vm);
	used = vm->m.budget.used;
	rounds(4, 3000, 30);
	rounds(4, 100, 3);
	rounds(3, 3000, 30);
	assert_int_equal(vm->m.kept_count, 33); /* who wrote nobody can tell */
	rig_write(vm, 3004, ++tag);
	rig_unload(vm);
	vmem_drain(&vm->m, true);
	rig_load(vm);
	rig_compare(vm);
	rig_audit(rig);
	assert_int_equal(vm->m.dirty_count, 1);
	assert_int_equal(vm->m.kept_count, 0);
	rig_restore(vm, vm->m.base->id, false);
	rig_unload(vm);
	vmem_drain(&vm->m, true);
	rig_load(vm);
	rig_compare(vm);
	assert_int_equal(vm->m.budget.used, used);
}

static void no_more_than_1024_are_kept_and_none_when_frames_are_short(void **state)
{
	(void)state;
	take();
	rounds(3, 1024, 1500);
	assert_int_equal(vm->m.kept_count, 1024);
	rounds(1, 1024, 1500);
	vm->m.budget.limit = vm->m.budget.used + vm->m.budget.cached;
	while (frame_trim(&vm->m.budget, 0, 1000))
		;
	vm->m.budget.limit = vm->m.budget.used + 64;
	rig_restore(vm, vm->m.base->id, false);
	assert_int_equal(vm->m.kept_count, 0);
	rig_compare(vm);
}

static void the_audit_sees_a_kept_page_that_is_not_dirty(void **state)
{
	struct dirty_history *history;
	const char *why = "";

	(void)state;
	take();
	rounds(3, 1000, 5);
	history = &vm->m.history[1000 / 512];
	history->kept[0] ^= 1;
	assert_int_equal(vmem_audit(&vm->m, &why), AV_E_INTEGRITY);
	assert_non_null(strstr(why, "kept page"));
	history->kept[0] ^= 1;
	vm->m.kept_count++;
	assert_int_equal(vmem_audit(&vm->m, &why), AV_E_INTEGRITY);
	assert_non_null(strstr(why, "kept pages"));
	vm->m.kept_count--;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(three_rounds_in_a_row_keep_a_page_and_its_contents_are_the_snapshots),
		TEST(every_64th_restore_gives_all_up_and_one_round_brings_them_back),
		TEST(code_in_a_kept_page_is_made_fit_for_execution_again),
		TEST(a_take_seals_what_was_kept),
		TEST(a_drain_of_a_stopped_vm_gives_back_what_was_not_written_since),
		TEST(no_more_than_1024_are_kept_and_none_when_frames_are_short),
		TEST(the_audit_sees_a_kept_page_that_is_not_dirty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
