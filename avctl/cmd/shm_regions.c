/* SPDX-License-Identifier: MIT */
/*
 * shm_regions.c - the shared regions of a running set, found and opened for `avctl shm`.
 * Takes no lock and disturbs no guest; only a poke may write.
 */
#include "cmd/shm_regions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <avisor/manifest.h>

void regions_close(struct regions *regions)
{
	if (regions->ram_fd >= 0)
		close(regions->ram_fd);
	free(regions->views);
	for (size_t i = regions->declared; regions->joined && i < regions->joined->region_count;
	     i++) {
		free(regions->joined->regions[i].name);
		free(regions->joined->regions[i].members);
	}
	if (regions->joined)
		free(regions->joined->regions);
	free(regions->joined);
	if (regions->own_set)
		set_free(regions->own_set);
}

static int open_ram(struct regions *regions, const char *path)
{
	regions->ram_fd =
		open(path, (regions->writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);
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

/* Views point at the regions of the set that is used now. */
static void point_views(struct regions *regions)
{
	regions->count = regions->set->region_count;
	for (size_t i = 0; i < regions->count; i++) {
		regions->views[i].set = regions->set;
		regions->views[i].region = &regions->set->regions[i];
		regions->views[i].ram_fd = regions->ram_fd;
	}
}

int regions_open(struct ctx *ctx, struct regions *regions)
{
	const char *test_file = getenv("AVCTL_TEST_RAM_FILE");
	int code;

	*regions = (struct regions){.ram_fd = -1, .writable = regions->writable};
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
	point_views(regions);
	return RC_OK;
}

/* "vm1:rw,vm2:ro" and "0,5": the members, and their numbers. */
static void read_members(const struct set *set, struct set_region *region, struct shm_view *view,
			 char *text, char *numbers)
{
	char *rest = NULL, *number_rest = NULL;
	char *number = strtok_r(numbers, ",", &number_rest);

	region->members = calloc(set->vm_count + 1, sizeof(*region->members));
	view->numbered = true;
	for (char *word = strtok_r(text, ",", &rest); region->members && word;
	     word = strtok_r(NULL, ",", &rest)) {
		char *right = strchr(word, ':');

		for (size_t i = 0; right && i < set->vm_count; i++) {
			size_t at = region->member_count;

			if (strncmp(set->vms[i].name, word, (size_t)(right - word)) != 0 ||
			    set->vms[i].name[right - word] || at == set->vm_count ||
			    at == AV_REGION_MEMBERS)
				continue;
			region->members[at].vm = (unsigned)i;
			region->members[at].write = strcmp(right, ":rw") == 0;
			view->numbers[at] = (uint8_t)(number ? atoi(number) : 0xff);
			region->member_count++;
		}
		number = number ? strtok_r(NULL, ",", &number_rest) : NULL;
	}
}

static void take_region(void *to, const struct line *row)
{
	struct regions *regions = to;
	struct set *set = regions->joined;
	struct set_region *region = &set->regions[set->region_count];
	struct shm_view *view = &regions->views[set->region_count];
	const char *name = line_text(row, "name"), *members = line_text(row, "members");
	uint64_t key = 0, pa = 0, serial = 0;
	const char *numbers = line_text(row, "numbers");
	char *text, *number_text;

	if (!line_number(row, "key", &key) || !key || !name || !members || !numbers ||
	    set->region_count == AV_REGION_NUMBERS)
		return;
	memset(region, 0, sizeof(*region));
	line_number(row, "pa", &pa);
	line_number(row, "serial", &serial);
	line_number(row, "ipa", &region->address);
	line_number(row, "size", &region->size);
	if (pa < AV_RAM_PA || !region->size)
		return;
	region->name = strdup(name);
	*view = (struct shm_view){
		.offset = pa - AV_RAM_PA, .owner = regions->owner, .serial = serial};
	text = strdup(members);
	number_text = strdup(numbers);
	if (text && number_text)
		read_members(set, region, view, text, number_text);
	free(text);
	free(number_text);
	if (!region->name || !region->members) {
		free(region->name);
		free(region->members);
		return;
	}
	set->region_count++;
}

static void drop_regions(void *to)
{
	struct regions *regions = to;

	while (regions->joined->region_count > regions->declared) {
		struct set_region *region =
			&regions->joined->regions[--regions->joined->region_count];

		free(region->name);
		free(region->members);
	}
}

/* The tables grow by what there can be. False without memory. */
static bool make_room(struct regions *regions)
{
	struct set *joined = malloc(sizeof(*joined));
	struct set_region *list = calloc(AV_REGION_NUMBERS + 1, sizeof(*list));
	struct shm_view *views =
		reallocarray(regions->views, AV_REGION_NUMBERS + 1, sizeof(*views));

	if (views)
		regions->views = views;
	if (!joined || !list || !views) {
		free(joined);
		free(list);
		return false;
	}
	*joined = *regions->set;
	memcpy(list, joined->regions, joined->region_count * sizeof(*list));
	joined->regions = list;
	regions->declared = joined->region_count;
	regions->joined = joined;
	regions->set = joined;
	return true;
}

void regions_add_run_time(struct ctx *ctx, struct regions *regions)
{
	struct agent_sink sink = {.row = take_region, .restart = drop_regions, .to = regions};
	struct agent_request request;
	struct agent_reply reply;

	if (!ctx->record || regions->joined || !make_room(regions))
		return;
	regions->owner = ctx->record->pid;
	if (ctx_need_agent(ctx) == RC_OK) {
		agent_begin(&request, "regions");
		if (agent_call(ctx->agent, &request, &sink, false, &reply) != AGENT_OK)
			drop_regions(regions);
	}
	ctx_release(ctx);
	point_views(regions);
}

/* "have: a, b" */
static void name_regions(const struct set *set, char *out, size_t size)
{
	size_t used = (size_t)snprintf(out, size, "the regions are");

	for (size_t i = 0; i < set->region_count && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s %s", i ? "," : "",
					 set->regions[i].name);
}

int regions_find(struct ctx *ctx, struct regions *regions, const char *name,
		 const struct shm_view **view)
{
	const char *names[AV_REGION_MAX];
	size_t count = 0;
	const char *near;
	char hint[512];

	*view = NULL;
	if (name && strncmp(name, "key-", 4) == 0)
		regions_add_run_time(ctx, regions);
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

int regions_which(const struct regions *regions)
{
	char hint[512];

	name_regions(regions->set, hint, sizeof(hint));
	return out_error(RC_USAGE, hint, "set \"%s\" has %zu regions: which one?",
			 regions->set->name, regions->count);
}
