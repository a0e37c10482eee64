/* SPDX-License-Identifier: MIT */
/*
 * serve.c - `avctl serve`: files of a host folder for bare-metal guests, through a shared region.
 * Must never hold the set's lock while it serves, nor write anywhere in the RAM file but in that region.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <avisor/region.h>
#include "cmd/ctx.h"
#include "config/value.h"
#include "serve/confine.h"
#include "serve/pace.h"
#include "serve/serve_log.h"
#include "serve/server.h"

#define DEFAULT_FILE_MAX (1ull << 30)

struct serve {
	struct ctx *ctx;
	const struct set_region *region;
	uint64_t served; /* bit by VM index */
	const struct av_region_state *state;
	struct serve_log log;
	struct server server;
	void *memory;
	size_t memory_size;
	int root, lock;
	rlim_t file_limit; /* before */
	bool limited;
};

static volatile sig_atomic_t ended_by;

static void on_signal(int number)
{
	ended_by = number;
}

static bool can_write(const struct set_region *region, size_t vm)
{
	for (size_t i = 0; i < region->member_count; i++)
		if (region->members[i].vm == vm)
			return region->members[i].write;
	return false;
}

/* Whether all VMs of the command line write in it. */
static bool fits(const struct ctx *ctx, const struct set_region *region)
{
	for (int i = 0; i < ctx->arg_count; i++)
		for (size_t vm = 0; vm < ctx->record->set->vm_count; vm++)
			if (!strcmp(ctx->record->set->vms[vm].name, ctx->args[i]) &&
			    !can_write(region, vm))
				return false;
	return true;
}

/* The region that --shm names, or the only one that all the VMs write in. */
static int find_region(struct serve *serve)
{
	const struct set *set = serve->ctx->record->set;
	const char *name = ctx_option(serve->ctx, "shm"), *names[AV_REGION_MAX], *near;
	size_t count = 0, found = 0;
	char hint[128];

	for (size_t i = 0; i < set->region_count; i++) {
		const struct set_region *region = &set->regions[i];

		if (count < AV_REGION_MAX)
			names[count++] = region->name;
		if (name ? strcmp(name, region->name) != 0 : !fits(serve->ctx, region))
			continue;
		serve->region = region;
		found++;
	}
	if (found == 1 && fits(serve->ctx, serve->region))
		return RC_OK;
	if (found == 1)
		return out_error(RC_WRONG_STATE, "members: {VM: rw} in the YAML file",
				 "not all of these VMs may write in region \"%s\"", name);
	if (name) {
		near = out_nearest(name, names, count);
		return out_error(RC_NOT_FOUND,
				 near ? out_text(hint, sizeof(hint), "did you mean %s?", near)
				      : "avctl shm list",
				 "no region \"%s\" in set \"%s\"", name, set->name);
	}
	if (found > 1)
		return out_error(RC_USAGE, "avctl serve --shm REGION ..., avctl shm list",
				 "these VMs share %zu regions: which one is it?", found);
	return out_error(RC_NOT_FOUND, "under shm: in the YAML file, of 1MiB: members: {VM: rw}",
			 "no region that all of these VMs may write in");
}

static int find_clients(struct serve *serve)
{
	const struct set *set = serve->ctx->record->set;
	const struct set_vm *vm;
	int code = RC_OK;

	for (int i = 0; code == RC_OK && i < serve->ctx->arg_count; i++) {
		code = ctx_need_vm(serve->ctx, serve->ctx->args[i], &vm);
		if (code == RC_OK)
			serve->served |= 1ull << (vm - set->vms + 1);
	}
	if (code == RC_OK)
		code = find_region(serve);
	for (size_t i = 0; code == RC_OK && serve->ctx->arg_count == 0 && i < set->vm_count; i++)
		if (can_write(serve->region, i))
			serve->served |= 1ull << (i + 1);
	if (code == RC_OK && !serve->served)
		code = out_error(RC_WRONG_STATE, "members: {VM: rw} in the YAML file",
				 "no VM may write in region \"%s\"", serve->region->name);
	if (code == RC_OK && serve->region->output_size)
		code = out_error(RC_WRONG_STATE, "a region without output: in the YAML file",
				 "region \"%s\" has sections that one VM each may write in",
				 serve->region->name);
	if (code == RC_OK && av_forward_buffer_size(serve->region->size) == 0)
		code = out_error(RC_WRONG_STATE, "size: 1MiB is a good one",
				 "region \"%s\" is too small: %d bytes at least",
				 serve->region->name, AV_FORWARD_SIZE_MIN);
	return code;
}

static int open_root(struct serve *serve)
{
	const char *path = ctx_option(serve->ctx, "root");

	if (!path)
		return out_error(RC_USAGE, "avctl serve --root DIR VM...",
				 "which folder may the guests see?");
	serve->root = confine_root(path);
	if (serve->root < 0)
		return out_error(RC_NOT_FOUND, NULL, "%s: %s", path, strerror(errno));
	if (!confine_works(serve->root))
		return out_error(RC_FAILED, "Linux 5.6 or later has it, some sandboxes forbid it",
				 "this kernel cannot confine paths (openat2: %s)", strerror(errno));
	return RC_OK;
}

