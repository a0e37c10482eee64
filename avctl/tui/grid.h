/* SPDX-License-Identifier: MIT */
/*
 * grid.h - a screenful of characters and styles that is drawn in memory and shown by screen.c.
 * Pure.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum grid_style {
	GRID_PLAIN,
	GRID_TITLE,  /* bold */
	GRID_DIM,    /* headings, rules */
	GRID_NOW,    /* changed just now: reverse */
	GRID_RECENT, /* bold */
	GRID_FADING, /* underline */
	GRID_ALERT,  /* PAUSED, GONE: reverse and bold */
	GRID_CHOSEN, /* the row that Enter takes: reverse */
	GRID_LINK,   /* what the cursor's field covers: bold and underlined */
	GRID_DIFFER, /* not as at the mark: reverse */
	GRID_FAINT,  /* zeros, when they are in the way */
	GRID_STYLE_COUNT
};

#define GRID_RULE_H '\x01' /* a horizontal line: the screen chooses its glyph */
#define GRID_RULE_V '\x02'
#define GRID_BAR '\x03' /* to '\x0a': a bar of one to eight eighths */
#define GRID_BAR_MAX '\x0a'
#define GRID_BAR_ASCII ".:-=+*#@"

struct grid_cell {
	char character; /* printable ASCII, GRID_RULE_* or GRID_BAR... */
	uint8_t style;
};

struct grid {
	int width, height;
	int cursor_x, cursor_y; /* -1: hidden */
	struct grid_cell *cells;
};

/* Make grid (zeroed, or used before) that large, and blank. 0, or -1 when there is no memory. */
int grid_resize(struct grid *grid, int width, int height);
void grid_free(struct grid *grid);
void grid_clear(struct grid *grid);

/*
 * Write text from (x, y) on, at most room columns; what does not fit is cut, also at the grid's
 * edge.
 * Anything but printable ASCII becomes '?'.
 */
void grid_text(struct grid *grid, int x, int y, int room, enum grid_style style, const char *text);
void grid_fill(struct grid *grid, int x, int y, int count, enum grid_style style, char character);

/* The row as a string, for tests; line must hold width + 1. Rules appear as '-' and '|', bars as
 * GRID_BAR_ASCII. */
void grid_row(const struct grid *grid, int y, char *line);
