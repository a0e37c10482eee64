/* SPDX-License-Identifier: MIT */
/* shm.c - `avctl shm dump|watch`.
 * Reads the RAM file directly: takes no lock, disturbs no guest and never writes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cmd/shm_regions.h"
#include "tui/shm_text.h"
#include "tui/shm_watch.h"

#define DEFAULT_INTERVAL_NS 100000000ull
#define SHORTEST_INTERVAL_NS 1000000ull

/* What `-o` says, here with words of its own; NULL when it says nothing. */
static const char *output_format(const struct ctx *ctx)
{
	const char *own = ctx_option(ctx, "output");

	return own ? own : ctx->globals.output;
}

/* Print part of a region once as "hex", "raw" or "json". */
static int dump(const struct shm_view *view, const char *format, uint64_t at, uint64_t length)
{
	bool all = at == 0 && length == view->region->size;
	json_t *json;
	int result;

	if (!format || strcmp(format, "hex") == 0 || strcmp(format, "table") == 0) {
		result = shm_text_dump(view, at, length, stdout);
		if (all)
			shm_text_fields(view, stdout);
	} else if (strcmp(format, "raw") == 0) {
		if (isatty(STDOUT_FILENO))
			return out_error(RC_USAGE, "avctl shm dump REGION -o raw > FILE",
					 "a guest's raw bytes do not go to a terminal");
		result = shm_text_raw(view, at, length, stdout);
	} else if (strcmp(format, "json") == 0 || strcmp(format, "jsonl") == 0) {
		json = shm_json_region(view, at, length);
		result = json ? 0 : -1;
		if (json)
			out_json(json);
	} else {
		return out_error(RC_USAGE, "-o hex, -o raw or -o json",
				 "\"%s\" is not a format of shm dump", format);
	}
	if (fflush(stdout) != 0)
		return out_error(RC_FAILED, NULL, "cannot write: %s", strerror(errno));
	if (result != 0)
		return out_error(RC_UNREACHABLE, "avctl ps",
				 "the RAM file ends inside region \"%s\"", view->region->name);
	return RC_OK;
}

static int dump_range(const struct ctx *ctx, const struct shm_view *view)
{
	uint64_t size = view->region->size, at = 0, length;
	int code = ctx_number_option(ctx, "at", &at);

	length = at < size ? size - at : 0;
	if (code == RC_OK)
		code = ctx_number_option(ctx, "length", &length);
	if (code != RC_OK)
		return code;
	if (at > size || length > size - at)
		return out_error(RC_USAGE, NULL,
				 "region \"%s\" has %" PRIu64 " bytes: --at %" PRIu64
				 " --length %" PRIu64 " is outside",
				 view->region->name, size, at, length);
	return dump(view, output_format(ctx), at, length);
}

int cmd_shm_dump(struct ctx *ctx)
{
	const struct shm_view *view;
	struct regions regions = {0};
	int code = regions_open(ctx, &regions);

	if (code != RC_OK)
		return code;
	code = regions_find(ctx, &regions, ctx_arg(ctx, 0), &view);
	if (code == RC_OK)
		code = view ? dump_range(ctx, view) : regions_which(&regions);
	regions_close(&regions);
	return code;
}

static int watch_options(const struct ctx *ctx, struct shm_watch_options *options)
{
	const char *interval = ctx_option(ctx, "interval");
	uint64_t seconds = 0;
	int code;

	memset(options, 0, sizeof(*options));
	options->interval_ns = DEFAULT_INTERVAL_NS;
	if (interval && (!ctx_duration(interval, &options->interval_ns) ||
			 options->interval_ns < SHORTEST_INTERVAL_NS))
		return out_error(RC_USAGE, "--interval 100ms, 2s; at least 1ms",
				 "\"%s\" is not an interval", interval);
	code = ctx_number_option(ctx, "count", &options->count);
	if (code == RC_OK)
		code = ctx_number_option(ctx, "frames", &options->frames);
	if (code == RC_OK)
		code = ctx_number_option(ctx, "fixed-clock", &seconds);
	if (code == RC_OK)
		code = ctx_timeout(ctx, 0, &options->timeout_ns);
	options->fixed_clock = ctx_flag(ctx, "fixed-clock");
	options->clock_ns = seconds * 1000000000ull;
	options->ascii = ctx_flag(ctx, "ascii");
	options->color = out_colored(STDOUT_FILENO);
	options->mouse = !ctx_flag(ctx, "no-mouse");
	return code;
}

/* Panel, stream or one look, as asked and as stdout allows. */
static int watch(struct ctx *ctx, const struct regions *regions, const struct shm_view *view,
		 const struct shm_watch_options *options)
{
	const char *format = output_format(ctx);
	bool lines = format && strcmp(format, "table") != 0;
	int chosen = view ? (int)(view - regions->views) : -1;
	int code;

	if (!view && (options->until || ctx_flag(ctx, "once")))
		return regions_which(regions);
	if (ctx_flag(ctx, "once"))
		return dump(view, format, 0, view->region->size);
	if (lines && strcmp(format, "jsonl") != 0)
		return out_error(RC_USAGE,
				 "-o jsonl prints each change; --once -o json prints the region",
				 "shm watch is a stream, which -o %s cannot say", format);
	if (!lines && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
		code = shm_watch_run(regions->views, regions->count, chosen, options);
		if (code >= 0)
			return code;
		out_note("this terminal has no addressable screen: printing changes as lines");
	}
	return view ? shm_stream_run(view, options) : regions_which(regions);
}

int cmd_shm_watch(struct ctx *ctx)
{
	const char *condition = ctx_option(ctx, "until");
	struct shm_watch_options options;
	const struct shm_view *view;
	struct regions regions = {0};
	struct shm_expr until;
	char message[160];
	int code = watch_options(ctx, &options);

	if (code == RC_OK)
		code = regions_open(ctx, &regions);
	if (code != RC_OK)
		return code;
	code = regions_find(ctx, &regions, ctx_arg(ctx, 0), &view);
	if (code == RC_OK && condition && view) {
		options.until = &until;
		if (shm_expr_parse(&until, view->region, condition, message, sizeof(message)) != 0)
			code = out_error(
				RC_USAGE,
				"--until 'FIELD>=N', 'u32@0x10==1' or 'FIELD~text', joined by &&",
				"--until: %s", message);
	} else if (code == RC_OK && condition) {
		code = regions_which(&regions);
	}
	if (code == RC_OK)
		code = watch(ctx, &regions, view, &options);
	regions_close(&regions);
	return code;
}
