/* SPDX-License-Identifier: MIT */
/* shm_panel.c - state and keys of the watch panel.
 * Never writes to the region, and never waits. */
#include "tui/shm_panel.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tui/screen.h"

#define NS_PER_MS 1000000ull
#define SEARCH_CHUNK 65536u

static const uint64_t rates_ms[] = {2000, 1000, 500, 200, 100, 50, 33};
#define RATE_COUNT (sizeof(rates_ms) / sizeof(rates_ms[0]))

int shm_panel_init(struct shm_panel *panel, const struct shm_view *view, uint64_t rate_ns)
{
	memset(panel, 0, sizeof(*panel));
	panel->view = view;
	while (panel->rate + 1 < RATE_COUNT && rates_ms[panel->rate] * NS_PER_MS > rate_ns)
		panel->rate++;
	return shm_model_init(&panel->model, view->region->size);
}

void shm_panel_free(struct shm_panel *panel)
{
	shm_model_free(&panel->model);
}

uint64_t shm_panel_interval(const struct shm_panel *panel)
{
	return rates_ms[panel->rate] * NS_PER_MS;
}

static uint64_t row_bytes(const struct shm_panel *panel)
{
	return panel->layout.bytes_per_row > 0 ? (uint64_t)panel->layout.bytes_per_row : 16;
}

static uint64_t page_bytes(const struct shm_panel *panel)
{
	return row_bytes(panel) *
	       (uint64_t)(panel->layout.bytes.height > 0 ? panel->layout.bytes.height : 1);
}

static void sample(struct shm_panel *panel, uint64_t now)
{
	struct shm_model *model = &panel->model;
	size_t valid = shm_view_read(panel->view, model->base, model->next, model->length);

	shm_model_update(model, valid, now);
}

