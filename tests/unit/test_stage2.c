/* SPDX-License-Identifier: MIT */
/* test_stage2.c - faults, regions, EL2's own accesses, and that the fake TLB notices each step left
 * out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "vm_rig.h"

#define PAGE(n) (RIG_BASE + (uint64_t)(n)*PAGE_SIZE)

static struct rig *rig;

static int plain(void **state)
{
	(void)state;
	rig = rig_plain();
	return 0;
}

static int end(void **state)
{
	(void)state;
	rig_end(rig);
	return 0;
}

static void a_first_touch_gives_a_zeroed_page_without_any_invalidation(void **state)
{
	struct rig_vm *vm = rig->vm[0];
	uint64_t copied = vm->m.stats.nodes_copied, tlbi;

	(void)state;
	assert_int_equal(rig_fault(vm, PAGE(2000), true),
			 VMEM_TOUCHED); /* BBM at the boot snapshot's L2 */
	assert_int_equal(vm->m.stats.nodes_copied, copied + 1);
	tlbi = vm->m.stats.tlbi_local;
	assert_int_equal(rig_fault(vm, PAGE(2001), false), VMEM_TOUCHED);
	assert_int_equal(rig_fault(vm, PAGE(3000), true),
			 VMEM_TOUCHED); /* a new L3 where there was none */
	assert_int_equal(vm->m.stats.tlbi_local, tlbi);
	assert_int_equal(vm->m.ram_count, 3);
	assert_int_equal(vm->m.dirty_count, 3);
	rig_audit(rig);
}

static void committed_pages_are_the_pages_touched(void **state)
{
	struct rig_vm *vm = rig->vm[0];
	uint32_t touched = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t page = (uint32_t)rig_random(rig, RIG_PAGES);

		touched += !vm->now.touched[page] && !(page >= 100 && page < 700);
		if (page < 100 || page >= 700)
			rig_write(vm, page, i + 1);
	}
	assert_int_equal(vm->m.ram_count, touched);
	rig_read(vm, 150); /* the bundle's own page is not a committed one, its copy is */
	assert_int_equal(vm->m.ram_count, touched);
	rig_write(vm, 150, 5);
	assert_int_equal(vm->m.ram_count, touched + 1);
	rig_compare(vm);
}

static void addresses_outside_ram_and_regions_are_not_ram(void **state)
{
	struct rig_vm *vm = rig->vm[0];
	static const uint64_t bad[] = {0,
				       RIG_BASE - 1,
				       RIG_BASE + RIG_RAM,
				       0xfffffffff,
				       UINT64_MAX,
				       RIG_REGION - 1,
				       RIG_REGION + RIG_REGION_PAGES * PAGE_SIZE};

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(rig_fault(vm, bad[i], true), VMEM_NOT_RAM);
		assert_null(vmem_host_access(&vm->m, ipa(bad[i]), false));
		assert_null(vmem_host_access(&vm->m, ipa(bad[i]), true));
	}
}

static void a_read_only_member_cannot_write_a_region(void **state)
{
	struct rig_vm *vm = rig->vm[2];

	(void)state;
	assert_int_equal(rig_fault(vm, RIG_REGION, true), VMEM_RO_REGION);
	assert_int_equal(rig_fault(vm, RIG_REGION, false), VMEM_LINKED);
	assert_int_equal(rig_fault(vm, RIG_REGION, true), VMEM_RO_REGION);
	assert_int_equal(rig_fault(vm, RIG_REGION, false), VMEM_SPURIOUS);
	assert_null(vmem_host_access(&vm->m, ipa(RIG_REGION), true));
	assert_non_null(vmem_host_access(&vm->m, ipa(RIG_REGION), false));
}

static void a_region_is_shared_and_never_rewound(void **state)
{
	struct rig_vm *writer = rig->vm[0], *reader = rig->vm[2];
	uint8_t *bytes;
	uint64_t id;

	(void)state;
	assert_int_equal(rig_take(writer, false, &id), 0);
	assert_true(rig_access(writer, RIG_REGION + 8, true, &bytes));
	memcpy(bytes, "Ciallo!", 8);
	assert_int_equal(rig_restore(writer, id, false), 0);
	assert_int_equal(rig_take(reader, false, &id), 0);
	assert_true(rig_access(reader, RIG_REGION, false, &bytes));
	assert_memory_equal(bytes, "Ciallo!", 8);
	assert_int_equal(rig_restore(reader, AV_SNAPSHOT_BOOT, true), 0);
	assert_true(rig_access(reader, RIG_REGION, false, &bytes));
	assert_memory_equal(bytes, "Ciallo!", 8);
	rig_audit(rig);
}

