/* SPDX-License-Identifier: MIT */
/*
 * parse.c - from words to a verb with its options and arguments, by the command table.
 * Refuses whatever the table does not know; runs nothing before all of the line is understood.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/ctx.h"

/* getopt's long option values: where in which list. */
#define GLOBAL_BASE 0x1000
#define OWN_BASE 0x2000

/* The rest of name if text starts with the word `first` and a space. */
static bool name_matches(const char *name, const char *first, const char *second)
{
	size_t length = strlen(first);

	if (!name || strncmp(name, first, length) != 0)
		return false;
	if (!second)
		return name[length] == '\0';
	return name[length] == ' ' && !strcmp(name + length + 1, second);
}

const struct command *command_find(char *const *args, int count, int *used, bool *group)
{
	*group = false;
	*used = 0;
	for (int words = count > 1 ? 2 : count; words >= 1; words--) {
		for (size_t i = 0; i < command_count; i++) {
			const struct command *command = &command_table[i];
			const char *second = words == 2 ? args[1] : NULL;

			if (name_matches(command->name, args[0], second) ||
			    name_matches(command->alias, args[0], second)) {
				*used = words;
				return command;
			}
		}
	}
	for (size_t i = 0; count && i < command_count; i++) {
		size_t length = strlen(args[0]);
		const char *name = command_table[i].name;
		const char *alias = command_table[i].alias;

		if ((!strncmp(name, args[0], length) && name[length] == ' ') ||
		    (alias && !strncmp(alias, args[0], length) && alias[length] == ' '))
			*group = true;
	}
	return NULL;
}

/*
 * One option string and long list for getopt from one or two lists of ours; own ones win over
 * global ones.
 */
struct getopt_lists {
	char letters[2 * OPTION_MAX * 3 + 4];
	struct option longs[2 * OPTION_MAX + 1];
	size_t count;
};

static void add_options(struct getopt_lists *lists, const struct option_spec *options, int base)
{
	for (int i = 0; options && options[i].name; i++) {
		struct option *option = &lists->longs[lists->count++];
		size_t used = strlen(lists->letters);

		option->name = options[i].name;
		option->has_arg = options[i].value ? required_argument : no_argument;
		option->val = base + i;
		if (options[i].letter && !strchr(lists->letters, options[i].letter))
			snprintf(lists->letters + used, sizeof(lists->letters) - used, "%c%s",
				 options[i].letter, options[i].value ? ":" : "");
	}
}

static int find_letter(const struct option_spec *options, int letter)
{
	for (int i = 0; options && options[i].name; i++) {
		if (options[i].letter == letter)
			return i;
	}
	return -1;
}

static bool set_global(struct globals *globals, const char *name, const char *value, bool *help)
{
	if (!strcmp(name, "file"))
		globals->file = value;
	else if (!strcmp(name, "set"))
		globals->set = value;
	else if (!strcmp(name, "output"))
		globals->output = value;
	else if (!strcmp(name, "timeout"))
		globals->timeout = value;
	else if (!strcmp(name, "color"))
		globals->color = value;
	else if (!strcmp(name, "quiet"))
		globals->quiet = true;
	else
		*help = true;
	return true;
}

static const char *verb_of(const struct ctx *ctx)
{
	return ctx->command ? ctx->command->name : "";
}

static int bad_option(const struct ctx *ctx, const struct getopt_lists *lists, int letter,
		      char **args)
{
	const char *word = args[optind - 1];
	const char *names[2 * OPTION_MAX];
	const char *near = NULL;
	char hint[256];

	if (letter == ':')
		return out_error(RC_USAGE,
				 out_text(hint, sizeof(hint), "avctl help%s%s",
					  ctx->command ? " " : "", verb_of(ctx)),
				 "%s needs a value", word);
	if (!strncmp(word, "--", 2)) {
		char bare[64];

		snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(word + 2, "="), word + 2);
		for (size_t i = 0; i < lists->count; i++)
			names[i] = lists->longs[i].name;
		near = out_nearest(bare, names, lists->count);
		if (near && !strcmp(near, bare))
			return out_error(RC_USAGE, NULL, "--%s takes no value", bare);
		if (near)
			snprintf(hint, sizeof(hint), "did you mean --%s?", near);
	} else {
		snprintf(hint, sizeof(hint), "avctl help %s", verb_of(ctx));
	}
	if (!strcmp(word, "--version") || (!ctx->command && (optopt == 'v' || optopt == 'V')))
		snprintf(hint, sizeof(hint), "avctl version");
	else if (!near)
		snprintf(hint, sizeof(hint), "avctl help%s%s", ctx->command ? " " : "",
			 verb_of(ctx));
	if (!strncmp(word, "--", 2))
		return out_error(RC_USAGE, hint, "unknown option %s", word);
	return out_error(RC_USAGE, hint, "unknown option -%c", optopt);
}

/*
 * Take the options out of args[1..]; args[0] is ignored as getopt wants it. before_verb: stop at
 * the first word that is none. The words that stay are args[*first..count-1].
 */
