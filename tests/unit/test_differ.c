/* SPDX-License-Identifier: MIT */
/* test_differ.c - what two trees differ in, against the rig's model that copies everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "vm_rig.h"
#include <arch/mem.h>
#include "mm/differ.h"

static struct rig *rig;
static struct rig_vm *vm;

static int begin(void **state)
{
	const char *seed = getenv("SEED");

	(void)state;
	rig = rig_new(&(struct rig_options){
		.seed = seed ? strtoull(seed, NULL, 0) : 11, .vms = 1, .limit = 20000, .keep = 40});
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

static const uint64_t *root_of(uint64_t id)
{
	return id == AV_SNAPSHOT_LIVE ? vm->m.root : snapshot_find(&vm->m, id)->root;
}

static const struct rig_model *model_of(uint64_t id)
{
	return id == AV_SNAPSHOT_LIVE ? &vm->now : rig_model(vm, id);
}

static uint64_t tag_at(uint64_t page)
{
	return page ? *(const uint64_t *)pa_ptr(pa(page)) : 0;
}

/* The runs in order, none overlapping, each with the contents of both models; returns the pages. */
static uint32_t check_runs(const struct av_page_run *runs, uint32_t count, uint64_t *next,
			   const struct rig_model *a, const struct rig_model *b, uint8_t *named)
{
	uint32_t pages = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t first = (runs[i].ipa - RIG_BASE) / PAGE_SIZE;

		assert_true(runs[i].ipa >= *next && runs[i].count > 0);
		assert_true(first + runs[i].count <= RIG_PAGES);
		assert_int_equal(runs[i].kind, !runs[i].pa_a   ? AV_PAGE_ONLY_B
					       : !runs[i].pa_b ? AV_PAGE_ONLY_A
							       : AV_PAGE_BOTH);
		for (uint32_t j = 0; j < runs[i].count; j++) {
			uint64_t pa_a = runs[i].pa_a ? runs[i].pa_a + j * PAGE_SIZE : 0;
			uint64_t pa_b = runs[i].pa_b ? runs[i].pa_b + j * PAGE_SIZE : 0;

			assert_int_not_equal(pa_a, pa_b);
			assert_int_equal(tag_at(pa_a), a->tags[first + j]);
			assert_int_equal(tag_at(pa_b), b->tags[first + j]);
			named[first + j] = 1;
		}
		pages += runs[i].count;
		*next = runs[i].ipa + runs[i].count * PAGE_SIZE;
	}
	return pages;
}

/* Every page that differs is named, by runs that are right; returns how many were. */
static uint32_t compare(uint64_t id_a, uint64_t id_b)
{
	static uint8_t named[RIG_PAGES];
	const struct rig_model *a = model_of(id_a), *b = model_of(id_b);
	struct av_page_run runs[AV_PAGE_RUNS];
	uint64_t cursor = 0, next = 0;
	uint32_t pages = 0, calls = 0;

	memset(named, 0, sizeof(named));
	while (cursor != AV_DIFF_END) {
		uint64_t before = cursor;
		uint32_t count = vmem_differ(&vm->m, root_of(id_a), root_of(id_b), &cursor, runs);

		assert_true(cursor > before && ++calls <= RIG_PAGES);
		assert_true(count <= AV_PAGE_RUNS);
		pages += check_runs(runs, count, &next, a, b, named);
	}
	for (uint32_t page = 0; page < RIG_PAGES; page++)
		if (a->tags[page] != b->tags[page])
			assert_true(named[page]);
	return pages;
}

static uint64_t take(void)
{
	uint64_t id = 0;

	assert_int_equal(rig_take(vm, false, &id), 0);
	return id;
}

static void equal_trees_have_no_runs(void **state)
{
	uint64_t first, second;

	(void)state;
	rig_write(vm, 1000, 5);
	first = take();
	second = take();
	assert_int_equal(compare(first, second), 0);
	assert_int_equal(compare(first, first), 0);
	assert_int_equal(compare(second, AV_SNAPSHOT_LIVE), 0);
	rig_write(vm, 1000, 6);
	assert_int_equal(compare(second, AV_SNAPSHOT_LIVE), 1);
	assert_int_equal(compare(AV_SNAPSHOT_LIVE, first), 1);
	assert_int_equal(rig_restore(vm, second, false), 0);
	assert_int_equal(compare(second, AV_SNAPSHOT_LIVE), 0);
}