static void windows_that_overlap_ram_or_each_other_are_refused(void **state)
{
	struct vmem *m = &rig->vm[0]->m;

	(void)state;
	assert_int_equal(vmem_attach_region(m, ipa(RIG_BASE), &rig->ro), AV_E_INVALID);
	assert_int_equal(vmem_attach_region(m, ipa(RIG_REGION), &rig->ro), AV_E_INVALID);
	assert_int_equal(vmem_attach_region(m, ipa(RIG_REGION + PAGE_SIZE * 64), &rig->ro),
			 AV_E_INVALID);
	assert_int_equal(vmem_attach_region(m, ipa(UINT64_MAX & ~(REGION_2M_SIZE - 1)), &rig->ro),
			 AV_E_INVALID);
	assert_int_equal(vmem_attach_region(m, ipa(1UL << 36), &rig->ro), AV_E_INVALID);
	assert_int_equal(vmem_attach_region(m, ipa(1UL << 33), &rig->ro), AV_E_LIMIT);
	for (uint32_t i = 1; i < VMEM_ATTACH_MAX; i++)
		assert_int_equal(
			vmem_attach_region(m, ipa(RIG_REGION + i * REGION_2M_SIZE), &rig->ro), 0);
	assert_int_equal(vmem_attach_region(m, ipa(0x60000000), &rig->ro), AV_E_LIMIT);
}

static void bad_configurations_are_refused(void **state)
{
	static struct vmem m;
	static const struct state_part big = {.size = VMEM_PART_SIZE_MAX + 1};
	const struct vmem_config good = {.owner = 9,
					 .ram_base = RIG_BASE,
					 .ram_size = RIG_RAM,
					 .frame_limit = 200,
					 .vmid_first = 50,
					 .vmid_count = 1};
	struct vmem_config c;

	(void)state;
	c = good, c.ram_base += PAGE_SIZE;
	assert_int_equal(vmem_init(&m, &c), AV_E_INVALID);
	c = good, c.ram_size = 0;
	assert_int_equal(vmem_init(&m, &c), AV_E_INVALID);
	c = good, c.ram_size = 1UL << 36;
	assert_int_equal(vmem_init(&m, &c), AV_E_INVALID);
	c = good, c.ram_base = UINT64_MAX & ~(REGION_2M_SIZE - 1), c.ram_size = REGION_2M_SIZE;
	assert_int_equal(vmem_init(&m, &c), AV_E_INVALID);
	c = good, c.vmid_count = 0;
	assert_int_equal(vmem_init(&m, &c), AV_E_INVALID);
	c = good, c.vmid_first = 0;
	assert_int_equal(vmem_init(&m, &c), AV_E_INVALID);
	c = good, c.parts = &big, c.part_count = 1;
	assert_int_equal(vmem_init(&m, &c), AV_E_INVALID);
	c = good, c.frame_limit = frame_total();
	assert_int_equal(vmem_init(&m, &c), AV_E_NO_MEMORY);
	assert_int_equal(vmem_init(&m, &good), 0);
	assert_int_equal(vmem_map_bundle(&m, ipa(RIG_BASE), rig->bundle, RIG_PAGES + 1),
			 AV_E_INVALID);
	assert_int_equal(vmem_map_bundle(&m, ipa(RIG_BASE), rig->bundle, UINT64_MAX), AV_E_INVALID);
	assert_int_equal(vmem_map_bundle(&m, ipa(RIG_BASE - PAGE_SIZE), rig->bundle, 1),
			 AV_E_INVALID);
	assert_int_equal(vmem_map_bundle(&m, ipa(RIG_BASE + 1), rig->bundle, 1), AV_E_INVALID);
	assert_int_equal(vmem_map_bundle(&m, ipa(RIG_BASE), rig->bundle, 3), 0);
	assert_int_equal(vmem_map_bundle(&m, ipa(RIG_BASE + PAGE_SIZE * 2), rig->bundle, 1),
			 AV_E_INVALID);
}

