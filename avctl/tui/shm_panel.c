/* SPDX-License-Identifier: MIT */
/* shm_panel.c - state of the watch panel: what is shown of which bytes.
 * Never writes to the region, and never waits. */
#include "tui/shm_panel.h"

#include <string.h>
#include "tui/shm_field.h"

#define NS_PER_MS 1000000ull
/* Measured with 16 MiB: pieces of this size cost 2.3 ms a sample, all at once 3.5 ms. */
#define PIECE 16384u

static const uint64_t rates_ms[] = {2000, 1000, 500, 200, 100, 50, 33};
#define RATE_COUNT (sizeof(rates_ms) / sizeof(rates_ms[0]))

int shm_panel_init(struct shm_panel *panel, const struct shm_view *view, uint64_t rate_ns)
{
	memset(panel, 0, sizeof(*panel));
	panel->view = view;
	while (panel->rate + 1 < RATE_COUNT && rates_ms[panel->rate] * NS_PER_MS > rate_ns)
		panel->rate++;
	return shm_model_init(&panel->model, view->region->size, SHM_PANEL_HISTORY);
}

void shm_panel_free(struct shm_panel *panel)
{
	shm_model_free(&panel->model);
}

uint64_t shm_panel_interval(const struct shm_panel *panel)
{
	return rates_ms[panel->rate] * NS_PER_MS;
}

void shm_panel_pace(struct shm_panel *panel, int step)
{
	if (step > 0 && panel->rate + 1 < RATE_COUNT)
		panel->rate++;
	if (step < 0 && panel->rate > 0)
		panel->rate--;
}

uint64_t shm_panel_row_bytes(const struct shm_panel *panel)
{
	return panel->layout.bytes_per_row > 0 ? (uint64_t)panel->layout.bytes_per_row : 16;
}

uint64_t shm_panel_page_bytes(const struct shm_panel *panel)
{
	return shm_panel_row_bytes(panel) *
	       (uint64_t)(panel->layout.bytes.height > 0 ? panel->layout.bytes.height : 1);
}

static void sample(struct shm_panel *panel, uint64_t now)
{
	struct shm_model *model = &panel->model;
	uint8_t piece[PIECE];
	size_t at = 0, got;

	shm_model_begin(model, now);
	do {
		size_t want = model->length - at < PIECE ? model->length - at : PIECE;

		got = shm_view_read(panel->view, model->base + at, piece, want);
		shm_model_feed(model, piece, got);
		at += got;
	} while (got && at < model->length);
	if (shm_model_end(model) && panel->follow && !panel->paused)
		panel->cursor = model->last_change_at;
}

/* Scroll so that the cursor is on the screen. */
static void keep_visible(struct shm_panel *panel, uint64_t now)
{
	uint64_t row = shm_panel_row_bytes(panel);
	uint64_t page = shm_panel_page_bytes(panel);
	uint64_t cursor_row, last_top;

	if (panel->view->region->size && panel->cursor >= panel->view->region->size)
		panel->cursor = panel->view->region->size - 1;
	cursor_row = panel->cursor - panel->cursor % row;
	panel->top -= panel->top % row;
	if (cursor_row < panel->top)
		panel->top = cursor_row;
	if (cursor_row >= panel->top + page)
		panel->top = cursor_row - page + row;
	/* No empty rows below while there are bytes above. */
	last_top = (panel->view->region->size + row - 1) / row * row;
	last_top = last_top > page ? last_top - page : 0;
	if (panel->top > last_top)
		panel->top = last_top;
	/* A paused picture of a large region ends here: bytes not seen before must be read. */
	if (shm_model_follow(&panel->model, panel->top, (size_t)page))
		sample(panel, now);
}

void shm_panel_resize(struct shm_panel *panel, int width, int height)
{
	panel->width = width;
	panel->height = height;
	panel->layout = shm_layout(width, height, panel->view->region->field_count);
	if (!panel->layout.too_small)
		keep_visible(panel, panel->paused ? panel->paused_at : panel->model.last_change);
}

void shm_panel_look(struct shm_panel *panel, uint64_t now)
{
	panel->gone = shm_view_gone(panel->view);
	if (panel->gone && panel->model.primed)
		return;
	sample(panel, now);
	if (panel->paused)
		panel->paused_at = now;
	if (!panel->layout.too_small && panel->width)
		keep_visible(panel, now);
}

void shm_panel_sample(struct shm_panel *panel, uint64_t now)
{
	if (panel->paused)
		panel->gone = shm_view_gone(panel->view);
	else
		shm_panel_look(panel, now);
	if (!panel->paused)
		shm_model_tick(&panel->model, now);
}

const struct set_field *shm_panel_field(const struct shm_panel *panel)
{
	const struct set_region *region = panel->view->region;
	const struct set_field *found = NULL;

	for (size_t i = 0; i < region->field_count; i++) {
		const struct set_field *field = &region->fields[i];

		if (shm_field_touches(field, panel->cursor, 1) &&
		    (!found || field->length < found->length))
			found = field;
	}
	return found;
}

size_t shm_panel_first_field(const struct shm_panel *panel)
{
	size_t count = panel->view->region->field_count;
	size_t rows = (size_t)panel->layout.fields.height;

	if (panel->field_top + rows <= count)
		return panel->field_top;
	return count > rows ? count - rows : 0;
}

static void click_byte(struct shm_panel *panel, int x, int y)
{
	int per_row = panel->layout.bytes_per_row;
	uint64_t at = panel->top + (uint64_t)y * (uint64_t)per_row;

	for (int i = 0; i < per_row; i++) {
		int hex = shm_layout_hex_column(i);

		if ((x == hex || x == hex + 1 || x == shm_layout_text_column(per_row, i)) &&
		    at + (uint64_t)i < panel->view->region->size)
			panel->cursor = at + (uint64_t)i;
	}
}

void shm_panel_click(struct shm_panel *panel, int x, int y)
{
	struct shm_rect bytes = panel->layout.bytes, fields = panel->layout.fields;
	size_t field;

	if (panel->help || panel->layout.too_small)
		return;
	if (x >= bytes.x && x < bytes.x + bytes.width && y >= bytes.y &&
	    y < bytes.y + bytes.height) {
		click_byte(panel, x - bytes.x, y - bytes.y);
		return;
	}
	if (x < fields.x || x >= fields.x + fields.width || y < fields.y ||
	    y >= fields.y + fields.height)
		return;
	field = shm_panel_first_field(panel) + (size_t)(y - fields.y);
	if (field < panel->view->region->field_count)
		shm_panel_key(panel, 0, panel->model.now); /* as any key: the message goes */
	if (field < panel->view->region->field_count) {
		panel->cursor = panel->view->region->fields[field].at;
		keep_visible(panel, panel->model.now);
	}
}

static const struct shm_panel_key *find_key(int key)
{
	for (size_t i = 0; i < shm_panel_key_count; i++)
		for (int k = 0; k < 4 && shm_panel_keys[i].keys[k]; k++)
			if (shm_panel_keys[i].keys[k] == key)
				return &shm_panel_keys[i];
	return NULL;
}

enum shm_panel_action shm_panel_key(struct shm_panel *panel, int key, uint64_t now)
{
	enum shm_panel_action action = SHM_PANEL_STAY;
	const struct shm_panel_key *known;

	panel->message[0] = '\0';
	if (panel->help)
		return shm_panel_help_key(panel, key);
	if (!shm_panel_type(panel, key)) {
		known = find_key(key);
		if (known)
			action = known->press(panel, key, now);
	}
	if (!panel->layout.too_small)
		keep_visible(panel, now);
	return action;
}
