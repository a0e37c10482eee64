/* SPDX-License-Identifier: MIT */
/*
 * shm_panel.h - the watch panel of one region: what is shown, where the cursor is, what keys do.
 *
 * Draws into a grid and reads through a shm_view; knows no clock and no terminal.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "tui/grid.h"
#include "tui/shm_layout.h"
#include "tui/shm_model.h"
#include "tui/shm_view.h"

enum shm_panel_action { SHM_PANEL_STAY, SHM_PANEL_BACK, SHM_PANEL_QUIT };
enum shm_panel_input { SHM_INPUT_NONE, SHM_INPUT_GOTO, SHM_INPUT_SEARCH, SHM_INPUT_SAVE };
/* What stands out: bytes by the age of their change, bytes not as at the mark, nothing. */
enum shm_panel_stress { SHM_STRESS_AGE, SHM_STRESS_MARK, SHM_STRESS_NONE };

#define SHM_PANEL_TEXT_MAX 64
#define SHM_SEARCH_MAX 64
#define SHM_PANEL_HISTORY (8u << 20) /* bytes of recorded changes */

struct shm_panel {
	const struct shm_view *view;
	struct shm_model model;
	struct shm_layout layout;
	int width, height;
	uint64_t cursor; /* offset in the region */
	uint64_t top;    /* offset of the first row shown */
	size_t field_top;
	bool paused; /* also while a past state is shown */
	uint64_t paused_at;
	bool by_hand; /* samples are only taken by its key (a test's clock) */
	bool look;    /* that key was pressed */
	bool help;
	int help_top;
	bool brackets; /* mark changes with [..] and (..) too */
	bool gone;     /* the set ended: the last bytes are shown */
	bool follow;   /* the cursor goes where the last change was */
	bool faint_zeros, big_endian, hex;
	enum shm_panel_stress stress;
	uint64_t marked_at; /* wall time of the mark, seconds since 1970 */
	uint64_t wall_ns;   /* wall time of the sample before, since 1970; the caller sets it */
	unsigned rate;      /* index into the table of rates */
	enum shm_panel_input input;
	char text[SHM_PANEL_TEXT_MAX];
	char message[96];
	uint8_t search[SHM_SEARCH_MAX];
	size_t search_length;
};

/*
 * 0, or -1 when there is no memory. rate_ns: how often to sample at first (the nearest step is
 * taken).
 */
int shm_panel_init(struct shm_panel *panel, const struct shm_view *view, uint64_t rate_ns);
void shm_panel_free(struct shm_panel *panel);

void shm_panel_resize(struct shm_panel *panel, int width, int height);

/* Read the region again, unless paused. now as in shm_model.h, never 0. */
void shm_panel_sample(struct shm_panel *panel, uint64_t now);
/* Read it in any case: a panel that shows the past comes back to the present first. */
void shm_panel_look(struct shm_panel *panel, uint64_t now);

/* Nanoseconds between samples. */
uint64_t shm_panel_interval(const struct shm_panel *panel);
/* Faster (1) or slower (-1). */
void shm_panel_pace(struct shm_panel *panel, int step);

/* A key: a character or enum screen_key. */
enum shm_panel_action shm_panel_key(struct shm_panel *panel, int key, uint64_t now);
/* A key while a line is being typed; false: none is. A key while the help is shown. */
bool shm_panel_type(struct shm_panel *panel, int key);
enum shm_panel_action shm_panel_help_key(struct shm_panel *panel, int key);
/* A click at that place of the screen. */
void shm_panel_click(struct shm_panel *panel, int x, int y);

/* One line of the help, and what it promises. */
struct shm_panel_key {
	int keys[4]; /* 0 ends them */
	const char *label, *help;
	enum shm_panel_action (*press)(struct shm_panel *panel, int key, uint64_t now);
};
extern const struct shm_panel_key shm_panel_keys[];
extern const size_t shm_panel_key_count;

/* Draw all into grid, which is as large as the panel. */
void shm_panel_draw(const struct shm_panel *panel, struct grid *grid, uint64_t now);
/* Its lines above the bytes. */
void shm_panel_draw_head(const struct shm_panel *panel, struct grid *grid, uint64_t now);
/* Its typed values. */
void shm_panel_draw_fields(const struct shm_panel *panel, struct grid *grid, uint64_t now);

/* The help overlay; 0, or -1 when it would not fit or there is no memory. */
int shm_panel_help(struct shm_panel *panel, struct grid *grid);

/* Bytes in a row, and on the screen. */
uint64_t shm_panel_row_bytes(const struct shm_panel *panel);
uint64_t shm_panel_page_bytes(const struct shm_panel *panel);

/* The field that the cursor is on, or NULL: a smaller one before one that holds it. */
const struct set_field *shm_panel_field(const struct shm_panel *panel);
/* The first of the fields that are shown, which rows are there for. */
size_t shm_panel_first_field(const struct shm_panel *panel);

/*
 * Where text means to go: 0x10, 16, +64, -64, a field's name, an address inside the region. Returns
 * false when it means nothing in the region.
 */
bool shm_panel_goto(const struct shm_panel *panel, const char *text, uint64_t *at);

/*
 * What text means to look for: the text itself; after "=" hex bytes; "u32:1043" a number. Returns
 * the length, 0: nothing.
 */
size_t shm_panel_pattern(const char *text, uint8_t pattern[SHM_SEARCH_MAX]);

/* Go to the next or the previous place of what was last looked for, and say how that went. */
void shm_panel_search(struct shm_panel *panel, bool backwards);

/* Write the bytes that are shown and around to a new file; says how that went. */
void shm_panel_save(struct shm_panel *panel, const char *path);
