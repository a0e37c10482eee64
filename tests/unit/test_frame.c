/* SPDX-License-Identifier: MIT */
/* test_frame.c - page frames and budgets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <arch/fake.h>
#include "mm/frame.h"

#define BASE 0x40000000UL
#define SIZE (8UL << 20)
#define FIRST (BASE + 0x100000UL)

static int machine(void **state)
{
	(void)state;
	fake_machine(BASE, SIZE);
	frame_init(pa(BASE), SIZE, pa(FIRST));
	return 0;
}

static int machine_end(void **state)
{
	(void)state;
	fake_machine_end();
	return 0;
}

static void audit(void)
{
	const char *why = "";

	if (frame_audit(&why))
		fail_msg("%s", why);
}

static void frames_behind_the_array_are_free_and_no_others(void **state)
{
	struct frame_budget budget;
	uint64_t array = (SIZE / PAGE_SIZE * sizeof(struct frame)) / PAGE_SIZE;

	(void)state;
	assert_int_equal(frame_total(), (SIZE - 0x100000) / PAGE_SIZE - array);
	assert_true(frame_budget_init(&budget, 1, frame_total()));
	for (uint64_t i = 0; i < frame_total(); i++) {
		uint32_t index = frame_alloc(&budget, FRAME_DATA);

		assert_true(index && index < SIZE / PAGE_SIZE);
		assert_true(frame_pa(index).value >= FIRST + array * PAGE_SIZE);
		assert_int_equal(frame_index(frame_pa(index)), index);
	}
	assert_int_equal(frame_alloc(&budget, FRAME_DATA), 0);
	assert_int_equal(frame_free_count(), 0);
	audit();
}

static void budgets_never_exceed_the_machine(void **state)
{
	struct frame_budget a, b;

	(void)state;
	assert_true(frame_budget_init(&a, 1, frame_total() - 10));
	assert_false(frame_budget_init(&b, 2, 11));
	assert_false(frame_budget_init(&b, 2, UINT64_MAX));
	assert_true(frame_budget_init(&b, 2, 10));
	audit();
}

static void one_budget_at_its_limit_takes_nothing_from_another(void **state)
{
	struct frame_budget a, b;

	(void)state;
	assert_true(frame_budget_init(&a, 1, 100));
	assert_true(frame_budget_init(&b, 2, frame_total() - 100));
	for (uint64_t i = 0; i < frame_total() - 100; i++)
		assert_true(frame_alloc(&b, FRAME_DATA));
	assert_false(frame_alloc(&b, FRAME_DATA));
	for (uint32_t i = 0; i < 100; i++)
		assert_true(frame_alloc(&a, FRAME_DATA));
	assert_false(frame_alloc(&a, FRAME_DATA));
	audit();
}

static void freed_frames_are_reused_and_trimmed_to_the_pool(void **state)
{
	struct frame_budget a, b;
	uint32_t frames[300];

	(void)state;
	assert_true(frame_budget_init(&a, 1, 300));
	assert_true(frame_budget_init(&b, 2, frame_total() - 300));
	for (uint32_t i = 0; i < 300; i++)
		frames[i] = frame_alloc(&a, FRAME_L3);
	for (uint32_t i = 0; i < 300; i++)
		frame_free(&a, frames[i]);
	assert_int_equal(a.used, 0);
	assert_int_equal(a.cached, 300);
	assert_int_equal(frame_alloc(&a, FRAME_DATA), frames[299]);
	assert_true(frame_trim(&a, 100, 50));
	assert_int_equal(a.cached, 249);
	assert_false(frame_trim(&a, 100, 500));
	assert_int_equal(a.cached, 100);
	audit();
	for (uint64_t i = 0; i < frame_total() - 300; i++)
		assert_true(frame_alloc(&b, FRAME_DATA));
	audit();
}

static void a_run_is_contiguous_and_within_the_budget(void **state)
{
	struct frame_budget budget;
	uint32_t first;

	(void)state;
	assert_true(frame_budget_init(&budget, 1, 40));
	first = frame_alloc_run(&budget, 30, FRAME_META);
	assert_true(first);
	assert_int_equal(budget.used, 30);
	assert_false(frame_alloc_run(&budget, 11, FRAME_META));
	assert_false(frame_alloc_run(&budget, 0, FRAME_META));
	assert_true(frame_alloc_run(&budget, 10, FRAME_META) == first + 30);
	assert_false(frame_alloc(&budget, FRAME_DATA));
	audit();
}

static void the_audit_sees_a_lost_and_a_doubled_frame(void **state)
{
	struct frame_budget budget;
	const char *why;
	uint32_t a, b;

	(void)state;
	assert_true(frame_budget_init(&budget, 1, 40));
	a = frame_alloc(&budget, FRAME_DATA);
	b = frame_alloc(&budget, FRAME_DATA);
	budget.used--;
	assert_int_not_equal(frame_audit(&why), 0);
	budget.used++;
	audit();
	frame_at(a)->kind = FRAME_FREE;
	assert_int_not_equal(frame_audit(&why), 0);
	frame_at(a)->kind = FRAME_DATA;
	frame_at(b)->owner = 2;
	assert_int_not_equal(frame_audit(&why), 0);
	frame_at(b)->owner = 1;
	audit();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(frames_behind_the_array_are_free_and_no_others,
						machine, machine_end),
		cmocka_unit_test_setup_teardown(budgets_never_exceed_the_machine, machine,
						machine_end),
		cmocka_unit_test_setup_teardown(one_budget_at_its_limit_takes_nothing_from_another,
						machine, machine_end),
		cmocka_unit_test_setup_teardown(freed_frames_are_reused_and_trimmed_to_the_pool,
						machine, machine_end),
		cmocka_unit_test_setup_teardown(a_run_is_contiguous_and_within_the_budget, machine,
						machine_end),
		cmocka_unit_test_setup_teardown(the_audit_sees_a_lost_and_a_doubled_frame, machine,
						machine_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
