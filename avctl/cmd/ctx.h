/* SPDX-License-Identifier: MIT */
/*
 * ctx.h - one command line while it runs: its arguments, the set it is about, the lock and the
 * agent.
 *
 * Functions that return an exit code have said what is wrong when it is not RC_OK.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "command.h"
#include "agent/client.h"
#include "machine/record.h"
#include "out/out.h"

struct globals {
	const char *file;    /* -f, or NULL */
	const char *set;     /* -s, or NULL */
	const char *timeout; /* --timeout, or NULL */
	const char *output;
	const char *color;
	bool quiet;
};

struct ctx {
	const struct command *command;
	struct globals globals;
	int arg_count;
	char **args;
	/* Parallel to command->options; "" for a flag that was given. */
	const char *values[OPTION_MAX];

	/* found on demand */
	struct record *record;
	struct agent *agent;
	int lock_fd;
	bool missing_is_fine; /* do not complain about a set that does not run */
};

/* The value of a command's own option; NULL when it was not given. */
const char *ctx_option(const struct ctx *ctx, const char *name);
bool ctx_flag(const struct ctx *ctx, const char *name);

/* The argument at index, NULL when there are fewer. */
const char *ctx_arg(const struct ctx *ctx, int index);

/*
 * A number given as the option, *value untouched when it is absent. RC_USAGE when it is not a
 * number.
 */
int ctx_number_option(const struct ctx *ctx, const char *name, uint64_t *value);

/* --timeout, or fallback; nanoseconds. RC_USAGE when it is nonsense. */
int ctx_timeout(const struct ctx *ctx, uint64_t fallback, uint64_t *ns);

/* "500ms", "30s", "2m", "1h", "7d", "2w", "2" (seconds): nanoseconds. */
bool ctx_duration(const char *text, uint64_t *ns);

/*
 * The record of the running set that -f, -s, $AVCTL_SET, ./avctl.yaml or being the only one
 * chooses, in ctx->record. RC_UNREACHABLE when it does not run.
 */
int ctx_need_record(struct ctx *ctx);

/* The same, but a set whose machine has died will do. */
int ctx_find_set(struct ctx *ctx);

/* Whether -f, -s, $AVCTL_SET or ./avctl.yaml says which set is meant. */
bool ctx_is_chosen(const struct ctx *ctx);

/* Say that no set of that name runs, which ones do, and which was probably meant. Returns code. */
int ctx_no_such_set(const char *name, int code);

/* The YAML file that is meant, malloc()ed in *path; for verbs that work without a running set. */
int ctx_find_file(struct ctx *ctx, char **path);

/* Take the set's lock, waiting for it up to the timeout. RC_WRONG_STATE names the holder. */
int ctx_lock(struct ctx *ctx, const char *set_name);
void ctx_unlock(struct ctx *ctx);

/* Record, lock and a connection to the control agent in ctx->agent. */
int ctx_need_agent(struct ctx *ctx);

/*
 * The VM in the record, or RC_NOT_FOUND with did-you-mean. The VM named `control` is not one of
 * them. A clone is: the machine is asked for those when the record has none of that name.
 */
int ctx_need_vm(struct ctx *ctx, const char *name, const struct set_vm **vm);

/*
 * Say what an agent's error reply means and return the exit code. vm, and what ("snapshot 7"), may
 * be NULL.
 */
int ctx_agent_error(struct ctx *ctx, const struct agent_reply *reply, const char *vm,
		    const char *what);

/*
 * Let others talk to the agent: gives up the connection and the lock, keeps the record. For verbs
 * that poll.
 */
void ctx_release(struct ctx *ctx);

/*
 * The record if the set runs or has died, else NULL; and in any case the set's name, malloc()ed:
 * for verbs that work on a set that is down.
 */
int ctx_find_name(struct ctx *ctx, char **name);

/* Frees what ctx holds: lock, agent, record. */
void ctx_close(struct ctx *ctx);

/* Parse and run one command line (without the program's name). Also used by `avctl -`. */
int command_line_run(int count, char **args, const struct globals *inherited);
