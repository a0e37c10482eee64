/* SPDX-License-Identifier: MIT */
/* screen.c - curses: shows what others drew in a grid, as attributes and, where there are some,
 * colours.
 * Prints only what grid.c let in, so nothing here can pass on an escape sequence. */
#define NCURSES_WIDECHAR 1
#include "tui/screen.h"

#include <curses.h>
#include <panel.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

/* There is one terminal, as there is one curses. */
static struct {
	bool open;
	bool ascii;
	bool color;
	bool at_exit;
	int click_x, click_y;
	SCREEN *curses;
	PANEL *base, *overlay;
} screen;

static const struct {
	attr_t attributes;
	short color; /* -1: none */
} styles[GRID_STYLE_COUNT] = {
	[GRID_PLAIN] = {A_NORMAL, -1},
	[GRID_TITLE] = {A_BOLD, -1},
	[GRID_DIM] = {A_NORMAL, COLOR_CYAN},
	[GRID_NOW] = {A_REVERSE, COLOR_RED},
	[GRID_RECENT] = {A_BOLD, COLOR_YELLOW},
	[GRID_FADING] = {A_UNDERLINE, COLOR_CYAN},
	[GRID_ALERT] = {A_REVERSE | A_BOLD, -1},
	[GRID_CHOSEN] = {A_REVERSE, -1},
	[GRID_LINK] = {A_BOLD | A_UNDERLINE, -1},
	[GRID_DIFFER] = {A_REVERSE, COLOR_MAGENTA},
	[GRID_FAINT] = {A_DIM, -1},
};

static attr_t style_attributes(unsigned style)
{
	attr_t attributes = styles[style].attributes;

	if (screen.color && styles[style].color >= 0)
		attributes |= (attr_t)COLOR_PAIR(styles[style].color);
	return attributes;
}

/* The bytes that a crash must write: leave the other screen, plain attributes, cursor on. */
static void reset_bytes(char *out, size_t size)
{
	const char *const names[] = {"sgr0", "rmacs", "rmkx", "cnorm", "rmcup"};
	const char *mouse = tigetstr("kmous");

	out[0] = '\0';
	if (mouse && mouse != (char *)-1)
		strcat(out, "\033[?1000l\033[?1006l"); /* it reports clicks as xterm does */
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *text = tigetstr(names[i]);

		if (text && text != (char *)-1 && strlen(out) + strlen(text) < size)
			strcat(out, text);
	}
}

static void start_colors(bool wanted)
{
	screen.color = false;
	if (!wanted || !has_colors() || start_color() != OK)
		return;
	use_default_colors();
	for (short c = COLOR_RED; c <= COLOR_WHITE; c++)
		init_pair(c, c, -1);
	screen.color = true;
}

int screen_open(const struct screen_options *options)
{
	char reset[256];
	int error;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return -1;
	/* Asked before newterm(), which would already draw. */
	if (setupterm(NULL, STDOUT_FILENO, &error) != OK)
		return -1;
	if (tigetstr("cup") == NULL || tigetstr("cup") == (char *)-1) {
		del_curterm(cur_term);
		return -1;
	}
	reset_bytes(reset, sizeof(reset));
	del_curterm(cur_term);
	if (terminal_open(STDIN_FILENO, reset) != 0)
		return -1;
	screen.curses = newterm(NULL, stdout, stdin);
	if (!screen.curses) {
		terminal_close();
		return -1;
	}
	screen.open = true;
	screen.ascii = options->ascii;
	if (!screen.at_exit)
		screen.at_exit = atexit(screen_close) == 0;
	set_escdelay(25);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	start_colors(options->color);
	if (options->mouse) {
		mousemask(BUTTON1_CLICKED | BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED,
			  NULL);
		mouseinterval(0);
	}
	/* So that reading a key never draws over the panels. */
	refresh();
	return 0;
}

static void drop_panel(PANEL **panel)
{
	WINDOW *window;

	if (!*panel)
		return;
	window = panel_window(*panel);
	del_panel(*panel);
	delwin(window);
	*panel = NULL;
}

void screen_close(void)
{
	if (!screen.open)
		return;
	screen.open = false;
	drop_panel(&screen.overlay);
	drop_panel(&screen.base);
	endwin();
	delscreen(screen.curses);
	screen.curses = NULL;
	terminal_close();
}

void screen_size(int *width, int *height)
{
	getmaxyx(stdscr, *height, *width);
}

/* The panel with a window of that size and place; its window is made anew when it does not fit. */
static WINDOW *window_of(PANEL **panel, int width, int height, int x, int y)
{
	WINDOW *window = *panel ? panel_window(*panel) : NULL;

	if (window && (getmaxx(window) != width || getmaxy(window) != height ||
		       getbegx(window) != x || getbegy(window) != y)) {
		drop_panel(panel);
		window = NULL;
	}
	if (!window) {
		window = newwin(height, width, y, x);
		if (!window)
			return NULL;
		*panel = new_panel(window);
		if (!*panel) {
			delwin(window);
			return NULL;
		}
	}
	return window;
}

