/* SPDX-License-Identifier: MIT */
/*
 * quiesce.c - stillness for a snapshot: hooks in order, sync, file systems frozen; and back.
 * Whatever fails, what was frozen is thawed again; a hook is never waited for longer than its time. While something is
 * frozen nothing here may write to a file.
 */
#include "linux/agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOUNT_MAX 64
#define HOOK_MS 5000 /* of a hook, outside a quiesce */

static const char *folder = "/etc/avisor/hooks.d";
static int frozen[MOUNT_MAX]; /* descriptors of the mount points, in the order they were frozen */
static unsigned int frozen_count;
static bool quiet; /* hooks have run: a thaw is owed */
static uint64_t deadline, hook_ms = HOOK_MS;

void quiesce_folder(const char *hooks)
{
	folder = hooks;
}

uint64_t quiesce_deadline(void)
{
	return quiet ? deadline : 0;
}

/* A child that runs the hook in a process group of its own; -1 when there is none. */
static pid_t start_hook(const char *path, const char *what)
{
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDONLY);

		setpgid(0, 0);
		if (null >= 0)
			dup2(null, 0);
		execl(path, path, what, (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		setpgid(pid, pid); /* whoever is first */
	return pid;
}

/* "done", "failed" or "timeout"; *code is the exit code, or 128 and the signal. */
static const char *run_hook(const char *path, const char *what, int *code)
{
	pid_t pid = start_hook(path, what);
	struct pollfd end = {.events = POLLIN};
	bool late;
	int status = 0;

	*code = 127;
	if (pid < 0)
		return "failed";
	end.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	late = end.fd < 0 || poll(&end, 1, (int)hook_ms) == 0;
	if (late)
		kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	kill(-pid, SIGKILL); /* what it may have left behind in its group */
	if (end.fd >= 0)
		close(end.fd);
	*code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return late ? "timeout" : *code ? "failed" : "done";
}

static int is_hook(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* All that is executable in the folder, by name, backwards for a thaw. How many did not succeed; *count ran. */
static unsigned int run_hooks(const char *what, bool backwards, struct service *report,
			      unsigned int *count)
{
	struct dirent **entries = NULL;
	int total = scandir(folder, &entries, is_hook, alphasort);
	unsigned int failed = 0;

	*count = 0;
	for (int i = 0; i < total; i++) {
		const char *name = entries[backwards ? total - 1 - i : i]->d_name;
		const char *result;
		char path[4096];
		int code;

		if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path) ||
		    access(path, X_OK) < 0)
			continue;
		result = run_hook(path, what, &code);
		++*count;
		if (strcmp(result, "done") != 0) {
			failed++;
			agent_say("hook %s %s: %s (%d)", name, what, result, code);
		}
		if (report)
			service_report_hook(report, name, result, (uint64_t)code);
	}
	for (int i = 0; i < total; i++)
		free(entries[i]);
	free(entries);
	return failed;
}

/* \040 and its like in what mountinfo says. */
static void unescape(char *text)
{
	char *out = text;

	for (; *text; text++) {
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			*out++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
					(text[3] - '0'));
			text += 3;
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
}

struct mount {
	char path[4096];
	dev_t device;
};

/* The next line of mountinfo that is a writable file system on a block device. */
static bool next_mount(FILE *file, struct mount *mount)
{
	char line[8192], options[512], source[512];
	unsigned int major, minor;

	while (fgets(line, sizeof(line), file)) {
		const char *rest = strstr(line, " - ");

		if (!rest ||
		    sscanf(line, "%*u %*u %u:%u %*s %4095s", &major, &minor, mount->path) != 3 ||
		    sscanf(rest, " - %*s %511s %511s", source, options) != 2)
			continue;
		if (strncmp(source, "/dev/", 5) != 0 || !strncmp(options, "ro", 2))
			continue;
		unescape(mount->path);
		mount->device = (dev_t)(major << 20 | minor);
		return true;
	}
	return false;
}

static void thaw_mounts(void)
{
	while (frozen_count) {
		int fd = frozen[--frozen_count];

		if (ioctl(fd, FITHAW, 0) < 0 && errno != EINVAL)
			agent_say("a file system could not be thawed: %s", strerror(errno));
		close(fd);
	}
}

/* Freezes it. 0 also when it cannot be frozen by its nature, or was frozen by somebody else. */
static int freeze(const struct mount *mount)
{
	int fd = open(mount->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return 0; /* hidden below another mount: that one is in the list, too */
	error = ioctl(fd, FIFREEZE, 0) < 0 ? errno : 0;
	if (!error) {
		frozen[frozen_count++] = fd;
		return 0;
	}
	close(fd);
	if (error == EOPNOTSUPP || error == EBUSY)
		return 0;
	agent_say("%s cannot be frozen: %s", mount->path, strerror(error));
	return error;
}

/* The last mounted first: it may lie in a file of one before it. Each device once. */
static int freeze_mounts(void)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	struct mount *mounts = calloc(MOUNT_MAX, sizeof(*mounts));
	unsigned int count = 0;
	int error = file && mounts ? 0 : ENOMEM;

	while (!error && next_mount(file, &mounts[count])) {
		unsigned int same = 0;

		while (mounts[same].device != mounts[count].device)
			same++;
		if (same == count && ++count == MOUNT_MAX)
			error = ENOSPC;
	}
	while (!error && count)
		error = freeze(&mounts[--count]);
	if (file)
		fclose(file);
	free(mounts);
	return error;
}

int64_t quiesce_begin(void *context, const struct service_limits *limits, struct service *report)
{
	unsigned int hooks, failed;

	(void)context;
	if (quiet)
		return AV_E_WRONG_STATE;
	quiet = true;
	hook_ms = limits->hook_ms;
	failed = run_hooks("freeze", false, report, &hooks);
	sync();
	if (freeze_mounts() != 0) {
		quiesce_end(NULL, NULL);
		return AV_E_LIMIT;
	}
	deadline = agent_ms() + limits->hold_ms;
	service_report_quiesced(report, frozen_count, hooks, failed);
	return AV_OK;
}

int64_t quiesce_end(void *context, struct service_thawed *thawed)
{
	bool was = quiet;
	unsigned int mounts = frozen_count, hooks = 0, failed = 0;

	(void)context;
	thaw_mounts();
	if (quiet)
		failed = run_hooks("thaw", true, NULL, &hooks);
	quiet = false;
	hook_ms = HOOK_MS;
	if (thawed)
		*thawed = (struct service_thawed){was, mounts, hooks, failed};
	return AV_OK;
}

void quiesce_restored(void)
{
	unsigned int hooks;

	run_hooks("restored", false, NULL, &hooks);
	if (quiet)
		quiesce_end(NULL, NULL);
}

void quiesce_thaw_all(void)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	struct mount *mount = malloc(sizeof(*mount));

	while (file && mount && next_mount(file, mount)) {
		int fd = open(mount->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			continue;
		if (ioctl(fd, FITHAW, 0) == 0)
			agent_say("%s was left frozen, and is thawed", mount->path);
		close(fd);
	}
	free(mount);
	if (file)
		fclose(file);
}
