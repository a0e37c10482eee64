/* SPDX-License-Identifier: MIT */
/* shm_panel_keys.c - what each key of the watch panel does, in the one table that its help is made of.
 * Nothing answers to a key that is not in the table. */
#include <stdio.h>
#include <string.h>
#include "tui/screen.h"
#include "tui/shm_panel.h"

static void move_cursor(struct shm_panel *panel, int64_t by)
{
	uint64_t size = panel->view->region->size;

	if (by < 0)
		panel->cursor = panel->cursor > (uint64_t)-by ? panel->cursor - (uint64_t)-by : 0;
	else
		panel->cursor = (uint64_t)by < size - panel->cursor ? panel->cursor + (uint64_t)by
								    : size - 1;
}

static enum shm_panel_action press_move(struct shm_panel *panel, int key, uint64_t now)
{
	uint64_t row = shm_panel_row_bytes(panel);

	(void)now;
	/* Up from the first row, and down from the last one, stay in their column. */
	if ((key == SCREEN_UP || key == 'k') && panel->cursor >= row)
		move_cursor(panel, -(int64_t)row);
	if ((key == SCREEN_DOWN || key == 'j') && panel->cursor + row < panel->view->region->size)
		move_cursor(panel, (int64_t)row);
	return SHM_PANEL_STAY;
}

static enum shm_panel_action press_side(struct shm_panel *panel, int key, uint64_t now)
{
	(void)now;
	move_cursor(panel, key == SCREEN_LEFT || key == 'h' ? -1 : 1);
	return SHM_PANEL_STAY;
}

static enum shm_panel_action press_page(struct shm_panel *panel, int key, uint64_t now)
{
	uint64_t page = shm_panel_page_bytes(panel), by = page;

	(void)now;
	if (key == SCREEN_WHEEL_UP || key == SCREEN_WHEEL_DOWN)
		by = shm_panel_row_bytes(panel) * 3 < page ? shm_panel_row_bytes(panel) * 3 : page;
	if (key == SCREEN_PAGE_UP || key == SCREEN_WHEEL_UP) {
		panel->top -= panel->top < by ? panel->top : by;
		move_cursor(panel, -(int64_t)by);
	} else {
		panel->top += by;
		move_cursor(panel, (int64_t)by);
	}
	return SHM_PANEL_STAY;
}

static enum shm_panel_action press_ends(struct shm_panel *panel, int key, uint64_t now)
{
	(void)now;
	panel->cursor = key == SCREEN_HOME ? 0 : panel->view->region->size - 1;
	return SHM_PANEL_STAY;
}

/* To the field after or before the one that the cursor is on, in the order of the YAML. */
static enum shm_panel_action press_field(struct shm_panel *panel, int key, uint64_t now)
{
	const struct set_region *region = panel->view->region;
	const struct set_field *here = shm_panel_field(panel);
	size_t next = key == '\t' ? 0 : region->field_count - 1;

	(void)now;
	if (!region->field_count)
		return SHM_PANEL_STAY;
	if (here && key == '\t')
		next = ((size_t)(here - region->fields) + 1) % region->field_count;
	else if (here)
		next = ((size_t)(here - region->fields) + region->field_count - 1) %
		       region->field_count;
	panel->cursor = region->fields[next].at;
	if (next < panel->field_top ||
	    next >= panel->field_top + (size_t)panel->layout.fields.height)
		panel->field_top = next;
	return SHM_PANEL_STAY;
}

static enum shm_panel_action press_input(struct shm_panel *panel, int key, uint64_t now)
{
	(void)now;
	panel->input = key == 'g' ? SHM_INPUT_GOTO : key == '/' ? SHM_INPUT_SEARCH : SHM_INPUT_SAVE;
	panel->text[0] = '\0';
	return SHM_PANEL_STAY;
}

static enum shm_panel_action press_again(struct shm_panel *panel, int key, uint64_t now)
{
	(void)now;
	shm_panel_search(panel, key == 'N');
	return SHM_PANEL_STAY;
}

static void pause_now(struct shm_panel *panel, uint64_t now)
{
	if (!panel->paused)
		panel->paused_at = now;
	panel->paused = true;
}

static enum shm_panel_action press_pause(struct shm_panel *panel, int key, uint64_t now)
{
	(void)key;
	if (!panel->paused) {
		pause_now(panel, now);
		return SHM_PANEL_STAY;
	}
	panel->paused = false;
	if (!panel->by_hand)
		shm_panel_look(panel, now); /* what changed meanwhile stands out now */
	return SHM_PANEL_STAY;
}

static enum shm_panel_action press_look(struct shm_panel *panel, int key, uint64_t now)
{
	(void)key;
	if (panel->by_hand) {
		panel->look = true; /* the clock goes on first */
		return SHM_PANEL_STAY;
	}
	pause_now(panel, now);
	shm_panel_look(panel, now);
	return SHM_PANEL_STAY;
}

static enum shm_panel_action press_scrub(struct shm_panel *panel, int key, uint64_t now)
{
	int steps = key == '{' || key == '}' ? 10 : 1;
	bool back = key == '[' || key == '{', moved = false;

