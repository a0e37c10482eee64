/* SPDX-License-Identifier: MIT */
/*
 * snapshot_export.c - `avctl snapshot export`: the hypervisor says where the pages and the state of a snapshot are, and
 * they are read in the RAM file. The VM runs on: what a snapshot holds does not change.
 * Must never leave half a file under the name that was given.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <avisor/hypercall.h>
#include "cmd/rows.h"
#include "cmd/snapshot_files.h"
#include "cmd/snapshot_pick.h"
#include "cmd/snapshot_rows.h"

#define PIECE 256u /* pages read at once */

struct export
{
	struct ctx *ctx;
	const char *vm, *path;
	char id[32], taken[32];
	int ram_fd;
	struct file_writer *writer;
	struct avs_header header;
	struct files_progress progress;
	uint64_t pages, expected;
	unsigned char *piece;
};

struct run {
	uint64_t ipa, count, pa;
};

struct runs {
	struct run *items;
	size_t count, capacity;
	bool no_memory;
};

static void take_run(void *to, const struct line *row)
{
	struct runs *runs = to;
	struct run run = {0};

	if (!line_hex(row, "ipa", &run.ipa) || !line_number(row, "count", &run.count) ||
	    !line_hex(row, "pa_b", &run.pa))
		return;
	if (runs->count == runs->capacity) {
		size_t capacity = runs->capacity ? runs->capacity * 2 : 256;
		struct run *items = reallocarray(runs->items, capacity, sizeof(*items));

		if (!items) {
			runs->no_memory = true;
			return;
		}
		runs->items = items;
		runs->capacity = capacity;
	}
	runs->items[runs->count++] = run;
}

static void drop_runs(void *to)
{
	((struct runs *)to)->count = 0;
}

/* The writer asks whether an earlier page has the same bytes. */
static bool page_is(void *ctx, uint64_t pa, const unsigned char *bytes)
{
	const struct export *e = ctx;
	unsigned char page[FILE_PAGE];

	return files_ram_read(e->ram_fd, pa, page, sizeof(page)) &&
	       !memcmp(page, bytes, sizeof(page));
}

static int write_run(struct export *e, const struct run *run)
{
	struct file_error error = {"", ""};

	for (uint64_t done = 0; done < run->count;) {
		uint64_t count = run->count - done < PIECE ? run->count - done : PIECE;
		uint64_t pa = run->pa + done * FILE_PAGE;

		if (!files_ram_read(e->ram_fd, pa, e->piece, count * FILE_PAGE))
			return out_error(RC_FAILED, "avctl ps", "page 0x%" PRIx64 " is not in %s",
					 pa, e->ctx->record->ram_file);
		for (uint64_t i = 0; i < count; i++)
			if (!file_add_page(e->writer, run->ipa + (done + i) * FILE_PAGE,
					   pa + i * FILE_PAGE, e->piece + i * FILE_PAGE, &error))
				return files_error(&error, e->path);
		done += count;
		e->pages += count;
		files_progress(&e->progress, e->pages * FILE_PAGE, e->expected * FILE_PAGE);
	}
	return RC_OK;
}

static int write_pages(struct export *e)
{
	struct runs runs = {0};
	struct agent_sink sink = {.row = take_run, .restart = drop_runs, .to = &runs};
	uint64_t cursor = 0, next;
	int result = RC_OK;

	while (cursor != AV_DIFF_END && result == RC_OK) {
		struct agent_request request;
		struct agent_reply reply;

		runs.count = 0;
		result = ctx_need_agent(e->ctx); /* its deadline is for one answer */
		if (result != RC_OK)
			break;
		agent_begin(&request, "diff");
		line_add_text(&request.line, "vm", e->vm);
		line_add_text(&request.line, "a", "none");
		line_add_text(&request.line, "b", e->id);
		line_add_hex(&request.line, "from", cursor);
		if (agent_call(e->ctx->agent, &request, &sink, false, &reply) != AGENT_OK) {
			result = ctx_agent_error(e->ctx, &reply, e->vm, "the snapshot");
			break;
		}
		if (runs.no_memory || !line_hex(&reply.end, "next", &next) || next <= cursor) {
			result = out_error(RC_FAILED, "avctl version",
					   runs.no_memory ? "out of memory"
							  : "the agent's answer is incomplete");
			break;
		}
		cursor = next;
		for (size_t i = 0; i < runs.count && result == RC_OK; i++)
			result = write_run(e, &runs.items[i]);
	}
	free(runs.items);
	return result;
}

static int write_state(struct export *e)
{
	struct files_place places[FILES_PARTS_MAX];
	struct avs_part parts[FILES_PARTS_MAX];
	unsigned char bytes[FILES_PARTS_MAX * FILE_PAGE];
	struct file_error error = {"", ""};
	uint32_t count;
	size_t size = 0;
	int result = files_places(e->ctx, e->vm, e->id, places, &count);

	for (uint32_t i = 0; result == RC_OK && i < count; i++) {
		parts[i] = places[i].part;
		if (!files_ram_read(e->ram_fd, places[i].pa, bytes + size, parts[i].size))
			result = out_error(RC_FAILED, "avctl ps", "state is not in %s",
					   e->ctx->record->ram_file);
		/* Regions are not in files, and what the frame held before, another VM's perhaps, lies behind the last. */
		if (!strcmp(parts[i].name, "regions"))
			memset(bytes + size, 0, parts[i].size);
		size += parts[i].size;
	}
	if (result == RC_OK && !file_add_state(e->writer, parts, count, bytes, &error))
		result = files_error(&error, e->path);
	return result;
}

