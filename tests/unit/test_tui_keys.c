/* SPDX-License-Identifier: MIT */
/* test_tui_keys.c - what the keys of the watch panel do, and that its help says so.
 * Never opens a terminal. */
#include "panel_rig.h"

static void help_is_closed_by_any_key(void **state)
{
	struct bench *b = *state;
	struct grid help = {0};

	shm_panel_key(&b->panel, '?', SECOND);
	assert_true(b->panel.help);
	assert_int_equal(shm_panel_help(&b->panel, &help), 0);
	shm_panel_key(&b->panel, 'x', SECOND);
	assert_false(b->panel.help);
	assert_false(b->panel.hex);
	grid_free(&help);
}

/* All of the help at 60x12, line by line, from top to bottom. */
static void help_can_be_read_to_its_end_on_the_smallest_screen(void **state)
{
	struct bench *b = *state;
	struct grid help = {0};
	bool end = false;

	shm_panel_resize(&b->panel, 60, 12);
	shm_panel_key(&b->panel, '?', SECOND);
	for (size_t i = 0; i < 2 * shm_panel_key_count && !end; i++) {
		assert_int_equal(shm_panel_help(&b->panel, &help), 0);
		assert_true(help.height <= 12);
		for (int y = 0; y < help.height; y++) {
			grid_row(&help, y, b->line);
			end = end || strstr(b->line, "only reads memory");
		}
		shm_panel_key(&b->panel, SCREEN_DOWN, SECOND);
	}
	assert_true(end);
	grid_free(&help);
}

/* Everything on the screen, and what cannot be seen there. */
static void state_of(struct bench *b, char *out, size_t size)
{
	size_t used = (size_t)snprintf(out, size, "%d %d %d %u ", b->panel.help, b->panel.look,
				       b->panel.input, b->panel.rate);

	shm_panel_draw(&b->panel, &b->grid, b->panel.model.now);
	for (int y = 0; y < b->grid.height; y++) {
		grid_row(&b->grid, y, out + used);
		used += (size_t)b->grid.width;
	}
	for (int i = 0; i < b->grid.width * b->grid.height; i++)
		used += (size_t)snprintf(out + used, size - used, "%x", b->grid.cells[i].style);
	snprintf(out + used, size - used, "%d %d", b->grid.cursor_x, b->grid.cursor_y);
}

/* A panel where every key has something to do: in the middle, with a past, with a pattern. */
static void make_busy(struct bench *b)
{
	static unsigned next;

	b->panel.message[0] = '\0';
	for (unsigned i = 2; i < 40; i++) {
		char byte = (char)(++next | 2);

		put(b, &byte, 1, 0x2000 + i);
		shm_panel_sample(&b->panel, i * SECOND);
	}
	shm_panel_key(&b->panel, ' ', 40 * SECOND);
	shm_panel_key(&b->panel, 'm', 40 * SECOND);
	for (int i = 0; i < 5; i++)
		shm_panel_key(&b->panel, '[', 40 * SECOND);
	b->panel.cursor = 0x2010;
	shm_panel_resize(&b->panel, 80, 24);
	b->panel.search[0] = 2;
	b->panel.search_length = 1;
}

