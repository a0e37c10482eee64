/* SPDX-License-Identifier: MIT */
/*
 * lock.c - the lock of a set: one avctl at a time changes it or talks to its agent.
 * The kernel drops it with the process, so a killed avctl never leaves it held.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>
#include "cmd/ctx.h"
#include "machine/paths.h"

#define LOCK_TIMEOUT_NS 10000000000u

/* Write who holds the lock into it, for those who wait. */
static void sign_lock(const struct ctx *ctx)
{
	char text[160];
	int length = snprintf(text, sizeof(text), "%d %lld %s\n", (int)getpid(),
			      (long long)time(NULL), ctx->command->name);

	if (ftruncate(ctx->lock_fd, 0) < 0 || pwrite(ctx->lock_fd, text, (size_t)length, 0) < 0)
		return; /* only a courtesy */
}

static int say_locked(const struct ctx *ctx, const char *set_name)
{
	char text[160] = "", verb[64] = "";
	long long since = 0;
	int pid = 0;

	if (pread(ctx->lock_fd, text, sizeof(text) - 1, 0) > 0 &&
	    sscanf(text, "%d %lld %63[^\n]", &pid, &since, verb) == 3)
		return out_error(RC_WRONG_STATE, "--timeout 60s waits longer for it",
				 "set \"%s\" is locked by avctl pid %d (%s, for %lld s)", set_name,
				 pid, verb, (long long)time(NULL) - since);
	return out_error(RC_WRONG_STATE, "--timeout 60s waits longer for it",
			 "set \"%s\" is locked", set_name);
}

int ctx_lock(struct ctx *ctx, const char *set_name)
{
	uint64_t timeout, deadline;
	char *folder, path[PATH_MAX];
	long pause_ns = 200000;
	int result = ctx_timeout(ctx, LOCK_TIMEOUT_NS, &timeout);

	if (result != RC_OK || ctx->lock_fd >= 0)
		return result;
	deadline = agent_now() + timeout;
	folder = paths_runtime(set_name);
	snprintf(path, sizeof(path), "%s/lock", folder);
	free(folder);
	ctx->lock_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (ctx->lock_fd < 0)
		return out_error(RC_FAILED, "avctl doctor", "%s: %s", path, strerror(errno));
	while (flock(ctx->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return out_error(RC_FAILED, "avctl doctor", "%s: %s", path,
					 strerror(errno));
		if (agent_now() >= deadline) {
			result = say_locked(ctx, set_name);
			close(ctx->lock_fd);
			ctx->lock_fd = -1;
			return result;
		}
		nanosleep(&(struct timespec){.tv_nsec = pause_ns}, NULL);
		if (pause_ns < 10000000)
			pause_ns *= 2;
	}
	sign_lock(ctx);
	return RC_OK;
}

void ctx_unlock(struct ctx *ctx)
{
	if (ctx->lock_fd >= 0)
		close(ctx->lock_fd);
	ctx->lock_fd = -1;
}