	pause_now(panel, now);
	while (steps-- && (back ? shm_model_back(&panel->model) : shm_model_forward(&panel->model)))
		moved = true;
	if (!moved)
		snprintf(panel->message, sizeof(panel->message), "%s",
			 !back ? "this is the newest state that was seen"
			 : panel->model.history.count == 0 ? "no change has been recorded yet"
			 : panel->model.history.forgotten
				 ? "what changed before is not kept any more"
				 : "this is the first state that was seen");
	return SHM_PANEL_STAY;
}

static enum shm_panel_action press_mark(struct shm_panel *panel, int key, uint64_t now)
{
	(void)now;
	if (key == 'M') {
		shm_model_clear_mark(&panel->model);
		panel->stress = SHM_STRESS_AGE;
		return SHM_PANEL_STAY;
	}
	if (shm_model_set_mark(&panel->model) != 0) {
		snprintf(panel->message, sizeof(panel->message), "not enough memory for a mark");
		return SHM_PANEL_STAY;
	}
	panel->marked_at = panel->wall_ns / 1000000000ull;
	panel->stress = SHM_STRESS_MARK;
	return SHM_PANEL_STAY;
}

static enum shm_panel_action press_stress(struct shm_panel *panel, int key, uint64_t now)
{
	static const char *const said[] = {
		"marked: what changed, by its age",
		"marked: what is not as at the mark (m)",
		"marked: nothing",
	};

	(void)key;
	(void)now;
	panel->stress = (enum shm_panel_stress)((panel->stress + 1) % 3);
	snprintf(panel->message, sizeof(panel->message), "%s", said[panel->stress]);
	return SHM_PANEL_STAY;
}

static enum shm_panel_action press_toggle(struct shm_panel *panel, int key, uint64_t now)
{
	bool *toggle = key == 'f'   ? &panel->follow
		       : key == 'z' ? &panel->faint_zeros
		       : key == 'e' ? &panel->big_endian
				    : &panel->hex;
	const char *what = key == 'f'   ? "following the last change"
			   : key == 'z' ? "faint zeros"
			   : key == 'e' ? "big-endian values at the cursor"
					: "hexadecimal values at the cursor";

	(void)now;
	*toggle = !*toggle;
	snprintf(panel->message, sizeof(panel->message), "%s: %s", what, *toggle ? "on" : "off");
	return SHM_PANEL_STAY;
}

static enum shm_panel_action press_pace(struct shm_panel *panel, int key, uint64_t now)
{
	(void)now;
	shm_panel_pace(panel, key == '-' ? -1 : 1);
	return SHM_PANEL_STAY;
}

static enum shm_panel_action press_help(struct shm_panel *panel, int key, uint64_t now)
{
	(void)key;
	(void)now;
	panel->help = true;
	panel->help_top = 0;
	return SHM_PANEL_STAY;
}

static enum shm_panel_action press_back(struct shm_panel *panel, int key, uint64_t now)
{
	(void)panel;
	(void)now;
	return key == 'q' ? SHM_PANEL_QUIT : SHM_PANEL_BACK;
}

const struct shm_panel_key shm_panel_keys[] = {
	{{SCREEN_UP, SCREEN_DOWN, 'k', 'j'}, "Up Down k j", "a row up, down", press_move},
	{{SCREEN_LEFT, SCREEN_RIGHT, 'h', 'l'}, "Left Right h l", "a byte back, on", press_side},
	{{SCREEN_PAGE_UP, SCREEN_PAGE_DOWN, SCREEN_WHEEL_UP, SCREEN_WHEEL_DOWN},
	 "PgUp PgDn",
	 "a page up, down (the wheel: three rows)",
	 press_page},
	{{SCREEN_HOME, SCREEN_END}, "Home End", "the first, the last byte", press_ends},
	{{'\t', SCREEN_BACK_TAB}, "Tab Shift-Tab", "the next, the previous field", press_field},
	{{'g'}, "g", "go to 0x10, +16, an address, a field", press_input},
	{{'/'}, "/", "search text, =48 65 (hex), u32:1000", press_input},
	{{'n', 'N'}, "n N", "search on, backwards", press_again},
	{{' '}, "Space", "freeze what is shown; go on", press_pause},
	{{'.'}, ".", "freeze, and take one look", press_look},
	{{'[', ']'}, "[ ]", "one recorded change back, forward", press_scrub},
	{{'{', '}'}, "{ }", "ten of them", press_scrub},
	{{'m', 'M'}, "m M", "mark a state to compare with; forget it", press_mark},
	{{'d'}, "d", "show changes, differences to it, neither", press_stress},
	{{'f'}, "f", "follow the last change", press_toggle},
	{{'z'}, "z", "faint zeros", press_toggle},
	{{'e', 'x'}, "e x", "values there: big-endian, hexadecimal", press_toggle},
	{{'+', '=', '-'}, "+ = -", "look more, less often", press_pace},
	{{'w'}, "w", "write the bytes to a file", press_input},
	{{'?'}, "?", "this help", press_help},
	{{0x1b}, "Esc", "back to the list, or end", press_back},
	{{'q'}, "q", "end", press_back},
};
const size_t shm_panel_key_count = sizeof(shm_panel_keys) / sizeof(shm_panel_keys[0]);
