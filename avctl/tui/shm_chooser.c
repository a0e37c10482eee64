/* SPDX-License-Identifier: MIT */
/* shm_chooser.c - the list of regions that `shm watch` shows when more than one could be meant.
 * Says "-" of a region that it does not follow, and of a writer that it cannot know. */
#include "tui/shm_chooser.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "out/out.h"
#include "tui/screen.h"
#include "tui/shm_text.h"

#define PIECE 16384u

int shm_chooser_init(struct shm_chooser *chooser, const struct shm_view *views, size_t count)
{
	uint64_t bytes = 0;

	memset(chooser, 0, sizeof(*chooser));
	chooser->views = views;
	chooser->count = count;
	chooser->order = calloc(count + 1, sizeof(*chooser->order));
	chooser->models = calloc(count + 1, sizeof(*chooser->models));
	if (!chooser->order || !chooser->models) {
		shm_chooser_free(chooser);
		return -1;
	}
	for (size_t i = 0; i < count; i++) {
		uint64_t size = views[i].region->size;

		chooser->order[i] = i;
		if (size <= SHM_MODEL_WINDOW_MAX && bytes + size <= SHM_CHOOSER_BYTES &&
		    shm_model_init(&chooser->models[i], size, 0) == 0)
			bytes += size;
	}
	return 0;
}

void shm_chooser_free(struct shm_chooser *chooser)
{
	for (size_t i = 0; chooser->models && i < chooser->count; i++)
		shm_model_free(&chooser->models[i]);
	free(chooser->models);
	free(chooser->order);
	chooser->models = NULL;
	chooser->order = NULL;
}

static void sample_one(struct shm_model *model, const struct shm_view *view, uint64_t now)
{
	uint8_t piece[PIECE];
	size_t at = 0, got;

	shm_model_begin(model, now);
	do {
		got = shm_view_read(view, at, piece, sizeof(piece));
		shm_model_feed(model, piece, got);
		at += got;
	} while (got && at < model->length);
	shm_model_end(model);
}

void shm_chooser_sample(struct shm_chooser *chooser, uint64_t now)
{
	chooser->now = now;
	for (size_t i = 0; i < chooser->count; i++)
		if (chooser->models[i].region_size)
			sample_one(&chooser->models[i], &chooser->views[i], now);
}

size_t shm_chooser_view(const struct shm_chooser *chooser)
{
	return chooser->order[chooser->chosen];
}

/* Whether the view a comes behind b. */
static bool behind(const struct shm_chooser *chooser, size_t a, size_t b)
{
	const struct set_region *left = chooser->views[a].region, *right = chooser->views[b].region;

	switch (chooser->sort) {
	case SHM_SORT_NAME:
		return strcmp(left->name, right->name) > 0;
	case SHM_SORT_CHANGES:
		return shm_model_rate(&chooser->models[a], chooser->now) <
		       shm_model_rate(&chooser->models[b], chooser->now);
	case SHM_SORT_SIZE:
		return left->size < right->size;
	default:
		return a > b;
	}
}

/* The one that was chosen stays it. At most 32 regions: insertion will do, and is stable. */
static void sort(struct shm_chooser *chooser)
{
	size_t chosen = shm_chooser_view(chooser);

	for (size_t i = 0; i < chooser->count; i++)
		chooser->order[i] = i;
	for (size_t i = 1; i < chooser->count; i++) {
		for (size_t k = i; k && behind(chooser, chooser->order[k - 1], chooser->order[k]);
		     k--) {
			size_t swap = chooser->order[k];

			chooser->order[k] = chooser->order[k - 1];
			chooser->order[k - 1] = swap;
		}
	}
	for (size_t i = 0; i < chooser->count; i++)
		if (chooser->order[i] == chosen)
			chooser->chosen = i;
}

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
	case SCREEN_WHEEL_UP:
	case 'k':
		if (chooser->chosen > 0)
			chooser->chosen--;
		break;
	case SCREEN_DOWN:
	case SCREEN_WHEEL_DOWN:
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
	case 's':
		chooser->sort = (enum shm_chooser_sort)((chooser->sort + 1) % SHM_SORTS);
		sort(chooser);
		break;
	default:
		break;
	}
	return SHM_CHOOSER_STAY;
}

static void row_text(const struct shm_chooser *chooser, size_t index, char *line, size_t size)
{
	const struct shm_view *view = &chooser->views[index];
	const struct shm_model *model = &chooser->models[index];
	uint64_t at = model->last_change ? model->last_change_at : 0;
	uint64_t length = model->last_change ? 1 : view->region->size;
	const char *writer = shm_text_writer(view->set, view->region, at, length);
	char members[256], bytes[32], rate[32] = "-", last[32] = "-";

	if (model->region_size)
		snprintf(rate, sizeof(rate), "%" PRIu64, shm_model_rate(model, chooser->now));
	if (model->last_change)
		snprintf(last, sizeof(last), "%.1f s",
			 (double)(chooser->now - model->last_change) / 1e9);
	shm_text_members_now(view, members, sizeof(members));
	snprintf(line, size, " %-16.31s 0x%08" PRIx64 " %9s %9s %8s %-8.31s %s", view->region->name,
		 view->region->address, out_size(bytes, view->region->size), rate, last,
		 writer ? writer : "-", members);
}

void shm_chooser_draw(const struct shm_chooser *chooser, struct grid *grid)
{
	static const char *const sorts[] = {"as in the file", "by name", "by changes", "by size"};
	int rows = grid->height > 3 ? grid->height - 3 : 1;
	size_t top = chooser->chosen >= (size_t)rows ? chooser->chosen - (size_t)rows + 1 : 0;
	char line[512];

	grid_clear(grid);
	snprintf(line, sizeof(line), " avctl shm watch  %zu regions, %s", chooser->count,
		 sorts[chooser->sort]);
	grid_text(grid, 0, 0, grid->width, GRID_TITLE, line);
	snprintf(line, sizeof(line), " %-16s %-10s %9s %9s %8s %-8s %s", "REGION", "ADDRESS",
		 "SIZE", ">= B/S", "LAST", "WRITER", "MEMBERS");
	grid_text(grid, 0, 1, grid->width, GRID_DIM, line);
	for (int y = 0; y < rows && top + (size_t)y < chooser->count; y++) {
		bool chosen = top + (size_t)y == chooser->chosen;

		row_text(chooser, chooser->order[top + (size_t)y], line, sizeof(line));
		if (chosen)
			grid_fill(grid, 0, y + 2, grid->width, GRID_CHOSEN, ' ');
		grid_text(grid, 0, y + 2, grid->width, chosen ? GRID_CHOSEN : GRID_PLAIN, line);
	}
	if (grid->height > 3)
		grid_text(grid, 0, grid->height - 1, grid->width, GRID_PLAIN,
			  " arrows choose, Enter opens, s sorts, q quits");
}
