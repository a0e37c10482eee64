/* SPDX-License-Identifier: MIT */
/*
 * serve_log.h - what `avctl serve` says: whom it serves, who comes and goes, with -v each call.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "config/set.h"
#include "serve/server.h"

struct serve_log {
	const struct set *set;
	const char *region;
	const struct server *server;
	bool verbose;
	unsigned int lines;   /* since the last flush */
	uint64_t left_out;    /* lines that were too many */
	uint64_t left_out_at; /* of them said */
};

void serve_log_begin(struct serve_log *log, const struct set *set, const char *region,
		     uint64_t served, const struct server *server, const char *root, bool verbose);
void serve_log_note(struct serve_log *log, const struct server_note *note);

/* Ten times a second. */
void serve_log_flush(struct serve_log *log);
void serve_log_end(struct serve_log *log);
