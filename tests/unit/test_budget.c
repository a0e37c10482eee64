/* SPDX-License-Identifier: MIT */
/*
 * test_budget.c - VMs at the end of their budgets: who pays, who starves, and what is told (Show 6 of issue 4).
 * The rig's model fails a test when a snapshot is gone that was not reported as evicted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "vm_rig.h"

#define LIMIT 700

static struct rig *rig;
static uint64_t tag;

static void begin_with(bool refuse, bool copy_back)
{
	rig = rig_new(&(struct rig_options){.seed = 5,
					    .vms = 3,
					    .limit = LIMIT,
					    .keep = 40,
					    .refuse = refuse,
					    .copy_back = copy_back});
}

static int end(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < rig->vm_count; i++)
		rig_compare(rig->vm[i]);
	rig_audit(rig);
	rig_end(rig);
	return 0;
}

/* Takes and writes until a write starves; all snapshots are pinned when asked for. */
static uint32_t fill(struct rig_vm *vm, bool pin)
{
	uint64_t id;

	for (uint32_t written = 0;; written++) {
		if (!(written % 60) && !rig_take(vm, false, &id) && pin)
			rig_pin(vm, id, true);
		if (!rig_write(vm, 1024 + written % 64, ++tag))
			return written;
	}
}

static void a_vm_that_pins_its_budget_full_costs_a_neighbour_no_page(bool refuse)
{
	uint64_t used[2], available[2], free_frames;
	uint32_t wrote[2];

	begin_with(refuse, false);
	for (uint32_t i = 0; i < 2; i++) {
		used[i] = rig->vm[i + 1]->m.budget.used;
		available[i] = frame_available(&rig->vm[i + 1]->m.budget);
	}
	assert_true(fill(rig->vm[0], true) > 300);
	assert_int_equal(frame_available(&rig->vm[0]->m.budget), 0);
	assert_int_equal(rig->vm[0]->evictions, 0);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(rig->vm[i + 1]->m.budget.used, used[i]);
		assert_int_equal(frame_available(&rig->vm[i + 1]->m.budget), available[i]);
	}
	/* All of it is there: as much as the full one got. */
	free_frames = frame_free_count();
	for (uint32_t i = 0; i < 2; i++)
		wrote[i] = fill(rig->vm[i + 1], true);
	assert_int_equal(wrote[0], wrote[1]);
	assert_true(wrote[0] > 300);
	assert_int_equal(frame_free_count(), free_frames - available[0] - available[1]);
	rig_audit(rig);
}

static void pinned_full_under_evict_oldest(void **state)
{
	(void)state;
	a_vm_that_pins_its_budget_full_costs_a_neighbour_no_page(false);
}

static void pinned_full_under_refuse(void **state)
{
	(void)state;
	a_vm_that_pins_its_budget_full_costs_a_neighbour_no_page(true);
}

static void evict_oldest_gives_up_the_oldest_and_never_starves(void **state)
{
	struct rig_vm *vm;
	uint64_t id;

	(void)state;
	begin_with(false, false);
	vm = rig->vm[0];
	for (uint32_t round = 0; round < 100; round++) {
		assert_int_equal(rig_take(vm, false, &id), 0);
		for (uint32_t i = 0; i < 64; i++)
			assert_true(rig_write(vm, 1024 + i, ++tag));
	}
	assert_true(vm->evictions > 50);
	assert_non_null(rig_model(vm, id)); /* the newest is there */
}

static void refuse_gives_up_none_and_says_so(void **state)
{
	struct rig_vm *vm;
	uint64_t id;
	int status;

	(void)state;
	begin_with(true, false);
	vm = rig->vm[0];
	fill(vm, false);
	status = rig_take(vm, false, &id);
	assert_int_equal(status, AV_E_NO_MEMORY);
	assert_int_equal(vm->evictions, 0);
}

static void a_starved_vm_goes_on_unharmed_when_a_snapshot_is_deleted(bool copy_back)
{
	struct rig_vm *vm;

	begin_with(true, copy_back);
	vm = rig->vm[0];
	fill(vm, true);
	for (uint32_t i = 0; i < 3; i++) {
		rig_compare(vm); /* nothing changed where it stopped */
		while (!rig_write(vm, 2500 + i, ++tag)) {
			assert_true(vm->model_count > 0);
			rig_pin(vm, vm->snapshots[0]->id, false);
			assert_int_equal(rig_delete(vm, vm->snapshots[0]->id), 0);
			rig_drain(vm);
		}
		rig_audit(rig);
		fill(vm, true);
	}
}

static void starved_and_fed(void **state)
{
	(void)state;
	a_starved_vm_goes_on_unharmed_when_a_snapshot_is_deleted(false);
}

static void starved_and_fed_with_copy_back(void **state)
{
	(void)state;
	a_starved_vm_goes_on_unharmed_when_a_snapshot_is_deleted(true);
}

/*
 * The limit is what is used plus 0, 1, 2... at operation n of a row of them, so that each frame any of them asks for is
 * once the one that is not there. What goes then is reported, or nothing goes.
 */
static void row_with_a_failure_at(uint32_t at, uint64_t left, bool copy_back)
{
	static const uint32_t pages[] = {150, 151, 1030, 3000, 2000, 1030, 150};
	struct rig_vm *vm;
	uint64_t id;

	begin_with(false, copy_back);
	vm = rig->vm[0];
	for (uint32_t i = 0; i < 28; i++) {
		if (i == at) {
			while (frame_trim(&vm->m.budget, 0, 1000))
				;
			vm->m.budget.limit = vm->m.budget.used + left;
		}
		if (i % 4 == 0)
			rig_take(vm, false, &id);
		else if (i % 7 == 6)
			rig_restore(vm, vm->m.base ? vm->m.base->id : AV_SNAPSHOT_BOOT, i % 2);
		else if (i % 5 == 4)
			rig_host_write(rig, vm, pages[i % 7], ++tag);
		else
			rig_write(vm, pages[i % 7], ++tag);
		rig_audit(rig);
		rig_compare(vm);
		if (i == at)
			vm->m.budget.limit = LIMIT;
	}
	rig_end(rig);
}

static void each_allocation_fails_once_and_no_snapshot_goes_unreported(void **state)
{
	(void)state;
	for (uint32_t at = 0; at < 28; at++)
		for (uint64_t left = 0; left < 5; left++)
			row_with_a_failure_at(at, left, at % 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(pinned_full_under_evict_oldest, end),
		cmocka_unit_test_teardown(pinned_full_under_refuse, end),
		cmocka_unit_test_teardown(evict_oldest_gives_up_the_oldest_and_never_starves, end),
		cmocka_unit_test_teardown(refuse_gives_up_none_and_says_so, end),
		cmocka_unit_test_teardown(starved_and_fed, end),
		cmocka_unit_test_teardown(starved_and_fed_with_copy_back, end),
		cmocka_unit_test(each_allocation_fails_once_and_no_snapshot_goes_unreported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
