/* SPDX-License-Identifier: MIT */
/*
 * complete.c - shell completion from the command table.
 * Must be quick and quiet: it gives up on a machine that does not answer at once, and prints no
 * errors.
 */
#include <stdio.h>
#include <string.h>
#include "cmd/clones.h"
#include "cmd/ctx.h"
#include "machine/paths.h"

#define COMPLETE_TIMEOUT "50ms"

int cmd_completion(struct ctx *ctx)
{
	if (strcmp(ctx->args[0], "bash") != 0)
		return out_error(RC_USAGE, "avctl completion bash", "no completion for \"%s\"",
				 ctx->args[0]);
	/* --id=3 and log=TEXT: = must not break words. */
	fputs("# bash completion for avctl\n"
	      "_avctl()\n"
	      "{\n"
	      "\tlocal line IFS=$'\\n'\n"
	      "\tlocal current=\"${COMP_WORDS[COMP_CWORD]}\"\n"
	      "\tCOMPREPLY=()\n"
	      "\twhile read -r line; do\n"
	      "\t\tif [ \"$line\" = :file ]; then\n"
	      "\t\t\tcompopt -o filenames 2>/dev/null\n"
	      "\t\t\tCOMPREPLY+=($(compgen -f -- \"$current\"))\n"
	      "\t\telse\n"
	      "\t\t\tCOMPREPLY+=(\"$line\")\n"
	      "\t\tfi\n"
	      "\tdone < <(\"${COMP_WORDS[0]}\" __complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" "
	      "2>/dev/null)\n"
	      "}\n"
	      "complete -F _avctl avctl\n",
	      stdout);
	return RC_OK;
}

static void offer(const char *word, const char *typed)
{
	if (!strncmp(word, typed, strlen(typed)))
		puts(word);
}

static void offer_words(const char *words, const char *typed)
{
	while (words && *words) {
		size_t length = strcspn(words, " ");
		char word[64];

		snprintf(word, sizeof(word), "%.*s", (int)length, words);
		offer(word, typed);
		words += length + strspn(words + length, " ");
	}
}

struct snapshot_words {
	const char *typed;
	bool names;
};

static void offer_snapshot(void *to, const struct line *row)
{
	const struct snapshot_words *words = to;
	const char *word = line_text(row, words->names ? "name" : "id");

	if (word && *word && strcmp(word, "boot") != 0)
		offer(word, words->typed);
}

/* The lock is only tried: whoever holds it may hold it for long. */
static bool try_agent(struct ctx *ctx)
{
	ctx->globals.timeout = COMPLETE_TIMEOUT;
	return ctx_need_agent(ctx) == RC_OK;
}

static void offer_snapshots(struct ctx *ctx, const char *vm, const char *typed, bool names)
{
	struct snapshot_words words = {typed, names};
	struct agent_sink sink = {.row = offer_snapshot, .to = &words};
	struct agent_request request;
	struct agent_reply reply;

	if (!vm || !try_agent(ctx))
		return;
	agent_begin(&request, "snapshots");
	line_add_text(&request.line, "vm", vm);
	agent_call(ctx->agent, &request, &sink, true, &reply);
}

static void offer_verbs(char **words, int count, const char *typed)
{
	for (size_t i = 0; i < command_count; i++) {
		const char *name = command_table[i].name;
		size_t first = strcspn(name, " ");
		char word[64];

		if (command_table[i].hidden)
			continue;
		if (count == 0) {
			/* Each first word once: verbs of one group stand together in the table. */
			if (i && !strncmp(command_table[i - 1].name, name, first) &&
			    command_table[i - 1].name[first] == ' ')
				continue;
			snprintf(word, sizeof(word), "%.*s", (int)first, name);
			offer(word, typed);
		} else if (name[first] && strlen(words[0]) == first &&
			   !strncmp(words[0], name, first)) {
			offer(name + first + 1, typed);
		}
	}
}

static void offer_set_names(struct ctx *ctx, enum completer completer, const char *typed)
{
	if (ctx_need_record(ctx) != RC_OK)
		return;
	/* A set without spare slots is not asked. */
	if (completer == COMPLETE_VM && ctx->record->set->spare.count && try_agent(ctx))
		clones_learn(ctx);
	for (size_t i = 0; completer == COMPLETE_VM && i < ctx->record->set->vm_count; i++)
		offer(ctx->record->set->vms[i].name, typed);
	for (size_t i = 0; completer == COMPLETE_REGION && i < ctx->record->set->region_count; i++)
		offer(ctx->record->set->regions[i].name, typed);
}