static uint64_t number_of(const struct table *rows, int row, size_t column)
{
	const char *text = table_get(rows, (size_t)row, column);

	return text ? strtoull(text, NULL, 10) : 0;
}

static uint32_t state_of(const char *name)
{
	static const char *const names[] = {"running", "paused", "starved", "crashed", "stopped"};

	for (uint32_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return i;
	return AV_STATE_PAUSED;
}

static int pick(struct export *e)
{
	struct table *rows = table_new(snapshot_columns, SNAP_ACTION);
	const char *wanted = ctx_option(e->ctx, "id"), *text;
	int row, result = rows ? snapshot_rows(e->ctx, e->vm, true, rows)
			       : out_error(RC_FAILED, "", "out of memory");

	if (result == RC_OK) {
		row = snapshot_row_pick(rows, e->vm, wanted ? wanted : "latest");
		if (row < 0)
			result = row == -1 ? RC_NOT_FOUND : RC_USAGE;
	}
	if (result == RC_OK) {
		snprintf(e->id, sizeof(e->id), "%s", table_get(rows, (size_t)row, SNAP_ID));
		snprintf(e->taken, sizeof(e->taken), "%s",
			 table_get(rows, (size_t)row, SNAP_TAKEN));
		text = table_get(rows, (size_t)row, SNAP_NAME);
		snprintf(e->header.name, sizeof(e->header.name), "%s", text ? text : "");
		snprintf(e->header.vm, sizeof(e->header.vm), "%s", e->vm);
		e->header.id = number_of(rows, row, SNAP_ID);
		e->header.state = state_of(table_get(rows, (size_t)row, SNAP_STATE));
		e->header.vm_ticks = (uint64_t)((double)number_of(rows, row, SNAP_VM_TIME) *
						(double)e->header.counter_hz / 1e9);
		e->expected =
			(number_of(rows, row, SNAP_UNIQUE) + number_of(rows, row, SNAP_SHARED));
	}
	table_free(rows);
	return result;
}

/* Ids are never used again: as it is there now, it was there all the time. */
static int check_again(struct export *e)
{
	struct table *rows = table_new(snapshot_columns, SNAP_ACTION);
	int row, result = rows ? snapshot_rows(e->ctx, e->vm, true, rows)
			       : out_error(RC_FAILED, "", "out of memory");

	if (result == RC_OK) {
		row = snapshot_row_find(rows, e->id);
		if (row < 0 || strcmp(table_get(rows, (size_t)row, SNAP_TAKEN), e->taken) != 0)
			result =
				out_error(RC_WRONG_STATE, "pin it, or pause the VM",
					  "snapshot %s of %s went while it was read", e->id, e->vm);
	}
	table_free(rows);
	return result;
}

static void say(const struct export *e, const struct avs_header *header)
{
	char sizes[2][32];

	if (out_style.format == OUT_NAME) {
		puts(e->path);
	} else if (out_style.format == OUT_TABLE) {
		printf("%s@%s in %s: %s of memory in %s\n", e->vm, e->id, e->path,
		       out_size(sizes[0], header->page_count * FILE_PAGE),
		       out_size(sizes[1], header->file_size));
	} else {
		out_json(json_pack("{s:s, s:o, s:s, s:I, s:I, s:I}", "vm", e->vm, "id",
				   snapshot_id_json(e->id), "file", e->path, "pages",
				   (json_int_t)header->page_count, "pages_unique",
				   (json_int_t)header->unique_count, "bytes",
				   (json_int_t)header->file_size));
	}
}

static int write_file(struct export *e)
{
	struct file_error error = {"", ""};
	struct avs_header written;
	int result;

	e->writer = file_create(e->path, page_is, e, &error);
	if (!e->writer)
		return files_error(&error, e->path);
	result = write_state(e);
	if (result == RC_OK)
		result = write_pages(e);
	if (result == RC_OK)
		result = check_again(e);
	if (result != RC_OK) {
		file_abandon(e->writer);
		return result;
	}
	e->header.exported = (uint64_t)time(NULL);
	if (!file_finish(e->writer, &e->header, &written, &error))
		return files_error(&error, e->path);
	out_progress(NULL);
	say(e, &written);
	return RC_OK;
}

int cmd_snapshot_export(struct ctx *ctx)
{
	struct export e = {.ctx = ctx, .path = ctx->args[1], .progress = {.what = "export"}};
	const struct set_vm *vm;
	int result = ctx_need_record(ctx);

	if (result == RC_OK)
		result = ctx_need_vm(ctx, ctx->args[0], &vm);
	if (result == RC_OK)
		result = ctx_need_agent(ctx);
	if (result != RC_OK)
		return result;
	e.vm = vm->name;
	result = files_shape(ctx, e.vm, &e.header);
	if (result == RC_OK)
		result = pick(&e);
	if (result != RC_OK)
		return result;
	e.piece = malloc(PIECE * FILE_PAGE);
	e.ram_fd = open(ctx->record->ram_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (e.ram_fd < 0 || !e.piece)
		result = out_error(RC_FAILED, "avctl ps", "%s cannot be opened",
				   ctx->record->ram_file);
	else
		result = write_file(&e);
	if (e.ram_fd >= 0)
		close(e.ram_fd);
	free(e.piece);
	return result;
}
