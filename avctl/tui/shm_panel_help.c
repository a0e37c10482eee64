/* SPDX-License-Identifier: MIT */
/* shm_panel_help.c - the overlay that lists the keys of the watch panel.
 * Made of their table, so that it cannot promise what no key does. */
#include <stdio.h>
#include "tui/screen.h"
#include "tui/shm_panel.h"

#define WIDTH 60

static const char *const legend[] = {
	"",
	"changed: reverse < 0.25 s, bold < 1 s, underlined < 5 s",
	"bold and underlined: the field that the cursor is on",
	"map: # now, * < 1 s, + < 5 s, - earlier, . never, ? unknown",
	"this panel only reads memory",
};
#define LEGEND_COUNT (sizeof(legend) / sizeof(legend[0]))

static int line_count(void)
{
	return (int)(shm_panel_key_count + LEGEND_COUNT);
}

static int lines_shown(const struct shm_panel *panel)
{
	int room = panel->height - 2;

	return room < line_count() ? room : line_count();
}

enum shm_panel_action shm_panel_help_key(struct shm_panel *panel, int key)
{
	int most = line_count() - lines_shown(panel);
	int step = key == SCREEN_PAGE_UP || key == SCREEN_PAGE_DOWN ? lines_shown(panel) : 1;

	switch (key) {
	case SCREEN_UP:
	case SCREEN_PAGE_UP:
	case SCREEN_WHEEL_UP:
	case 'k':
		panel->help_top = panel->help_top > step ? panel->help_top - step : 0;
		return SHM_PANEL_STAY;
	case SCREEN_DOWN:
	case SCREEN_PAGE_DOWN:
	case SCREEN_WHEEL_DOWN:
	case 'j':
		panel->help_top = panel->help_top + step < most ? panel->help_top + step : most;
		return SHM_PANEL_STAY;
	default:
		panel->help = false;
		return key == 'q' ? SHM_PANEL_QUIT : SHM_PANEL_STAY;
	}
}

static void draw_line(struct grid *grid, int y, int index)
{
	char line[96];

	if (index < (int)shm_panel_key_count) {
		snprintf(line, sizeof(line), "%-15s %s", shm_panel_keys[index].label,
			 shm_panel_keys[index].help);
		grid_text(grid, 2, y, WIDTH - 3, GRID_PLAIN, line);
	} else {
		grid_text(grid, 2, y, WIDTH - 3, GRID_PLAIN,
			  legend[index - (int)shm_panel_key_count]);
	}
}

int shm_panel_help(struct shm_panel *panel, struct grid *grid)
{
	int shown = lines_shown(panel);

	if (panel->width < WIDTH || shown < 4 || grid_resize(grid, WIDTH, shown + 2) != 0)
		return -1;
	if (panel->help_top > line_count() - shown)
		panel->help_top = line_count() - shown;
	for (int y = 0; y < grid->height; y++) {
		bool edge = y == 0 || y == grid->height - 1;

		grid_fill(grid, 0, y, edge ? WIDTH : 1, GRID_DIM, edge ? GRID_RULE_H : GRID_RULE_V);
		grid_fill(grid, WIDTH - 1, y, 1, GRID_DIM, edge ? GRID_RULE_H : GRID_RULE_V);
	}
	grid_text(grid, 2, 0, WIDTH, GRID_TITLE, " keys ");
	if (shown < line_count())
		grid_text(grid, 2, grid->height - 1, WIDTH, GRID_TITLE,
			  " Up Down for more; any other key closes this help ");
	else
		grid_text(grid, 2, grid->height - 1, WIDTH, GRID_TITLE,
			  " any key closes this help ");
	for (int i = 0; i < shown; i++)
		draw_line(grid, i + 1, panel->help_top + i);
	return 0;
}