/* Whether what is at path is in the folder. */
static bool holds(const char *folder, const char *path)
{
	char *real = path ? realpath(path, NULL) : NULL;
	size_t length = strlen(folder);
	bool inside;

	if (!real)
		return false;
	/* "/" ends in the slash that others are followed by */
	inside = !strncmp(real, folder, length) &&
		 (real[length] == '/' || !real[length] || folder[length - 1] == '/');
	free(real);
	return inside;
}

/* A guest that reaches the RAM file, the sockets' folder or the logs reaches everything. */
static int refuse_own_files(struct serve *serve)
{
	const struct record *record = serve->ctx->record;
	const char *const own[] = {record->ram_file, record->runtime_dir, record->log_dir};
	const char *path = ctx_option(serve->ctx, "root");
	char *folder = realpath(path, NULL);
	int code = RC_OK;

	for (size_t i = 0; folder && code == RC_OK && i < sizeof(own) / sizeof(own[0]); i++)
		if (holds(folder, own[i]))
			code = out_error(RC_USAGE, "serve a folder of its own: mkdir data",
					 "%s holds %s, which is the machine's", path, own[i]);
	free(folder);
	return code;
}

/* What a guest's file may grow to. The log of a redirected standard output falls under it too. */
static int limit_files(struct serve *serve)
{
	const char *text = ctx_option(serve->ctx, "max-file"), *wrong = NULL;
	struct rlimit limit;
	uint64_t size = DEFAULT_FILE_MAX;

	if (text)
		wrong = value_size(text, &size);
	if (!wrong && !size)
		wrong = "nothing could be written; --read-only says so";
	if (wrong)
		return out_error(RC_USAGE, "--max-file 64MiB", "--max-file %s: %s", text, wrong);
	if (getrlimit(RLIMIT_FSIZE, &limit) < 0)
		return out_error(RC_FAILED, NULL, "getrlimit: %s", strerror(errno));
	serve->file_limit = limit.rlim_cur;
	limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
	serve->limited = true;
	return RC_OK;
}

/* The next command of `avctl -` may make larger ones. */
static void unlimit_files(const struct serve *serve)
{
	struct rlimit limit;

	if (!serve->limited || getrlimit(RLIMIT_FSIZE, &limit) < 0)
		return;
	limit.rlim_cur = serve->file_limit;
	setrlimit(RLIMIT_FSIZE, &limit);
}

/* One server a region. */
static int take_region(struct serve *serve)
{
	const struct record *record = serve->ctx->record;
	char path[PATH_MAX], text[32] = "";
	int pid = 0;

	snprintf(path, sizeof(path), "%s/serve.%s.lock", record->runtime_dir, serve->region->name);
	serve->lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (serve->lock < 0)
		return out_error(RC_FAILED, "avctl doctor", "%s: %s", path, strerror(errno));
	if (flock(serve->lock, LOCK_EX | LOCK_NB) < 0) {
		if (pread(serve->lock, text, sizeof(text) - 1, 0) > 0)
			pid = atoi(text);
		return out_error(RC_WRONG_STATE, "it ends on SIGINT and SIGTERM",
				 "region \"%s\" is served by avctl pid %d", serve->region->name,
				 pid);
	}
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(serve->lock, 0) < 0 || pwrite(serve->lock, text, strlen(text), 0) < 0)
		return out_error(RC_FAILED, "avctl doctor", "%s: %s", path, strerror(errno));
	return RC_OK;
}

/* The region's state table, which the hypervisor writes, right behind it. */
static int map_state(struct serve *serve, int fd, off_t at)
{
	struct av_region_state *state = MAP_FAILED;
	struct stat stat;

	if (fstat(fd, &stat) == 0 && at + AV_REGION_STATE_SIZE <= stat.st_size)
		state = mmap(NULL, AV_REGION_STATE_SIZE, PROT_READ, MAP_SHARED, fd, at);
	if (state == MAP_FAILED)
		return out_error(RC_FAILED, NULL, "the RAM file: %s", strerror(errno));
	serve->state = state;
	if (state->magic != AV_REGION_STATE_MAGIC || state->version != AV_REGION_STATE_VERSION)
		return out_error(RC_UNREACHABLE, "avctl down, then avctl up",
				 "the machine of set \"%s\" keeps no state table for region \"%s\"",
				 serve->ctx->record->set->name, serve->region->name);
	return RC_OK;
}

