/* SPDX-License-Identifier: MIT */
/*
 * snapshot_import.c - `avctl snapshot import`, `verify` and `up --from`: a file becomes a snapshot.
 * The file is checked whole before the hypervisor hears of it, and checked again while it is read. Killed at any point
 * it leaves what the hypervisor drops when the next client connects.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "cmd/snapshot_files.h"
#include "cmd/snapshot_pick.h"

struct import {
	struct ctx *ctx;
	const char *vm, *path;
	const struct avs_header *header;
	int ram_fd;
	uint64_t *where; /* of each page of the VM: pa, 0: not there */
	struct files_progress progress;
	int result; /* of what the agent said; RC_OK: it was the file */
};

static bool failed(struct import *import, int result)
{
	import->result = result;
	return false;
}

static bool put_state(void *ctx, const struct avs_part *parts, uint32_t count,
		      const unsigned char *bytes, struct file_error *error)
{
	struct import *import = ctx;
	struct files_place places[FILES_PARTS_MAX];
	uint32_t there;
	int result = files_places(import->ctx, import->vm, "import", places, &there);

	if (result != RC_OK)
		return failed(import, result);
	for (uint32_t i = 0; i < count; i++) {
		if (there != count || memcmp(&parts[i], &places[i].part, sizeof(parts[i])))
			return file_fail(error, "state_layout", "not that of this hypervisor");
		if (!files_ram_write(import->ram_fd, places[i].pa, bytes, parts[i].size))
			return file_fail(error, "", "the machine's memory cannot be written");
		bytes += parts[i].size;
	}
	return true;
}

static void take_run(void *to, const struct line *row)
{
	struct import *import = to;
	uint64_t ipa, count, pa, base = import->header->ram_base;
	uint64_t pages = import->header->ram_size / FILE_PAGE;

	if (!line_hex(row, "ipa", &ipa) || !line_number(row, "count", &count) ||
	    !line_hex(row, "pa", &pa) || ipa < base)
		return;
	for (uint64_t i = 0; i < count && (ipa - base) / FILE_PAGE + i < pages; i++)
		import->where[(ipa - base) / FILE_PAGE + i] = pa + i * FILE_PAGE;
}

/* Frames for pages in a row. */
static bool obtain(struct import *import, uint64_t ipa, uint64_t count)
{
	struct agent_sink sink = {.row = take_run, .to = import};

	while (count) {
		struct agent_request request;
		struct agent_reply reply;
		uint64_t done;
		int result = ctx_need_agent(import->ctx); /* its deadline is for one answer */

		if (result != RC_OK)
			return failed(import, result);
		agent_begin(&request, "import-pages");
		line_add_text(&request.line, "vm", import->vm);
		line_add_hex(&request.line, "ipa", ipa);
		line_add_number(&request.line, "count", count);
		if (agent_call(import->ctx->agent, &request, &sink, true, &reply) != AGENT_OK)
			return failed(import, ctx_agent_error(import->ctx, &reply, import->vm,
							      "import any more: it was dropped"));
		if (!line_number(&reply.end, "done", &done) || !done || done > count)
			return failed(import, out_error(RC_FAILED, "avctl version",
							"the agent's answer is incomplete"));
		ipa += done * FILE_PAGE;
		count -= done;
	}
	return true;
}

static uint64_t place_of(const struct import *import, uint64_t ipa)
{
	return import->where[(ipa - import->header->ram_base) / FILE_PAGE];
}

static bool put_page(struct import *import, const struct avs_page *page,
		     const unsigned char **bytes, struct file_error *error)
{
	unsigned char copy[FILE_PAGE];
	const unsigned char *from = *bytes;
	uint64_t pa = place_of(import, page->ipa);

	if (page->same_as == AVS_SAME_NONE) {
		*bytes += FILE_PAGE;
	} else {
		if (!files_ram_read(import->ram_fd, place_of(import, page->same_as), copy,
				    FILE_PAGE))
			return file_fail(error, "", "the machine's memory cannot be read");
		from = copy;
	}
	return files_ram_write(import->ram_fd, pa, from, FILE_PAGE) ||
	       file_fail(error, "", "the machine's memory cannot be written");
}

static bool put_pages(void *ctx, const struct avs_page *pages, uint32_t count,
		      const unsigned char *bytes, struct file_error *error)
{
	struct import *import = ctx;
	uint32_t first = 0;

	for (uint32_t i = 1; i <= count; i++) {
		if (i < count && pages[i].ipa == pages[i - 1].ipa + FILE_PAGE)
			continue;
		if (!obtain(import, pages[first].ipa, i - first))
			return false;
		first = i;
	}
	for (uint32_t i = 0; i < count; i++)
		if (!put_page(import, &pages[i], &bytes, error))
			return false;
	return true;
}

static void show(void *ctx, uint64_t done, uint64_t total)
{
	struct import *import = ctx;

	files_progress(&import->progress, done, total);
}

static int simple(struct ctx *ctx, const char *verb, const char *vm)
{
	struct agent_request request;
	struct agent_reply reply;

	agent_begin(&request, verb);
	if (vm)
		line_add_text(&request.line, "vm", vm);
	if (agent_call(ctx->agent, &request, NULL, false, &reply) != AGENT_OK)
		return ctx_agent_error(ctx, &reply, vm, NULL);
	return RC_OK;
}

