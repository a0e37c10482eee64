/* SPDX-License-Identifier: MIT */
/*
 * help.c - help texts and the man page, printed from the command table.
 * Holds no sentence about a single verb: those are in table.c.
 */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cmd/ctx.h"

#ifndef AV_VERSION
#define AV_VERSION "unknown"
#endif

char *help_usage(const struct command *command, char *buffer, size_t size)
{
	size_t used = (size_t)snprintf(buffer, size, "avctl %s", command->name);

	for (int i = 0; i < ARGUMENT_MAX && command->args[i].name && used < size; i++) {
		const struct argument *arg = &command->args[i];

		used += (size_t)snprintf(buffer + used, size - used, " %s%s%s%s",
					 arg->optional ? "[" : "", arg->name,
					 arg->repeat ? "..." : "", arg->optional ? "]" : "");
	}
	if (command->options && used < size)
		snprintf(buffer + used, size - used, " [OPTION...]");
	return buffer;
}

static void print_options(const struct option_spec *options, void *stream)
{
	for (size_t i = 0; options && options[i].name; i++) {
		char letter[8] = "    ", text[64];

		if (options[i].letter)
			snprintf(letter, sizeof(letter), "-%c, ", options[i].letter);
		snprintf(text, sizeof(text), "%s--%s%s%s", letter, options[i].name,
			 options[i].value ? " " : "", options[i].value ? options[i].value : "");
		fprintf(stream, "  %-24s %s\n", text, options[i].summary);
	}
}

/* Print text wrapped at 80 columns. */
static void print_wrapped(const char *text, void *stream)
{
	size_t column = 0;

	while (*text) {
		size_t word = strcspn(text, " ");

		if (column && column + 1 + word > 80) {
			fputc('\n', stream);
			column = 0;
		}
		if (column) {
			fputc(' ', stream);
			column++;
		}
		fwrite(text, 1, word, stream);
		column += word;
		text += word + strspn(text + word, " ");
	}
	fputc('\n', stream);
}

static void print_exits(const struct command *command, void *stream)
{
	for (int code = 0; code <= RC_INTERRUPTED; code++) {
		if (out_code_meaning(code) && (code < 31 || code == RC_INTERRUPTED) &&
		    (command->exits & EXIT_BIT(code)))
			fprintf(stream, "  %3d  %s\n", code, out_code_meaning(code));
	}
}

void help_command(const struct command *command, void *stream)
{
	char usage[256];

	fprintf(stream, "avctl %s - %s\n\nUsage: %s\n", command->name, command->summary,
		help_usage(command, usage, sizeof(usage)));
	if (command->alias)
		fprintf(stream, "Also:  avctl %s\n", command->alias);
	if (command->description) {
		fputc('\n', stream);
		print_wrapped(command->description, stream);
	}
	if (command->options) {
		fputs("\nOptions:\n", stream);
		print_options(command->options, stream);
	}
	fputs("\nEverywhere:\n", stream);
	print_options(global_options, stream);
	fputs("\nExamples:\n", stream);
	for (size_t i = 0;
	     i < sizeof(command->examples) / sizeof(command->examples[0]) && command->examples[i];
	     i++)
		fprintf(stream, "  %s\n", command->examples[i]);
	fputs("\nExit codes:\n", stream);
	print_exits(command, stream);
}

void help_overview(void *stream)
{
	fputs("avctl - boot, snapshot and restore sets of VMs under the Avisor hypervisor\n\n"
	      "Usage: avctl [-f FILE | -s NAME] VERB ...\n\nVerbs:\n",
	      stream);
	for (size_t i = 0; i < command_count; i++) {
		if (!command_table[i].hidden)
			fprintf(stream, "  %-16s %s\n", command_table[i].name,
				command_table[i].summary);
	}
	fputs("\nEverywhere:\n", stream);
	print_options(global_options, stream);
	fputs("\nThe set is -f FILE, -s NAME, $AVCTL_SET, ./avctl.yaml, or the only one that "
	      "runs.\n"
	      "Start here: avctl -f configs/duo.yaml up; more: avctl help VERB, avctl man\n",
	      stream);
}

void help_group(const char *group, void *stream)
{
	size_t length = strlen(group);

	fprintf(stream, "Usage: avctl %s VERB ...\n\nVerbs:\n", group);
	for (size_t i = 0; i < command_count; i++) {
		const struct command *command = &command_table[i];
		const char *alias = command->alias;
		bool ours = !strncmp(command->name, group, length) && command->name[length] == ' ';

		if (alias && !strncmp(alias, group, length) && alias[length] == ' ')
			ours = true;
		if (ours && !command->hidden)
			fprintf(stream, "  %-16s %s\n", strchr(command->name, ' ') + 1,
				command->summary);
	}
	fprintf(stream, "\nMore: avctl help %s VERB\n", group);
}

int cmd_help(struct ctx *ctx)
{
	const struct command *command;
	bool group;
	int used;

	if (ctx->arg_count == 0) {
		help_overview(stdout);
		return RC_OK;
	}
	command = command_find(ctx->args, ctx->arg_count, &used, &group);
	if (command && used == ctx->arg_count) {
		help_command(command, stdout);
		return RC_OK;
	}
	if (group && ctx->arg_count == 1) {
		help_group(ctx->args[0], stdout);
		return RC_OK;
	}
	if (command)
		return out_error(RC_USAGE, "avctl help lists the verbs", "help %s: what is \"%s\"?",
				 command->name, ctx->args[used]);
	return command_unknown(ctx->args, ctx->arg_count, group);
}

/* Text for roff: a backslash and a leading dot or quote mean something there. */
static void roff(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
	}
}

