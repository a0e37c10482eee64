/* SPDX-License-Identifier: MIT */
/* test_image.c - faults at pages of the boot image: shared until they are written, executable only after a sync, in groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "vm_rig.h"

#define PAGE(n) (RIG_BASE + (uint64_t)(n)*PAGE_SIZE) /* the image is at 100 to 699 */

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

static void a_second_fault_on_the_same_page_is_spurious(void **state)
{
	struct rig_vm *vm = rig->vm[0];

	(void)state;
	assert_int_equal(rig_fault(vm, PAGE(150), false), VMEM_SPURIOUS); /* shared and readable */
	assert_int_equal(vm->m.stats.cache_syncs,
			 64); /* it may have been a fetch, and 128 to 191 are near */
	assert_int_equal(rig_fault(vm, PAGE(150), true), VMEM_COPIED);
	assert_int_equal(rig_fault(vm, PAGE(150), true), VMEM_SPURIOUS);
	assert_int_equal(rig_fault(vm, PAGE(151), false), VMEM_SPURIOUS);
	assert_int_equal(rig_fault(vm, PAGE(151), true), VMEM_COPIED);
}

static void pages_are_made_executable_in_groups_and_only_once(void **state)
{
	struct rig_vm *vm = rig->vm[0];
	uint64_t id;

	(void)state;
	for (uint32_t i = 0; i < 50; i++)
		rig_write(vm, 90 + i, i);
	assert_int_equal(vm->m.stats.cache_syncs, 92); /* copies of 100 to 191, of the image */
	assert_true(rig_execute(vm, 100));
	assert_true(rig_execute(vm, 160));
	assert_int_equal(vm->m.stats.cache_syncs, 92);
	assert_true(rig_execute(vm, 3000));
	assert_int_equal(vm->m.stats.cache_syncs, 93);
	assert_int_equal(rig_take(vm, false, &id), 0);
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(rig_execute(vm, 100));
		assert_true(rig_execute(vm, 160));
		assert_true(rig_execute(vm, 3000));
		assert_int_equal(rig_restore(vm, id, i == 1), 0);
	}
	assert_int_equal(rig_restore(vm, AV_SNAPSHOT_BOOT, false), 0);
	assert_int_equal(vm->m.stats.cache_syncs, 93);
	assert_true(rig_execute(
		vm, 160)); /* the image's own, known to the boot snapshot from now on: 128 to 191 */
	assert_int_equal(vm->m.stats.cache_syncs, 157);
	assert_true(rig_execute(vm, 100)); /* and 100 to 127 */
	assert_true(rig_execute(vm, 127));
	assert_int_equal(vm->m.stats.cache_syncs, 185);
	assert_int_equal(rig_restore(vm, AV_SNAPSHOT_BOOT, true), 0);
	assert_true(rig_execute(vm, 100));
	assert_int_equal(vm->m.stats.cache_syncs, 185);
	rig_audit(rig);
}

static void a_guest_that_goes_on_writing_to_its_image_has_it_copied_in_groups(void **state)
{
	struct rig_vm *vm = rig->vm[0];
	uint64_t id, flushes;

	(void)state;
	assert_int_equal(rig_fault(vm, PAGE(200), true), VMEM_COPIED);
	assert_int_equal(vm->m.stats.pages_copied, 1); /* alone */
	flushes = vm->m.stats.tlbi_local + vm->m.stats.tlbi_broadcast;
	assert_int_equal(rig_fault(vm, PAGE(201), true), VMEM_COPIED);
	assert_int_equal(vm->m.stats.pages_copied, 56); /* to 255 */
	assert_int_equal(vm->m.stats.tlbi_local + vm->m.stats.tlbi_broadcast,
			 flushes); /* nobody had read them */
	assert_int_equal(rig_fault(vm, PAGE(300), false),
			 VMEM_SPURIOUS); /* not yet a guest that patches itself: 256 to 319 */
	for (uint32_t page = 256; page < 256 + 256; page += 64)
		assert_int_equal(rig_fault(vm, PAGE(page), true), VMEM_COPIED);
	assert_true(vm->m.stats.tlbi_local + vm->m.stats.tlbi_broadcast >
		    flushes); /* some had been read */
	assert_int_equal(vm->m.stats.pages_copied, 56 + 256);
	assert_int_equal(rig_fault(vm, PAGE(600), false),
			 VMEM_COPIED); /* what it reads now it will write */
	assert_true(rig_execute(vm, 601));
	rig_compare(vm);
	rig_audit(rig);
	assert_int_equal(rig_take(vm, false, &id), 0);
	flushes = vm->m.stats.pages_copied;
	assert_int_equal(rig_fault(vm, PAGE(120), false), VMEM_SPURIOUS);
	assert_int_equal(rig_fault(vm, PAGE(121), true), VMEM_COPIED);
	assert_int_equal(rig_fault(vm, PAGE(122), true), VMEM_COPIED);
	assert_int_equal(vm->m.stats.pages_copied, flushes + 2); /* with a snapshot, one by one */
	rig_compare(vm);
	rig_audit(rig);
}

#define T(test) cmocka_unit_test_setup_teardown(test, plain, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_second_fault_on_the_same_page_is_spurious),
		T(pages_are_made_executable_in_groups_and_only_once),
		T(a_guest_that_goes_on_writing_to_its_image_has_it_copied_in_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
