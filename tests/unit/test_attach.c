/* SPDX-License-Identifier: MIT */
/* test_attach.c - regions that come and go while VMs run, beside takes and restores. The fake TLB fails a test when a PE
 * still reaches what was given up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <arch/mem.h>
#include "vm_rig.h"

#define POOL 2 /* regions of two pages, and a table for each */
#define PAGES 2

static struct rig *rig;
static struct region_tables pool[POOL];

static int plain(void **state)
{
	(void)state;
	rig = rig_new(&(struct rig_options){.seed = 11, .vms = 3, .limit = 9000, .keep = 30});
	for (uint32_t i = 0; i < POOL; i++) {
		uint32_t first = frame_alloc_run(&rig->shared, PAGES + 1, FRAME_META);

		assert_int_not_equal(first, 0);
		memset(pa_ptr(frame_pa(first)), 0, PAGES * PAGE_SIZE);
		region_tables_fill(&pool[i], frame_pa(first + PAGES), frame_pa(first),
				   PAGES * PAGE_SIZE);
		region_tables_allow(&pool[i], 0, PAGES * PAGE_SIZE);
	}
	return 0;
}

static int end(void **state)
{
	(void)state;
	rig_end(rig);
	return 0;
}

static uint64_t attach(struct rig_vm *vm, const struct region_tables *tables)
{
	uint64_t at = vmem_find_window(&vm->m, tables->size);

	assert_int_not_equal(at, 0);
	assert_int_equal(vmem_attach_region(&vm->m, ipa(at), tables), 0);
	return at;
}

static void what_is_detached_is_out_of_reach_of_every_pe(void **state)
{
	uint8_t *bytes;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct rig_vm *vm = rig->vm[i];
		uint64_t at = attach(vm, &pool[0]);

		assert_true(rig_access(vm, at, true, &bytes));
		assert_true(rig_access(vm, at + PAGE_SIZE, true, &bytes));
		assert_non_null(vmem_host_access(&vm->m, ipa(at), true));
		assert_true(vmem_detach_region(&vm->m, ipa(at)));
		assert_false(rig_access(vm, at, false, &bytes));
		assert_false(rig_access(vm, at + PAGE_SIZE, true, &bytes));
		assert_null(vmem_host_access(&vm->m, ipa(at), false));
		assert_false(vmem_detach_region(&vm->m, ipa(at)));
		rig_audit(rig);
	}
}

static void an_address_given_up_is_the_last_to_be_given_again(void **state)
{
	struct rig_vm *vm = rig->vm[0];
	uint64_t first = attach(vm, &pool[0]), at, count = 1;

	(void)state;
	assert_true(vmem_detach_region(&vm->m, ipa(first)));
	while ((at = vmem_find_window(&vm->m, PAGES * PAGE_SIZE)) != first) {
		assert_true(at > first);
		count++;
	}
	assert_int_equal(count, (vm->m.window_end - vm->m.window_start) / REGION_2M_SIZE);
}

static void there_is_no_address_when_all_are_taken(void **state)
{
	struct rig_vm *vm = rig->vm[0];
	uint64_t most = vm->m.window_end - vm->m.window_start;

	(void)state;
	assert_int_equal(vmem_find_window(&vm->m, most), vm->m.window_start);
	assert_int_equal(vmem_find_window(&vm->m, most + 1), 0);
	attach(vm, &pool[0]);
	assert_int_equal(vmem_find_window(&vm->m, most), 0);
	assert_int_not_equal(vmem_find_window(&vm->m, most - REGION_2M_SIZE), 0);
}

static void a_page_of_another_is_read_only_page_by_page(void **state)
{
	struct rig_vm *vm = rig->vm[1];
	uint32_t first = frame_index(pool[1].memory);
	struct region_tables own;
	uint8_t *bytes;
	uint64_t at;

	(void)state;
	region_tables_fill(&own, pool[1].tables, frame_pa(first), PAGES * PAGE_SIZE);
	region_tables_allow(&own, PAGE_SIZE, PAGE_SIZE);
	at = attach(vm, &own);
	assert_true(rig_access(vm, at, false, &bytes));
	assert_false(rig_access(vm, at, true, &bytes));
	assert_true(rig_access(vm, at + PAGE_SIZE, true, &bytes));
	assert_null(vmem_host_access(&vm->m, ipa(at), true));
	assert_non_null(vmem_host_access(&vm->m, ipa(at), false));
	assert_non_null(vmem_host_access(&vm->m, ipa(at + PAGE_SIZE), true));
	rig_audit(rig);
}