/* Scroll so that the cursor is on the screen, and its field too. */
static void keep_visible(struct shm_panel *panel, uint64_t now)
{
	uint64_t row = row_bytes(panel);
	uint64_t page = page_bytes(panel);
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

void shm_panel_sample(struct shm_panel *panel, uint64_t now)
{
	panel->gone = shm_view_gone(panel->view);
	if (!panel->paused && !(panel->gone && panel->model.primed))
		sample(panel, now);
}

static bool number_after(const char *text, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*value = strtoull(text, &end, 0);
	return !errno && !*end;
}

bool shm_panel_goto(const struct shm_panel *panel, const char *text, uint64_t *at)
{
	const struct set_region *region = panel->view->region;
	uint64_t value;

	for (size_t i = 0; i < region->field_count; i++) {
		if (strcmp(region->fields[i].name, text) == 0) {
			*at = region->fields[i].at;
			return true;
		}
	}
	if (text[0] == '+' && number_after(text + 1, &value) &&
	    value < region->size - panel->cursor)
		value += panel->cursor;
	else if (text[0] == '-' && number_after(text + 1, &value) && value <= panel->cursor)
		value = panel->cursor - value;
	else if (!number_after(text, &value))
		return false;
	if (value >= region->size && value >= region->address)
		value -= region->address;
	if (value >= region->size)
		return false;
	*at = value;
	return true;
}

size_t shm_panel_pattern(const char *text, uint8_t pattern[SHM_SEARCH_MAX])
{
	size_t length = 0;

	if (text[0] != '=') {
		length = strnlen(text, SHM_SEARCH_MAX);
		memcpy(pattern, text, length);
		return length;
	}
	for (text++; *text && length < SHM_SEARCH_MAX;) {
		char pair[3] = {text[0], text[0] ? text[1] : '\0', '\0'};

		if (*text == ' ') {
			text++;
			continue;
		}
		if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
			return 0;
		pattern[length++] = (uint8_t)strtoul(pair, NULL, 16);
		text += 2;
	}
	return length;
}

/* The first place in [from, to) where the pattern starts; false when there is none. */
static bool find(struct shm_panel *panel, uint64_t from, uint64_t to, uint64_t *at)
{
	uint8_t *chunk = malloc(SEARCH_CHUNK);
	bool found = false;

	while (chunk && from < to && !found) {
		size_t got = shm_view_read(panel->view, from, chunk, SEARCH_CHUNK);
		const uint8_t *hit;

		if (got < panel->search_length)
			break;
		hit = memmem(chunk, got, panel->search, panel->search_length);
		if (hit && from + (uint64_t)(hit - chunk) < to) {
			*at = from + (uint64_t)(hit - chunk);
			found = true;
		}
		from += got - panel->search_length + 1;
	}
	free(chunk);
	return found;
}

static void search_next(struct shm_panel *panel)
{
	uint64_t at = 0;

	if (panel->search_length == 0) {
		snprintf(panel->message, sizeof(panel->message),
			 "nothing to look for yet: / starts a search");
	} else if (find(panel, panel->cursor + 1, panel->view->region->size, &at)) {
		panel->cursor = at;
	} else if (find(panel, 0, panel->cursor + 1, &at)) {
		panel->cursor = at;
		snprintf(panel->message, sizeof(panel->message), "went on from the start");
	} else {
		snprintf(panel->message, sizeof(panel->message), "not found");
	}
}

static void finish_input(struct shm_panel *panel)
{
	uint64_t at;

	if (panel->input == SHM_INPUT_GOTO) {
		if (shm_panel_goto(panel, panel->text, &at))
			panel->cursor = at;
		else
			snprintf(panel->message, sizeof(panel->message),
				 "not in this region: %.40s (see ? for what g takes)", panel->text);
	} else {
		if (panel->text[0])
			panel->search_length = shm_panel_pattern(panel->text, panel->search);
		search_next(panel);
	}
	panel->input = SHM_INPUT_NONE;
}

static void input_key(struct shm_panel *panel, int key)
{
	size_t length = strlen(panel->text);

	if (key == '\n') {
		finish_input(panel);
	} else if (key == 0x1b) {
		panel->input = SHM_INPUT_NONE;
	} else if (key == SCREEN_BACKSPACE) {
		if (length)
			panel->text[length - 1] = '\0';
		else
			panel->input = SHM_INPUT_NONE;
	} else if (key >= 0x20 && key < 0x7f && length + 1 < sizeof(panel->text)) {
		panel->text[length] = (char)key;
		panel->text[length + 1] = '\0';
	}
}

static void move_cursor(struct shm_panel *panel, int64_t by)
{
	uint64_t size = panel->view->region->size;
	uint64_t distance = by < 0 ? (uint64_t)-by : (uint64_t)by;

	if (by < 0)
		panel->cursor -= distance < panel->cursor ? distance : panel->cursor;
	else if (size)
		panel->cursor =
			distance < size - 1 - panel->cursor ? panel->cursor + distance : size - 1;
}

/* To the field after the one that the cursor is on, in the order of the YAML. */
static void next_field(struct shm_panel *panel)
{
	const struct set_region *region = panel->view->region;
	size_t next = 0;

	if (!region->field_count)
		return;
	for (size_t i = 0; i < region->field_count; i++) {
		if (panel->cursor == region->fields[i].at)
			next = (i + 1) % region->field_count;
	}
	panel->cursor = region->fields[next].at;
	panel->field_top = next;
}

static void toggle_pause(struct shm_panel *panel, uint64_t now)
{
	panel->paused = !panel->paused;
	panel->paused_at = now;
	if (!panel->paused && !panel->gone)
		sample(panel, now); /* what changed meanwhile stands out now */
}

static bool movement_key(struct shm_panel *panel, int key)
{
	int64_t row = (int64_t)row_bytes(panel);
	int64_t page = (int64_t)page_bytes(panel);

	switch (key) {
	case SCREEN_UP:
	case 'k':
		/* Up from the first row stays in its column. */
		if (panel->cursor >= (uint64_t)row)
			move_cursor(panel, -row);
		return true;
	case SCREEN_DOWN:
	case 'j':
		if (panel->cursor + (uint64_t)row < panel->view->region->size)
			move_cursor(panel, row);
		return true;
	case SCREEN_LEFT:
	case 'h':
		move_cursor(panel, -1);
		return true;
	case SCREEN_RIGHT:
	case 'l':
		move_cursor(panel, 1);
		return true;
	case SCREEN_PAGE_UP:
	case 'b':
		panel->top -= panel->top < (uint64_t)page ? panel->top : (uint64_t)page;
		move_cursor(panel, -page);
		return true;
	case SCREEN_PAGE_DOWN:
	case 'f':
		panel->top += (uint64_t)page;
		move_cursor(panel, page);
		return true;
	case SCREEN_HOME:
		panel->cursor = 0;
		return true;
	case SCREEN_END:
		move_cursor(panel, INT64_MAX);
		return true;
	case '\t':
		next_field(panel);
		return true;
	default:
		return false;
	}
}

static enum shm_panel_action command_key(struct shm_panel *panel, int key, uint64_t now)
{
	switch (key) {
	case 'q':
		return SHM_PANEL_QUIT;
	case 0x1b:
		return SHM_PANEL_BACK;
	case '?':
		panel->help = true;
		break;
	case ' ':
		toggle_pause(panel, now);
		break;
	case 'g':
	case '/':
		panel->input = key == 'g' ? SHM_INPUT_GOTO : SHM_INPUT_SEARCH;
		panel->text[0] = '\0';
		break;
	case 'n':
		search_next(panel);
		break;
	case '+':
	case '=':
		if (panel->rate + 1 < RATE_COUNT)
			panel->rate++;
		break;
	case '-':
		if (panel->rate > 0)
			panel->rate--;
		break;
	default:
		break;
	}
	return SHM_PANEL_STAY;
}

enum shm_panel_action shm_panel_key(struct shm_panel *panel, int key, uint64_t now)
{
	enum shm_panel_action action = SHM_PANEL_STAY;

	panel->message[0] = '\0';
	if (panel->help) {
		panel->help = false;
		return key == 'q' ? SHM_PANEL_QUIT : SHM_PANEL_STAY;
	}
	if (panel->input != SHM_INPUT_NONE)
		input_key(panel, key);
	else if (!movement_key(panel, key))
		action = command_key(panel, key, now);
	if (!panel->layout.too_small)
		keep_visible(panel, now);
	return action;
}
