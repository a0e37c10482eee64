/* SPDX-License-Identifier: MIT */
/* test_import.c - a snapshot made from outside, on the fake machine: what was put in is what a restore shows, and nothing leaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "vm_rig.h"
#include <arch/mem.h>
#include "core/snapshot_index.h"
#include "mm/import.h"
#include "mm/live.h"

static struct rig *rig;
static struct rig_vm *vm;

static void start(uint64_t limit)
{
	rig = rig_new(&(struct rig_options){.seed = 5, .vms = 1, .limit = limit, .keep = 4});
	vm = rig->vm[0];
}

static void finish(void)
{
	rig_audit(rig);
	rig_end(rig);
}

/* `count` pages from page `first` on, each with its number as contents. */
static int put(uint32_t first, uint32_t count)
{
	struct av_page_run runs[AV_PAGE_RUNS];

	while (count) {
		uint32_t run_count;
		uint64_t done;
		int error = vmem_import_pages(&vm->m, RIG_BASE + first * PAGE_SIZE, count, runs,
					      &run_count, &done);

		if (error)
			return error;
		for (uint32_t i = 0; i < run_count; i++)
			for (uint32_t j = 0; j < runs[i].count; j++) {
				uint64_t *page = pa_ptr(pa(runs[i].pa_b + j * PAGE_SIZE));

				assert_true(!page[0] && !page[511]);
				page[0] = (runs[i].ipa - RIG_BASE) / PAGE_SIZE + j + 1;
			}
		first += (uint32_t)done;
		count -= (uint32_t)done;
	}
	return 0;
}

static int commit(const char *name, uint64_t *id)
{
	struct snapshot_facts facts = {.state = AV_STATE_RUNNING};
	uint32_t part;

	memcpy(facts.name, name, strlen(name));
	return vmem_import_commit(&vm->m, &facts, id, &part);
}

static void a_restore_shows_what_was_put_in(void **state)
{
	struct snapshot_restore plan;
	uint64_t id;

	(void)state;
	start(20000);
	rig_write(vm, 10, 99);
	assert_int_equal(vmem_import_begin(&vm->m), 0);
	assert_int_equal(put(3, 2), 0);
	assert_int_equal(put(500, 900), 0);
	rig_audit(rig);
	assert_int_equal(commit("file", &id), 0);
	rig_audit(rig);
	rig_unload(vm);
	assert_int_equal(snapshot_restore_prepare(&vm->m, id, false, NULL, &plan), 0);
	snapshot_restore_commit(&vm->m, &plan);
	rig_load(vm);
	for (uint32_t i = 0; i < RIG_PAGES; i++) {
		const uint64_t *page =
			vmem_host_access(&vm->m, ipa(RIG_BASE + i * PAGE_SIZE), false);
		bool there = (i >= 3 && i < 5) || (i >= 500 && i < 1400);

		assert_int_equal(page[0], there ? i + 1 : 0);
	}
	assert_int_equal(vm->m.ram_count, 902);
	finish();
}

static void a_dropped_import_gives_every_frame_back(void **state)
{
	uint64_t before;

	(void)state;
	start(20000);
	rig_drain(vm);
	before = vm->m.budget.used;
	assert_false(vmem_import_drop(&vm->m));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(vmem_import_begin(&vm->m), 0); /* drops the last one */
		assert_int_equal(put(0, 1000), 0);
	}
	assert_true(vmem_import_drop(&vm->m));
	rig_audit(rig);
	rig_drain(vm);
	assert_int_equal(vm->m.budget.used, before);
	finish();
}

static void what_is_no_page_of_ram_or_there_already_is_refused(void **state)
{
	struct av_page_run runs[AV_PAGE_RUNS];
	uint32_t count;
	uint64_t done, id;

	(void)state;
	start(20000);
	assert_int_equal(put(0, 1), AV_E_NOT_FOUND);
	assert_int_equal(commit("", &id), AV_E_NOT_FOUND);
	assert_int_equal(vmem_import_begin(&vm->m), 0);
	assert_int_equal(put(7, 1), 0);
	assert_int_equal(put(5, 4), AV_E_INVALID);
	assert_int_equal(put(RIG_PAGES - 1, 2), AV_E_INVALID);
	assert_int_equal(vmem_import_pages(&vm->m, RIG_BASE + 8, 1, runs, &count, &done),
			 AV_E_INVALID);
	assert_int_equal(vmem_import_pages(&vm->m, ~0xfffUL, 2, runs, &count, &done), AV_E_INVALID);
	assert_int_equal(vmem_import_pages(&vm->m, RIG_BASE, ~0UL, runs, &count, &done),
			 AV_E_INVALID);
	assert_int_equal(commit("Not A Name", &id), AV_E_INVALID);
	assert_int_equal(commit("name", &id), 0);
	assert_int_equal(vmem_import_begin(&vm->m), 0);
	assert_int_equal(commit("name", &id), AV_E_EXISTS);
	finish();
}

static bool refuse_part(void *ctx, void *saved)
{
	(void)ctx;
	(void)saved;
	return false;
}

static void state_that_cannot_be_is_refused_and_named(void **state)
{
	struct state_part parts[VMEM_PART_MAX];
	const struct state_part *before;
	struct snapshot_facts facts = {.state = 0};
	uint64_t id;
	uint32_t part;

	(void)state;
	start(20000);
	before = vm->m.parts;
	memcpy(parts, before, vm->m.part_count * sizeof(*parts));
	parts[1].adopt = refuse_part;
	vm->m.parts = parts;
	assert_int_equal(vmem_import_begin(&vm->m), 0);
	assert_int_equal(vmem_import_commit(&vm->m, &facts, &id, &part), AV_E_INTEGRITY);
	assert_int_equal(part, 1);
	assert_int_equal(vm->m.snapshot_count, 0);
	assert_non_null(vm->m.import);
	vm->m.parts = before;
	finish();
}

/* At every size of the budget: it works, or says that there is no memory, and nothing is lost. */
static void without_frames_it_fails_and_the_vm_is_as_before(void **state)
{
	uint64_t id;
	int refused = 0, begun = 0;

	(void)state;
	for (uint64_t limit = 640; limit < 760; limit += 4) {
		start(20000);
		rig_drain(vm);
		/* As if the rest of the budget were taken. */
		uint64_t all = vm->m.budget.limit;

		vm->m.budget.limit = vm->m.budget.used + vm->m.budget.cached + (limit - 640) / 4;
		if (vmem_import_begin(&vm->m) == AV_E_NO_MEMORY) {
			assert_null(vm->m.import);
			begun++;
		} else if (put(0, 200) == AV_E_NO_MEMORY) {
			refused++;
			vmem_import_drop(&vm->m);
		} else {
			assert_int_equal(commit("", &id), 0);
		}
		vm->m.budget.limit = all;
		finish();
	}
	assert_true(refused > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_restore_shows_what_was_put_in),
		cmocka_unit_test(a_dropped_import_gives_every_frame_back),
		cmocka_unit_test(what_is_no_page_of_ram_or_there_already_is_refused),
		cmocka_unit_test(state_that_cannot_be_is_refused_and_named),
		cmocka_unit_test(without_frames_it_fails_and_the_vm_is_as_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
