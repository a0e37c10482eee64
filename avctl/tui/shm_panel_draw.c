/* SPDX-License-Identifier: MIT */
/* shm_panel_draw.c - draws the watch panel into a grid.
 * Reads the panel's state only; guest bytes go through shm_field.c or become a dot. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "tui/shm_field.h"
#include "tui/shm_panel.h"
#include "tui/shm_text.h"

#define LINE_MAX_TEXT 512

static const enum grid_style age_style[] = {
	[SHM_AGE_OLD] = GRID_PLAIN,
	[SHM_AGE_FADING] = GRID_FADING,
	[SHM_AGE_RECENT] = GRID_RECENT,
	[SHM_AGE_NOW] = GRID_NOW,
};

static void text_in(struct grid *grid, struct shm_rect where, int x, int y, enum grid_style style,
		    const char *text)
{
	if (y < where.height)
		grid_text(grid, where.x + x, where.y + y, where.width - x, style, text);
}

static void draw_header(const struct shm_panel *panel, struct grid *grid)
{
	int per_row = panel->layout.bytes_per_row;
	char digits[16];

	text_in(grid, panel->layout.header, 1, 0, GRID_DIM, "offset");
	for (int i = 0; i < per_row; i++) {
		snprintf(digits, sizeof(digits), "%2x", (unsigned)i);
		text_in(grid, panel->layout.header, shm_layout_hex_column(i), 0, GRID_DIM, digits);
		snprintf(digits, sizeof(digits), "%x", (unsigned)i % 16);
		text_in(grid, panel->layout.header, shm_layout_text_column(per_row, i), 0, GRID_DIM,
			digits);
	}
}

/* What stands between two bytes with brackets on: the end of one mark or the start of the next. */
static char bracket(enum shm_age left, enum shm_age right)
{
	static const char open[] = {' ', '(', '(', '['}, close[] = {' ', ')', ')', ']'};

	if (close[left] == close[right])
		return ' ';
	return left != SHM_AGE_OLD ? close[left] : open[right];
}

/* How a known byte stands out, as an age; differences from the mark look as new changes. */
static enum shm_age stress_of(const struct shm_panel *panel, uint64_t where, uint64_t now)
{
	switch (panel->stress) {
	case SHM_STRESS_AGE:
		return shm_model_age(&panel->model, where, 1, now);
	case SHM_STRESS_MARK:
		return shm_model_differs(&panel->model, where) ? SHM_AGE_NOW : SHM_AGE_OLD;
	case SHM_STRESS_NONE:
		break;
	}
	return SHM_AGE_OLD;
}

static enum grid_style byte_style(const struct shm_panel *panel, const struct set_field *field,
				  uint64_t where, int byte, enum shm_age age)
{
	if (age == SHM_AGE_NOW && panel->stress == SHM_STRESS_MARK)
		return GRID_DIFFER;
	if (age != SHM_AGE_OLD)
		return age_style[age];
	if (field && shm_field_touches(field, where, 1))
		return GRID_LINK;
	return byte == 0 && panel->faint_zeros ? GRID_FAINT : GRID_PLAIN;
}

static void draw_row(const struct shm_panel *panel, struct grid *grid, int y, uint64_t now)
{
	const struct set_field *field = shm_panel_field(panel);
	struct shm_rect at = panel->layout.bytes;
	int per_row = panel->layout.bytes_per_row;
	uint64_t offset = panel->top + (uint64_t)y * (uint64_t)per_row;
	enum shm_age before = SHM_AGE_OLD;
	char text[32], mark[2] = "";

	if (offset >= panel->view->region->size)
		return;
	snprintf(text, sizeof(text), "%08" PRIx64, offset);
	text_in(grid, at, 1, y, GRID_DIM, text);
	text_in(grid, at, shm_layout_text_column(per_row, 0) - 1, y, GRID_DIM, "|");
	text_in(grid, at, shm_layout_text_column(per_row, per_row), y, GRID_DIM, "|");
	for (int i = 0; i < per_row; i++) {
		uint64_t where = offset + (uint64_t)i;
		int byte = where < panel->view->region->size ? shm_model_byte(&panel->model, where)
							     : -2;
		enum shm_age age = byte >= 0 ? stress_of(panel, where, now) : SHM_AGE_OLD;
		enum grid_style style =
			byte >= 0 ? byte_style(panel, field, where, byte, age) : GRID_PLAIN;

		snprintf(text, sizeof(text),
			 byte >= 0    ? "%02x"
			 : byte == -1 ? "??"
				      : "  ",
			 (unsigned)byte);
		text_in(grid, at, shm_layout_hex_column(i), y, style, text);
		text[0] = byte >= 0x20 && byte < 0x7f ? (char)byte
			  : byte >= 0                 ? '.'
			  : byte == -1                ? '?'
						      : ' ';
		text[1] = '\0';
		text_in(grid, at, shm_layout_text_column(per_row, i), y, style, text);
		mark[0] = panel->brackets ? bracket(before, age) : ' ';
		if (mark[0] != ' ')
			text_in(grid, at, shm_layout_hex_column(i) - 1, y, GRID_PLAIN, mark);
		before = age;
	}
	mark[0] = panel->brackets ? bracket(before, SHM_AGE_OLD) : ' ';
	if (mark[0] != ' ')
		text_in(grid, at, shm_layout_hex_column(per_row - 1) + 2, y, GRID_PLAIN, mark);
}

