/* SPDX-License-Identifier: MIT */
/* test_tui_panel.c - the watch panel as text: what it draws. The RAM file is a temporary one.
 * Never opens a terminal. */
#include "panel_rig.h"

static void the_panel_shows_title_members_bytes_and_fields(void **state)
{
	struct bench *b = *state;

	assert_string_equal(
		row(b, 0, SECOND),
		" avctl shm watch  board  0x70000000 +64K                    LIVE  10 Hz  ? help ");
	assert_non_null(strstr(row(b, 1, SECOND), "vm1 ro  vm2 rw"));
	assert_non_null(strstr(row(b, 1, SECOND), "no change seen yet"));
	assert_string_equal(
		row(b, BYTES, SECOND),
		" 00000000  43 69 61 6c 6c 6f 21 00  00 00 00 00 00 00 00 00  |Ciallo!.........| ");
	assert_non_null(strstr(row(b, 20, SECOND), "message"));
	assert_non_null(strstr(row(b, 20, SECOND), "\"Ciallo!\""));
	assert_non_null(strstr(row(b, 21, SECOND), "head"));
}

static void changed_bytes_stand_out_and_fade(void **state)
{
	struct bench *b = *state;

	put(b, "Hi", 2, 0);
	shm_panel_sample(&b->panel, 2 * SECOND);
	row(b, BYTES, 2 * SECOND);
	assert_int_equal(style(b, 11, BYTES), GRID_NOW);
	assert_int_equal(style(b, 62, BYTES), GRID_NOW);
	assert_int_equal(style(b, 17, BYTES), GRID_LINK); /* as the rest of the message */
	row(b, BYTES, 2 * SECOND + SECOND / 2);
	assert_int_equal(style(b, 11, BYTES), GRID_RECENT);
	row(b, BYTES, 4 * SECOND);
	assert_int_equal(style(b, 11, BYTES), GRID_FADING);
	row(b, BYTES, 8 * SECOND);
	assert_int_equal(style(b, 11, BYTES), GRID_LINK);
}

static void brackets_mark_changes_without_attributes(void **state)
{
	struct bench *b = *state;

	b->panel.brackets = true;
	put(b, "Hello", 5, 0);
	shm_panel_sample(&b->panel, 2 * SECOND);
	put(b, "!", 1, 15);
	shm_panel_sample(&b->panel, 3 * SECOND);
	assert_string_equal(row(b, BYTES, 3 * SECOND),
			    " 00000000 (48 65 6c)6c(6f)6f 21 00  00 00 00 00 00 00 00[21] |Hello"
			    "o!........!| ");
}

static void a_paused_panel_stays_still_but_can_be_moved_in(void **state)
{
	struct bench *b = *state;

	put(b, "X", 1, 0);
	shm_panel_sample(&b->panel, 2 * SECOND);
	shm_panel_key(&b->panel, ' ', 2 * SECOND);
	put(b, "Y", 1, 0);
	shm_panel_sample(&b->panel, 9 * SECOND);
	assert_non_null(strstr(row(b, 0, 9 * SECOND), " PAUSED "));
	assert_int_equal(style(b, (int)(strstr(b->line, "PAUSED") - b->line), 0), GRID_ALERT);
	assert_non_null(strstr(row(b, BYTES, 9 * SECOND), "|Xiallo!"));
	assert_int_equal(style(b, 11, BYTES), GRID_NOW);
	shm_panel_key(&b->panel, SCREEN_PAGE_DOWN, 9 * SECOND);
	assert_null(strstr(row(b, BYTES, 9 * SECOND), "|Xiallo!"));
	shm_panel_key(&b->panel, SCREEN_HOME, 9 * SECOND);
	shm_panel_key(&b->panel, ' ', 10 * SECOND);
	assert_non_null(strstr(row(b, BYTES, 10 * SECOND), "|Yiallo!"));
	assert_int_equal(style(b, 11, BYTES), GRID_NOW);
}

static void go_to_takes_offsets_addresses_and_fields(void **state)
{
	struct bench *b = *state;
	uint64_t at;

	assert_true(shm_panel_goto(&b->panel, "head", &at) && at == 0x100);
	assert_true(shm_panel_goto(&b->panel, "0x70000010", &at) && at == 0x10);
	assert_true(shm_panel_goto(&b->panel, "16", &at) && at == 16);
	b->panel.cursor = 100;
	assert_true(shm_panel_goto(&b->panel, "+64", &at) && at == 164);
	assert_true(shm_panel_goto(&b->panel, "-64", &at) && at == 36);
	assert_false(shm_panel_goto(&b->panel, "-101", &at));
	assert_false(shm_panel_goto(&b->panel, "0x10000", &at));
	assert_false(shm_panel_goto(&b->panel, "0x70010000", &at));
	assert_false(shm_panel_goto(&b->panel, "", &at));
	assert_false(shm_panel_goto(&b->panel, "nowhere", &at));
	for (const char *key = "ghead\n"; *key; key++)
		shm_panel_key(&b->panel, *key, SECOND);
	assert_int_equal(b->panel.cursor, 0x100);
	assert_non_null(strstr(row(b, STATUS, SECOND), "@0x0100"));
	assert_true(b->grid.cursor_y >= BYTES && b->grid.cursor_y < 20);
}

