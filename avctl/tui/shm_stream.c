/* SPDX-License-Identifier: MIT */
/* shm_stream.c - a region's changes as lines of JSON, for pipes and CI.
 * Never lets an escape sequence of a guest through, and never outlives its reader. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "out/out.h"
#include "tui/shm_text.h"
#include "tui/shm_watch.h"

#define NS_PER_S 1000000000ull
#define PIECE 16384u /* as shm_panel.c reads */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static uint64_t clock_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t shm_watch_monotonic(void)
{
	return clock_now(CLOCK_MONOTONIC);
}

uint64_t shm_watch_now(const struct shm_watch_options *options, uint64_t frame)
{
	return options->fixed_clock ? 1 + frame * options->interval_ns : clock_now(CLOCK_MONOTONIC);
}

uint64_t shm_watch_wall(const struct shm_watch_options *options, uint64_t frame)
{
	return options->fixed_clock ? options->clock_ns + frame * options->interval_ns
				    : clock_now(CLOCK_REALTIME);
}

bool shm_watch_read(void *view, uint64_t at, void *buffer, size_t length)
{
	return shm_view_read(view, at, buffer, length) == length;
}

struct stream {
	const struct shm_view *view;
	const struct shm_watch_options *options;
	uint8_t *old, *new; /* the same but while a sample is compared */
	bool *differs;      /* by pieces: new may differ from old there */
	size_t valid, new_valid;
	uint64_t frame, changes;
};

/* Bytes of the last sample. */
static bool read_sample(void *context, uint64_t at, void *buffer, size_t length)
{
	const struct stream *stream = context;

	if (at > stream->valid || length > stream->valid - at)
		return false;
	memcpy(buffer, stream->old + at, length);
	return true;
}

/* Print what differs in [at, to); 0, or -1 when the reader is gone or enough was printed. */
static int print_range(struct stream *stream, size_t at, size_t to)
{
	uint64_t wall = shm_watch_wall(stream->options, stream->frame);
	size_t valid = stream->new_valid;
	struct shm_change change;

	while (shm_next_change(stream->old, stream->new, to, &at, &change)) {
		const struct shm_view *view = stream->view;
		const char *writer =
			shm_text_writer(view->set, view->region, change.offset, change.length);
		json_t *json =
			shm_json_change(view->region, &change, wall, stream->old + change.offset,
					stream->new + change.offset, stream->new, valid);
		int bad =
			!json ||
			(writer && json_object_set_new(json, "writer", json_string(writer)) != 0) ||
			json_dumpf(json, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER) != 0 ||
			putchar('\n') == EOF;

		json_decref(json);
		stream->changes++;
		if (bad || (stream->options->count && stream->changes >= stream->options->count))
			return -1;
	}
	return 0;
}

static int print_changes(struct stream *stream)
{
	size_t both = stream->new_valid < stream->valid ? stream->new_valid : stream->valid;

	for (size_t at = 0; at < both; at += PIECE) {
		size_t from = at;

		while (at < both && stream->differs[at / PIECE])
			at += PIECE;
		if (at > from && print_range(stream, from, at < both ? at : both) != 0)
			return -1;
	}
	return 0;
}

static void take_sample(struct stream *stream)
{
	size_t size = (size_t)stream->view->region->size, at = 0, got = 0, want;
	uint8_t piece[PIECE];

	do {
		want = size - at < PIECE ? size - at : PIECE;
		got = shm_view_read(stream->view, at, piece, want);
		stream->differs[at / PIECE] =
			at + got > stream->valid || memcmp(stream->old + at, piece, got) != 0;
		if (stream->differs[at / PIECE])
			memcpy(stream->new + at, piece, got);
		at += got;
	} while (got && got == want && at < size);
	stream->new_valid = at;
}

/* The new sample becomes the old one. */
static void keep_sample(struct stream *stream)
{
	for (size_t at = 0; at < stream->new_valid; at += PIECE) {
		size_t length = stream->new_valid - at < PIECE ? stream->new_valid - at : PIECE;

		if (stream->differs[at / PIECE])
			memcpy(stream->old + at, stream->new + at, length);
	}
	stream->valid = stream->new_valid;
	stream->frame++;
}

/* True when it is over, with the exit code. */
static bool step(struct stream *stream, uint64_t end, int *code)
{
	const struct shm_watch_options *options = stream->options;
	bool gone = shm_view_gone(stream->view);
	bool enough;

	take_sample(stream);
	/* A run-time region's memory is somebody else's as soon as it is gone: nothing of it is shown. */
	if (stream->view->serial && (gone || shm_view_gone(stream->view))) {
		*code = out_error(RC_UNREACHABLE, "avctl shm list",
				  "the region is gone: its last member left, or the set has ended");
		return true;
	}
	enough = stream->frame > 0 && print_changes(stream) != 0;
	if (fflush(stdout) != 0) {
		*code = errno == EPIPE
				? RC_OK
				: out_error(RC_FAILED, NULL, "cannot write: %s", strerror(errno));
		return true;
	}
	keep_sample(stream);
	*code = RC_OK;
	if (enough)
		return true;
	/*
	 * The condition looks at this very sample, so that it cannot hold between two lines unseen.
	 */
	if (options->until && shm_expr_holds(options->until, read_sample, stream))
		return true;
	if (options->frames && stream->frame >= options->frames)
		return true;
	if (gone) {
		*code = out_error(RC_UNREACHABLE, "avctl up starts it again",
				  "set \"%s\" has ended", stream->view->set->name);
		return true;
	}
	if (end && clock_now(CLOCK_MONOTONIC) >= end) {
		*code = out_error(RC_TIMEOUT, NULL, "shm watch: the time is over%s",
				  options->until ? " and the condition never held" : "");
		return true;
	}
	return false;
}

static void stream_free(struct stream *stream)
{
	free(stream->old);
	free(stream->new);
	free(stream->differs);
}

int shm_stream_run(const struct shm_view *view, const struct shm_watch_options *options)
{
	struct stream stream = {.view = view, .options = options};
	uint64_t start = clock_now(CLOCK_MONOTONIC);
	uint64_t end = options->timeout_ns ? start + options->timeout_ns : 0;
	struct sigaction action = {.sa_handler = on_interrupt}, before[3];
	static const int signals[] = {SIGINT, SIGTERM, SIGPIPE};
	int code = RC_OK;

	stream.old = malloc((size_t)view->region->size + 1);
	stream.new = malloc((size_t)view->region->size + 1);
	stream.differs = calloc((size_t)view->region->size / PIECE + 1, sizeof(*stream.differs));
	if (!stream.old || !stream.new || !stream.differs) {
		stream_free(&stream);
		return out_error(RC_FAILED, NULL, "not enough memory for a copy of the region");
	}
	interrupted = 0;
	for (int i = 0; i < 3; i++) {
		action.sa_handler = signals[i] == SIGPIPE ? SIG_IGN : on_interrupt;
		sigaction(signals[i], &action, &before[i]);
	}
	while (!step(&stream, end, &code)) {
		uint64_t next = start + stream.frame * options->interval_ns;
		struct timespec until;

		if (end && next > end)
			next = end;
		until.tv_sec = (time_t)(next / NS_PER_S);
		until.tv_nsec = (long)(next % NS_PER_S);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		if (interrupted) {
			code = RC_INTERRUPTED;
			break;
		}
	}
	for (int i = 0; i < 3; i++)
		sigaction(signals[i], &before[i], NULL);
	stream_free(&stream);
	return code;
}