static void every_key_of_the_help_does_something_and_no_other_does(void **state)
{
	struct bench *b = *state;
	bool listed[0x80] = {false};
	char *before = malloc(10000), *after = malloc(10000);

	shm_panel_free(&b->panel);
	for (size_t i = 0; i < shm_panel_key_count; i++) {
		const struct shm_panel_key *key = &shm_panel_keys[i];

		assert_true(strlen(key->label) <= 15 && strlen(key->help) <= 41);
		for (int k = 0; k < 4 && key->keys[k]; k++) {
			enum shm_panel_action action;

			if (key->keys[k] < 0x80)
				listed[key->keys[k]] = true;
			assert_int_equal(shm_panel_init(&b->panel, &b->view, SECOND / 10), 0);
			shm_panel_resize(&b->panel, 80, 24);
			shm_panel_sample(&b->panel, SECOND);
			make_busy(b);
			state_of(b, before, 10000);
			action = shm_panel_key(&b->panel, key->keys[k], 41 * SECOND);
			state_of(b, after, 10000);
			if (action == SHM_PANEL_STAY && strcmp(before, after) == 0)
				fail_msg("%s: key %x does nothing", key->label,
					 (unsigned)key->keys[k]);
			shm_panel_free(&b->panel);
		}
	}
	assert_int_equal(shm_panel_init(&b->panel, &b->view, SECOND / 10), 0);
	shm_panel_resize(&b->panel, 80, 24);
	shm_panel_sample(&b->panel, SECOND);
	make_busy(b);
	state_of(b, before, 10000);
	for (int key = 1; key < 0x80; key++) {
		if (listed[key])
			continue;
		assert_int_equal(shm_panel_key(&b->panel, key, 41 * SECOND), SHM_PANEL_STAY);
		state_of(b, after, 10000);
		if (strcmp(before, after) != 0)
			fail_msg("key %x does something that the help does not tell",
				 (unsigned)key);
	}
	free(before);
	free(after);
}

static void one_can_go_back_through_what_changed_and_forward_again(void **state)
{
	struct bench *b = *state;

	put(b, "A", 1, 0);
	shm_panel_sample(&b->panel, 2 * SECOND);
	put(b, "B", 1, 1);
	shm_panel_sample(&b->panel, 3 * SECOND);
	shm_panel_sample(&b->panel, 4 * SECOND); /* nothing: not recorded */
	put(b, "Cc", 2, 0);
	shm_panel_sample(&b->panel, 5 * SECOND);
	shm_panel_key(&b->panel, '[', 6 * SECOND);
	assert_non_null(strstr(row(b, 0, 6 * SECOND), " PAST -1 "));
	assert_non_null(strstr(row(b, 1, 6 * SECOND), "change 2 of 3, 2.0 s before the newest"));
	assert_non_null(strstr(row(b, BYTES, 6 * SECOND), "|ABallo!"));
	/* The change that led here stands out, not the one that has not happened. */
	assert_int_equal(style(b, 14, BYTES), GRID_NOW);
	assert_int_not_equal(style(b, 11, BYTES), GRID_NOW);
	shm_panel_key(&b->panel, '[', 6 * SECOND);
	assert_non_null(strstr(row(b, BYTES, 6 * SECOND), "|Aiallo!"));
	put(b, "Z", 1, 6); /* not seen: frozen */
	shm_panel_sample(&b->panel, 7 * SECOND);
	shm_panel_key(&b->panel, '{', 7 * SECOND);
	assert_non_null(strstr(row(b, BYTES, 7 * SECOND), "|Ciallo!"));
	shm_panel_key(&b->panel, '[', 7 * SECOND);
	assert_non_null(strstr(row(b, STATUS, 7 * SECOND), "the first state"));
	shm_panel_key(&b->panel, '}', 7 * SECOND);
	assert_non_null(strstr(row(b, 0, 7 * SECOND), " PAUSED "));
	assert_non_null(strstr(row(b, BYTES, 7 * SECOND), "|Ccallo!"));
	shm_panel_key(&b->panel, '{', 7 * SECOND);
	shm_panel_key(&b->panel, ' ', 8 * SECOND);
	assert_non_null(strstr(row(b, 0, 8 * SECOND), " LIVE "));
	assert_non_null(strstr(row(b, BYTES, 8 * SECOND), "|CcalloZ"));
}

