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
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "cmd/ctx.h"
#include "cmd/logfile.h"
#include "machine/paths.h"

#define FOLLOW_NS 50000000

static int pick_file(struct ctx *ctx, char *path, size_t size)
{
	const char *vm = ctx_arg(ctx, 0);
	const char *port = ctx_option(ctx, "port");
	const struct set_vm *found;
	char *name, *folder, file[64];
	int result;

	if ((vm != NULL) + ctx_flag(ctx, "hypervisor") + ctx_flag(ctx, "qemu") > 1)
		return out_error(RC_USAGE, NULL, "one log at a time: VM, --hypervisor or --qemu");
	if (port && strcmp(port, "console") != 0 && strcmp(port, "hvc0") != 0)
		return out_error(RC_USAGE, "--port console or --port hvc0", "no port \"%s\"", port);
	result = ctx_find_name(ctx, &name);
	if (result != RC_OK)
		return result;
	if (vm && ctx->record)
		result = ctx_need_vm(ctx, vm, &found);
	if (vm)
		snprintf(file, sizeof(file), "%s.%s.log", vm, port ? port : "console");
	else
		snprintf(file, sizeof(file), "%s.log",
			 ctx_flag(ctx, "qemu") ? "qemu" : "hypervisor");
	folder = paths_logs(name);
	snprintf(path, size, "%s/%s%s", ctx->record ? ctx->record->log_dir : folder, file,
		 ctx_flag(ctx, "previous") ? ".1" : "");
	free(folder);
	free(name);
	return result;
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
	bool raw;
	int fd;
	int result = ctx_number_option(ctx, "tail", &lines);

	if (result == RC_OK)
		result = pick_file(ctx, path, sizeof(path));
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
	/* Into a file or a pipe goes what was logged, byte by byte. */
	raw = !isatty(STDOUT_FILENO);
	at = logfile_tail(fd, lines);
	if (ctx_flag(ctx, "follow"))
		result = follow(path, fd, at, raw);
	else if (logfile_copy(fd, &at, raw) < 0)
		result = out_error(RC_FAILED, NULL, "%s: %s", path, strerror(errno));
	close(fd);
	return result;
}
