/* SPDX-License-Identifier: MIT */
/* test_top.c - `avctl top`: rates and order from two samples, what is drawn, what keys do.
 * Never opens a terminal and asks no agent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tui/screen.h"
#include "tui/top_panel.h"

#define SECOND 1000000000ull

static void add(struct top_sample *sample, const char *name, const char *state, uint64_t cpu_ns,
		uint64_t hvc, uint64_t wfi)
{
	struct top_vm *vm = &sample->vms[sample->count++];

	snprintf(vm->name, sizeof(vm->name), "%s", name);
	snprintf(vm->state, sizeof(vm->state), "%s", state);
	vm->control = strcmp(name, "control") == 0;
	vm->cpu_ns = cpu_ns;
	vm->exits[0] = hvc;
	vm->exits[2] = wfi;
}

/* Two seconds apart: vm1 half a CPU and 150 exits a second, vm2 more of the CPU and fewer exits. */
static void two_samples(struct top_sample *before, struct top_sample *now)
{
	memset(before, 0, sizeof(*before));
	memset(now, 0, sizeof(*now));
	before->uptime_ns = 10 * SECOND;
	now->uptime_ns = 12 * SECOND;
	now->cpus = 2;
	now->frames_total = 262144;
	now->frames_free = 131072;
	add(before, "vm1", "running", SECOND, 1000, 5000);
	add(before, "vm2", "running", 3 * SECOND, 0, 7);
	add(before, "control", "running", 0, 0, 0);
	add(now, "vm1", "running", 2 * SECOND, 1100, 5200);
	add(now, "vm2", "crashed", 3 * SECOND + SECOND * 3 / 2, 0, 27);
	add(now, "control", "running", SECOND / 100, 4, 0);
	add(now, "new", "running", 9 * SECOND, 99, 99);
	now->vms[0].ram_frames = 512;
	now->vms[0].dirty_frames = 256;
	now->vms[1].snapshots = 3;
}

static void rates_are_differences_over_the_machines_own_time(void **state)
{
	struct top_sample before, now;
	struct top_row rows[AV_VM_MAX];

	(void)state;
	two_samples(&before, &now);
	assert_int_equal(top_rows(&before, &now, TOP_SORT_NAME, false, true, rows), 4);
	assert_string_equal(rows[0].vm->name, "control");
	assert_string_equal(rows[2].vm->name, "vm1");
	assert_int_equal(rows[2].exits, 150);
	assert_int_equal(rows[2].reason[0], 50);
	assert_int_equal(rows[2].reason[2], 100);
	assert_true(rows[2].cpu > 0.499 && rows[2].cpu < 0.501);
	assert_int_equal(rows[3].exits, 10);
	/* Nothing is known of a VM that was not there before. */
	assert_string_equal(rows[1].vm->name, "new");
	assert_false(rows[1].known);
	assert_int_equal(rows[1].exits, 0);
}

static void counters_that_went_back_are_no_rate(void **state)
{
	struct top_sample before, now;
	struct top_row rows[AV_VM_MAX];

	(void)state;
	two_samples(&before, &now);
	top_rows(&now, &before, TOP_SORT_CPU, false, false, rows);
	assert_false(rows[0].known); /* time went back */
	before.vms[0].exits[0] = 2000;
	before.vms[0].cpu_ns = 9 * SECOND;
	top_rows(&before, &now, TOP_SORT_NAME, false, false, rows);
	assert_int_equal(rows[1].reason[0], 0);
	assert_true(rows[1].cpu >= 0 && rows[1].cpu < 0.001);
}

static void each_order_and_its_reverse(void **state)
{
	static const char *const first[] = {"vm2", "vm1", "vm1", "vm2", "new", "vm2"};
	struct top_sample before, now;
	struct top_row rows[AV_VM_MAX];

	(void)state;
	two_samples(&before, &now);
	now.vms[0].frames_used = 5;
	for (int sort = 0; sort < TOP_SORT_COUNT; sort++) {
		assert_non_null(top_sorts[sort]);
		assert_int_equal(top_rows(&before, &now, (enum top_sort)sort, false, false, rows),
				 3);
		assert_string_equal(rows[0].vm->name, first[sort]);
		top_rows(&before, &now, (enum top_sort)sort, true, false, rows);
		assert_string_not_equal(rows[0].vm->name, first[sort]);
	}
	assert_null(top_sorts[TOP_SORT_COUNT]);
}

struct bench {
	struct top_panel panel;
	struct grid grid;
	char line[256];
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct top_sample before, now;

	two_samples(&before, &now);
	top_panel_init(&b->panel, "duo", SECOND);
	top_panel_sample(&b->panel, &before);
	top_panel_sample(&b->panel, &now);
	*state = b;
	return grid_resize(&b->grid, 80, 24);
}

static int teardown(void **state)
{
	struct bench *b = *state;

	grid_free(&b->grid);
	free(b);
	return 0;
}