static void boot_and_snapshots_do_not_reach_a_region(void **state)
{
	struct rig_vm *vm = rig->vm[1];
	uint64_t at = attach(vm, &pool[0]), id;
	uint8_t *bytes;

	(void)state;
	assert_true(rig_access(vm, at, true, &bytes));
	assert_int_equal(rig_take(vm, false, &id), 0);
	assert_true(rig_access(vm, at, true, &bytes));
	assert_true(vmem_detach_region(&vm->m, ipa(at)));
	assert_int_equal(rig_restore(vm, id, true), 0);
	assert_false(rig_access(vm, at, false, &bytes));
	assert_int_equal(rig_restore(vm, AV_SNAPSHOT_UNDO, false), 0);
	assert_false(rig_access(vm, at, false, &bytes));
	rig_audit(rig);
}

/* A region's pages hold its serial number: whoever is attached reads that and nothing else. */
struct life {
	uint64_t serial;
	uint64_t at[RIG_VMS]; /* 0: not attached */
	uint32_t count;
};

static void get(struct life *life, uint32_t i, uint32_t v, uint64_t *serials)
{
	uint64_t *words = pa_ptr(pool[i].memory);

	if (life->at[v])
		return;
	if (!life->count++) {
		memset(words, 0, PAGES * PAGE_SIZE);
		life->serial = ++*serials;
		words[0] = words[PAGES * PAGE_SIZE / 8 - 1] = life->serial;
	}
	life->at[v] = attach(rig->vm[v], &pool[i]);
}

static void give_up(struct life *life, uint32_t v)
{
	if (!life->at[v])
		return;
	assert_true(vmem_detach_region(&rig->vm[v]->m, ipa(life->at[v])));
	life->at[v] = 0;
	life->count--;
}

static void look(const struct life *life, uint32_t v, uint64_t old)
{
	struct rig_vm *vm = rig->vm[v];
	uint8_t *bytes;

	if (life->at[v]) {
		assert_true(rig_access(vm, life->at[v], true, &bytes));
		assert_int_equal(*(uint64_t *)(void *)bytes, life->serial);
	} else if (old && old != life[0].at[v]) {
		assert_false(rig_access(vm, old, false, &bytes));
	}
}

static void regions_come_and_go_at_random(void **state)
{
	struct life life[POOL] = {{0}};
	uint64_t serials = 0, old[POOL][RIG_VMS] = {{0}}, id;

	(void)state;
	for (uint32_t round = 0; round < 6000; round++) {
		uint32_t v = (uint32_t)rig_random(rig, rig->vm_count),
			 i = (uint32_t)rig_random(rig, POOL);
		struct rig_vm *vm = rig->vm[v];

		switch (rig_random(rig, 9)) {
		case 0:
			get(&life[i], i, v, &serials);
			break;
		case 1:
		case 2:
			old[i][v] = life[i].at[v];
			give_up(&life[i], v);
			break;
		case 3:
			assert_int_equal(rig_take(vm, false, &id), 0);
			break;
		case 4:
			rig_restore(vm, rig_random(rig, 2) ? AV_SNAPSHOT_LATEST : AV_SNAPSHOT_BOOT,
				    rig_random(rig, 2));
			break;
		case 5:
			assert_true(rig_write(vm, (uint32_t)rig_random(rig, RIG_PAGES), round));
			break;
		default:
			look(&life[i], v, 0);
			if (!life[0].at[v] && !life[1].at[v])
				look(&life[i], v, old[i][v]);
		}
		if (round % 50 == 0)
			rig_audit(rig);
	}
	assert_true(serials > 100);
	rig_audit(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_detached_is_out_of_reach_of_every_pe, plain,
						end),
		cmocka_unit_test_setup_teardown(an_address_given_up_is_the_last_to_be_given_again,
						plain, end),
		cmocka_unit_test_setup_teardown(there_is_no_address_when_all_are_taken, plain, end),
		cmocka_unit_test_setup_teardown(a_page_of_another_is_read_only_page_by_page, plain,
						end),
		cmocka_unit_test_setup_teardown(boot_and_snapshots_do_not_reach_a_region, plain,
						end),
		cmocka_unit_test_setup_teardown(regions_come_and_go_at_random, plain, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