static void offer_fields(struct ctx *ctx, const char *region, const char *typed)
{
	if (!region || ctx_need_record(ctx) != RC_OK)
		return;
	for (size_t i = 0; i < ctx->record->set->region_count; i++) {
		const struct set_region *known = &ctx->record->set->regions[i];

		for (size_t k = 0; !strcmp(known->name, region) && k < known->field_count; k++)
			offer(known->fields[k].name, typed);
	}
}

static void offer_kind(struct ctx *ctx, enum completer completer, const char *words, const char *vm,
		       const char *typed)
{
	char **sets;

	switch (completer) {
	case COMPLETE_NONE:
		break;
	case COMPLETE_FILE:
		puts(":file");
		break;
	case COMPLETE_VM:
	case COMPLETE_REGION:
		offer_set_names(ctx, completer, typed);
		break;
	case COMPLETE_FIELD:
		offer_fields(ctx, vm, typed); /* the word before is the region's */
		break;
	case COMPLETE_SNAPSHOT_ID:
	case COMPLETE_SNAPSHOT_NAME:
		offer_snapshots(ctx, vm, typed, completer == COMPLETE_SNAPSHOT_NAME);
		break;
	case COMPLETE_SET:
		sets = paths_sets();
		for (size_t i = 0; sets && sets[i]; i++)
			offer(sets[i], typed);
		paths_sets_free(sets);
		break;
	case COMPLETE_STATE:
		offer_words("running paused starved crashed stopped", typed);
		break;
	case COMPLETE_VERB:
		offer_verbs(NULL, 0, typed);
		break;
	case COMPLETE_FORMAT:
		offer_words("table json jsonl name", typed);
		break;
	case COMPLETE_WORDS:
		offer_words(words, typed);
		break;
	}
}

static void offer_options(const struct option_spec *options, const char *typed)
{
	for (size_t i = 0; options && options[i].name; i++) {
		char word[64];

		snprintf(word, sizeof(word), "--%s", options[i].name);
		offer(word, typed);
	}
}

static const struct option_spec *find_option(const struct option_spec *options, const char *word)
{
	for (size_t i = 0; options && options[i].name; i++) {
		if ((!strncmp(word, "--", 2) && !strcmp(word + 2, options[i].name)) ||
		    (word[0] == '-' && word[1] && word[1] == options[i].letter && !word[2]))
			return &options[i];
	}
	return NULL;
}

/* What the words before the last one amount to. */
struct typed_line {
	const struct command *command;
	const struct option_spec *pending; /* option that waits for its value */
	char *words[64];
	int count; /* words that are no options, verb included */
	int used;  /* of these, the verb's */
};

static void read_words(struct ctx *ctx, struct typed_line *line, char **args, int count)
{
	bool group;

	for (int i = 0; i < count; i++) {
		if (line->pending) {
			if (!strcmp(line->pending->name, "file"))
				ctx->globals.file = args[i];
			else if (!strcmp(line->pending->name, "set"))
				ctx->globals.set = args[i];
			line->pending = NULL;
			continue;
		}
		if (args[i][0] != '-' || !args[i][1]) {
			if (line->count < 64)
				line->words[line->count++] = args[i];
			line->command = command_find(line->words, line->count, &line->used, &group);
			continue;
		}
		line->pending = line->command ? find_option(line->command->options, args[i]) : NULL;
		if (!line->pending)
			line->pending = find_option(global_options, args[i]);
		if (line->pending && !line->pending->value)
			line->pending = NULL;
	}
}

static void complete(struct ctx *ctx)
{
	const char *typed = ctx->arg_count ? ctx->args[ctx->arg_count - 1] : "";
	struct typed_line line = {0};
	const struct argument *arg = NULL;
	const char *vm;
	int position;

	read_words(ctx, &line, ctx->args, ctx->arg_count ? ctx->arg_count - 1 : 0);
	vm = line.command && line.count > line.used ? line.words[line.used] : NULL;
	if (line.pending) {
		offer_kind(ctx, line.pending->completer, line.pending->words, vm, typed);
		return;
	}
	if (typed[0] == '-' && typed[1]) {
		if (line.command)
			offer_options(line.command->options, typed);
		offer_options(global_options, typed);
		return;
	}
	if (!line.command) {
		offer_verbs(line.words, line.count, typed);
		return;
	}
	position = line.count - line.used;
	for (int i = 0; i < ARGUMENT_MAX && line.command->args[i].name; i++) {
		arg = &line.command->args[i];
		if (i == position || arg->repeat)
			break;
		arg = NULL;
	}
	if (arg)
		offer_kind(ctx, arg->completer, arg->words, vm, typed);
}

int cmd_complete(struct ctx *ctx)
{
	/* Errors on the way are no news to somebody who pressed Tab. */
	if (!freopen("/dev/null", "w", stderr))
		return RC_OK;
	complete(ctx);
	return RC_OK;
}
