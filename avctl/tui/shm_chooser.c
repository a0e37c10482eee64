/* SPDX-License-Identifier: MIT */
/* shm_chooser.c - the list of regions that `shm watch` shows when more than one could be meant.
 * Reads the configuration only, not the regions. */
#include "tui/shm_chooser.h"

#include <inttypes.h>
#include <stdio.h>
#include "tui/screen.h"
#include "tui/shm_text.h"

enum shm_chooser_action shm_chooser_key(struct shm_chooser *chooser, int key)
{
	switch (key) {
	case 'q':
	case 0x1b:
		return SHM_CHOOSER_QUIT;
	case '\n':
	case SCREEN_RIGHT:
	case 'l':
		return SHM_CHOOSER_OPEN;
	case SCREEN_UP:
	case 'k':
		if (chooser->chosen > 0)
			chooser->chosen--;
		break;
	case SCREEN_DOWN:
	case 'j':
		if (chooser->chosen + 1 < chooser->count)
			chooser->chosen++;
		break;
	case SCREEN_HOME:
		chooser->chosen = 0;
		break;
	case SCREEN_END:
		chooser->chosen = chooser->count - 1;
		break;
	default:
		break;
	}
	return SHM_CHOOSER_STAY;
}

void shm_chooser_draw(const struct shm_chooser *chooser, struct grid *grid)
{
	int rows = grid->height > 3 ? grid->height - 3 : 1;
	size_t top = chooser->chosen >= (size_t)rows ? chooser->chosen - (size_t)rows + 1 : 0;
	char members[256], line[512];

	grid_clear(grid);
	snprintf(line, sizeof(line), " avctl shm watch  %zu regions", chooser->count);
	grid_text(grid, 0, 0, grid->width, GRID_TITLE, line);
	snprintf(line, sizeof(line), " %-32s %-18s %12s  %s", "REGION", "ADDRESS", "SIZE",
		 "MEMBERS");
	grid_text(grid, 0, 1, grid->width, GRID_DIM, line);
	for (int y = 0; y < rows && top + (size_t)y < chooser->count; y++) {
		const struct shm_view *view = &chooser->views[top + (size_t)y];
		bool chosen = top + (size_t)y == chooser->chosen;

		shm_text_members(view->set, view->region, members, sizeof(members));
		snprintf(line, sizeof(line), " %-32s 0x%-16" PRIx64 " %10" PRIu64 " B  %s",
			 view->region->name, view->region->address, view->region->size, members);
		if (chosen)
			grid_fill(grid, 0, y + 2, grid->width, GRID_CHOSEN, ' ');
		grid_text(grid, 0, y + 2, grid->width, chosen ? GRID_CHOSEN : GRID_PLAIN, line);
	}
	if (grid->height > 3)
		grid_text(grid, 0, grid->height - 1, grid->width, GRID_PLAIN,
			  " arrows choose, Enter opens, q quits");
}
