/* SPDX-License-Identifier: MIT */
/*
 * shm_chooser.h - the list of regions to choose from, and how much happens in each. Draws into a
 * grid; knows no terminal.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "tui/grid.h"
#include "tui/shm_model.h"
#include "tui/shm_view.h"

#define SHM_CHOOSER_BYTES (256u << 20) /* of regions that are followed; what is beyond is not */

enum shm_chooser_sort { SHM_SORT_FILE, SHM_SORT_NAME, SHM_SORT_CHANGES, SHM_SORT_SIZE, SHM_SORTS };

struct shm_chooser {
	const struct shm_view *views;
	size_t count;
	size_t chosen; /* a place in the list; shm_chooser_view() says whose */
	size_t *order;
	struct shm_model *models; /* of the views; region_size 0: not followed */
	enum shm_chooser_sort sort;
	uint64_t now;
};

enum shm_chooser_action { SHM_CHOOSER_STAY, SHM_CHOOSER_OPEN, SHM_CHOOSER_QUIT };

/* 0, or -1 without memory. shm_chooser_free() frees. */
int shm_chooser_init(struct shm_chooser *chooser, const struct shm_view *views, size_t count);
void shm_chooser_free(struct shm_chooser *chooser);

/* Look at all regions; now as in shm_model.h. */
void shm_chooser_sample(struct shm_chooser *chooser, uint64_t now);

/* The index of the view that is chosen. */
size_t shm_chooser_view(const struct shm_chooser *chooser);

enum shm_chooser_action shm_chooser_key(struct shm_chooser *chooser, int key);
void shm_chooser_draw(const struct shm_chooser *chooser, struct grid *grid);
