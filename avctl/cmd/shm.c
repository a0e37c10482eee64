/* SPDX-License-Identifier: MIT */
/* shm.c - `avctl shm list|dump|watch`.
 * Reads the RAM file directly: takes no lock, disturbs no guest and never writes. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <avisor/manifest.h>
#include "cmd/ctx.h"
#include "out/table.h"
#include "tui/shm_text.h"
#include "tui/shm_watch.h"

#define DEFAULT_INTERVAL_NS 100000000ull
#define SHORTEST_INTERVAL_NS 1000000ull

/* The regions of the set that is meant, ready to be read. */
struct regions {
	struct set *own_set; /* when loaded here, else the record's */
	const struct set *set;
	struct shm_view *views;
	size_t count;
	int ram_fd;
};

static void regions_close(struct regions *regions)
{
	if (regions->ram_fd >= 0)
		close(regions->ram_fd);
	free(regions->views);
	if (regions->own_set)
		set_free(regions->own_set);
}

static int open_ram(struct regions *regions, const char *path)
{
	regions->ram_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (regions->ram_fd < 0)
		return out_error(RC_UNREACHABLE, "avctl down, then avctl up", "the RAM file %s: %s",
				 path, strerror(errno));
	return RC_OK;
}

/* Test hook: regions of the YAML file in any file, the first at physical address $AVCTL_TEST_AT. */
static int open_test_file(struct ctx *ctx, struct regions *regions, const char *ram_file)
{
	const char *at = getenv("AVCTL_TEST_AT");
	uint64_t pa = at ? strtoull(at, NULL, 0) : AV_RAM_PA;
	struct set_errors errors = {0};
	char *path;
	int code = ctx_find_file(ctx, &path);

	if (code != RC_OK)
		return code;
	regions->own_set = set_load(path, &errors);
	free(path);
	if (!regions->own_set)
		set_errors_print(&errors, stderr);
	set_errors_free(&errors);
	if (!regions->own_set)
		return RC_BAD_CONFIG;
	regions->set = regions->own_set;
	regions->views = calloc(regions->set->region_count + 1, sizeof(*regions->views));
	if (!regions->views)
		return out_error(RC_FAILED, NULL, "not enough memory");
	for (size_t i = 0; i < regions->set->region_count; i++)
		regions->views[i].offset = pa - AV_RAM_PA + regions->set->regions[i].address -
					   regions->set->regions[0].address;
	return open_ram(regions, ram_file);
}

static int regions_open(struct ctx *ctx, struct regions *regions)
{
	const char *test_file = getenv("AVCTL_TEST_RAM_FILE");
	int code;

	memset(regions, 0, sizeof(*regions));
	regions->ram_fd = -1;
	if (test_file) {
		code = open_test_file(ctx, regions, test_file);
	} else {
		code = ctx_need_record(ctx);
		if (code != RC_OK)
			return code;
		regions->set = ctx->record->set;
		regions->views = calloc(regions->set->region_count + 1, sizeof(*regions->views));
		if (!regions->views)
			return out_error(RC_FAILED, NULL, "not enough memory");
		for (size_t i = 0; i < regions->set->region_count; i++) {
			regions->views[i].offset = ctx->record->region_pa[i] - AV_RAM_PA;
			regions->views[i].owner = ctx->record->pid;
		}
		code = open_ram(regions, ctx->record->ram_file);
	}
	if (code != RC_OK) {
		regions_close(regions);
		return code;
	}
	regions->count = regions->set->region_count;
	for (size_t i = 0; i < regions->count; i++) {
		regions->views[i].set = regions->set;
		regions->views[i].region = &regions->set->regions[i];
		regions->views[i].ram_fd = regions->ram_fd;
	}
	return RC_OK;
}

/* "have: a, b" */
static void name_regions(const struct set *set, char *out, size_t size)
{
	size_t used = (size_t)snprintf(out, size, "the regions are");

	for (size_t i = 0; i < set->region_count && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s %s", i ? "," : "",
					 set->regions[i].name);
}

/*
 * The view called name. Without a name the only one, or, when there are several, NULL with RC_OK.
 */