static const char *row(struct bench *b, int y)
{
	top_panel_draw(&b->panel, &b->grid);
	grid_row(&b->grid, y, b->line);
	return b->line;
}

static void the_screen_shows_machine_rows_and_details(void **state)
{
	struct bench *b = *state;

	assert_non_null(strstr(row(b, 0), " avctl top  duo  up 12s"));
	assert_non_null(strstr(row(b, 0), " LIVE  every 1 s  ? help"));
	assert_non_null(strstr(row(b, 1), " 125% of 200% CPU   512 MiB of 1 GiB free"));
	assert_non_null(strstr(row(b, 2), "@| most 160/s"));
	assert_non_null(
		strstr(row(b, 3), " NAME         STATE      CPU%   EXITS/S   UNIQUE   SHARED"));
	assert_string_equal(row(b, 4), " vm2          crashed    75.0        10      0 B      0 B"
				       "     3     0           ");
	assert_string_equal(row(b, 5), " vm1          running    50.0       150    1 MiB    1 MiB"
				       "     0     0           ");
	assert_non_null(strstr(row(b, 6), " new          running       -         - "));
	assert_non_null(strstr(row(b, 22), " vm2: 0 B of 0 B charged, exits/s: wfi 10"));
	assert_int_equal(b->grid.cells[4 * 80].style, GRID_CHOSEN);
}

static void keys_choose_sort_freeze_and_end(void **state)
{
	struct bench *b = *state;

	top_panel_key(&b->panel, SCREEN_DOWN);
	assert_non_null(strstr(row(b, 22), " vm1: "));
	top_panel_key(&b->panel, 's'); /* by exits: vm1 is first now, and still chosen */
	assert_non_null(strstr(row(b, 22), "sorted by exits"));
	assert_non_null(strstr(row(b, 4), " vm1 "));
	assert_int_equal(b->grid.cells[4 * 80].style, GRID_CHOSEN);
	top_panel_key(&b->panel, 'r');
	assert_null(strstr(row(b, 4), " vm1 "));
	top_panel_key(&b->panel, 'r');
	top_panel_key(&b->panel, 'a');
	assert_non_null(strstr(row(b, 7), "new"));
	assert_int_equal(top_panel_key(&b->panel, ' '), TOP_STAY);
	assert_non_null(strstr(row(b, 0), " PAUSED "));
	assert_int_equal(top_panel_key(&b->panel, '.'), TOP_LOOK);
	assert_int_equal(top_panel_key(&b->panel, ' '), TOP_LOOK);
	assert_int_equal(top_panel_interval(&b->panel), SECOND);
	top_panel_key(&b->panel, '+');
	assert_int_equal(top_panel_interval(&b->panel), SECOND / 2);
	top_panel_key(&b->panel, '-');
	top_panel_key(&b->panel, '-');
	assert_int_equal(top_panel_interval(&b->panel), 2 * SECOND);
	top_panel_key(&b->panel, '?');
	assert_true(b->panel.help);
	assert_int_equal(top_panel_key(&b->panel, 's'), TOP_STAY);
	assert_false(b->panel.help);
	assert_int_equal(b->panel.sort, TOP_SORT_EXITS);
	assert_int_equal(top_panel_key(&b->panel, 0x1b), TOP_QUIT);
	assert_int_equal(top_panel_key(&b->panel, 'q'), TOP_QUIT);
}

static void every_size_of_screen_is_drawn_and_no_key_leads_astray(void **state)
{
	static const int keys[] = {SCREEN_UP, SCREEN_DOWN, 's', 'r', 'a', ' ', '.',         '+',
				   '-',       '?',         'j', 'k', 'x', 0,   SCREEN_OTHER};
	struct bench *b = *state;
	struct grid help = {0};
	unsigned seed = 1;

	for (int width = 1; width < 160; width += 3) {
		for (int height = 1; height < 40; height += 2) {
			seed = seed * 1103515245u + 12345u;
			top_panel_key(&b->panel,
				      keys[(seed >> 16) % (sizeof(keys) / sizeof(keys[0]))]);
			assert_int_equal(grid_resize(&b->grid, width, height), 0);
			top_panel_draw(&b->panel, &b->grid);
			top_panel_help(&help, width, height);
		}
	}
	grid_free(&help);
	/* No VM at all. */
	b->panel.now.count = 0;
	for (int i = 0; i < (int)(sizeof(keys) / sizeof(keys[0])); i++)
		top_panel_key(&b->panel, keys[i]);
	assert_int_equal(grid_resize(&b->grid, 80, 24), 0);
	top_panel_draw(&b->panel, &b->grid);
}

#define PANEL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_differences_over_the_machines_own_time),
		cmocka_unit_test(counters_that_went_back_are_no_rate),
		cmocka_unit_test(each_order_and_its_reverse),
		PANEL_TEST(the_screen_shows_machine_rows_and_details),
		PANEL_TEST(keys_choose_sort_freeze_and_end),
		PANEL_TEST(every_size_of_screen_is_drawn_and_no_key_leads_astray),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
