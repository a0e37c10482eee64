/* SPDX-License-Identifier: MIT */
/*
 * wait.c - `avctl wait VM STATE`.
 * Looks again and again with short connections; holds neither the lock nor the agent in between.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "cmd/clones.h"
#include "cmd/ctx.h"

#define LOOK_FIRST_NS 2000000
#define LOOK_LAST_NS 100000000

struct wanted {
	const char *vm;
	const char *state; /* or NULL */
	const char *text;  /* in the console's log, or NULL */
	char log[PATH_MAX];
	size_t from; /* where in it the text may begin */
};

static void take_state(void *to, const struct line *row)
{
	const char *state = line_text(row, "state");

	snprintf(to, 16, "%s", state ? state : "");
}

static int state_now(struct ctx *ctx, const struct wanted *wanted, char state[16])
{
	struct agent_sink sink = {.row = take_state, .to = state};
	struct agent_request request;
	struct agent_reply reply;
	int result = ctx_need_agent(ctx);

	if (result != RC_OK)
		return result;
	agent_begin(&request, "vm");
	line_add_text(&request.line, "vm", wanted->vm);
	if (agent_call(ctx->agent, &request, &sink, false, &reply) != AGENT_OK)
		result = ctx_agent_error(ctx, &reply, wanted->vm, NULL);
	ctx_release(ctx);
	return result;
}

/* Is the text in the log? Looks at the whole of it: logs are small beside what a memmem() takes. */
static bool text_is_there(const struct wanted *wanted)
{
	char *text = NULL;
	size_t size = 0, room = 0;
	ssize_t got = 0;
	bool found;
	int fd = open(wanted->log, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	do {
		size += (size_t)got;
		if (room - size < 65536) {
			char *grown = realloc(text, room * 2 + 131072);

			if (!grown)
				break;
			text = grown;
			room = room * 2 + 131072;
		}
		got = read(fd, text + size, room - size);
	} while (got > 0);
	close(fd);
	found = text && size > wanted->from &&
		memmem(text + wanted->from, size - wanted->from, wanted->text,
		       strlen(wanted->text));
	free(text);
	return found;
}

static const char *const states[] = {"running", "paused", "starved", "crashed", "stopped"};

/* `wait running vm1` is a slip, unless a VM has that name. */
static int check_order(const struct ctx *ctx)
{
	const struct set *set = ctx->record->set;
	bool is_state = !strncmp(ctx->args[0], "log=", 4), has_first = false, has_second = false;
	char hint[128];

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		is_state = is_state || !strcmp(ctx->args[0], states[i]);
	for (size_t i = 0; i < set->vm_count; i++) {
		has_first = has_first || !strcmp(set->vms[i].name, ctx->args[0]);
		has_second = has_second || !strcmp(set->vms[i].name, ctx->args[1]);
	}
	if (!is_state || has_first || !has_second)
		return RC_OK;
	return out_error(
		RC_USAGE,
		out_text(hint, sizeof(hint), "avctl wait %s '%s'", ctx->args[1], ctx->args[0]),
		"the VM comes first");
}

static int read_wanted(struct ctx *ctx, const struct set_vm *vm, struct wanted *wanted)
{
	uint64_t from;

	const char *text = ctx->args[1];
	const char *near;
	struct stat info;
	char hint[128];

	if (ctx_flag(ctx, "new") && strncmp(text, "log=", 4) != 0)
		return out_error(RC_USAGE, "avctl wait VM log=TEXT --new",
				 "--new is for log=TEXT only");
	wanted->vm = ctx->args[0];
	if (!strncmp(text, "log=", 4) && text[4]) {
		wanted->text = text + 4;
		clones_log_path(ctx->record, vm, "console", wanted->log, sizeof(wanted->log),
				&from);
		wanted->from = (size_t)from;
		if (ctx_flag(ctx, "new") && stat(wanted->log, &info) == 0)
			wanted->from = (size_t)info.st_size;
		return RC_OK;
	}
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (!strcmp(text, states[i])) {
			wanted->state = states[i];
			return RC_OK;
		}
	}
	near = out_nearest(text, states, sizeof(states) / sizeof(states[0]));
	return out_error(RC_USAGE,
			 near ? out_text(hint, sizeof(hint), "did you mean %s?", near)
			      : "running, paused, starved, crashed, stopped or log=TEXT",
			 "\"%s\" is not a state", text);
}

int cmd_wait(struct ctx *ctx)
{
	struct wanted wanted = {0};
	const struct set_vm *vm;
	char state[16] = "", took[32], hint[128];
	uint64_t timeout, deadline;
	long pause_ns = LOOK_FIRST_NS;
	int result = ctx_need_record(ctx);

	if (result == RC_OK)
		result = check_order(ctx);
	if (result == RC_OK)
		result = ctx_need_vm(ctx, ctx->args[0], &vm);
	if (result == RC_OK)
		result = read_wanted(ctx, vm, &wanted);
	if (result == RC_OK)
		result = ctx_timeout(ctx, INT64_MAX, &timeout);
	if (result != RC_OK)
		return result;
	deadline = agent_now() + timeout;
	for (;;) {
		if (wanted.text) {
			if (text_is_there(&wanted))
				return RC_OK;
			result = ctx_need_record(ctx);
		} else {
			result = state_now(ctx, &wanted, state);
			if (result == RC_OK && !strcmp(state, wanted.state))
				return RC_OK;
		}
		if (result != RC_OK)
			return result;
		if (agent_now() >= deadline)
			break;
		nanosleep(&(struct timespec){.tv_nsec = pause_ns}, NULL);
		pause_ns = pause_ns * 2 < LOOK_LAST_NS ? pause_ns * 2 : LOOK_LAST_NS;
	}
	snprintf(hint, sizeof(hint), wanted.text ? "avctl logs %s" : "avctl status %s", wanted.vm);
	if (wanted.text)
		return out_error(RC_TIMEOUT, hint, "%s has not printed \"%s\" within %s", wanted.vm,
				 wanted.text, out_duration(took, timeout));
	return out_error(RC_TIMEOUT, hint, "%s is %s, not %s, after %s", wanted.vm, state,
			 wanted.state, out_duration(took, timeout));
}