static void el2_writes_take_the_copy_on_write_path_from_any_pe(void **state)
{
	struct rig_vm *vm = rig->vm[1];
	uint64_t id;

	(void)state;
	rig_write(vm, 1500, 1);
	assert_int_equal(rig_take(vm, false, &id), 0);
	rig_read(vm, 1500);
	rig_read(vm, 1501);
	fake_set_pe(0); /* another VM is loaded here */
	*(uint64_t *)vmem_host_access(&vm->m, ipa(PAGE(1500)), true) = 2;
	rig_set_state(vm, 3);
	fake_check();
	assert_int_equal(rig_restore(vm, id, false), 0);
	rig_read(vm, 1500);
	rig_compare(vm);
	rig_audit(rig);
}

static void pages_left_alone_by_a_deleted_snapshot_are_made_writable_without_copying(void **state)
{
	struct rig_vm *vm = rig->vm[0];
	uint64_t id, copied;

	(void)state;
	rig_write(vm, 1500, 1);
	rig_write(vm, 1501, 1);
	assert_int_equal(rig_take(vm, false, &id), 0);
	rig_write(vm, 1501, 2); /* the tables are ours now */
	assert_int_equal(rig_delete(vm, id), 0);
	rig_drain(vm);
	copied = vm->m.stats.pages_copied;
	rig_read(vm, 1500);
	assert_int_equal(rig_fault(vm, PAGE(1500), true), VMEM_MADE_WRITABLE);
	rig_write(vm, 1500, 3);
	assert_int_equal(vm->m.stats.pages_copied, copied);
	rig_audit(rig);
	rig_compare(vm);
}

/* Each mistake on purpose, on the VM with one PE or with two. */
static void scenario(struct rig_vm *vm)
{
	uint8_t *bytes;
	uint64_t id;

	for (uint32_t i = 0; i < 8; i++) {
		rig_access(vm, PAGE(150), false, &bytes);
		rig_access(vm, PAGE(151), false, &bytes);
		rig_access(vm, PAGE(150), true, &bytes);
		rig_access(vm, PAGE(151), true, &bytes);
		rig_access(vm, PAGE(152 + i), true, &bytes);
		rig_execute(vm, 152 + i);
		if (fake_violations())
			return;
		rig_take(vm, false, &id);
	}
}

static void each_step_left_out_is_noticed(void **state)
{
	static const struct {
		uint32_t skip;
		uint32_t vm;
	} mistakes[] = {
		{FAKE_SKIP_LEAF, 0},      {FAKE_SKIP_TABLE, 0}, {FAKE_LEAF_FOR_TABLE, 0},
		{FAKE_SKIP_BREAK, 0},     {FAKE_SKIP_ALL, 0},   {FAKE_LOCAL_ONLY, 1},
		{FAKE_SKIP_LEAF, 1},      {FAKE_SKIP_TABLE, 1}, {FAKE_SKIP_BREAK, 1},
		{FAKE_LEAF_FOR_TABLE, 1}, {FAKE_SKIP_ALL, 1},   {FAKE_SKIP_EXEC, 0},
	};

	for (uint32_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		plain(state);
		fake_expect_violations(true);
		scenario(rig->vm[mistakes[i].vm]);
		assert_int_equal(fake_violations(), 0); /* nothing is wrong by itself */
		end(state);

		plain(state);
		fake_expect_violations(true);
		fake_skip(mistakes[i].skip);
		scenario(rig->vm[mistakes[i].vm]);
		if (!fake_violations())
			fail_msg("mistake %x on VM %u was not noticed", mistakes[i].skip,
				 mistakes[i].vm);
		end(state);
	}
}

static void a_restore_under_a_running_guest_is_noticed(void **state)
{
	struct rig_vm *vm = rig->vm[0];
	struct snapshot_restore plan;
	uint64_t id;

	(void)state;
	rig_write(vm, 150, 1);
	rig_take(vm, false, &id);
	rig_write(vm, 150, 2);
	rig_write(vm, 2150, 2);
	fake_expect_violations(true);
	assert_int_equal(snapshot_restore_prepare(&vm->m, id, false, NULL, &plan), 0);
	snapshot_restore_commit(&vm->m, &plan);
	fake_check();
	assert_true(fake_violations() > 0);
}

/* With the limit at what is used plus 0, 1, 2...: every allocation of every operation fails once.
 */
