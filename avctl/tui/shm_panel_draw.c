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

/* "64K", "+0x..." for odd ones. */
static void short_size(char *out, size_t size, uint64_t bytes)
{
	if (bytes && bytes % (1u << 20) == 0)
		snprintf(out, size, "%" PRIu64 "M", bytes >> 20);
	else if (bytes && bytes % 1024 == 0)
		snprintf(out, size, "%" PRIu64 "K", bytes >> 10);
	else
		snprintf(out, size, "%" PRIu64, bytes);
}

static void draw_title(const struct shm_panel *panel, struct grid *grid)
{
	const struct set_region *region = panel->view->region;
	struct shm_rect at = panel->layout.title;
	uint64_t ms = shm_panel_interval(panel) / 1000000ull;
	const char *state = panel->gone ? " ENDED " : panel->paused ? " PAUSED " : " LIVE ";
	char line[LINE_MAX_TEXT], size[32], rate[32];
	int x;

	short_size(size, sizeof(size), region->size);
	snprintf(line, sizeof(line), " avctl shm watch  %s  0x%08" PRIx64 " +%s", region->name,
		 region->address, size);
	if (ms >= 1000)
		snprintf(rate, sizeof(rate), "every %" PRIu64 " s  ? help ", ms / 1000);
	else
		snprintf(rate, sizeof(rate), "%" PRIu64 " Hz  ? help ", 1000 / ms);
	x = at.width - (int)strlen(rate) - (int)strlen(state) - 1;
	if ((int)strlen(line) > x)
		snprintf(line, sizeof(line), " %s  0x%08" PRIx64 " +%s", region->name,
			 region->address, size);
	grid_text(grid, 0, at.y, x, GRID_TITLE, line);
	text_in(grid, at, x, 0, panel->gone || panel->paused ? GRID_ALERT : GRID_TITLE, state);
	text_in(grid, at, x + (int)strlen(state) + 1, 0, GRID_PLAIN, rate);
}

static void draw_members(const struct shm_panel *panel, struct grid *grid, uint64_t now)
{
	const struct shm_model *model = &panel->model;
	char members[LINE_MAX_TEXT], line[128];
	int width = panel->layout.members.width;
	int room;

	if (model->last_change && now >= model->last_change)
		snprintf(line, sizeof(line),
			 ">= %" PRIu64 " B/s  last change %.1f s ago at 0x%" PRIx64 " ",
			 shm_model_rate(model, now), (double)(now - model->last_change) / 1e9,
			 model->last_change_at);
	else
		snprintf(line, sizeof(line), "no change seen yet ");
	room = width - (int)strlen(line) - 2;
	shm_text_members(panel->view->set, panel->view->region, members, sizeof(members));
	grid_text(grid, 1, panel->layout.members.y, room, GRID_PLAIN, members);
	if ((int)strlen(members) > room && room > 3)
		grid_text(grid, room - 2, panel->layout.members.y, 3, GRID_PLAIN, "...");
	text_in(grid, panel->layout.members, width - (int)strlen(line), 0, GRID_PLAIN, line);
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

static void draw_row(const struct shm_panel *panel, struct grid *grid, int y, uint64_t now)
{
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
		enum shm_age age = shm_model_age(&panel->model, where, byte >= 0, now);

		if (byte >= 0)
			snprintf(text, sizeof(text), "%02x", (unsigned)byte);
		else
			snprintf(text, sizeof(text), "%s", byte == -1 ? "??" : "  ");
		text_in(grid, at, shm_layout_hex_column(i), y, age_style[age], text);
		text[0] = byte >= 0x20 && byte < 0x7f ? (char)byte
			  : byte >= 0                 ? '.'
			  : byte == -1                ? '?'
						      : ' ';
		text[1] = '\0';
		text_in(grid, at, shm_layout_text_column(per_row, i), y, age_style[age], text);
		mark[0] = panel->brackets ? bracket(before, age) : ' ';
		if (mark[0] != ' ')
			text_in(grid, at, shm_layout_hex_column(i) - 1, y, GRID_PLAIN, mark);
		before = age;
	}
	mark[0] = panel->brackets ? bracket(before, SHM_AGE_OLD) : ' ';
	if (mark[0] != ' ')
		text_in(grid, at, shm_layout_hex_column(per_row - 1) + 2, y, GRID_PLAIN, mark);
}

