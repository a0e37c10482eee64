/* SPDX-License-Identifier: MIT */
/*
 * test_snapshot_oracle.c - random operations on VMs that share a machine, compared with a model
 * that copies everything. AV_SEED=n AV_OPS=n replay a run; the seed is printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "vm_rig.h"

static uint64_t tag_next;

/* Mostly few pages, so that they are written again and again; some anywhere, some at the edges. */
static uint32_t any_page(struct rig *rig)
{
	switch (rig_random(rig, 8)) {
	case 0:
		return (uint32_t)rig_random(rig, RIG_PAGES);
	case 1:
		return (uint32_t)(rig_random(rig, 8) * 512 + rig_random(rig, 2) * 511);
	case 2:
		return 96 + (uint32_t)rig_random(rig, 12); /* around the bundle's start */
	default:
		return 1024 + (uint32_t)rig_random(rig, 48);
	}
}

static uint64_t any_id(struct rig *rig, const struct rig_vm *vm)
{
	switch (rig_random(rig, 16)) {
	case 0:
		return AV_SNAPSHOT_BOOT;
	case 1:
		return AV_SNAPSHOT_UNDO;
	case 2:
		return AV_SNAPSHOT_LATEST;
	case 3:
		return rig_random(rig, vm->m.next_id + 2);
	case 4:
	case 5:
	case 6:
	case 7:
		return vm->m.base ? vm->m.base->id : AV_SNAPSHOT_LATEST;
	default:
		return vm->model_count ? vm->snapshots[rig_random(rig, vm->model_count)]->id
				       : AV_SNAPSHOT_LATEST;
	}
}

static void access_region(struct rig *rig, struct rig_vm *vm)
{
	uint64_t page = rig_random(rig, RIG_REGION_PAGES + 2);
	bool write = rig_random(rig, 2);
	uint8_t *bytes;
	bool done = rig_access(vm, RIG_REGION + page * PAGE_SIZE, write, &bytes);

	if (page >= RIG_REGION_PAGES || (write && !vm->rw)) {
		assert_false(done);
		return;
	}
	if (!done)
		return; /* starved of a table */
	assert_memory_equal(bytes, &rig->region[page], 8);
	if (write) {
		rig->region[page] = ++tag_next;
		memcpy(bytes, &tag_next, 8);
	}
	assert_ptr_equal(vmem_host_access(&vm->m, ipa(RIG_REGION + page * PAGE_SIZE), write),
			 bytes);
}

/* A loop as a fuzzer has it: mostly the same pages each time, back to the base. */
static void rounds(struct rig *rig, struct rig_vm *vm)
{
	uint32_t first = any_page(rig), count = 1 + (uint32_t)rig_random(rig, 12);

	for (uint64_t n = 1 + rig_random(rig, 70); n && vm->m.base; n--) {
		for (uint32_t i = 0; i < count; i++) {
			uint32_t page = (first + i * 7) % RIG_PAGES;

			if (!rig_random(rig, 16))
				rig_execute(vm, page);
			else if (rig_random(rig, 64))
				rig_write(vm, page, ++tag_next);
			else
				rig_read(vm, page);
		}
		if (vm->m.base)
			rig_restore(vm, vm->m.base->id, false);
	}
}

