/* SPDX-License-Identifier: MIT */
/*
 * snapshot_diff_pages.c - the pages of `snapshot diff`: the hypervisor names the frames that
 * differ, and their contents are compared in the RAM file.
 * Never asks the hypervisor for contents, and never believes a run that leads out of the file.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <avisor/hypercall.h>
#include <avisor/manifest.h>
#include "cmd/snapshot_diff.h"

#define PAGE 4096u
#define LINES_MAX 65536 /* 1 MiB that differs; the memory of this host is the VMs' */
#define LINE 16u

struct run {
	uint64_t ipa, count, pa[2];
};

/* The rows of one answer. */
struct runs {
	struct run *items;
	size_t count, capacity;
};

static void take_run(void *to, const struct line *row)
{
	struct runs *runs = to;
	struct run run = {0};

	if (!line_hex(row, "ipa", &run.ipa) || !line_number(row, "count", &run.count) ||
	    !line_hex(row, "pa_a", &run.pa[0]) || !line_hex(row, "pa_b", &run.pa[1]))
		return;
	if (runs->count == runs->capacity) {
		runs->capacity = runs->capacity ? runs->capacity * 2 : 64;
		runs->items = reallocarray(runs->items, runs->capacity, sizeof(*runs->items));
		if (!runs->items)
			abort();
	}
	runs->items[runs->count++] = run;
}

static void drop_runs(void *to)
{
	((struct runs *)to)->count = 0;
}

/* A page by its physical address; zeros where there is none. False: it cannot be read. */
static bool read_page(const struct diff *diff, uint64_t pa, unsigned char page[PAGE])
{
	size_t done = 0;

	memset(page, 0, PAGE);
	if (!pa)
		return true;
	if (pa < AV_RAM_PA)
		return false;
	while (done < PAGE) {
		ssize_t n = pread(diff->ram_fd, page + done, PAGE - done,
				  (off_t)(pa - AV_RAM_PA + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static void add_page(struct diff *diff, uint64_t address, unsigned kind)
{
	struct diff_range *last = diff->range_count ? &diff->ranges[diff->range_count - 1] : NULL;

	diff->pages++;
	if (last && last->kind == kind && address == last->address + last->pages * PAGE) {
		last->pages++;
		return;
	}
	if (!(diff->range_count & (diff->range_count - 1))) {
		size_t capacity = diff->range_count ? diff->range_count * 2 : 1;

		diff->ranges = reallocarray(diff->ranges, capacity, sizeof(*diff->ranges));
		if (!diff->ranges)
			abort();
	}
	diff->ranges[diff->range_count++] =
		(struct diff_range){.address = address, .pages = 1, .kind = kind};
}

static json_t *bytes_json(const unsigned char *bytes)
{
	char text[2 * LINE + 1];

	for (size_t i = 0; i < LINE; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_string(text);
}

static void add_lines(struct diff *diff, uint64_t address, const unsigned char *a,
		      const unsigned char *b)
{
	char text[24];

	for (size_t at = 0; at < PAGE; at += LINE) {
		if (!memcmp(a + at, b + at, LINE))
			continue;
		if (json_array_size(diff->lines) == LINES_MAX) {
			diff->lines_left_out++;
			continue;
		}
		json_array_append_new(
			diff->lines,
			json_pack("{s:s, s:o, s:o}", "address",
				  out_text(text, sizeof(text), "0x%" PRIx64, address + at), "a",
				  bytes_json(a + at), "b", bytes_json(b + at)));
	}
}

static int compare_run(struct diff *diff, const struct run *run)
{
	unsigned kind = !run->pa[0] ? AV_PAGE_ONLY_B : !run->pa[1] ? AV_PAGE_ONLY_A : AV_PAGE_BOTH;
	unsigned char pages[2][PAGE];

	for (uint64_t i = 0; i < run->count; i++) {
		uint64_t address = run->ipa + i * PAGE;

		for (int side = 0; side < 2; side++) {
			uint64_t pa = run->pa[side] ? run->pa[side] + i * PAGE : 0;

			if (!read_page(diff, pa, pages[side]))
				return out_error(RC_FAILED, "avctl ps",
						 "page 0x%" PRIx64 " is not in %s", pa,
						 diff->ctx->record->ram_file);
		}
		if (!memcmp(pages[0], pages[1], PAGE)) {
			diff->same++;
			continue;
		}
		add_page(diff, address, kind);
		if (diff->hex)
			add_lines(diff, address, pages[0], pages[1]);
	}
	return RC_OK;
}

int diff_pages(struct diff *diff)
{
	struct runs runs = {0};
	struct agent_sink sink = {.row = take_run, .restart = drop_runs, .to = &runs};
	uint64_t cursor = 0, next;
	int result = RC_OK;

	while (cursor != AV_DIFF_END && result == RC_OK) {
		struct agent_request request;
		struct agent_reply reply;

		runs.count = 0;
		agent_begin(&request, "diff");
		line_add_text(&request.line, "vm", diff->vm);
		line_add_text(&request.line, "a", diff->ids[0]);
		line_add_text(&request.line, "b", diff->ids[1]);
		line_add_hex(&request.line, "from", cursor);
		if (agent_call(diff->ctx->agent, &request, &sink, false, &reply) != AGENT_OK) {
			result = ctx_agent_error(diff->ctx, &reply, diff->vm,
						 "one of the snapshots");
			break;
		}
		if (!line_hex(&reply.end, "next", &next) || next <= cursor) {
			result = out_error(RC_FAILED, "avctl version",
					   "the agent's answer is incomplete");
			break;
		}
		cursor = next;
		for (size_t i = 0; i < runs.count && result == RC_OK; i++)
			result = compare_run(diff, &runs.items[i]);
	}
	free(runs.items);
	return result;
}