/* The bytes at the cursor as numbers of each width. */
static void cursor_values(const struct shm_panel *panel, char *line, size_t size)
{
	static const enum set_field_type types[] = {SET_FIELD_U8,  SET_FIELD_I8,  SET_FIELD_U16,
						    SET_FIELD_U32, SET_FIELD_I32, SET_FIELD_U64,
						    SET_FIELD_F32};
	static const uint64_t lengths[] = {1, 1, 2, 4, 4, 8, 4};
	const struct set_field *here = shm_panel_field(panel);
	size_t used = (size_t)snprintf(line, size, " @0x%04" PRIx64 "%s%.31s%s", panel->cursor,
				       here ? " " : "", here ? here->name : "",
				       panel->big_endian ? " (big-endian)" : "");

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct set_field field = {.at = panel->cursor,
					  .length = lengths[i],
					  .type = types[i],
					  .big_endian = panel->big_endian,
					  .hex = panel->hex};
		const uint8_t *bytes = shm_model_span(&panel->model, field.at, field.length);
		char value[64];
		const char *type = shm_field_type_name(types[i]);

		if (!bytes)
			continue;
		shm_field_text(&field, bytes, value, sizeof(value));
		/* Half a number would be a wrong number. */
		if (used + strlen(type) + strlen(value) + 3 > size)
			continue;
		used += (size_t)snprintf(line + used, size - used, "  %s %s", type, value);
	}
}

static void draw_status(const struct shm_panel *panel, struct grid *grid)
{
	struct shm_rect at = panel->layout.status;
	char line[LINE_MAX_TEXT];

	if (panel->input != SHM_INPUT_NONE) {
		snprintf(line, sizeof(line), " %s %s",
			 panel->input == SHM_INPUT_GOTO     ? "go to (offset, +N, address, field):"
			 : panel->input == SHM_INPUT_SEARCH ? "look for (text, =hex, u32:number):"
							    : "write to the new file:",
			 panel->text);
		text_in(grid, at, 0, 0, GRID_TITLE, line);
		grid->cursor_x = (int)strlen(line) < at.width ? (int)strlen(line) : at.width - 1;
		grid->cursor_y = at.y;
		return;
	}
	if (panel->message[0])
		snprintf(line, sizeof(line), " %s", panel->message);
	else if (panel->gone)
		snprintf(line, sizeof(line),
			 " the set has ended: these are its last bytes (q quits)");
	else
		cursor_values(panel, line,
			      (size_t)at.width < sizeof(line) ? (size_t)at.width + 1
							      : sizeof(line));
	text_in(grid, at, 0, 0, GRID_PLAIN, line);
}

void shm_panel_draw(const struct shm_panel *panel, struct grid *grid, uint64_t now)
{
	const struct shm_layout *layout = &panel->layout;
	uint64_t in_page;

	grid_clear(grid);
	if (layout->too_small) {
		char line[96];

		snprintf(line, sizeof(line), "%dx%d is too small: %dx%d needed (q quits)",
			 panel->width, panel->height, SHM_LAYOUT_MIN_WIDTH, SHM_LAYOUT_MIN_HEIGHT);
		text_in(grid, layout->title, 0, 0, GRID_PLAIN, line);
		return;
	}
	if (panel->paused)
		now = panel->paused_at; /* nothing fades in a still picture */
	now = shm_model_shown_time(&panel->model, now);
	shm_panel_draw_head(panel, grid, now);
	draw_header(panel, grid);
	for (int y = 0; y < layout->bytes.height; y++)
		draw_row(panel, grid, y, now);
	shm_panel_draw_fields(panel, grid, now);
	in_page = panel->cursor - panel->top;
	if (panel->cursor >= panel->top &&
	    in_page / (uint64_t)layout->bytes_per_row < (uint64_t)layout->bytes.height) {
		grid->cursor_y = layout->bytes.y + (int)(in_page / (uint64_t)layout->bytes_per_row);
		grid->cursor_x =
			shm_layout_hex_column((int)(in_page % (uint64_t)layout->bytes_per_row));
	}
	draw_status(panel, grid);
	text_in(grid, layout->keys, 0, 0, GRID_DIM,
		" q end  ? keys  / search  g go to  Space freeze  [ ] past  m mark  Tab field");
}