static void draw_field(const struct shm_panel *panel, struct grid *grid, int y, size_t index,
		       uint64_t now)
{
	const struct set_field *field = &panel->view->region->fields[index];
	const uint8_t *bytes = shm_model_span(&panel->model, field->at, field->length);
	struct shm_rect at = panel->layout.fields;
	enum shm_age age = shm_model_age(&panel->model, field->at, field->length, now);
	char line[LINE_MAX_TEXT], value[LINE_MAX_TEXT];
	int room;

	snprintf(line, sizeof(line), "%c+%04" PRIx64 " %-16.32s %-6s ",
		 shm_field_touches(field, panel->cursor, 1) ? '>' : ' ', field->at, field->name,
		 shm_field_type_name(field->type));
	text_in(grid, at, 0, y, GRID_PLAIN, line);
	room = at.width - (int)strlen(line) - 1;
	if (room < 16)
		room = 16;
	if (bytes)
		shm_field_text(field, bytes, value,
			       (size_t)room < sizeof(value) ? (size_t)room : sizeof(value));
	else
		snprintf(value, sizeof(value), "-"); /* outside the part that is followed */
	text_in(grid, at, (int)strlen(line), y, age_style[age], value);
	if (panel->brackets && age != SHM_AGE_OLD)
		text_in(grid, at, (int)strlen(line) + (int)strlen(value) + 1, y, GRID_PLAIN,
			age == SHM_AGE_NOW ? "[*]" : "(*)");
}

static void draw_fields(const struct shm_panel *panel, struct grid *grid, uint64_t now)
{
	const struct set_region *region = panel->view->region;
	struct shm_rect rule = panel->layout.rule;
	size_t rows = (size_t)panel->layout.fields.height;
	size_t top = panel->field_top;
	char line[64];

	if (region->field_count == 0)
		return;
	if (top + rows > region->field_count)
		top = region->field_count > rows ? region->field_count - rows : 0;
	if (panel->layout.side) {
		for (int y = 0; y < rule.height; y++)
			grid_fill(grid, rule.x, rule.y + y, 1, GRID_DIM, GRID_RULE_V);
	} else {
		grid_fill(grid, rule.x, rule.y, rule.width, GRID_DIM, GRID_RULE_H);
		if (rows < region->field_count)
			snprintf(line, sizeof(line), " fields %zu-%zu of %zu ", top + 1, top + rows,
				 region->field_count);
		else
			snprintf(line, sizeof(line), " fields ");
		grid_text(grid, rule.x + 2, rule.y, rule.width - 2, GRID_DIM, line);
	}
	for (size_t i = 0; i < rows && top + i < region->field_count; i++)
		draw_field(panel, grid, (int)i, top + i, now);
}

/* The bytes at the cursor as numbers of each width. */
static void cursor_values(const struct shm_panel *panel, char *line, size_t size)
{
	static const enum set_field_type types[] = {SET_FIELD_U8,  SET_FIELD_I8,  SET_FIELD_U16,
						    SET_FIELD_U32, SET_FIELD_I32, SET_FIELD_U64,
						    SET_FIELD_F32};
	static const uint64_t lengths[] = {1, 1, 2, 4, 4, 8, 4};
	size_t used = (size_t)snprintf(line, size, " @0x%04" PRIx64, panel->cursor);

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct set_field field = {
			.at = panel->cursor, .length = lengths[i], .type = types[i]};
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
			 panel->input == SHM_INPUT_GOTO ? "go to (offset, +N, address, field):"
							: "look for (text, or =hex bytes):",
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
	draw_title(panel, grid);
	draw_members(panel, grid, now);
	draw_header(panel, grid);
	for (int y = 0; y < layout->bytes.height; y++)
		draw_row(panel, grid, y, now);
	draw_fields(panel, grid, now);
	in_page = panel->cursor - panel->top;
	if (panel->cursor >= panel->top &&
	    in_page / (uint64_t)layout->bytes_per_row < (uint64_t)layout->bytes.height) {
		grid->cursor_y = layout->bytes.y + (int)(in_page / (uint64_t)layout->bytes_per_row);
		grid->cursor_x =
			shm_layout_hex_column((int)(in_page % (uint64_t)layout->bytes_per_row));
	}
	draw_status(panel, grid);
}

int shm_panel_help(const struct shm_panel *panel, struct grid *grid)
{
	static const char *const lines[] = {
		"arrows, h j k l   move       PgUp PgDn  page",
		"Home End          start, end   Tab      next field",
		"g  go to: 0x10, +16, -16, an address, a field's name",
		"/  search: text, or =48 65 in hex        n  again",
		"Space  pause      + -  faster, slower",
		"Esc  back         q  quit",
		"",
		"changed: reverse < 0.25 s, bold < 1 s, underlined < 5 s",
		"this panel only reads; any key closes this help",
	};
	int count = (int)(sizeof(lines) / sizeof(lines[0]));
	int width = 60;

	if (panel->width < width || panel->height < count + 2 ||
	    grid_resize(grid, width, count + 2) != 0)
		return -1;
	for (int y = 0; y < grid->height; y++) {
		bool edge = y == 0 || y == grid->height - 1;

		grid_fill(grid, 0, y, edge ? width : 1, GRID_DIM, edge ? GRID_RULE_H : GRID_RULE_V);
		grid_fill(grid, width - 1, y, 1, GRID_DIM, edge ? GRID_RULE_H : GRID_RULE_V);
	}
	grid_text(grid, 2, 0, width, GRID_TITLE, " keys ");
	for (int i = 0; i < count; i++)
		grid_text(grid, 2, i + 1, width - 3, GRID_PLAIN, lines[i]);
	return 0;
}