static void the_mark_shows_what_is_not_as_it_was(void **state)
{
	struct bench *b = *state;

	put(b, "J", 1, 0);
	shm_panel_sample(&b->panel, 2 * SECOND);
	b->panel.wall_ns = 3 * 3600 * SECOND + 62 * SECOND;
	shm_panel_key(&b->panel, 'm', 2 * SECOND);
	assert_non_null(strstr(row(b, 3, 2 * SECOND), "0 B not as at 03:01:02Z"));
	assert_int_not_equal(style(b, 11, BYTES), GRID_NOW);
	put(b, "xy", 2, 1);
	put(b, "x", 1, 0x5000);
	shm_panel_sample(&b->panel, 60 * SECOND);
	assert_non_null(strstr(row(b, 3, 600 * SECOND), "|#....#.........."));
	assert_non_null(strstr(b->line, "3 B not as at 03:01:02Z"));
	row(b, BYTES, 600 * SECOND);
	assert_int_equal(style(b, 14, BYTES), GRID_DIFFER);
	assert_int_not_equal(style(b, 11, BYTES), GRID_DIFFER);
	put(b, "ia", 2, 1); /* as it was */
	shm_panel_sample(&b->panel, 61 * SECOND);
	assert_non_null(strstr(row(b, 3, 600 * SECOND), "1 B not as at"));
	shm_panel_key(&b->panel, 'M', 61 * SECOND);
	assert_null(strstr(row(b, 3, 600 * SECOND), "not as at"));
}

static void the_map_and_the_rate_tell_where_and_how_much_changes(void **state)
{
	struct bench *b = *state;

	put(b, "x", 1, 0x3000);
	shm_panel_sample(&b->panel, 2 * SECOND);
	put(b, "xxxx", 4, 0xf000);
	shm_panel_sample(&b->panel, 9 * SECOND);
	assert_non_null(strstr(row(b, 3, 9 * SECOND), "map   |...-...........#| 4K each"));
	assert_non_null(strstr(row(b, 2, 9 * SECOND), ":      @| most 4 B/s, 2 changes kept"));
	shm_panel_sample(&b->panel, 11 * SECOND);
	assert_non_null(strstr(row(b, 2, 11 * SECOND), ":      @  | most"));
	assert_non_null(strstr(row(b, 3, 11 * SECOND), "|...-...........+|"));
}

static void a_click_moves_the_cursor_to_a_byte_or_a_field(void **state)
{
	struct bench *b = *state;

	shm_panel_click(&b->panel, shm_layout_hex_column(3), BYTES + 1);
	assert_int_equal(b->panel.cursor, 0x13);
	shm_panel_click(&b->panel, shm_layout_text_column(16, 15), BYTES);
	assert_int_equal(b->panel.cursor, 15);
	shm_panel_click(&b->panel, 20, 21); /* head */
	assert_int_equal(b->panel.cursor, 0x100);
	shm_panel_click(&b->panel, 0, 0);
	shm_panel_click(&b->panel, 79, 23);
	shm_panel_click(&b->panel, -1, 99);
	assert_int_equal(b->panel.cursor, 0x100);
}

static void the_field_at_the_cursor_and_its_bytes_light_up(void **state)
{
	struct bench *b = *state;

	shm_panel_key(&b->panel, '\t', SECOND); /* from message to head */
	assert_int_equal(b->panel.cursor, 0x100);
	assert_non_null(strstr(row(b, 21, SECOND), ">+0100 head"));
	assert_non_null(strstr(row(b, STATUS, SECOND), "@0x0100 head"));
	for (int x = 0; x < 4; x++)
		assert_int_equal(style(b, shm_layout_hex_column(x), b->grid.cursor_y), GRID_LINK);
	assert_int_equal(style(b, shm_layout_hex_column(4), b->grid.cursor_y), GRID_PLAIN);
	shm_panel_key(&b->panel, SCREEN_BACK_TAB, SECOND);
	assert_int_equal(b->panel.cursor, 0);
}

static void following_goes_where_the_last_change_was(void **state)
{
	struct bench *b = *state;

	shm_panel_key(&b->panel, 'f', SECOND);
	put(b, "x", 1, 0x8765);
	shm_panel_sample(&b->panel, 2 * SECOND);
	assert_int_equal(b->panel.cursor, 0x8765);
	assert_true(b->panel.top <= 0x8765);
	shm_panel_key(&b->panel, 'f', SECOND);
	put(b, "y", 1, 0);
	shm_panel_sample(&b->panel, 3 * SECOND);
	assert_int_equal(b->panel.cursor, 0x8765);
}

