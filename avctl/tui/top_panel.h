/* SPDX-License-Identifier: MIT */
/*
 * top_panel.h - the screen of `avctl top`: a row for each VM. Draws into a grid; knows no terminal,
 * no clock and no agent.
 */
#pragma once
#include "tui/grid.h"
#include "tui/top_model.h"

#define TOP_SECONDS 64

enum top_action { TOP_STAY, TOP_QUIT, TOP_LOOK };

struct top_panel {
	const char *set;
	struct top_sample before, now;
	enum top_sort sort;
	bool reverse, control, paused, help, gone;
	char chosen[AV_NAME_SIZE];   /* a VM's name; "" is the first */
	unsigned pace;               /* index into the table of intervals */
	uint64_t exits[TOP_SECONDS]; /* of all VMs, a second: newest last */
	size_t looks;
	char message[96];
};

void top_panel_init(struct top_panel *panel, const char *set, uint64_t interval_ns);

/* Take over a new sample. */
void top_panel_sample(struct top_panel *panel, const struct top_sample *sample);

/* Nanoseconds between samples. */
uint64_t top_panel_interval(const struct top_panel *panel);

/* A key: a character or enum screen_key. */
enum top_action top_panel_key(struct top_panel *panel, int key);

void top_panel_draw(const struct top_panel *panel, struct grid *grid);
/* The help overlay for a screen of that size; 0, or -1 when it would not fit. */
int top_panel_help(struct grid *grid, int width, int height);