static int find_view(const struct regions *regions, const char *name, const struct shm_view **view)
{
	const char *names[AV_REGION_MAX];
	size_t count = 0;
	const char *near;
	char hint[512];

	*view = NULL;
	if (regions->count == 0)
		return out_error(RC_NOT_FOUND, "regions are declared under shm: in the YAML file",
				 "set \"%s\" has no shared regions", regions->set->name);
	if (!name) {
		if (regions->count == 1)
			*view = &regions->views[0];
		return RC_OK;
	}
	for (size_t i = 0; i < regions->count; i++) {
		if (strcmp(regions->set->regions[i].name, name) == 0) {
			*view = &regions->views[i];
			return RC_OK;
		}
		if (count < AV_REGION_MAX)
			names[count++] = regions->set->regions[i].name;
	}
	near = out_nearest(name, names, count);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean %s?", near);
	else
		name_regions(regions->set, hint, sizeof(hint));
	return out_error(RC_NOT_FOUND, hint, "no region \"%s\" in set \"%s\"", name,
			 regions->set->name);
}

static int which_region(const struct regions *regions)
{
	char hint[512];

	name_regions(regions->set, hint, sizeof(hint));
	return out_error(RC_USAGE, hint, "set \"%s\" has %zu regions: which one?",
			 regions->set->name, regions->count);
}

static void list_json(const struct set *set)
{
	json_t *list = json_array();

	for (size_t i = 0; i < set->region_count; i++) {
		json_t *region = shm_json_summary(set, &set->regions[i]);

		json_object_set_new(region, "fields",
				    json_integer((json_int_t)set->regions[i].field_count));
		if (out_style.format == OUT_JSONL)
			out_json(region);
		else
			json_array_append_new(list, region);
	}
	if (out_style.format == OUT_JSON)
		out_json(json_pack("{s:s, s:O}", "set", set->name, "regions", list));
	json_decref(list);
}

int cmd_shm_list(struct ctx *ctx)
{
	static const struct column columns[] = {
		{.title = "REGION", .json = "region"},
		{.title = "ADDRESS", .json = "address", .kind = COLUMN_ADDRESS},
		{.title = "SIZE", .json = "size"},
		{.title = "FIELDS", .json = "fields", .kind = COLUMN_NUMBER},
		{.title = "MEMBERS", .json = "members"},
	};
	struct regions regions;
	struct table *table;
	char members[512], size[32];
	int code = regions_open(ctx, &regions);

	if (code != RC_OK)
		return code;
	if (out_style.format == OUT_JSON || out_style.format == OUT_JSONL) {
		list_json(regions.set);
		regions_close(&regions);
		return RC_OK;
	}
	table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; table && i < regions.count; i++) {
		const struct set_region *region = &regions.set->regions[i];

		shm_text_members(regions.set, region, members, sizeof(members));
		table_row(table);
		table_set(table, 0, region->name);
		table_set_number(table, 1, region->address);
		table_set(table, 2, out_size(size, region->size));
		table_set_number(table, 3, region->field_count);
		table_set(table, 4, members);
	}
	if (table)
		table_print(table, NULL, "regions");
	table_free(table);
	regions_close(&regions);
	return RC_OK;
}

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
	struct regions regions;
	int code = regions_open(ctx, &regions);

	if (code != RC_OK)
		return code;
	code = find_view(&regions, ctx_arg(ctx, 0), &view);
	if (code == RC_OK)
		code = view ? dump_range(ctx, view) : which_region(&regions);
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
		return which_region(regions);
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
	return view ? shm_stream_run(view, options) : which_region(regions);
}

int cmd_shm_watch(struct ctx *ctx)
{
	const char *condition = ctx_option(ctx, "until");
	struct shm_watch_options options;
	const struct shm_view *view;
	struct regions regions;
	struct shm_expr until;
	char message[160];
	int code = watch_options(ctx, &options);

	if (code == RC_OK)
		code = regions_open(ctx, &regions);
	if (code != RC_OK)
		return code;
	code = find_view(&regions, ctx_arg(ctx, 0), &view);
	if (code == RC_OK && condition && view) {
		options.until = &until;
		if (shm_expr_parse(&until, view->region, condition, message, sizeof(message)) != 0)
			code = out_error(
				RC_USAGE,
				"--until 'FIELD>=N', 'u32@0x10==1' or 'FIELD~text', joined by &&",
				"--until: %s", message);
	} else if (code == RC_OK && condition) {
		code = which_region(&regions);
	}
	if (code == RC_OK)
		code = watch(ctx, &regions, view, &options);
	regions_close(&regions);
	return code;
}