static int commit(struct import *import, const char *name, uint64_t *id)
{
	struct agent_request request;
	struct agent_reply reply;
	int result = ctx_need_agent(import->ctx);

	if (result != RC_OK)
		return result;
	agent_begin(&request, "import-commit");
	line_add_text(&request.line, "vm", import->vm);
	line_add_number(&request.line, "vm_ticks", import->header->vm_ticks);
	line_add_number(&request.line, "state", import->header->state);
	if (*name)
		line_add_text(&request.line, "name", name);
	if (agent_call(import->ctx->agent, &request, NULL, true, &reply) == AGENT_OK) {
		*id = 0;
		line_number(&reply.end, "id", id);
		return RC_OK;
	}
	if (reply.status == AGENT_ERROR && !strcmp(reply.code, "EXISTS"))
		return out_error(RC_WRONG_STATE, "give it another one: --name NAME",
				 "%s has a snapshot \"%s\" already", import->vm, name);
	if (reply.status == AGENT_ERROR && !strcmp(reply.code, "INTEGRITY"))
		return out_error(RC_INTEGRITY, "avctl snapshot verify FILE",
				 "%s: state: none that a VM can be in", import->path);
	return ctx_agent_error(import->ctx, &reply, import->vm, NULL);
}

/* Frames are there: all into them. */
static int fill(struct import *import, const struct file_reader *reader, const char *name,
		uint64_t *id)
{
	const struct file_sink sink = {put_state, put_pages, show, import};
	struct file_error error = {"", ""};
	int result;

	if (!file_scan(reader, &sink, &error))
		result = import->result != RC_OK ? import->result
						 : files_error(&error, import->path);
	else
		result = commit(import, name, id);
	out_progress(NULL);
	if (result != RC_OK)
		simple(import->ctx, "import-abort", NULL);
	return result;
}

int files_import(struct ctx *ctx, const char *vm, const struct file_reader *reader,
		 const char *path, const char *name, uint64_t *id)
{
	struct import import = {
		.ctx = ctx,
		.vm = vm,
		.path = path,
		.header = &reader->header,
		.progress = {.what = "import"},
	};
	struct avs_header shape;
	int result = files_shape(ctx, vm, &shape);

	if (result == RC_OK)
		result = files_compare(&reader->header, &shape, path, vm);
	if (result != RC_OK)
		return result;
	import.where = calloc(reader->header.ram_size / FILE_PAGE, sizeof(*import.where));
	import.ram_fd = open(ctx->record->ram_file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (!import.where || import.ram_fd < 0)
		result = out_error(RC_FAILED, "avctl ps", "%s cannot be opened",
				   ctx->record->ram_file);
	else
		result = simple(ctx, "import-begin", vm);
	if (result == RC_OK)
		result = fill(&import, reader, name ? name : reader->header.name, id);
	if (result == RC_OK && strcmp(reader->header.vm, vm) != 0)
		out_note("%s was exported from %s: it is a snapshot of %s now", path,
			 reader->header.vm, vm);
	if (import.ram_fd >= 0)
		close(import.ram_fd);
	free(import.where);
	return result;
}

static void say_imported(const char *vm, uint64_t id, const char *name, const char *path)
{
	if (out_style.format == OUT_NAME)
		printf("%" PRIu64 "\n", id);
	else if (out_style.format == OUT_TABLE)
		printf("%s@%" PRIu64 "%s%s from %s\n", vm, id, *name ? " " : "", name, path);
	else
		out_json(json_pack("{s:s, s:I, s:s, s:s}", "vm", vm, "id", (json_int_t)id, "name",
				   name, "file", path));
}

int cmd_snapshot_import(struct ctx *ctx)
{
	const char *name = ctx_option(ctx, "name"), *path = ctx->args[1];
	struct file_reader reader;
	const struct set_vm *vm;
	uint64_t id = 0;
	int result = RC_OK;

	if (name)
		result = snapshot_check_name(name);
	if (result == RC_OK)
		result = ctx_need_record(ctx);
	if (result == RC_OK)
		result = ctx_need_vm(ctx, ctx->args[0], &vm);
	if (result == RC_OK)
		result = files_open(&reader, path);
	if (result != RC_OK)
		return result;
	result = ctx_need_agent(ctx);
	if (result == RC_OK)
		result = files_import(ctx, vm->name, &reader, path, name, &id);
	if (result == RC_OK)
		say_imported(vm->name, id, name ? name : reader.header.name, path);
	file_close(&reader);
	return result;
}

static void say_verified(const struct avs_header *h, const char *path)
{
	char sizes[3][32], when[32] = "?";
	time_t time = (time_t)h->exported;
	struct tm parts;

	if (gmtime_r(&time, &parts))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &parts);
	if (out_style.format == OUT_NAME) {
		puts(path);
	} else if (out_style.format == OUT_TABLE) {
		printf("%s: whole: %s%s%s, %u vCPU%s, %s of memory, %s of it not zero, in %s, of "
		       "%s\n",
		       path, h->vm, *h->name ? " " : "", h->name, h->vcpu_count,
		       h->vcpu_count == 1 ? "" : "s", out_size(sizes[0], h->ram_size),
		       out_size(sizes[1], h->page_count * FILE_PAGE),
		       out_size(sizes[2], h->file_size), when);
	} else {
		out_json(json_pack("{s:s, s:s, s:s, s:I, s:i, s:I, s:I, s:I, s:s, s:s, s:s}",
				   "file", path, "vm", h->vm, "name", h->name, "id",
				   (json_int_t)h->id, "vcpus", (int)h->vcpu_count, "ram_size",
				   (json_int_t)h->ram_size, "pages", (json_int_t)h->page_count,
				   "bytes", (json_int_t)h->file_size, "platform", h->platform,
				   "version", h->version, "exported", when));
	}
}

int cmd_snapshot_verify(struct ctx *ctx)
{
	struct file_reader reader;
	int result = files_open(&reader, ctx->args[0]);

	if (result != RC_OK)
		return result;
	say_verified(&reader.header, ctx->args[0]);
	file_close(&reader);
	return RC_OK;
}
