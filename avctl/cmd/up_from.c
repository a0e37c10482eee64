/* SPDX-License-Identifier: MIT */
/*
 * up_from.c - `avctl up --from VM=FILE`: VMs that wait at their first instruction, get a file's snapshot, and go on from it.
 * A file that is damaged or does not fit is found before the machine is started.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/snapshot_files.h"

void files_from_free(struct files_from *list)
{
	for (struct files_from *from = list; from && from->vm; from++) {
		file_close(&from->reader);
		free(from->path);
	}
	free(list);
}

static struct set_vm *find_vm(struct set *set, const char *name, size_t length)
{
	for (size_t i = 0; i < set->vm_count; i++)
		if (strlen(set->vms[i].name) == length && !memcmp(set->vms[i].name, name, length))
			return &set->vms[i];
	return NULL;
}

static int add(struct files_from *list, size_t *count, const char *text, size_t length,
	       struct set *set)
{
	const char *equals = memchr(text, '=', length);
	size_t name = equals ? (size_t)(equals - text) : length;
	struct files_from *from = &list[*count];
	struct set_vm *vm;
	int result;

	if (!equals || name == 0 || name + 1 == length)
		return out_error(RC_USAGE, "avctl up --from vm1=FILE.avs", "--from needs VM=FILE");
	vm = find_vm(set, text, name);
	if (!vm)
		return out_error(RC_NOT_FOUND, "avctl config show", "no VM \"%.*s\" in %s",
				 (int)name, text, set->path);
	for (size_t i = 0; i < *count; i++)
		if (list[i].vm == vm->name)
			return out_error(RC_USAGE, "", "--from names %s twice", vm->name);
	from->path = strndup(equals + 1, length - name - 1);
	if (!from->path)
		return out_error(RC_FAILED, "", "out of memory");
	result = files_open(&from->reader, from->path);
	if (result != RC_OK) {
		free(from->path);
		return result;
	}
	from->vm = vm->name;
	(*count)++;
	result = files_compare_config(&from->reader.header, vm, from->path);
	from->paused = vm->start_paused;
	vm->start_paused = true; /* until its state is there */
	return result;
}

int files_from_parse(const char *text, struct set *set, struct files_from **list)
{
	size_t count = 0, length;
	int result = RC_OK;

	*list = calloc(strlen(text) / 2 + 2, sizeof(**list));
	if (!*list)
		return out_error(RC_FAILED, "", "out of memory");
	for (; result == RC_OK && *text; text += length + (text[length] == ',')) {
		length = strcspn(text, ",");
		result = add(*list, &count, text, length, set);
		if (!text[length])
			break;
	}
	if (result == RC_OK && !count)
		result =
			out_error(RC_USAGE, "avctl up --from vm1=FILE.avs", "--from needs VM=FILE");
	return result;
}

static int start_one(struct ctx *ctx, const struct files_from *from)
{
	struct agent_request request;
	struct agent_reply reply;
	uint64_t id;
	int result = files_import(ctx, from->vm, &from->reader, from->path, NULL, &id);

	if (result != RC_OK)
		return result;
	agent_begin(&request, "restore");
	line_add_text(&request.line, "vm", from->vm);
	line_add_number(&request.line, "id", id);
	if (from->paused)
		line_add_number(&request.line, "paused", 1);
	if (agent_call(ctx->agent, &request, NULL, true, &reply) != AGENT_OK)
		return ctx_agent_error(ctx, &reply, from->vm, "the imported snapshot");
	return RC_OK;
}

int files_from_start(struct ctx *ctx, const struct files_from *list)
{
	int result = ctx_need_agent(ctx);

	for (const struct files_from *from = list; result == RC_OK && from->vm; from++)
		result = start_one(ctx, from);
	return result;
}
