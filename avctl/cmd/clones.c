/* SPDX-License-Identifier: MIT */
/*
 * clones.c - the VMs that avctl clone has made: asked for by name, and their parts of the slots' logs.
 * Never trusts clones.log: a line that is not as it should be is not there.
 */
#include "cmd/clones.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <avisor/hypercall.h>
#include "config/value.h"

#define LOG_NAME "clones.log"

/* --- who they are */

static const struct set_vm *find(const struct set *set, const char *name)
{
	for (size_t i = 0; name && i < set->vm_count; i++)
		if (!strcmp(set->vms[i].name, name))
			return &set->vms[i];
	return NULL;
}

/* A clone has no line in the YAML file: what avctl does for its source by that, it does for the clone. */
static void add_clone(void *to, const struct line *row)
{
	struct set *set = to;
	const char *name = line_text(row, "name"), *slot = line_text(row, "slot");
	const char *state = line_text(row, "state");
	const struct set_vm *source = find(set, line_text(row, "source"));
	struct set_vm *vm = &set->vms[set->vm_count];
	uint64_t vcpus = 0;

	if (!name || !slot || !*slot || !state || !strcmp(state, "empty") || find(set, name) ||
	    set->vm_count >= AV_VM_MAX - 1)
		return;
	*vm = (struct set_vm){.snapshot_memory = set->spare.budget};
	if (source) {
		*vm = *source;
		vm->image = source->image ? strdup(source->image) : NULL;
	}
	vm->name = strdup(name);
	vm->slot = strdup(slot);
	if (line_number(row, "vcpus", &vcpus))
		vm->vcpu_count = (unsigned)vcpus;
	line_number(row, "ram_base", &vm->ram_base);
	line_number(row, "ram_size", &vm->ram_size);
	set->vm_count++;
}

int clones_learn(struct ctx *ctx)
{
	struct agent_sink sink = {.row = add_clone, .to = ctx->record->set};
	struct agent_request request;
	struct agent_reply reply;
	bool connected = ctx->agent;
	int result;

	if (!ctx->record->set->spare.count)
		return RC_OK;
	result = ctx_need_agent(ctx);
	if (result == RC_OK) {
		agent_begin(&request, "vms");
		if (agent_call(ctx->agent, &request, &sink, false, &reply) != AGENT_OK)
			result = ctx_agent_error(ctx, &reply, NULL, NULL);
	}
	if (!connected)
		ctx_release(ctx);
	return result;
}

struct owners {
	const char *vm;
	char *text;
	size_t size;
};

static void add_owner(void *to, const struct line *row)
{
	struct owners *owners = to;
	const char *source = line_text(row, "source"), *name = line_text(row, "name");
	const char *id = line_text(row, "source_id");
	size_t used = strlen(owners->text);

	if (source && name && id && !strcmp(source, owners->vm))
		snprintf(owners->text + used, owners->size - used, "%s%s (from %s)",
			 used ? ", " : "", name, id);
}

void clones_of(struct ctx *ctx, const char *vm, char *text, size_t size)
{
	struct owners owners = {vm, text, size};
	struct agent_sink sink = {.row = add_owner, .to = &owners};
	struct agent_request request;
	struct agent_reply reply;

	*text = '\0';
	agent_begin(&request, "vms");
	agent_call(ctx->agent, &request, &sink, false, &reply);
}

/* --- their logs */

static uint64_t size_of(const char *log_dir, const char *slot, const char *port)
{
	char path[PATH_MAX];
	struct stat info;

	snprintf(path, sizeof(path), "%s/%s.%s.log", log_dir, slot, port);
	return stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
}

bool clones_begin_log(const char *log_dir, const char *name, const char *slot)
{
	char path[PATH_MAX], line[128];
	bool done;
	int fd, length;

	snprintf(path, sizeof(path), "%s/" LOG_NAME, log_dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	length = snprintf(line, sizeof(line), "%s %s %" PRIu64 " %" PRIu64 "\n", name, slot,
			  size_of(log_dir, slot, "console"), size_of(log_dir, slot, "hvc0"));
	done = write(fd, line, (size_t)length) == length;
	close(fd);
	return done;
}

void clones_cancel_log(const char *log_dir)
{
	char path[PATH_MAX], text[128];
	off_t size, from;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "%s/" LOG_NAME, log_dir);
	fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	size = lseek(fd, 0, SEEK_END);
	from = size > (off_t)sizeof(text) ? size - (off_t)sizeof(text) : 0;
	length = pread(fd, text, (size_t)(size - from), from);
	/* The newline before the one at the end. */
	for (length -= 2; length >= 0 && text[length] != '\n'; length--)
		;
	if (size > 0 && ftruncate(fd, from + length + 1) < 0)
		out_note("%s: %s", path, strerror(errno));
	close(fd);
}

bool clones_find_log(const char *log_dir, bool previous, const char *name, const char *port,
		     struct clones_log *log)
{
	char path[PATH_MAX], line[256], of[AV_NAME_SIZE], slot[AV_SLOT_NAME];
	uint64_t console, hvc0, at;
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/" LOG_NAME "%s", log_dir, previous ? ".1" : "");
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%31s %31s %" SCNu64 " %" SCNu64, of, slot, &console, &hvc0) !=
			    4 ||
		    !value_is_name(of) || !value_is_name(slot))
			continue;
		at = strcmp(port, "hvc0") ? console : hvc0;
		if (found && log->to == UINT64_MAX && !strcmp(log->slot, slot))
			log->to = at;
		if (strcmp(of, name))
			continue;
		*log = (struct clones_log){.from = at, .to = UINT64_MAX};
		memcpy(log->slot, slot, sizeof(slot));
		found = true;
	}
	fclose(file);
	return found;
}

void clones_log_path(const struct record *record, const struct set_vm *vm, const char *port,
		     char *path, size_t size, uint64_t *from)
{
	struct clones_log log = {0};

	*from = 0;
	if (vm->slot && clones_find_log(record->log_dir, false, vm->name, port, &log))
		*from = log.from;
	snprintf(path, size, "%s/%s.%s.log", record->log_dir, set_vm_port(vm), port);
}