static int map_region(struct serve *serve)
{
	const struct record *record = serve->ctx->record;
	size_t index = (size_t)(serve->region - record->set->regions);
	off_t at = (off_t)(record->region_pa[index] - AV_RAM_PA);
	int fd = open(record->ram_file, O_RDWR | O_CLOEXEC | O_NOFOLLOW), code;

	if (fd < 0)
		return out_error(RC_UNREACHABLE, "avctl down, then avctl up", "the RAM file %s: %s",
				 record->ram_file, strerror(errno));
	serve->memory_size = (size_t)serve->region->size;
	/* A page that the host has no room for would be a SIGBUS later. */
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, at, (off_t)serve->memory_size) < 0 &&
	    errno != EOPNOTSUPP) {
		close(fd);
		return out_error(RC_FAILED, NULL, "no room for region \"%s\" in %s: %s",
				 serve->region->name, record->ram_file, strerror(errno));
	}
	serve->memory = mmap(NULL, serve->memory_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);
	if (serve->memory == MAP_FAILED) {
		close(fd);
		serve->memory = NULL;
		return out_error(RC_FAILED, NULL, "mmap: %s", strerror(errno));
	}
	code = map_state(serve, fd, at + (off_t)serve->memory_size);
	close(fd);
	return code;
}

static uint64_t member(void *to, unsigned int vm)
{
	struct serve *serve = to;
	const struct set_region *region = serve->region;

	for (size_t i = 0; i < region->member_count && i < AV_REGION_MEMBERS; i++)
		if (region->members[i].vm + 1 == vm)
			return __atomic_load_n(&serve->state->member[i], __ATOMIC_ACQUIRE);
	return 0;
}

static void note(void *to, const struct server_note *it)
{
	struct serve *serve = to;

	serve_log_note(&serve->log, it);
}

static int run(struct serve *serve)
{
	struct pollfd waits[SERVER_WAIT_MAX];
	uint64_t now = agent_now(), beat = now + SERVER_BEAT_NS;
	struct pace pace;

	pace_start(&pace, now);
	while (!ended_by) {
		bool any = server_round(&serve->server);
		struct timespec sleep;
		size_t count;

		now = agent_now();
		if (now >= beat) {
			if (!record_alive(serve->ctx->record))
				return out_error(RC_UNREACHABLE, "avctl up starts it again",
						 "set \"%s\" has ended",
						 serve->ctx->record->set->name);
			server_beat(&serve->server);
			serve_log_flush(&serve->log);
			beat = now + SERVER_BEAT_NS;
		}
		sleep.tv_sec = 0;
		sleep.tv_nsec =
			(long)pace_next(&pace, now, any, server_client_count(&serve->server) > 0);
		if (sleep.tv_nsec == 0)
			continue;
		count = server_waits(&serve->server, waits);
		ppoll(waits, count, &sleep, NULL);
	}
	return ended_by == SIGINT ? RC_INTERRUPTED : RC_OK;
}

static int serve_region(struct serve *serve)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ};
	struct sigaction before[5], action = {.sa_handler = on_signal};
	struct server_host host = {.member = member, .note = note, .to = serve};
	int code;

	ended_by = 0;
	for (size_t i = 0; i < 5; i++) {
		action.sa_handler =
			signals[i] == SIGPIPE || signals[i] == SIGXFSZ ? SIG_IGN : on_signal;
		sigaction(signals[i], &action, &before[i]);
	}
	prctl(PR_SET_TIMERSLACK, 1000ul);
	server_begin(&serve->server, serve->memory, serve->memory_size, serve->root,
		     ctx_flag(serve->ctx, "read-only"), serve->served, &host);
	serve_log_begin(&serve->log, serve->ctx->record->set, serve->region->name, serve->served,
			&serve->server, ctx_option(serve->ctx, "root"),
			ctx_flag(serve->ctx, "verbose"));
	code = run(serve);
	server_end(&serve->server);
	serve_log_end(&serve->log);
	for (size_t i = 0; i < 5; i++)
		sigaction(signals[i], &before[i], NULL);
	return code;
}

int cmd_serve(struct ctx *ctx)
{
	struct serve *serve = calloc(1, sizeof(*serve));
	int code;

	if (!serve)
		return out_error(RC_FAILED, NULL, "not enough memory");
	*serve = (struct serve){.ctx = ctx, .root = -1, .lock = -1};
	code = limit_files(serve);
	if (code == RC_OK)
		code = open_root(serve);
	if (code == RC_OK)
		code = ctx_need_record(ctx);
	if (code == RC_OK)
		code = refuse_own_files(serve);
	if (code == RC_OK)
		code = find_clients(serve);
	if (code == RC_OK)
		code = take_region(serve);
	if (code == RC_OK)
		code = map_region(serve);
	if (code == RC_OK)
		code = serve_region(serve);
	unlimit_files(serve);
	if (serve->memory)
		munmap(serve->memory, serve->memory_size);
	if (serve->state)
		munmap((void *)(uintptr_t)serve->state, AV_REGION_STATE_SIZE);
	if (serve->root >= 0)
		close(serve->root);
	if (serve->lock >= 0)
		close(serve->lock);
	free(serve);
	return code;
}
