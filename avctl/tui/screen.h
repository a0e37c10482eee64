/* SPDX-License-Identifier: MIT */
/*
 * screen.h - shows grids on the terminal and reads keys. The only part that knows curses.
 */
#pragma once
#include <stdbool.h>
#include "tui/grid.h"
#include "tui/terminal.h"

/* Keys beyond plain characters. */
enum screen_key {
	SCREEN_NO_KEY = -1,
	SCREEN_UP = 0x1000,
	SCREEN_DOWN,
	SCREEN_LEFT,
	SCREEN_RIGHT,
	SCREEN_PAGE_UP,
	SCREEN_PAGE_DOWN,
	SCREEN_HOME,
	SCREEN_END,
	SCREEN_BACKSPACE,
	SCREEN_BACK_TAB,
	SCREEN_RESIZED,
	SCREEN_CLICK, /* screen_click() says where */
	SCREEN_WHEEL_UP,
	SCREEN_WHEEL_DOWN,
	SCREEN_OTHER,
};

struct screen_options {
	bool ascii; /* no line-drawing characters, no UTF-8 */
	bool color; /* may be used when the terminal has it */
	bool mouse; /* clicks and the wheel are keys, too */
};

/*
 * Take over the terminal. Returns 0, or -1 when it has no addressable screen (TERM=dumb, unknown);
 * then nothing was changed. screen_close() gives it back; so does exit().
 */
int screen_open(const struct screen_options *options);
void screen_close(void);

void screen_size(int *width, int *height);

/* Show base, and overlay (or NULL) in its middle. */
void screen_show(const struct grid *base, const struct grid *overlay);

/* The next key that was typed, SCREEN_NO_KEY when there is none. Never waits. */
int screen_key(void);

/* Where the last click was. */
void screen_click(int *x, int *y);

/* Hand the terminal back, stop as Ctrl-Z asks, and take it again when continued. */
void screen_suspend(void);
