/* SPDX-License-Identifier: MIT */
/*
 * shm_watch.h - `avctl shm watch`: the panel on a terminal, lines of changes elsewhere.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tui/shm_expr.h"
#include "tui/shm_view.h"

struct shm_watch_options {
	uint64_t interval_ns;         /* between samples, never 0 */
	uint64_t count;               /* end after so many changes; 0: never */
	uint64_t frames;              /* end after so many samples; 0: never */
	uint64_t timeout_ns;          /* end with RC_TIMEOUT; 0: never */
	const struct shm_expr *until; /* end when it holds, or NULL */
	bool fixed_clock;  /* each sample is exactly one interval after the one before, and the
			      panel takes one only when its key is pressed; from: */
	uint64_t clock_ns; /* since 1970 */
	bool ascii;        /* ASCII only, changes in brackets */
	bool color;
	bool mouse;
};

/*
 * Nanoseconds of the options' clock at sample number frame: for comparing, and since 1970. Never 0.
 */
uint64_t shm_watch_now(const struct shm_watch_options *options, uint64_t frame);
uint64_t shm_watch_wall(const struct shm_watch_options *options, uint64_t frame);

/* Real time, for waiting. */
uint64_t shm_watch_monotonic(void);

/* A shm_expr_read over a view. */
bool shm_watch_read(void *view, uint64_t at, void *buffer, size_t length);

/*
 * Print each change as a line of JSON on stdout. Returns the exit code, having said what is wrong.
 */
int shm_stream_run(const struct shm_view *view, const struct shm_watch_options *options);

/*
 * The panel of views[chosen], or (chosen < 0) the list to choose from. Returns the exit code, or -1
 * when this terminal cannot show it; nothing has then been done.
 */
int shm_watch_run(const struct shm_view *views, size_t view_count, int chosen,
		  const struct shm_watch_options *options);