static void a_page_of_one_side_only_is_told(void **state)
{
	struct av_page_run runs[AV_PAGE_RUNS];
	uint64_t cursor = 0, first, second;

	(void)state;
	first = take();
	rig_write(vm, RIG_PAGES - 1, 9);
	second = take();
	assert_int_equal(vmem_differ(&vm->m, root_of(first), root_of(second), &cursor, runs), 1);
	assert_int_equal(cursor, AV_DIFF_END);
	assert_int_equal(runs[0].ipa, RIG_BASE + (RIG_PAGES - 1) * PAGE_SIZE);
	assert_int_equal(runs[0].kind, AV_PAGE_ONLY_B);
	cursor = 0;
	assert_int_equal(vmem_differ(&vm->m, root_of(second), root_of(first), &cursor, runs), 1);
	assert_int_equal(runs[0].kind, AV_PAGE_ONLY_A);
}

/* One call compares at most DIFFER_TABLES pairs of tables, and gives no more than its buffer holds. */
static void a_call_does_a_bounded_piece(void **state)
{
	struct av_page_run runs[AV_PAGE_RUNS];
	uint64_t cursor = 0, first = take(), second;

	(void)state;
	for (uint32_t page = 0; page < RIG_PAGES; page += 512)
		rig_write(vm, page + 7, page + 1);
	second = take();
	assert_int_equal(vmem_differ(&vm->m, root_of(first), root_of(second), &cursor, runs),
			 DIFFER_TABLES);
	assert_int_equal(cursor, RIG_BASE + DIFFER_TABLES * 512 * PAGE_SIZE);
	for (uint32_t page = 2048; page < 2560; page += 2)
		rig_write(vm, page, page);
	cursor = RIG_BASE + 2048 * PAGE_SIZE;
	assert_int_equal(vmem_differ(&vm->m, root_of(first), vm->m.root, &cursor, runs),
			 AV_PAGE_RUNS);
	assert_int_equal(compare(first, AV_SNAPSHOT_LIVE), 256 + RIG_PAGES / 512);
}

static void cursors_from_anywhere_are_taken(void **state)
{
	struct av_page_run runs[AV_PAGE_RUNS];
	uint64_t first = take(), cursor = ~0UL;

	(void)state;
	rig_write(vm, 0, 1);
	assert_int_equal(vmem_differ(&vm->m, root_of(first), vm->m.root, &cursor, runs), 0);
	assert_int_equal(cursor, AV_DIFF_END);
	cursor = RIG_BASE + 5;
	assert_int_equal(vmem_differ(&vm->m, root_of(first), vm->m.root, &cursor, runs), 1);
	cursor = RIG_BASE + RIG_RAM;
	assert_int_equal(vmem_differ(&vm->m, root_of(first), vm->m.root, &cursor, runs), 0);
}

static void random_trees_differ_where_the_model_does(void **state)
{
	uint64_t ids[24], named = 0;
	uint32_t count = 0, rounds = getenv("SOAK") ? 2000 : 120;

	(void)state;
	printf("seed %s\n", getenv("SEED") ? getenv("SEED") : "11");
	for (uint32_t round = 0; round < rounds; round++) {
		for (uint64_t i = rig_random(rig, 60); i; i--)
			rig_write(vm, (uint32_t)rig_random(rig, RIG_PAGES),
				  rig_random(rig, 1UL << 40));
		if (count < ARRAY_SIZE(ids) && rig_random(rig, 3)) {
			ids[count++] = take();
		} else if (count > 2 && rig_random(rig, 2)) {
			uint64_t gone = rig_random(rig, count);

			assert_int_equal(rig_delete(vm, ids[gone]), 0);
			ids[gone] = ids[--count];
		} else if (count) {
			assert_int_equal(rig_restore(vm, ids[rig_random(rig, count)], false), 0);
		}
		if (!rig_random(rig, 4))
			rig_drain(vm);
		if (!count)
			continue;
		named += compare(ids[rig_random(rig, count)], ids[rig_random(rig, count)]);
		named += compare(ids[rig_random(rig, count)], AV_SNAPSHOT_LIVE);
	}
	assert_true(named > rounds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(equal_trees_have_no_runs, begin, end),
		cmocka_unit_test_setup_teardown(a_page_of_one_side_only_is_told, begin, end),
		cmocka_unit_test_setup_teardown(a_call_does_a_bounded_piece, begin, end),
		cmocka_unit_test_setup_teardown(cursors_from_anywhere_are_taken, begin, end),
		cmocka_unit_test_setup_teardown(random_trees_differ_where_the_model_does, begin,
						end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
