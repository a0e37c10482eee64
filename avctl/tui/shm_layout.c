/* SPDX-License-Identifier: MIT */
/* shm_layout.c - cuts a screen into the parts of the watch panel.
 * A pure function of its arguments; no rectangle ever leaves the screen or overlaps another. */
#include "tui/shm_layout.h"

#include <string.h>

#define HEX_START 11 /* " 00000000  " */

int shm_layout_hex_column(int index)
{
	/* Three columns a byte, and a gap between groups of eight. */
	return HEX_START + index * 3 + index / 8;
}

int shm_layout_text_column(int bytes_per_row, int index)
{
	/* The last byte's column, its two digits, a space, a bar. */
	return shm_layout_hex_column(bytes_per_row - 1) + 5 + index;
}

int shm_layout_row_width(int bytes_per_row)
{
	return shm_layout_text_column(bytes_per_row, bytes_per_row) + 1;
}

static struct shm_rect rect(int x, int y, int width, int height)
{
	return (struct shm_rect){.x = x, .y = y, .width = width, .height = height};
}

#define SIDE_FIELDS_WIDTH 41 /* for fields that stand at the right */

static int bytes_that_fit(int width)
{
	if (width >= shm_layout_row_width(32))
		return 32;
	if (width >= shm_layout_row_width(16))
		return 16;
	return 8;
}

/* The lines above the bytes; returns the first free one. */
static int place_head(struct shm_layout *layout, int width, int height)
{
	int y = 0;

	layout->title = rect(0, y++, width, 1);
	layout->members = rect(0, y++, width, 1);
	if (height < SHM_LAYOUT_MAP_HEIGHT)
		return y;
	layout->rate = rect(0, y++, width, 1);
	layout->map = rect(0, y++, width, 1);
	return y;
}

struct shm_layout shm_layout(int width, int height, size_t field_count)
{
	struct shm_layout layout;
	int bottom = height, top;
	int bytes_width = width;

	memset(&layout, 0, sizeof(layout));
	layout.title = rect(0, 0, width, 1);
	if (width < SHM_LAYOUT_MIN_WIDTH || height < SHM_LAYOUT_MIN_HEIGHT) {
		layout.too_small = true;
		return layout;
	}
	top = place_head(&layout, width, height);
	if (height >= SHM_LAYOUT_KEYS_HEIGHT)
		layout.keys = rect(0, --bottom, width, 1);
	layout.status = rect(0, --bottom, width, 1);

	if (field_count > 0 && width >= SHM_LAYOUT_SIDE_WIDTH) {
		layout.side = true;
		bytes_width = shm_layout_row_width(bytes_that_fit(width - SIDE_FIELDS_WIDTH));
		layout.rule = rect(bytes_width, top, 1, bottom - top);
		layout.fields = rect(bytes_width + 1, top, width - bytes_width - 1, bottom - top);
	} else if (field_count > 0) {
		int most = (bottom - top) / 3;
		int rows = field_count < (size_t)most ? (int)field_count : most;

		layout.fields = rect(0, bottom - rows, width, rows);
		bottom -= rows;
		layout.rule = rect(0, bottom - 1, width, 1);
		bottom -= 1;
	}
	layout.bytes_per_row = bytes_that_fit(bytes_width);
	layout.header = rect(0, top, bytes_width, 1);
	layout.bytes = rect(0, top + 1, bytes_width, bottom - top - 1);
	return layout;
}