static uint64_t failures;

static bool with_each_allocation_failing(struct rig_vm *vm, bool (*operation)(struct rig_vm *vm))
{
	for (uint64_t more = 0; more < 8; more++) {
		while (frame_trim(&vm->m.budget, 0, 1000))
			;
		vm->m.budget.limit = vm->m.budget.used + more;
		if (operation(vm)) {
			vm->m.budget.limit = 2000;
			return true;
		}
		failures++;
		assert_true(frame_available(&vm->m.budget) >= more); /* nothing was kept */
		rig_audit(rig);
		rig_compare(vm);
	}
	return false;
}

static bool write_bundle_page(struct rig_vm *vm)
{
	return rig_write(vm, 150, 77);
}

static bool write_same_table(struct rig_vm *vm)
{
	return rig_write(vm, 151, 78);
}

static bool touch_elsewhere(struct rig_vm *vm)
{
	return rig_read(vm, 3000);
}

static bool host_write(struct rig_vm *vm)
{
	return rig_host_write(rig, vm, 2000, 79);
}

static bool region(struct rig_vm *vm)
{
	uint8_t *bytes;

	return rig_access(vm, RIG_REGION, true, &bytes);
}

static bool take(struct rig_vm *vm)
{
	uint64_t id;
	int status = rig_take(vm, false, &id);

	assert_true(status == AV_OK || status == AV_E_NO_MEMORY);
	return status == AV_OK;
}

static bool restore_with_undo(struct rig_vm *vm)
{
	uint32_t state = vm->now.state[0];

	assert_int_equal(rig_restore(vm, AV_SNAPSHOT_BOOT, true),
			 0); /* without undo, rather than not at all */
	return vm->undo.used && vm->undo.state[0] == state;
}

static void every_allocation_may_fail_and_nothing_changes(void **state)
{
	static bool (*const operations[])(struct rig_vm *) = {
		region,
		write_bundle_page,
		write_same_table,
		touch_elsewhere,
		host_write,
		take,
		write_bundle_page,
		region,
		take,
		host_write,
		restore_with_undo,
		touch_elsewhere,
		write_same_table,
	};

	(void)state;
	rig = rig_new(&(struct rig_options){
		.seed = 3, .vms = 2, .limit = 2000, .keep = 30, .refuse = true});
	for (uint32_t i = 0; i < ARRAY_SIZE(operations); i++)
		assert_true(with_each_allocation_failing(rig->vm[i % 2], operations[i]));
	for (uint32_t i = 0; i < ARRAY_SIZE(operations); i++)
		assert_true(with_each_allocation_failing(rig->vm[0], operations[i]));
	assert_true(failures > 30);
	rig_end(rig);
}

static void a_vm_runs_with_all_its_ram_on_the_least_budget(void **state)
{
	struct rig_vm *vm;

	(void)state;
	rig = rig_new(&(struct rig_options){.seed = 3,
					    .vms = 1,
					    .limit = vmem_frames_min(RIG_RAM, 3, 8),
					    .keep = 8,
					    .refuse = true});
	vm = rig->vm[0];
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < RIG_PAGES; i++)
			assert_true(rig_write(vm, i, i + round));
		assert_int_equal(rig_restore(vm, AV_SNAPSHOT_BOOT, false), 0);
	}
	assert_int_equal(vm->evictions, 0);
	rig_audit(rig);
	rig_end(rig);
}

#define T(test) cmocka_unit_test_setup_teardown(test, plain, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_first_touch_gives_a_zeroed_page_without_any_invalidation),
		T(committed_pages_are_the_pages_touched),
		T(addresses_outside_ram_and_regions_are_not_ram),
		T(a_read_only_member_cannot_write_a_region),
		T(a_region_is_shared_and_never_rewound),
		T(windows_that_overlap_ram_or_each_other_are_refused),
		T(bad_configurations_are_refused),
		T(el2_writes_take_the_copy_on_write_path_from_any_pe),
		T(pages_left_alone_by_a_deleted_snapshot_are_made_writable_without_copying),
		cmocka_unit_test(each_step_left_out_is_noticed),
		T(a_restore_under_a_running_guest_is_noticed),
		cmocka_unit_test(every_allocation_may_fail_and_nothing_changes),
		cmocka_unit_test(a_vm_runs_with_all_its_ram_on_the_least_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