static void roff_options(const struct option_spec *options)
{
	for (size_t i = 0; options && options[i].name; i++) {
		fputs(".TP\n\\fB", stdout);
		if (options[i].letter)
			printf("\\-%c\\fR, \\fB", options[i].letter);
		fputs("\\-\\-", stdout);
		roff(options[i].name);
		fputs("\\fR", stdout);
		if (options[i].value)
			printf(" \\fI%s\\fR", options[i].value);
		putchar('\n');
		roff(options[i].summary);
		putchar('\n');
	}
}

static void roff_command(const struct command *command)
{
	char usage[256];

	fputs(".SS ", stdout);
	roff(help_usage(command, usage, sizeof(usage)));
	putchar('\n');
	putchar((char)toupper((unsigned char)command->summary[0]));
	roff(command->summary + 1);
	fputs(".\n", stdout);
	if (command->description) {
		roff(command->description);
		putchar('\n');
	}
	if (command->alias) {
		fputs("Also: \\fBavctl ", stdout);
		roff(command->alias);
		fputs("\\fR.\n", stdout);
	}
	roff_options(command->options);
	fputs(".PP\n.nf\n", stdout);
	for (size_t i = 0;
	     i < sizeof(command->examples) / sizeof(command->examples[0]) && command->examples[i];
	     i++) {
		fputs("    ", stdout);
		roff(command->examples[i]);
		putchar('\n');
	}
	fputs(".fi\n.PP\nExit codes:", stdout);
	for (int code = 0; code <= RC_INTERRUPTED; code++) {
		if (out_code_meaning(code) && (command->exits & EXIT_BIT(code)))
			printf(" %d", code);
	}
	fputs(".\n", stdout);
}

static void roff_environment(void)
{
	static const char *const variables[][2] = {
		{"AVCTL_SET", "The set when neither -f nor -s is given: a YAML file or the name of "
			      "a running set."},
		{"AVCTL_RAM_DIR",
		 "The first folder tried for the machine's RAM file; then /dev/shm, "
		 "XDG_RUNTIME_DIR and /var/tmp."},
		{"AVCTL_LIBDIR", "Where hypervisor.elf and control.elf are."},
		{"AVCTL_QEMU", "The QEMU to run instead of qemu-system-aarch64."},
		{"AVCTL_QEMU_ARGS", "More arguments for QEMU, split at spaces."},
		{"NO_COLOR, CLICOLOR_FORCE", "Colours never, or always."},
		{"XDG_RUNTIME_DIR, XDG_STATE_HOME",
		 "Sockets and the record of a set are in avisor/SET of the "
		 "first, its logs in avisor/SET of the second."},
	};

	fputs(".SH ENVIRONMENT\n", stdout);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		printf(".TP\n\\fB%s\\fR\n", variables[i][0]);
		roff(variables[i][1]);
		putchar('\n');
	}
}

/* Exit codes that some verb has. */
static uint32_t all_exits(void)
{
	uint32_t exits = 0;

	for (size_t i = 0; i < command_count; i++) {
		if (!command_table[i].hidden)
			exits |= command_table[i].exits;
	}
	return exits;
}

static void print_man(void)
{
	uint32_t exits = all_exits();

	fputs(".TH AVCTL 1 \"\" \"avisor " AV_VERSION "\" \"Avisor\"\n.SH NAME\n"
	      "avctl \\- boot, snapshot and restore sets of VMs under the Avisor hypervisor\n"
	      ".SH SYNOPSIS\n\\fBavctl\\fR [\\fB\\-f\\fR \\fIFILE\\fR | \\fB\\-s\\fR \\fINAME\\fR] "
	      "\\fIVERB\\fR ...\n.SH DESCRIPTION\n"
	      "avctl boots a set of VMs from a YAML file on QEMU, under the Avisor hypervisor, and "
	      "takes and\n"
	      "restores their snapshots while they run. The set is \\fB\\-f\\fR, \\fB\\-s\\fR, "
	      "\\fBAVCTL_SET\\fR,\n"
	      "\\fI./avctl.yaml\\fR, or the only one that runs.\n"
	      "Standard output is data; everything else goes to standard error.\n.SH OPTIONS\n",
	      stdout);
	roff_options(global_options);
	fputs(".SH VERBS\n", stdout);
	for (size_t i = 0; i < command_count; i++) {
		if (!command_table[i].hidden)
			roff_command(&command_table[i]);
	}
	fputs(".SH EXIT STATUS\n", stdout);
	for (int code = 0; code <= RC_INTERRUPTED; code++) {
		if (out_code_meaning(code) && (exits & EXIT_BIT(code))) {
			printf(".TP\n\\fB%d\\fR\n", code);
			roff(out_code_meaning(code));
			putchar('\n');
		}
	}
	roff_environment();
}

/* On a terminal the page goes through man, when there is one, whatever the reader does with it then. */
int cmd_man(struct ctx *ctx)
{
	int terminal = -1;
	FILE *man = NULL;

	(void)ctx;
	if (isatty(STDOUT_FILENO)) {
		fflush(stdout);
		man = popen(
			"if command -v man >/dev/null 2>&1; then exec man -l -; else exec cat; fi",
			"w");
	}
	if (!man) {
		print_man();
		return RC_OK;
	}
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	terminal = dup(STDOUT_FILENO);
	dup2(fileno(man), STDOUT_FILENO);
	print_man();
	fflush(stdout);
	dup2(terminal, STDOUT_FILENO);
	close(terminal);
	clearerr(stdout);
	return pclose(man) == 0 ? RC_OK : RC_FAILED;
}
