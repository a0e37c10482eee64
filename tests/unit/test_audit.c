/* SPDX-License-Identifier: MIT */
/* test_audit.c - the audit finds what it is for: each count spoiled by hand, by one, and put right again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "mm/live.h"
#include "vm_rig.h"

static struct rig *rig;
static struct rig_vm *vm;

/* Two snapshots, pages of all kinds: of the bundle, shared, copied, touched first. */
static int begin(void **state)
{
	uint64_t id;

	(void)state;
	rig = rig_new(&(struct rig_options){.seed = 11, .vms = 2, .limit = 9000, .keep = 5});
	vm = rig->vm[0];
	for (uint32_t page = 590; page < 620; page++)
		assert_true(rig_write(vm, page, page));
	assert_int_equal(rig_take(vm, false, &id), 0);
	for (uint32_t page = 600; page < 610; page++)
		assert_true(rig_write(vm, page, page + 1000));
	assert_int_equal(rig_take(vm, false, &id), 0);
	assert_true(rig_write(vm, 605, 77));
	return 0;
}

static int end(void **state)
{
	(void)state;
	rig_audit(rig);
	rig_end(rig);
	return 0;
}

static void finds(const char *what)
{
	const char *why = NULL;
	int status = vmem_audit(&vm->m, &why);

	if (status != AV_E_INTEGRITY)
		fail_msg("the audit does not see that %s is wrong", what);
	assert_non_null(why);
	assert_true(strlen(why) > 0);
}

static void sound(void)
{
	const char *why = "";

	if (vmem_audit(&vm->m, &why))
		fail_msg("the audit finds fault with what is sound: %s", why);
}

static void a_wrong_count_of_the_vm_is_found(void **state)
{
	(void)state;
	uint64_t *counts[] = {&vm->m.budget.used, &vm->m.budget.cached, &vm->m.dirty_count,
			      &vm->m.ram_count};
	static const char *const names[] = {"the frames used", "the frames at hand",
					    "the dirty pages", "the committed pages"};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		sound();
		*counts[i] += 1;
		finds(names[i]);
		*counts[i] -= 2;
		finds(names[i]);
		*counts[i] += 1;
	}
	sound();
}

static void a_dirty_bit_that_is_missing_or_too_many_is_found(void **state)
{
	struct vmem_walk walk;
	struct dirty_chunk *chunk = &vm->m.chunks[605 / 512];
	uint64_t bit = 1UL << 605 % 64, other = 1UL << 606 % 64;

	(void)state;
	vmem_walk(&vm->m, RIG_BASE + 605 * PAGE_SIZE, &walk);
	assert_true(walk.l3_private);
	chunk->bits[605 % 512 / 64] &= ~bit;
	finds("a clear bit of a writable page");
	chunk->bits[605 % 512 / 64] |= bit | other;
	finds("a set bit of a page that is not writable");
	chunk->bits[605 % 512 / 64] &= ~other;
	sound();
}

static void a_writable_page_that_a_snapshot_shares_is_found(void **state)
{
	struct vmem_walk walk;
	uint64_t *entry;

	(void)state;
	vmem_walk(&vm->m, RIG_BASE + 610 * PAGE_SIZE, &walk);
	entry = &walk.l3[610 % 512];
	assert_false(*entry & S2_WRITE);
	*entry |= S2_WRITE;
	finds("a shared page that can be written");
	*entry &= ~S2_WRITE;
	sound();
}

static void a_frame_with_a_wrong_owner_or_kind_is_found(void **state)
{
	struct vmem_walk walk;
	struct frame *frame;

	(void)state;
	vmem_walk(&vm->m, RIG_BASE + 605 * PAGE_SIZE, &walk);
	frame = frame_at(frame_index(s2_pa(walk.l3[605 % 512])));
	frame->owner++;
	finds("the owner of a page");
	frame->owner--;
	frame->kind = FRAME_FREE;
	finds("the kind of a page");
	frame->kind = FRAME_DATA;
	sound();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_wrong_count_of_the_vm_is_found, begin, end),
		cmocka_unit_test_setup_teardown(a_dirty_bit_that_is_missing_or_too_many_is_found,
						begin, end),
		cmocka_unit_test_setup_teardown(a_writable_page_that_a_snapshot_shares_is_found,
						begin, end),
		cmocka_unit_test_setup_teardown(a_frame_with_a_wrong_owner_or_kind_is_found, begin,
						end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
