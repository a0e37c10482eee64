/* SPDX-License-Identifier: MIT */
/*
 * shm_layout.h - where the parts of the watch panel go on a screen of a given size. Pure.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define SHM_LAYOUT_MIN_WIDTH 60
#define SHM_LAYOUT_MIN_HEIGHT 12
#define SHM_LAYOUT_SIDE_WIDTH 120 /* from here on the fields stand to the right */
#define SHM_LAYOUT_MAP_HEIGHT 16  /* from here on there are the rate and the map of pages */
#define SHM_LAYOUT_KEYS_HEIGHT 20 /* from here on the last line names keys */

/* A part that is not shown has height 0. */
struct shm_rect {
	int x, y, width, height;
};

struct shm_layout {
	bool too_small; /* then only title is set */
	bool side;      /* fields to the right of the bytes */
	int bytes_per_row;
	struct shm_rect title;
	struct shm_rect members;
	struct shm_rect rate;   /* changes a second, over time */
	struct shm_rect map;    /* pages */
	struct shm_rect header; /* column numbers */
	struct shm_rect bytes;  /* offset, hex and text */
	struct shm_rect rule;   /* line above the fields, or left of them */
	struct shm_rect fields;
	struct shm_rect status; /* value at the cursor, prompt, message */
	struct shm_rect keys;
};

/* Columns that a row of count bytes takes: offset, hex and text. */
int shm_layout_row_width(int bytes_per_row);
/* Column of byte number index in a row, and of its character. */
int shm_layout_hex_column(int index);
int shm_layout_text_column(int bytes_per_row, int index);

struct shm_layout shm_layout(int width, int height, size_t field_count);
