/* SPDX-License-Identifier: MIT */
/*
 * members.c - asks the control agent for states and generations.
 * Must never keep another avctl waiting, nor wait for one: it takes the set's lock only when nobody has it.
 */
#include "serve/members.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>
#include <avisor/region.h>

#define LOOK_NS 100000000ll
#define ANSWER_NS 2000000000ull

struct members {
	const struct record *record;
	pthread_t thread;
	bool end, wanted;
	uint64_t words[AV_VM_MAX];
};

static uint64_t state_number(const char *name)
{
	static const char *const names[] = {
		[AV_MEMBER_RUNNING] = "running", [AV_MEMBER_PAUSED] = "paused",
		[AV_MEMBER_STARVED] = "starved", [AV_MEMBER_CRASHED] = "crashed",
		[AV_MEMBER_STOPPED] = "stopped",
	};

	for (uint64_t i = AV_MEMBER_RUNNING; name && i <= AV_MEMBER_STOPPED; i++)
		if (!strcmp(names[i], name))
			return i;
	return AV_MEMBER_NONE;
}

/* The control VM is 0; the others are in the order of the set. */
static void take_row(void *to, const struct line *row)
{
	struct members *members = to;
	const struct set *set = members->record->set;
	const char *name = line_text(row, "name");
	uint64_t generation = 0;

	if (!name || !line_number(row, "generation", &generation))
		return;
	for (size_t i = 0; i < set->vm_count && i + 1 < AV_VM_MAX; i++)
		if (!strcmp(set->vms[i].name, name))
			__atomic_store_n(&members->words[i + 1],
					 generation << 8 | state_number(line_text(row, "state")),
					 __ATOMIC_RELEASE);
}

static enum agent_status ask(struct members *members, struct agent *agent,
			     struct agent_reply *reply)
{
	struct agent_sink sink = {.row = take_row, .to = members};
	struct agent_request request;

	agent_begin(&request, "vms");
	return agent_call(agent, &request, &sink, false, reply);
}

/* One look, when nobody else talks to the agent. */
static void look(struct members *members)
{
	struct agent_reply reply;
	enum agent_status status;
	struct agent *agent;
	char path[PATH_MAX];
	int lock;

	snprintf(path, sizeof(path), "%s/lock", members->record->runtime_dir);
	lock = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (lock < 0)
		return;
	if (flock(lock, LOCK_EX | LOCK_NB) == 0) {
		agent = agent_open(members->record->runtime_dir, "control", agent_now() + ANSWER_NS,
				   &status);
		if (agent && ask(members, agent, &reply) == AGENT_OK)
			__atomic_store_n(&members->wanted, false, __ATOMIC_RELEASE);
		agent_close(agent);
	}
	close(lock);
}

static void *watch(void *of)
{
	struct members *members = of;

	while (!__atomic_load_n(&members->end, __ATOMIC_ACQUIRE)) {
		if (__atomic_load_n(&members->wanted, __ATOMIC_ACQUIRE))
			look(members);
		nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
	}
	return NULL;
}

struct members *members_start(struct ctx *ctx, int *code)
{
	struct members *members = calloc(1, sizeof(*members));
	struct agent_reply reply;

	if (!members) {
		*code = out_error(RC_FAILED, NULL, "not enough memory");
		return NULL;
	}
	*code = ctx_need_agent(ctx);
	members->record = ctx->record;
	if (*code == RC_OK && ask(members, ctx->agent, &reply) != AGENT_OK)
		*code = ctx_agent_error(ctx, &reply, NULL, NULL);
	ctx_release(ctx);
	if (*code == RC_OK && pthread_create(&members->thread, NULL, watch, members) != 0)
		*code = out_error(RC_FAILED, NULL, "no thread: %s", strerror(errno));
	if (*code != RC_OK) {
		free(members);
		return NULL;
	}
	return members;
}

void members_stop(struct members *members)
{
	if (!members)
		return;
	__atomic_store_n(&members->end, true, __ATOMIC_RELEASE);
	pthread_join(members->thread, NULL);
	free(members);
}

uint64_t members_word(struct members *members, unsigned int vm)
{
	__atomic_store_n(&members->wanted, true, __ATOMIC_RELEASE);
	return vm < AV_VM_MAX ? __atomic_load_n(&members->words[vm], __ATOMIC_ACQUIRE) : 0;
}
