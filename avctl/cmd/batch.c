/* SPDX-License-Identifier: MIT */
/*
 * batch.c - `avctl -`: command lines from standard input.
 * Splits words as a shell does, and does nothing else that a shell does: no variables, no globs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/batch.h"
#include "cmd/ctx.h"

int batch_split(char *line, char **words, int room)
{
	char *to = line;
	int count = 0;

	for (;;) {
		char quote = '\0';

		while (*line == ' ' || *line == '\t' || *line == '\n' || *line == '\r')
			line++;
		if (*line == '\0' || *line == '#')
			return count;
		if (count == room)
			return -1;
		words[count++] = to;
		for (; *line && (quote || !strchr(" \t\r\n", *line)); line++) {
			if (quote && *line == quote)
				quote = '\0';
			else if (!quote && (*line == '\'' || *line == '"'))
				quote = *line;
			else if (*line == '\\' && quote != '\'' && line[1])
				*to++ = *++line;
			else
				*to++ = *line;
		}
		if (quote)
			return -1;
		if (*line)
			line++;
		*to++ = '\0';
	}
}

int cmd_batch(struct ctx *ctx)
{
	struct out_style style = out_style;
	char *words[BATCH_WORD_MAX];
	char *line = NULL;
	size_t room = 0, number = 0;
	int result = RC_OK;

	while ((result == RC_OK || ctx_flag(ctx, "keep-going")) &&
	       getline(&line, &room, stdin) >= 0) {
		int count = batch_split(line, words, BATCH_WORD_MAX);
		int ended;

		number++;
		if (count == 0)
			continue;
		if (count < 0)
			ended = out_error(RC_USAGE, NULL,
					  "line %zu: a quote does not end, or too many words",
					  number);
		else if (!strcmp(words[0], "-"))
			ended = out_error(RC_USAGE, NULL, "line %zu: - within -", number);
		else
			ended = command_line_run(count, words, &ctx->globals);
		out_progress(NULL);
		fflush(stdout);
		out_style = style;
		if (ended != RC_OK && result == RC_OK)
			result = ended;
	}
	free(line);
	return result;
}
