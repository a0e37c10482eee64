/* SPDX-License-Identifier: MIT */
/* grid.c - text drawing in memory.
 * Never writes outside the grid, and never stores a character that could drive a terminal. */
#include "tui/grid.h"

#include <stdlib.h>

int grid_resize(struct grid *grid, int width, int height)
{
	size_t count = (size_t)(width < 1 ? 1 : width) * (size_t)(height < 1 ? 1 : height);

	if (!grid->cells || grid->width != width || grid->height != height) {
		struct grid_cell *cells = realloc(grid->cells, count * sizeof(*cells));

		if (!cells)
			return -1;
		grid->cells = cells;
		grid->width = width;
		grid->height = height;
	}
	grid_clear(grid);
	return 0;
}

void grid_free(struct grid *grid)
{
	free(grid->cells);
	grid->cells = NULL;
	grid->width = grid->height = 0;
}

void grid_clear(struct grid *grid)
{
	for (int i = 0; i < grid->width * grid->height; i++)
		grid->cells[i] = (struct grid_cell){.character = ' ', .style = GRID_PLAIN};
	grid->cursor_x = grid->cursor_y = -1;
}

static void put(struct grid *grid, int x, int y, enum grid_style style, char c)
{
	bool drawn = c >= GRID_RULE_H && c <= GRID_BAR_MAX;

	if (x < 0 || y < 0 || x >= grid->width || y >= grid->height)
		return;
	grid->cells[y * grid->width + x] = (struct grid_cell){
		.character = drawn || (c >= 0x20 && c < 0x7f) ? c : '?',
		.style = (uint8_t)style,
	};
}

void grid_text(struct grid *grid, int x, int y, int room, enum grid_style style, const char *text)
{
	for (int i = 0; i < room && text[i]; i++)
		put(grid, x + i, y, style, text[i] < 0x20 ? '?' : text[i]);
}

void grid_fill(struct grid *grid, int x, int y, int count, enum grid_style style, char character)
{
	for (int i = 0; i < count; i++)
		put(grid, x + i, y, style, character);
}

void grid_row(const struct grid *grid, int y, char *line)
{
	for (int x = 0; x < grid->width; x++) {
		char c = grid->cells[y * grid->width + x].character;

		line[x] = c == GRID_RULE_H                     ? '-'
			  : c == GRID_RULE_V                   ? '|'
			  : c >= GRID_BAR && c <= GRID_BAR_MAX ? GRID_BAR_ASCII[c - GRID_BAR]
							       : c;
	}
	line[grid->width] = '\0';
}
