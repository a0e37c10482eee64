/* SPDX-License-Identifier: MIT */
/* test_vpl031.c - the clock's registers, its match, and what a restore leaves of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "dev/vpl031.h"

#define NOW 1700000000u

static bool level;
static unsigned changes;

static void line(void *ctx, bool up)
{
	(void)ctx;
	assert_true(up != level);
	level = up;
	changes++;
}

static struct vpl031 clock_new(void)
{
	struct vpl031 r;

	level = false;
	changes = 0;
	vpl031_init(&r, NULL, line);
	return r;
}

static uint32_t get(struct vpl031 *r, uint64_t offset, uint32_t wall)
{
	uint64_t value = 0x5555;

	vpl031_mmio(r, offset, 4, false, &value, wall);
	return (uint32_t)value;
}

static void put(struct vpl031 *r, uint64_t offset, uint32_t value, uint32_t wall)
{
	uint64_t wide = value;

	vpl031_mmio(r, offset, 4, true, &wide, wall);
}

static void it_shows_the_time_and_who_it_is(void **state)
{
	struct vpl031 r = clock_new();
	uint64_t value;

	(void)state;
	assert_int_equal(get(&r, 0, NOW), NOW);
	assert_int_equal(get(&r, 0, NOW + 5), NOW + 5);
	assert_int_equal(get(&r, 0x0c, NOW), 1);
	put(&r, 0x0c, 0, NOW);
	assert_int_equal(get(&r, 0x0c, NOW), 1);
	assert_int_equal(get(&r, 0xfe0, NOW), 0x31);
	assert_int_equal(get(&r, 0xffc, NOW), 0xb1);
	assert_int_equal(get(&r, 0x40, NOW), 0);
	vpl031_mmio(&r, 1, 1, false, &value, NOW);
	assert_int_equal(value, 0);
	vpl031_mmio(&r, 0, 8, false, &value, NOW);
	assert_int_equal(value, 0);
	vpl031_mmio(&r, 0, 1, false, &value, NOW);
	assert_int_equal(value, NOW & 0xff);
}

static void a_match_comes_in_time_and_once(void **state)
{
	struct vpl031 r = clock_new();

	(void)state;
	assert_true(vpl031_evaluate(&r, NOW) == ~0UL);
	put(&r, 0x10, 1, NOW);
	put(&r, 0x04, NOW + 10, NOW);
	assert_int_equal(vpl031_evaluate(&r, NOW), 10);
	assert_int_equal(vpl031_evaluate(&r, NOW + 9), 1);
	assert_false(level);
	assert_true(vpl031_evaluate(&r, NOW + 12) == ~0UL); /* nobody looked in between */
	assert_true(level);
	assert_int_equal(get(&r, 0x14, NOW + 12), 1);
	assert_int_equal(get(&r, 0x18, NOW + 12), 1);
	put(&r, 0x10, 0, NOW + 12);
	assert_false(level);
	assert_int_equal(get(&r, 0x18, NOW + 12), 0);
	put(&r, 0x10, 1, NOW + 12);
	put(&r, 0x1c, 1, NOW + 12);
	assert_false(level);
	assert_true(vpl031_evaluate(&r, NOW + 100) == ~0UL);
	put(&r, 0x04, NOW + 100, NOW + 100); /* now */
	assert_true(level);
	assert_int_equal(changes, 5);
}

static void the_guest_sets_it_and_a_restore_keeps_the_difference(void **state)
{
	struct vpl031 r = clock_new();
	struct vpl031_state saved;

	(void)state;
	put(&r, 0x08, 1000, NOW);
	assert_int_equal(get(&r, 0x00, NOW + 7), 1007);
	assert_int_equal(get(&r, 0x08, NOW + 7), 1000);
	put(&r, 0x10, 1, NOW + 7);
	put(&r, 0x04, 1020, NOW + 7);
	put(&r, 0x1c, 1, NOW + 7);
	saved = r.state;
	assert_true(vpl031_evaluate(&r, NOW + 20) == ~0UL);
	assert_true(level);
	vpl031_load(&r, &saved); /* at once: the match is still to come, and came long ago */
	assert_false(level);
	assert_int_equal(get(&r, 0x00, NOW + 500), 1500);
	assert_true(level);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_shows_the_time_and_who_it_is),
		cmocka_unit_test(a_match_comes_in_time_and_once),
		cmocka_unit_test(the_guest_sets_it_and_a_restore_keeps_the_difference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