static int take_options(struct ctx *ctx, int count, char **args, bool before_verb, bool *help,
			int *first)
{
	const struct option_spec *own = ctx->command ? ctx->command->options : NULL;
	struct getopt_lists lists = {0};
	int found;

	snprintf(lists.letters, sizeof(lists.letters), "%s:", before_verb ? "+" : "");
	add_options(&lists, own, OWN_BASE);
	add_options(&lists, global_options, GLOBAL_BASE);
	opterr = 0;
	optind = 0;
	while ((found = getopt_long(count, args, lists.letters, lists.longs, NULL)) != -1) {
		int index;

		if (found == '?' || found == ':')
			return bad_option(ctx, &lists, found, args);
		if (found < GLOBAL_BASE) {
			index = find_letter(own, found);
			found = index >= 0 ? OWN_BASE + index
					   : GLOBAL_BASE + find_letter(global_options, found);
		}
		if (found >= OWN_BASE && optarg && ctx->values[found - OWN_BASE])
			return out_error(RC_USAGE, NULL, "--%s is given twice, and holds one value",
					 own[found - OWN_BASE].name);
		if (found >= OWN_BASE)
			ctx->values[found - OWN_BASE] = optarg ? optarg : "";
		else
			set_global(&ctx->globals, global_options[found - GLOBAL_BASE].name, optarg,
				   help);
	}
	*first = optind;
	return RC_OK;
}

/* A file and a name on one line: which of them? */
static int check_choice(const struct globals *globals, const struct globals *inherited)
{
	const char *file = inherited ? inherited->file : NULL;
	const char *set = inherited ? inherited->set : NULL;

	if (globals->file && !*globals->file)
		return out_error(RC_USAGE, "avctl -f FILE.yaml ...", "-f needs the name of a file");
	if (globals->file && globals->set && globals->file != file && globals->set != set)
		return out_error(RC_USAGE, "-f FILE is the set's YAML file, -s NAME one that runs",
				 "-f or -s, not both");
	return RC_OK;
}

static int apply_style(const struct globals *globals)
{
	out_style.quiet = globals->quiet;
	out_style.format = OUT_TABLE;
	out_style.color = OUT_COLOR_AUTO;
	if (globals->output && !out_format_parse(globals->output, &out_style.format))
		return out_error(RC_USAGE, "-o table, json, jsonl or name",
				 "unknown output format \"%s\"", globals->output);
	if (!globals->color || !strcmp(globals->color, "auto"))
		return RC_OK;
	if (!strcmp(globals->color, "always"))
		out_style.color = OUT_COLOR_ALWAYS;
	else if (!strcmp(globals->color, "never"))
		out_style.color = OUT_COLOR_NEVER;
	else
		return out_error(RC_USAGE, "--color auto, always or never",
				 "unknown colour mode \"%s\"", globals->color);
	return RC_OK;
}

/*
 * Words in another order than avctl wants them: `vm1 restore`, `snapshot vm1 take`, `take vm1`.
 * False: no verb is among the first three.
 */
static bool other_order(char *const *args, int count, char *hint, size_t size)
{
	const char *name;

	for (size_t i = 0; i < command_count; i++) {
		const char *second = strchr(name = command_table[i].name, ' ');

		if (command_table[i].hidden || !strcmp(name, "-"))
			continue;
		if (second && !strcmp(second + 1, args[0])) {
			snprintf(hint, size, "did you mean avctl %s?", name);
			return true;
		}
		if (count > 1 && !second && !strcmp(name, args[1]))
			snprintf(hint, size, "the verb comes first: avctl %s %s", name, args[0]);
		else if (count > 2 && second && !strcmp(second + 1, args[2]) &&
			 name_matches(name, args[0], args[2]))
			snprintf(hint, size, "the verb comes first: avctl %s %s", name, args[1]);
		else if (count > 2 && second && name_matches(name, args[1], args[2]))
			snprintf(hint, size, "the verb comes first: avctl %s %s", name, args[0]);
		else
			continue;
		return true;
	}
	return false;
}

int command_unknown(char *const *args, int count, bool group)
{
	static const char *const groups[] = {"snapshot", "shm", "config", "snap"};
	const char *names[100];
	char hint[256], word[128];
	const char *near;
	size_t name_count = 0;

	if (group && count == 1) {
		help_group(args[0], stderr);
		return out_error(RC_USAGE, out_text(hint, sizeof(hint), "avctl help %s", args[0]),
				 "%s needs a second word", args[0]);
	}
	snprintf(word, sizeof(word), "%s%s%s", args[0], group ? " " : "", group ? args[1] : "");
	for (size_t i = 0; i < command_count && name_count + 2 < 96; i++) {
		if (command_table[i].hidden)
			continue;
		names[name_count++] = command_table[i].name;
		if (command_table[i].alias)
			names[name_count++] = command_table[i].alias;
	}
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		names[name_count++] = groups[i];
	near = out_nearest(word, names, name_count);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean avctl %s?", near);
	else if (!other_order(args, count, hint, sizeof(hint)))
		snprintf(hint, sizeof(hint), "avctl help%s%s", group ? " " : "",
			 group ? args[0] : "");
	return out_error(RC_USAGE, hint, "no verb \"%s\"", word);
}

