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
enum shm_panel_input { SHM_INPUT_NONE, SHM_INPUT_GOTO, SHM_INPUT_SEARCH };

#define SHM_PANEL_TEXT_MAX 64
#define SHM_SEARCH_MAX 64

struct shm_panel {
	const struct shm_view *view;
	struct shm_model model;
	struct shm_layout layout;
	int width, height;
	uint64_t cursor; /* offset in the region */
	uint64_t top;    /* offset of the first row shown */
	size_t field_top;
	bool paused;
	uint64_t paused_at;
	bool help;
	bool brackets; /* mark changes with [..] and (..) too */
	bool gone;     /* the set ended: the last bytes are shown */
	unsigned rate; /* index into the table of rates */
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

/* Nanoseconds between samples. */
uint64_t shm_panel_interval(const struct shm_panel *panel);

/* A key: a character or enum screen_key. */
enum shm_panel_action shm_panel_key(struct shm_panel *panel, int key, uint64_t now);

/* Draw all into grid, which is as large as the panel. */
void shm_panel_draw(const struct shm_panel *panel, struct grid *grid, uint64_t now);

/* The help overlay; 0, or -1 when it would not fit or there is no memory. */
int shm_panel_help(const struct shm_panel *panel, struct grid *grid);

/*
 * Where text means to go: 0x10, 16, +64, -64, a field's name, an address inside the region. Returns
 * false when it means nothing in the region.
 */
bool shm_panel_goto(const struct shm_panel *panel, const char *text, uint64_t *at);

/*
 * What text means to look for: the text itself, or, after "=", hex bytes. Returns the length, 0:
 * nothing.
 */
size_t shm_panel_pattern(const char *text, uint8_t pattern[SHM_SEARCH_MAX]);
