/* SPDX-License-Identifier: MIT */
/*
 * shm_list.c - `avctl shm list`: the regions, who may do what, and how much changes in them.
 * Looks twice and compares: what it cannot know it leaves out, never guesses.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cmd/shm_regions.h"
#include "out/table.h"
#include "tui/shm_text.h"
#include "tui/shm_watch.h"

#define DEFAULT_LOOK_NS 200000000ull
#define LOOK_BYTES_MAX (64u << 20) /* larger regions are not compared */

/* What one region did between two looks. */
struct look {
	uint8_t *first;
	bool known;
	uint64_t changed;  /* bytes */
	uint64_t from, to; /* around all that changed */
};

static void look_once(const struct shm_view *view, struct look *look)
{
	uint64_t size = view->region->size;

	look->first = size <= LOOK_BYTES_MAX ? malloc((size_t)size) : NULL;
	if (look->first && shm_view_read(view, 0, look->first, (size_t)size) != size) {
		free(look->first);
		look->first = NULL;
	}
}

static void compare(struct look *look, uint64_t at, const uint8_t *block, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (block[i] == look->first[at + i])
			continue;
		if (!look->changed)
			look->from = at + i;
		look->to = at + i + 1;
		look->changed++;
	}
}

static void look_again(const struct shm_view *view, struct look *look)
{
	uint64_t size = view->region->size;
	uint8_t block[4096];

	look->known = look->first;
	for (uint64_t at = 0; look->known && at < size; at += sizeof(block)) {
		size_t length = size - at < sizeof(block) ? (size_t)(size - at) : sizeof(block);

		if (shm_view_read(view, at, block, length) != length)
			look->known = false;
		else if (memcmp(block, look->first + at, length) != 0)
			compare(look, at, block, length);
	}
	free(look->first);
}

/* Whose what changed can only be; of what may change when nothing did. */
static const char *writer_of(const struct regions *regions, size_t i, const struct look *look)
{
	const struct set_region *region = &regions->set->regions[i];
	uint64_t from = look->changed ? look->from : 0;
	uint64_t to = look->changed ? look->to : region->size;

	return shm_text_writer(regions->set, region, from, to - from);
}

/* Compare the regions over ns; 0: do not. NULL without memory. */
static struct look *look_at_all(const struct regions *regions, uint64_t ns)
{
	struct look *looks = calloc(regions->count + 1, sizeof(*looks));
	uint64_t end = shm_watch_monotonic() + ns;
	struct timespec until = {.tv_sec = (time_t)(end / 1000000000u),
				 .tv_nsec = (long)(end % 1000000000u)};

	for (size_t i = 0; looks && ns && i < regions->count; i++)
		look_once(&regions->views[i], &looks[i]);
	if (ns && regions->count)
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
			;
	for (size_t i = 0; looks && ns && i < regions->count; i++)
		look_again(&regions->views[i], &looks[i]);
	return looks;
}

/* What the state table says of each. */
static void members_json(json_t *members, const struct shm_view *view)
{
	static const char *const states[] = {"detached", "running", "paused",
					     "starved",  "crashed", "stopped"};
	struct av_region_state state;
	bool known = shm_view_state(view, &state);

	for (size_t i = 0; known && i < json_array_size(members); i++) {
		json_t *member = json_array_get(members, i);
		uint64_t word = shm_view_member(view, &state, i);
		uint32_t now = av_member_state(word);

		if (now <= AV_MEMBER_STOPPED)
			json_object_set_new(member, "state", json_string(states[now]));
		json_object_set_new(member, "generation",
				    json_integer((json_int_t)av_member_generation(word)));
	}
}

static json_t *region_json(const struct regions *regions, size_t i, const struct look *look,
			   uint64_t ns)
{
	const struct set_region *region = &regions->set->regions[i];
	const char *writer = writer_of(regions, i, look);
	json_t *json = shm_json_summary(regions->set, region);

	members_json(json_object_get(json, "members"), &regions->views[i]);
	json_object_set_new(json, "fields", json_integer((json_int_t)region->field_count));
	json_object_set_new(json, "changed_per_s",
			    look->known
				    ? json_integer((json_int_t)(look->changed * 1000000000u / ns))
				    : json_null());
	json_object_set_new(json, "writer", writer ? json_string(writer) : json_null());
	return json;
}

static void list_json(const struct regions *regions, const struct look *looks, uint64_t ns)
{
	json_t *list = json_array();

	for (size_t i = 0; i < regions->count; i++) {
		json_t *region = region_json(regions, i, &looks[i], ns);

		if (out_style.format == OUT_JSONL)
			out_json(region);
		else
			json_array_append_new(list, region);
	}
	if (out_style.format == OUT_JSON)
		out_json(json_pack("{s:s, s:O}", "set", regions->set->name, "regions", list));
	json_decref(list);
}

static void list_table(const struct regions *regions, const struct look *looks, uint64_t ns)
{
	static const struct column columns[] = {
		{.title = "REGION", .json = "region"},
		{.title = "ADDRESS", .json = "address", .kind = COLUMN_ADDRESS},
		{.title = "SIZE", .json = "size"},
		{.title = "FIELDS", .json = "fields", .kind = COLUMN_NUMBER},
		{.title = "MEMBERS", .json = "members"},
		{.title = "CHANGED", .json = "changed"},
		{.title = "WRITER", .json = "writer"},
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	char members[512], size[32], rate[40];

	for (size_t i = 0; table && i < regions->count; i++) {
		const struct set_region *region = &regions->set->regions[i];

		shm_text_members_now(&regions->views[i], members, sizeof(members));
		table_row(table);
		table_set(table, 0, region->name);
		if (region->address) /* got by key: each member has its own */
			table_set_number(table, 1, region->address);
		table_set(table, 2, out_size(size, region->size));
		table_set_number(table, 3, region->field_count);
		table_set(table, 4, members);
		snprintf(rate, sizeof(rate), "%s/s",
			 out_size(size, ns ? looks[i].changed * 1000000000u / ns : 0));
		table_set(table, 5, looks[i].known ? rate : NULL);
		table_set(table, 6, writer_of(regions, i, &looks[i]));
	}
	if (table)
		table_print(table, NULL, "regions");
	table_free(table);
}

int cmd_shm_list(struct ctx *ctx)
{
	const char *interval = ctx_option(ctx, "interval");
	uint64_t ns = out_style.format == OUT_NAME ? 0 : DEFAULT_LOOK_NS;
	struct regions regions = {0};
	struct look *looks;
	int code;

	if (interval && !ctx_duration(interval, &ns))
		return out_error(RC_USAGE, "--interval 200ms, 2s; 0s does not look",
				 "\"%s\" is not an interval", interval);
	code = regions_open(ctx, &regions);
	if (code != RC_OK)
		return code;
	regions_add_run_time(ctx, &regions);
	looks = look_at_all(&regions, ns);
	if (!looks)
		code = out_error(RC_FAILED, NULL, "not enough memory");
	else if (out_style.format == OUT_JSON || out_style.format == OUT_JSONL)
		list_json(&regions, looks, ns);
	else
		list_table(&regions, looks, ns);
	free(looks);
	regions_close(&regions);
	return code;
}
