/* SPDX-License-Identifier: MIT */
/*
 * shm_chooser.h - the list of regions to choose from. Draws into a grid; knows no terminal.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "tui/grid.h"
#include "tui/shm_view.h"

struct shm_chooser {
	const struct shm_view *views;
	size_t count;
	size_t chosen;
};

enum shm_chooser_action { SHM_CHOOSER_STAY, SHM_CHOOSER_OPEN, SHM_CHOOSER_QUIT };

enum shm_chooser_action shm_chooser_key(struct shm_chooser *chooser, int key);
void shm_chooser_draw(const struct shm_chooser *chooser, struct grid *grid);