/* A bar of so many eighths. */
static void draw_bar(WINDOW *window, int eighths, attr_t attributes, short color)
{
	wchar_t text[2] = {(wchar_t)(0x2580 + eighths), L'\0'};
	cchar_t cell;

	if (screen.ascii) {
		waddch(window, (chtype)GRID_BAR_ASCII[eighths - 1] | attributes);
		return;
	}
	setcchar(&cell, text, attributes & ~(attr_t)A_COLOR, color, NULL);
	wadd_wch(window, &cell);
}

static void draw(WINDOW *window, const struct grid *grid)
{
	for (int y = 0; y < grid->height; y++) {
		wmove(window, y, 0);
		for (int x = 0; x < grid->width; x++) {
			const struct grid_cell *cell = &grid->cells[y * grid->width + x];
			attr_t attributes = style_attributes(cell->style);

			if (cell->character == GRID_RULE_H)
				waddch(window, (screen.ascii ? '-' : ACS_HLINE) | attributes);
			else if (cell->character == GRID_RULE_V)
				waddch(window, (screen.ascii ? '|' : ACS_VLINE) | attributes);
			else if (cell->character >= GRID_BAR && cell->character <= GRID_BAR_MAX)
				draw_bar(window, cell->character - GRID_BAR + 1, attributes,
					 (short)PAIR_NUMBER(attributes));
			else
				waddch(window, (chtype)(unsigned char)cell->character | attributes);
		}
	}
}

void screen_show(const struct grid *base, const struct grid *overlay)
{
	WINDOW *window;
	int width, height;

	screen_size(&width, &height);
	if (base->width > width || base->height > height)
		return; /* drawn for a larger screen: the next one fits */
	window = window_of(&screen.base, base->width, base->height, 0, 0);
	if (!window)
		return;
	draw(window, base);
	if (overlay && overlay->width <= width && overlay->height <= height) {
		WINDOW *top =
			window_of(&screen.overlay, overlay->width, overlay->height,
				  (width - overlay->width) / 2, (height - overlay->height) / 2);

		if (top) {
			draw(top, overlay);
			top_panel(screen.overlay);
		}
	} else {
		drop_panel(&screen.overlay);
	}
	update_panels();
	curs_set(base->cursor_x >= 0 ? 1 : 0);
	if (base->cursor_x >= 0) {
		wmove(newscr, base->cursor_y, base->cursor_x);
		leaveok(newscr, FALSE);
	}
	doupdate();
}

static int mouse_key(void)
{
	MEVENT event;

	if (getmouse(&event) != OK)
		return SCREEN_OTHER;
	screen.click_x = event.x;
	screen.click_y = event.y;
	if (event.bstate & BUTTON4_PRESSED)
		return SCREEN_WHEEL_UP;
	if (event.bstate & BUTTON5_PRESSED)
		return SCREEN_WHEEL_DOWN;
	return event.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED) ? SCREEN_CLICK : SCREEN_OTHER;
}

void screen_click(int *x, int *y)
{
	*x = screen.click_x;
	*y = screen.click_y;
}

int screen_key(void)
{
	static const struct {
		int curses, key;
	} keys[] = {
		{ERR, SCREEN_NO_KEY},
		{KEY_UP, SCREEN_UP},
		{KEY_DOWN, SCREEN_DOWN},
		{KEY_LEFT, SCREEN_LEFT},
		{KEY_RIGHT, SCREEN_RIGHT},
		{KEY_PPAGE, SCREEN_PAGE_UP},
		{KEY_NPAGE, SCREEN_PAGE_DOWN},
		{KEY_HOME, SCREEN_HOME},
		{KEY_END, SCREEN_END},
		{KEY_BTAB, SCREEN_BACK_TAB},
		{KEY_BACKSPACE, SCREEN_BACKSPACE},
		{0x7f, SCREEN_BACKSPACE},
		{'\b', SCREEN_BACKSPACE},
		{KEY_RESIZE, SCREEN_RESIZED},
		{KEY_ENTER, '\n'},
		{'\r', '\n'},
	};
	int key = getch();

	if (key == KEY_MOUSE)
		return mouse_key();
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].curses == key)
			return keys[i].key;
	return key >= 0 && key < 0x80 ? key : SCREEN_OTHER;
}

void screen_suspend(void)
{
	struct winsize size;

	endwin();
	terminal_stop();
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col &&
	    is_term_resized(size.ws_row, size.ws_col))
		resizeterm(size.ws_row, size.ws_col);
	clearok(curscr, TRUE);
	refresh();
}