/* A word too many may be what an option wants: `restore vm1 3` means --id 3. */
static int extra_word(const struct ctx *ctx, const char *word, const char *usage)
{
	static const char *const names[] = {"id", "name"};
	uint64_t number;
	char hint[400];
	bool is_number = line_to_number(word, &number);

	for (const struct option_spec *option = ctx->command->options; option && option->name;
	     option++) {
		if (!option->value && !strcmp(option->name, word))
			return out_error(
				RC_USAGE,
				out_text(hint, sizeof(hint), "did you mean --%s? %s", word, usage),
				"%s: what is \"%s\"?", ctx->command->name, word);
	}
	for (size_t i = is_number ? 0 : 1; i < sizeof(names) / sizeof(names[0]); i++) {
		for (const struct option_spec *option = ctx->command->options;
		     option && option->name; option++) {
			if (strcmp(option->name, names[i]) != 0 || !option->value || !*word ||
			    (is_number && i == 1))
				continue;
			return out_error(RC_USAGE,
					 out_text(hint, sizeof(hint), "did you mean --%s %s? %s",
						  names[i], word, usage),
					 "%s: what is \"%s\"?", ctx->command->name, word);
		}
	}
	return out_error(RC_USAGE, usage, "%s: what is \"%s\"?", ctx->command->name, word);
}

/* As many arguments as the table says? */
static int check_arguments(const struct ctx *ctx)
{
	const struct argument *args = ctx->command->args;
	char usage[256], hint[300];
	int least = 0, most = 0;

	for (int i = 0; i < ARGUMENT_MAX && args[i].name; i++) {
		least += !args[i].optional;
		most = args[i].repeat ? 1000000 : most + 1;
	}
	if (ctx->arg_count >= least && ctx->arg_count <= most)
		return RC_OK;
	snprintf(hint, sizeof(hint), "%s", help_usage(ctx->command, usage, sizeof(usage)));
	if (ctx->arg_count < least)
		return out_error(RC_USAGE, hint, "%s needs %s", ctx->command->name,
				 args[ctx->arg_count].name);
	return extra_word(ctx, ctx->args[most], hint);
}

/* Help was asked for: print it. */
static int give_help(const struct ctx *ctx, char **args, int count)
{
	bool group;
	int used;

	if (!ctx->command && count && !command_find(args, count, &used, &group)) {
		if (!group)
			return command_unknown(args, count, false);
		help_group(args[0], stdout);
	} else if (ctx->command) {
		help_command(ctx->command, stdout);
	} else {
		help_overview(stdout);
	}
	return RC_OK;
}

int command_line_run(int count, char **args, const struct globals *inherited)
{
	struct ctx ctx = {.lock_fd = -1};
	char **words = calloc((size_t)count + 2, sizeof(*words));
	bool help = false, group = false;
	int first, used, result;

	if (!words)
		return out_error(RC_FAILED, NULL, "out of memory");
	if (inherited)
		ctx.globals = *inherited;
	words[0] = (char *)"avctl";
	memcpy(words + 1, args, (size_t)count * sizeof(*args));
	result = take_options(&ctx, count + 1, words, true, &help, &first);
	if (result != RC_OK)
		goto out;
	args = words + first;
	count = count + 1 - first;
	if (count)
		ctx.command = command_find(args, count, &used, &group);
	result = apply_style(&ctx.globals);
	if (result == RC_OK && (help || !ctx.command)) {
		if (help)
			result = give_help(&ctx, args, count);
		else if (count)
			result = count == 2 && group &&
						 (!strcmp(args[1], "--help") ||
						  !strcmp(args[1], "-h"))
					 ? give_help(&ctx, args, 1)
					 : command_unknown(args, count, group);
		else
			help_overview(stderr), result = RC_USAGE;
		goto out;
	}
	if (result != RC_OK)
		goto out;
	ctx.args = args + used;
	ctx.arg_count = count - used;
	/* Words for completion and for the agent are not ours to parse. */
	if (ctx.command->run != cmd_complete) {
		result =
			take_options(&ctx, count - used + 1, args + used - 1, false, &help, &first);
		if (result != RC_OK)
			goto out;
		ctx.args = args + used - 1 + first;
		ctx.arg_count = count - used + 1 - first;
		result = apply_style(&ctx.globals);
		if (result == RC_OK && help) {
			help_command(ctx.command, stdout);
			goto out;
		}
	}
	if (result == RC_OK)
		result = check_choice(&ctx.globals, inherited);
	if (result == RC_OK)
		result = check_arguments(&ctx);
	if (result == RC_OK)
		result = ctx.command->run(&ctx);
out:
	ctx_close(&ctx);
	free(words);
	return result;
}