static void search_finds_text_and_hex_and_wraps(void **state)
{
	struct bench *b = *state;

	put(b, "needle", 6, 65530);
	put(b, "\x13\x04", 2, 0x4000);
	shm_panel_sample(&b->panel, SECOND);
	for (const char *key = "/needle\n"; *key; key++)
		shm_panel_key(&b->panel, *key, SECOND);
	assert_int_equal(b->panel.cursor, 65530);
	for (const char *key = "/=13 04\n"; *key; key++)
		shm_panel_key(&b->panel, *key, SECOND);
	assert_int_equal(b->panel.cursor, 0x4000);
	assert_non_null(strstr(row(b, STATUS, SECOND), "from the start"));
	for (const char *key = "/nothing\n"; *key; key++)
		shm_panel_key(&b->panel, *key, SECOND);
	assert_non_null(strstr(row(b, STATUS, SECOND), "not found"));
}

static void the_cursor_never_leaves_the_region_or_the_screen(void **state)
{
	static const int keys[] = {SCREEN_UP,
				   SCREEN_DOWN,
				   SCREEN_LEFT,
				   SCREEN_RIGHT,
				   SCREEN_PAGE_UP,
				   SCREEN_PAGE_DOWN,
				   SCREEN_HOME,
				   SCREEN_END,
				   '\t',
				   ' ',
				   '?',
				   'g',
				   0x1b,
				   '/',
				   'n',
				   '+',
				   '-',
				   SCREEN_BACKSPACE,
				   SCREEN_OTHER,
				   '\n',
				   'h',
				   'j',
				   'k',
				   'l',
				   '1',
				   'x'};
	struct bench *b = *state;
	unsigned seed = 12345;

	for (int i = 0; i < 20000; i++) {
		int key;

		seed = seed * 1103515245u + 12345u;
		key = keys[(seed >> 16) % (sizeof(keys) / sizeof(keys[0]))];
		if (i % 50 == 0) {
			int width = 1 + (int)((seed >> 8) % 200),
			    height = 1 + (int)((seed >> 20) % 60);

			shm_panel_resize(&b->panel, width, height);
			assert_int_equal(grid_resize(&b->grid, width, height), 0);
		}
		shm_panel_key(&b->panel, key, (uint64_t)(i + 1) * 1000000);
		shm_panel_draw(&b->panel, &b->grid, (uint64_t)(i + 1) * 1000000);
		assert_true(b->panel.cursor < region.size);
		if (b->panel.layout.too_small)
			continue;
		assert_true(b->grid.cursor_x >= 0 && b->grid.cursor_x < b->grid.width);
		assert_true(b->grid.cursor_y >= 0 && b->grid.cursor_y < b->grid.height);
	}
}

static void a_screen_too_small_gets_one_line_and_recovers(void **state)
{
	struct bench *b = *state;

	shm_panel_resize(&b->panel, 50, 10);
	assert_int_equal(grid_resize(&b->grid, 50, 10), 0);
	assert_non_null(strstr(row(b, 0, SECOND), "50x10 is too small"));
	row(b, 1, SECOND);
	assert_int_equal(strspn(b->line, " "), 50);
	shm_panel_resize(&b->panel, 60, 12);
	assert_int_equal(grid_resize(&b->grid, 60, 12), 0);
	assert_non_null(strstr(row(b, 3, SECOND), "|Ciallo!.|"));
}

static void wide_screens_show_fields_at_the_right(void **state)
{
	struct bench *b = *state;

	shm_panel_resize(&b->panel, 140, 20);
	assert_int_equal(grid_resize(&b->grid, 140, 20), 0);
	assert_non_null(strstr(row(b, 4, SECOND), "message"));
	assert_int_equal(b->panel.layout.bytes_per_row, 16);
	shm_panel_resize(&b->panel, 200, 50);
	assert_int_equal(b->panel.layout.bytes_per_row, 32);
}

static void a_set_that_ended_leaves_its_last_bytes_on_the_screen(void **state)
{
	struct bench *b = *state;

	assert_int_equal(ftruncate(b->view.ram_fd, 0), 0);
	shm_panel_sample(&b->panel, 2 * SECOND);
	assert_non_null(strstr(row(b, 0, 2 * SECOND), " ENDED "));
	assert_non_null(strstr(row(b, BYTES, 2 * SECOND), "|Ciallo!"));
}

static void the_grid_keeps_control_characters_and_far_places_out(void **state)
{
	struct grid grid = {0};
	char line[16];

	(void)state;
	assert_int_equal(grid_resize(&grid, 10, 2), 0);
	grid_text(&grid, 7, 0, 100, GRID_PLAIN, "\x1b[2J");
	grid_text(&grid, -1, 1, 100, GRID_PLAIN,
		  "\xc3\xa4"
		  "bc");
	grid_text(&grid, 0, 5, 100, GRID_PLAIN, "below");
	grid_row(&grid, 0, line);
	assert_string_equal(line, "       ?[2");
	grid_row(&grid, 1, line);
	assert_string_equal(line, "?bc       ");
	grid_free(&grid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PANEL_TEST(the_panel_shows_title_members_bytes_and_fields),
		PANEL_TEST(changed_bytes_stand_out_and_fade),
		PANEL_TEST(brackets_mark_changes_without_attributes),
		PANEL_TEST(a_paused_panel_stays_still_but_can_be_moved_in),
		PANEL_TEST(go_to_takes_offsets_addresses_and_fields),
		PANEL_TEST(search_finds_text_and_hex_and_wraps),
		PANEL_TEST(the_cursor_never_leaves_the_region_or_the_screen),
		PANEL_TEST(a_screen_too_small_gets_one_line_and_recovers),
		PANEL_TEST(wide_screens_show_fields_at_the_right),
		PANEL_TEST(a_set_that_ended_leaves_its_last_bytes_on_the_screen),
		cmocka_unit_test(the_grid_keeps_control_characters_and_far_places_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
