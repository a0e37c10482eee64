/* SPDX-License-Identifier: MIT */
/* shm_panel_fields.c - the typed values of a region, beside or below its bytes.
 * Reads the panel's copy only; guest bytes go through shm_field.c. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "tui/shm_field.h"
#include "tui/shm_panel.h"

#define LINE_MAX_TEXT 512

static const enum grid_style age_style[] = {
	[SHM_AGE_OLD] = GRID_PLAIN,
	[SHM_AGE_FADING] = GRID_FADING,
	[SHM_AGE_RECENT] = GRID_RECENT,
	[SHM_AGE_NOW] = GRID_NOW,
};

/* How the value of a field stands out. */
static enum grid_style field_style(const struct shm_panel *panel, const struct set_field *field,
				   uint64_t now)
{
	if (panel->stress == SHM_STRESS_AGE)
		return age_style[shm_model_age(&panel->model, field->at, field->length, now)];
	for (uint64_t i = 0; panel->stress == SHM_STRESS_MARK && i < field->length; i++)
		if (shm_model_differs(&panel->model, field->at + i))
			return GRID_DIFFER;
	return GRID_PLAIN;
}

/* The columns that names and types take: as many as they need, as far as there is room. */
static void columns_of(const struct shm_panel *panel, int *name, int *type)
{
	const struct set_region *region = panel->view->region;
	int name_most = panel->layout.side ? 18 : 24, type_most = 10;
	char text[64];

	*name = *type = 4;
	for (size_t i = 0; i < region->field_count && i < 256; i++) {
		int length = (int)strlen(region->fields[i].name);

		*name = length > *name ? length : *name;
		shm_field_type_text(&region->fields[i], text, sizeof(text));
		length = (int)strlen(text);
		*type = length > *type ? length : *type;
	}
	*name = *name > name_most ? name_most : *name;
	*type = *type > type_most ? type_most : *type;
}

static void draw_field(const struct shm_panel *panel, struct grid *grid, int y, size_t index,
		       uint64_t now)
{
	const struct set_field *field = &panel->view->region->fields[index];
	const uint8_t *bytes = shm_model_span(&panel->model, field->at, field->length);
	struct shm_rect at = panel->layout.fields;
	enum grid_style style = field_style(panel, field, now);
	bool here = field == shm_panel_field(panel);
	char line[LINE_MAX_TEXT], value[LINE_MAX_TEXT], type[64];
	int name_width, type_width, room;

	columns_of(panel, &name_width, &type_width);
	shm_field_type_text(field, type, sizeof(type));
	snprintf(line, sizeof(line), "%c+%04" PRIx64 " %-*.*s %-*.*s ",
		 shm_field_touches(field, panel->cursor, 1) ? '>' : ' ', field->at, name_width,
		 name_width, field->name, type_width, type_width, type);
	grid_text(grid, at.x, at.y + y, at.width, here ? GRID_TITLE : GRID_PLAIN, line);
	room = at.width - (int)strlen(line) - 1;
	if (room < 16)
		room = 16;
	if (bytes)
		shm_field_text(field, bytes, value,
			       (size_t)room < sizeof(value) ? (size_t)room : sizeof(value));
	else
		snprintf(value, sizeof(value), "-"); /* outside the part that is followed */
	room = at.width - (int)strlen(line);
	grid_text(grid, at.x + (int)strlen(line), at.y + y, room, style, value);
	if (panel->brackets && style != GRID_PLAIN)
		grid_text(grid, at.x + (int)strlen(line) + (int)strlen(value) + 1, at.y + y,
			  room - (int)strlen(value) - 1, GRID_PLAIN,
			  style == GRID_NOW || style == GRID_DIFFER ? "[*]" : "(*)");
}

void shm_panel_draw_fields(const struct shm_panel *panel, struct grid *grid, uint64_t now)
{
	const struct set_region *region = panel->view->region;
	struct shm_rect rule = panel->layout.rule;
	size_t rows = (size_t)panel->layout.fields.height;
	size_t top = shm_panel_first_field(panel);
	char line[64];

	if (region->field_count == 0)
		return;
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