static void random_operation(struct rig *rig, struct rig_vm *vm)
{
	uint64_t id;

	if (vm->m.history && !rig_random(rig, 60))
		rounds(rig, vm);
	switch (rig_random(rig, 40)) {
	case 0:
	case 1:
		rig_take(vm, !rig_random(rig, 16), &id);
		break;
	case 2:
	case 3:
		rig_restore(vm, any_id(rig, vm), false);
		break;
	case 4:
		rig_restore(vm, any_id(rig, vm), true);
		break;
	case 5:
		rig_delete(vm, any_id(rig, vm));
		break;
	case 6:
		rig_pin(vm, any_id(rig, vm), !rig_random(rig, 3));
		break;
	case 7:
	case 8:
		vmem_reap(&vm->m, (uint32_t)rig_random(rig, 6));
		break;
	case 9:
		access_region(rig, vm);
		break;
	case 10:
		rig_set_state(vm, (uint32_t)rig_random(rig, 1U << 30));
		break;
	case 11:
	case 12:
		rig_host_write(rig, vm, any_page(rig), ++tag_next);
		break;
	case 13:
		rig_host_read(rig, vm, any_page(rig));
		break;
	case 14:
		rig_execute(vm, any_page(rig));
		break;
	case 15:
	case 16:
	case 17:
		rig_read(vm, any_page(rig));
		break;
	default:
		rig_write(vm, any_page(rig), ++tag_next);
		break;
	}
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

/* Delete all, go back to boot: exactly the frames of the start. */
static void wind_down(struct rig *rig, const uint64_t used_at_start[])
{
	for (uint32_t i = 0; i < rig->vm_count; i++) {
		struct rig_vm *vm = rig->vm[i];

		while (vm->model_count) {
			uint64_t id = vm->snapshots[rig_random(rig, vm->model_count)]->id;

			rig_pin(vm, id, false);
			assert_int_equal(rig_delete(vm, id), 0);
		}
		rig_delete(vm, AV_SNAPSHOT_UNDO);
		assert_int_equal(rig_restore(vm, AV_SNAPSHOT_BOOT, false), 0);
		rig_unload(vm);
		vmem_drain(&vm->m, true);
		rig_load(vm);
		rig_compare(vm);
		rig_audit(rig);
		assert_int_equal(vm->m.budget.used, used_at_start[i]);
	}
}

static void run(const struct rig_options *options, uint64_t operations, uint64_t audit_every)
{
	struct rig *rig = rig_new(options);
	uint64_t used[RIG_VMS];
	uint64_t free_at_start = frame_free_count(), kept = 0;

	for (uint32_t i = 0; i < rig->vm_count; i++)
		used[i] = rig->vm[i]->m.budget.used;
	for (uint64_t n = 1; n <= operations; n++) {
		random_operation(rig, rig->vm[rig_random(rig, rig->vm_count)]);
		if (!(n % 64))
			fake_check();
		if (!(n % audit_every)) {
			rig_audit(rig);
			for (uint32_t i = 0; i < rig->vm_count; i++)
				rig_compare(rig->vm[i]);
		}
	}
	for (uint32_t i = 0; i < rig->vm_count; i++) {
		const struct vmem_stats *s = &rig->vm[i]->m.stats;

		printf("  vm%u: zeroed %llu copied %llu kept %llu made writable %llu nodes %llu "
		       "tlbi "
		       "%llu+%llu evicted %llu\n",
		       i, (unsigned long long)s->pages_zeroed, (unsigned long long)s->pages_copied,
		       (unsigned long long)s->pages_kept, (unsigned long long)s->made_writable,
		       (unsigned long long)s->nodes_copied, (unsigned long long)s->tlbi_local,
		       (unsigned long long)s->tlbi_broadcast, (unsigned long long)s->evictions);
	}
	for (uint32_t i = 0; i < rig->vm_count; i++)
		kept += rig->vm[i]->m.stats.pages_kept;
	if (!options->copy_back || operations >= 1000)
		assert_int_equal(options->copy_back, kept > 0);
	wind_down(rig, used);
	assert_int_equal(frame_free_count(), free_at_start);
	rig_end(rig);
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

static void three_vms_with_room_agree_with_the_model(void **state)
{
	(void)state;
	run(&(struct rig_options){.seed = seed(), .vms = 3, .limit = 9000, .keep = 24},
	    from_environment("AV_OPS", 130000), 1000);
}

static void vms_short_of_frames_evict_and_agree_with_the_model(void **state)
{
	(void)state;
	run(&(struct rig_options){.seed = seed() + 1, .vms = 3, .limit = 420, .keep = 40},
	    from_environment("AV_OPS", 60000), 500);
}

static void vms_that_refuse_to_evict_starve_and_agree_with_the_model(void **state)
{
	(void)state;
	run(
		&(struct rig_options){
			.seed = seed() + 2, .vms = 2, .limit = 300, .keep = 12, .refuse = true},
		from_environment("AV_OPS", 30000), 500);
}

static void vms_that_copy_pages_back_agree_with_the_model(void **state)
{
	(void)state;
	run(
		&(struct rig_options){
			.seed = seed() + 9, .vms = 3, .limit = 9000, .keep = 24, .copy_back = true},
		from_environment("AV_OPS", 60000), 500);
}

static void vms_short_of_frames_that_copy_back_agree_with_the_model(void **state)
{
	(void)state;
	run(
		&(struct rig_options){
			.seed = seed() + 10, .vms = 3, .limit = 420, .keep = 40, .copy_back = true},
		from_environment("AV_OPS", 30000), 500);
}

static void every_single_operation_leaves_everything_consistent(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 6; i++)
		run(&(struct rig_options){.seed = seed() + 3 + i,
					  .vms = 2,
					  .limit = i % 2 ? 500 : 150,
					  .keep = 6,
					  .copy_back = i > 3},
		    from_environment("AV_OPS", 500), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_vms_with_room_agree_with_the_model),
		cmocka_unit_test(vms_short_of_frames_evict_and_agree_with_the_model),
		cmocka_unit_test(vms_that_refuse_to_evict_starve_and_agree_with_the_model),
		cmocka_unit_test(vms_that_copy_pages_back_agree_with_the_model),
		cmocka_unit_test(vms_short_of_frames_that_copy_back_agree_with_the_model),
		cmocka_unit_test(every_single_operation_leaves_everything_consistent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
