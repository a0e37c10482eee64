/* SPDX-License-Identifier: MIT */
/*
 * snapshot_diff.h - the two sides of `snapshot diff` and what was found; its pages and its state
 * are looked at by different files.
 */
#pragma once
#include "cmd/snapshot_rows.h"

/* Pages in a row whose contents differ. */
struct diff_range {
	uint64_t address, pages;
	unsigned kind; /* AV_PAGE_* */
};

struct diff {
	struct ctx *ctx;
	const char *vm;
	char ids[2][32]; /* as the agent wants them: "3", "boot", "undo", "live" */
	int ram_fd;
	bool hex;

	struct diff_range *ranges;
	size_t range_count;
	uint64_t pages;    /* that differ */
	uint64_t same;     /* other frames, the same contents */
	json_t *lines;     /* with hex: {address, a, b} */
	uint64_t lines_left_out; /* beyond what is kept */
	json_t *registers; /* {vcpu, name, a, b} */
	json_t *devices;   /* {name, vcpu?} */
};

/* Fill in ranges, pages, same and lines. An exit code. */
int diff_pages(struct diff *diff);

/* Fill in registers and devices. An exit code. */
int diff_state(struct diff *diff);
