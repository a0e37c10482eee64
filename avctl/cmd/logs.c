/* SPDX-License-Identifier: MIT */
/*
 * logs.c - `avctl logs`: the files that QEMU and the hypervisor write, also of a set that is down.
 * Takes no lock and asks nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "cmd/clones.h"
#include "cmd/ctx.h"
#include "cmd/logfile.h"
#include "machine/paths.h"

#define FOLLOW_NS 50000000

static bool is_of_file(const struct ctx *ctx, const char *name)
{
	for (size_t i = 0; ctx->record && i < ctx->record->set->vm_count; i++)
		if (!strcmp(ctx->record->set->vms[i].name, name))
			return true;
	return false;
}

static int pick_file(struct ctx *ctx, char *path, size_t size, struct clones_log *part)
{
	const char *vm = ctx_arg(ctx, 0);
	const char *port = ctx_option(ctx, "port");
	const struct set_vm *found;
	const char *log_dir, *file_vm = vm;
	char *name, *folder, file[64];
	int result;

	*part = (struct clones_log){.to = UINT64_MAX};
	if ((vm != NULL) + ctx_flag(ctx, "hypervisor") + ctx_flag(ctx, "qemu") > 1)
		return out_error(RC_USAGE, NULL, "one log at a time: VM, --hypervisor or --qemu");
	if (port && strcmp(port, "console") != 0 && strcmp(port, "hvc0") != 0)
		return out_error(RC_USAGE, "--port console or --port hvc0", "no port \"%s\"", port);
	result = ctx_find_name(ctx, &name);
	if (result != RC_OK)
		return result;
	folder = paths_logs(name);
	log_dir = ctx->record ? ctx->record->log_dir : folder;
	/* A clone's is a part of its slot's, also when it has been removed. */
	if (vm && !is_of_file(ctx, vm) &&
	    clones_find_log(log_dir, ctx_flag(ctx, "previous"), vm, port ? port : "console", part))
		file_vm = part->slot;
	else if (vm && ctx->record && !is_of_file(ctx, vm))
		result = ctx_need_vm(ctx, vm, &found); /* which says who there is */
	if (vm)
		snprintf(file, sizeof(file), "%s.%s.log", file_vm, port ? port : "console");
	else
		snprintf(file, sizeof(file), "%s.log",
			 ctx_flag(ctx, "qemu") ? "qemu" : "hypervisor");
	snprintf(path, size, "%s/%s%s", log_dir, file, ctx_flag(ctx, "previous") ? ".1" : "");
	free(folder);
	free(name);
	return result;
}

/* A file of its own with that part of another: what a VM that is no more has printed. */
static int cut_out(int fd, const struct clones_log *part)
{
	char bytes[16384];
	uint64_t at = part->from;
	int cut = memfd_create("log", MFD_CLOEXEC);

	while (cut >= 0 && at < part->to) {
		size_t want =
			part->to - at < sizeof(bytes) ? (size_t)(part->to - at) : sizeof(bytes);
		ssize_t got = pread(fd, bytes, want, (off_t)at);

		if (got <= 0 || write(cut, bytes, (size_t)got) != got)
			break;
		at += (uint64_t)got;
	}
	return cut;
}

/* Print what comes, also into the file that takes this one's place at the next `up`. */
static int follow(const char *path, int fd, uint64_t at, bool raw)
{
	struct stat here, there;

	for (;;) {
		if (logfile_copy(fd, &at, raw) < 0)
			return RC_FAILED;
		nanosleep(&(struct timespec){.tv_nsec = FOLLOW_NS}, NULL);
		if (stat(path, &there) < 0 || fstat(fd, &here) < 0)
			continue;
		if (here.st_ino != there.st_ino || here.st_dev != there.st_dev) {
			int next = open(path, O_RDONLY | O_CLOEXEC);

			if (next < 0)
				continue;
			logfile_copy(fd, &at, raw);
			dup3(next, fd, O_CLOEXEC);
			close(next);
			at = 0;
		}
	}
}

int cmd_logs(struct ctx *ctx)
{
	char path[PATH_MAX];
	uint64_t lines = SIZE_MAX, at;
	struct clones_log part;
	bool raw, ended;
	int fd;
	int result = ctx_number_option(ctx, "tail", &lines);

	if (result == RC_OK)
		result = pick_file(ctx, path, sizeof(path), &part);
	if (result != RC_OK)
		return result;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && ctx_arg(ctx, 0))
		return out_error(RC_NOT_FOUND, "avctl config show names the VMs",
				 "no log of \"%s\": the set has no such VM, or has never run",
				 ctx_arg(ctx, 0));
	if (fd < 0)
		return out_error(errno == ENOENT ? RC_NOT_FOUND : RC_FAILED,
				 "avctl ps, avctl config show", "%s: %s", path, strerror(errno));
	ended = part.to != UINT64_MAX;
	if (ended) {
		int cut = cut_out(fd, &part);

		close(fd);
		fd = cut;
		part.from = 0;
	}
	/* Into a file or a pipe goes what was logged, byte by byte. */
	raw = !isatty(STDOUT_FILENO);
	at = logfile_tail(fd, lines);
	if (at < part.from)
		at = part.from;
	if (!ended && ctx_flag(ctx, "follow"))
		result = follow(path, fd, at, raw);
	else if (logfile_copy(fd, &at, raw) < 0)
		result = out_error(RC_FAILED, NULL, "%s: %s", path, strerror(errno));
	close(fd);
	return result;
}
