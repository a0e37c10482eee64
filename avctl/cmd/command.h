/* SPDX-License-Identifier: MIT */
/*
 * command.h - the one table of avctl's verbs. Help, the man page, completion and option parsing
 * come from it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctx;

/* What completes an argument or an option's value. */
enum completer {
	COMPLETE_NONE,
	COMPLETE_FILE,
	COMPLETE_VM,
	COMPLETE_SNAPSHOT_ID, /* of the VM named before */
	COMPLETE_SNAPSHOT_NAME,
	COMPLETE_REGION,
	COMPLETE_FIELD, /* of the region named before */
	COMPLETE_SET,
	COMPLETE_STATE,
	COMPLETE_VERB,
	COMPLETE_FORMAT,
	COMPLETE_WORDS, /* the words in `words` */
};

struct argument {
	const char *name; /* "VM"; NULL ends the list */
	enum completer completer;
	bool optional;
	bool repeat; /* only the last one */
	const char *words;
};

struct option_spec {
	const char *name;  /* long; NULL ends the list */
	char letter;       /* 0: none */
	const char *value; /* "N"; NULL: a flag */
	enum completer completer;
	const char *summary;
	const char *words; /* separated by spaces */
};

#define ARGUMENT_MAX 4
#define OPTION_MAX 16

struct command {
	const char *name;  /* "snapshot take" */
	const char *alias; /* "snap take", or NULL */
	const char *summary;
	struct argument args[ARGUMENT_MAX];
	const struct option_spec *options; /* or NULL */
	const char *description;           /* more text for help and man, or NULL */
	const char *examples[4];
	uint32_t exits; /* bit n: exit code n (31: 130) */
	bool hidden;
	int (*run)(struct ctx *ctx);
};

#define EXIT_BIT(code) (1u << ((code) == 130 ? 31 : (code)))

extern const struct command command_table[];
extern const size_t command_count;
extern const struct option_spec global_options[];

/*
 * Find the command that args start with; *used = how many words its name took. NULL: none; *group
 * is then true if the first word alone is the first half of two-word verbs.
 */
const struct command *command_find(char *const *args, int count, int *used, bool *group);

/* Say that there is no such verb, and which was probably meant. Returns RC_USAGE. */
int command_unknown(char *const *args, int count, bool group);

/* help.c */
void help_command(const struct command *command, void *stream);
void help_overview(void *stream);
void help_group(const char *group, void *stream);
char *help_usage(const struct command *command, char *buffer, size_t size);

/* The verbs. */
int cmd_up(struct ctx *ctx);
int cmd_down(struct ctx *ctx);
int cmd_ps(struct ctx *ctx);
int cmd_status(struct ctx *ctx);
int cmd_top(struct ctx *ctx);
int cmd_wait(struct ctx *ctx);
int cmd_pause(struct ctx *ctx);
int cmd_resume(struct ctx *ctx);
int cmd_stop(struct ctx *ctx);
int cmd_start(struct ctx *ctx);
int cmd_restart(struct ctx *ctx);
int cmd_snapshot_take(struct ctx *ctx);
int cmd_snapshot_list(struct ctx *ctx);
int cmd_snapshot_delete(struct ctx *ctx);
int cmd_snapshot_prune(struct ctx *ctx);
int cmd_snapshot_pin(struct ctx *ctx);
int cmd_snapshot_unpin(struct ctx *ctx);
int cmd_snapshot_rename(struct ctx *ctx);
int cmd_snapshot_show(struct ctx *ctx);
int cmd_snapshot_diff(struct ctx *ctx);
int cmd_snapshot_tag(struct ctx *ctx);
int cmd_snapshot_note(struct ctx *ctx);
int cmd_snapshot_export(struct ctx *ctx);
int cmd_snapshot_import(struct ctx *ctx);
int cmd_snapshot_verify(struct ctx *ctx);
int cmd_restore(struct ctx *ctx);
int cmd_clone(struct ctx *ctx);
int cmd_rm(struct ctx *ctx);
int cmd_shm_list(struct ctx *ctx);
int cmd_shm_dump(struct ctx *ctx);
int cmd_shm_peek(struct ctx *ctx);
int cmd_shm_poke(struct ctx *ctx);
int cmd_shm_watch(struct ctx *ctx);
int cmd_serve(struct ctx *ctx);
int cmd_console(struct ctx *ctx);
int cmd_logs(struct ctx *ctx);
int cmd_events(struct ctx *ctx);
int cmd_config_check(struct ctx *ctx);
int cmd_config_show(struct ctx *ctx);
int cmd_config_schema(struct ctx *ctx);
int cmd_doctor(struct ctx *ctx);
int cmd_batch(struct ctx *ctx);
int cmd_version(struct ctx *ctx);
int cmd_help(struct ctx *ctx);
int cmd_completion(struct ctx *ctx);
int cmd_man(struct ctx *ctx);
int cmd_complete(struct ctx *ctx);
int cmd_agent(struct ctx *ctx);