static void the_bytes_are_written_to_a_new_file_only(void **state)
{
	struct bench *b = *state;
	char path[64], text[100];
	struct stat info;

	snprintf(path, sizeof(path), "%s.out", b->path);
	shm_panel_save(&b->panel, path);
	assert_non_null(strstr(b->panel.message, "65536 bytes from 0x0 on are in"));
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_size, 65536);
	snprintf(text, sizeof(text), "w%s\n", path);
	for (const char *key = text; *key; key++)
		shm_panel_key(&b->panel, *key, SECOND);
	assert_non_null(strstr(row(b, STATUS, SECOND), "File exists"));
	unlink(path);
}

static void the_list_moves_sorts_and_opens(void **state)
{
	struct bench *b = *state;
	struct set_region regions[3] = {region, region, region};
	struct shm_view views[3] = {b->view, b->view, b->view};
	struct shm_chooser chooser;

	for (int i = 0; i < 3; i++)
		views[i].region = &regions[i];
	regions[0].name = (char *)"zebra";
	regions[1].size = 4096;
	regions[2].name = (char *)"ant";
	assert_int_equal(shm_chooser_init(&chooser, views, 3), 0);
	assert_int_equal(shm_chooser_key(&chooser, SCREEN_UP), SHM_CHOOSER_STAY);
	assert_int_equal(chooser.chosen, 0);
	shm_chooser_key(&chooser, 'j');
	shm_chooser_key(&chooser, 'j');
	shm_chooser_key(&chooser, 'j');
	assert_int_equal(chooser.chosen, 2);
	shm_chooser_key(&chooser, 's'); /* ant, board, zebra */
	assert_int_equal(chooser.chosen, 0);
	assert_int_equal(shm_chooser_view(&chooser), 2);
	shm_chooser_sample(&chooser, SECOND);
	put(b, "xyz", 3, 0x1000); /* not in the small one */
	shm_chooser_sample(&chooser, SECOND + SECOND / 2);
	shm_chooser_key(&chooser, 's'); /* by changes */
	assert_int_equal(chooser.order[2], 1);
	assert_int_equal(grid_resize(&b->grid, 100, 10), 0);
	shm_chooser_draw(&chooser, &b->grid);
	grid_row(&b->grid, 2, b->line);
	assert_non_null(strstr(b->line, "         3    0.0 s vm2      vm1 ro  vm2 rw"));
	grid_row(&b->grid, 4, b->line);
	assert_non_null(strstr(b->line, "         0        - vm2 "));
	for (int h = 1; h < 6; h++) {
		assert_int_equal(grid_resize(&b->grid, 40, h), 0);
		shm_chooser_draw(&chooser, &b->grid);
	}
	assert_int_equal(shm_chooser_key(&chooser, '\n'), SHM_CHOOSER_OPEN);
	assert_int_equal(shm_chooser_key(&chooser, 'q'), SHM_CHOOSER_QUIT);
	shm_chooser_free(&chooser);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PANEL_TEST(help_is_closed_by_any_key),
		PANEL_TEST(help_can_be_read_to_its_end_on_the_smallest_screen),
		PANEL_TEST(every_key_of_the_help_does_something_and_no_other_does),
		PANEL_TEST(one_can_go_back_through_what_changed_and_forward_again),
		PANEL_TEST(the_mark_shows_what_is_not_as_it_was),
		PANEL_TEST(the_map_and_the_rate_tell_where_and_how_much_changes),
		PANEL_TEST(a_click_moves_the_cursor_to_a_byte_or_a_field),
		PANEL_TEST(the_field_at_the_cursor_and_its_bytes_light_up),
		PANEL_TEST(following_goes_where_the_last_change_was),
		PANEL_TEST(the_bytes_are_written_to_a_new_file_only),
		PANEL_TEST(the_list_moves_sorts_and_opens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
