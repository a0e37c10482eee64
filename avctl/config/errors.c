/* SPDX-License-Identifier: MIT */
/*
 * errors.c - the list of what is wrong with a set file, and how a person reads it.
 * Never exits and never prints by itself; memory running out is an error like any other.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "errors.h"

#define TEXT_MAX 600

static char out_of_memory_text[] = "out of memory";
static struct set_error out_of_memory_error = {
	.mark = {0, 0}, .message = out_of_memory_text, .hint = NULL};

/*
 * Text may quote the file: make it fit a terminal. Control characters become '?', what is very long is cut.
 */
static void tidy(char *text)
{
	size_t length = 0;

	for (; text[length] && length < TEXT_MAX; length++)
		if ((unsigned char)text[length] < 0x20 || text[length] == 0x7f)
			text[length] = '?';
	if (!text[length])
		return;
	while (length && ((unsigned char)text[length] & 0xc0) == 0x80)
		length--;
	strcpy(text + length, "...");
}

static char *format_text(const char *format, va_list arguments)
{
	va_list again;
	char *text = NULL;
	int length;

	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length >= 0)
		text = malloc((size_t)length + 4); /* room for "..." */
	if (!text)
		return NULL;
	vsnprintf(text, (size_t)length + 1, format, arguments);
	tidy(text);
	return text;
}

bool errors_is_out_of_memory(const struct set_errors *errors)
{
	return errors->list == &out_of_memory_error;
}

static void list_free(struct set_errors *errors)
{
	if (!errors_is_out_of_memory(errors)) {
		for (size_t i = 0; i < errors->count; i++) {
			free(errors->list[i].message);
			free(errors->list[i].hint);
		}
		free(errors->list);
	}
	errors->list = NULL;
	errors->count = 0;
}

void errors_out_of_memory(struct set_errors *errors)
{
	list_free(errors);
	errors->list = &out_of_memory_error;
	errors->count = 1;
}

void errors_add(struct set_errors *errors, struct set_mark mark, const char *format, ...)
{
	struct set_error *list;
	va_list arguments;
	char *message;

	if (errors_is_out_of_memory(errors) || errors->count >= ERRORS_MAX)
		return;
	if (errors->count % 16 == 0) {
		list = realloc(errors->list, (errors->count + 16) * sizeof(*list));
		if (!list) {
			errors_out_of_memory(errors);
			return;
		}
		errors->list = list;
	}
	va_start(arguments, format);
	message = format_text(format, arguments);
	va_end(arguments);
	if (!message) {
		errors_out_of_memory(errors);
		return;
	}
	errors->list[errors->count++] = (struct set_error){.mark = mark, .message = message};
}

void errors_hint(struct set_errors *errors, const char *format, ...)
{
	struct set_error *last;
	va_list arguments;

	if (errors_is_out_of_memory(errors) || !errors->count)
		return;
	last = &errors->list[errors->count - 1];
	if (last->hint)
		return;
	va_start(arguments, format);
	last->hint = format_text(format, arguments);
	va_end(arguments);
	if (!last->hint)
		errors_out_of_memory(errors);
}

static int compare(const struct set_error *a, const struct set_error *b)
{
	if (a->mark.line != b->mark.line)
		return a->mark.line < b->mark.line ? -1 : 1;
	if (a->mark.column != b->mark.column)
		return a->mark.column < b->mark.column ? -1 : 1;
	return 0;
}

void errors_sort(struct set_errors *errors)
{
	size_t kept = 0;

	if (errors_is_out_of_memory(errors))
		return;
	/* Insertion sort: stable, and there are at most ERRORS_MAX. */
	for (size_t i = 1; i < errors->count; i++) {
		struct set_error moved = errors->list[i];
		size_t j = i;

		for (; j > 0 && compare(&moved, &errors->list[j - 1]) < 0; j--)
			errors->list[j] = errors->list[j - 1];
		errors->list[j] = moved;
	}
	for (size_t i = 0; i < errors->count; i++) {
		struct set_error *error = &errors->list[i];

		if (kept && !compare(&errors->list[kept - 1], error) &&
		    !strcmp(errors->list[kept - 1].message, error->message)) {
			free(error->message);
			free(error->hint);
			continue;
		}
		errors->list[kept++] = *error;
	}
	errors->count = kept;
}

void set_errors_free(struct set_errors *errors)
{
	list_free(errors);
	free(errors->source);
	free(errors->path);
	memset(errors, 0, sizeof(*errors));
}

/* The bytes of line number line (from 1) of the source, without its newline; NULL when there is none. */
static const char *source_line(const struct set_errors *errors, unsigned line, size_t *length)
{
	const char *start = errors->source, *end, *newline;

	if (!start || !line)
		return NULL;
	end = start + errors->source_size;
	for (; line > 1; line--) {
		newline = memchr(start, '\n', (size_t)(end - start));
		if (!newline)
			return NULL;
		start = newline + 1;
	}
	newline = memchr(start, '\n', (size_t)(end - start));
	*length = (size_t)((newline ? newline : end) - start);
	if (*length && start[*length - 1] == '\r')
		(*length)--;
	return start;
}

/*
 * Print one source line and the caret below it. A line that is very long is cut around the place; control
 * characters are shown as '?', so that a file cannot send escape sequences to the terminal.
 */
static void print_source(FILE *stream, const char *line, size_t length, unsigned column)
{
	const size_t width = 160;
	size_t at = 0, first = 0, place = 0;

	for (unsigned c = 1; at < length && c < column; c++) {
		at++;
		while (at < length && ((unsigned char)line[at] & 0xc0) == 0x80)
			at++;
	}
	place = at;
	if (length > width && place > width / 2) {
		first = place - width / 2;
		while (first < place && ((unsigned char)line[first] & 0xc0) == 0x80)
			first++;
	}
	fputs("  ", stream);
	for (size_t i = first; i < length && i < first + width; i++) {
		unsigned char c = (unsigned char)line[i];

		fputc(c == '\t' || (c >= 0x20 && c != 0x7f) ? c : '?', stream);
	}
	fputs("\n  ", stream);
	for (size_t i = first; i < place; i++) {
		unsigned char c = (unsigned char)line[i];

		if ((c & 0xc0) != 0x80)
			fputc(c == '\t' ? '\t' : ' ', stream);
	}
	fputs("^\n", stream);
}

void set_errors_print(const struct set_errors *errors, void *stream)
{
	const char *path = errors->path ? errors->path : "set";

	for (size_t i = 0; i < errors->count; i++) {
		const struct set_error *error = &errors->list[i];
		size_t length = 0;
		const char *line;

		if (error->mark.line)
			fprintf(stream, "%s:%u:%u: error: %s\n", path, error->mark.line,
				error->mark.column, error->message);
		else
			fprintf(stream, "%s: error: %s\n", path, error->message);
		line = source_line(errors, error->mark.line, &length);
		if (line)
			print_source(stream, line, length, error->mark.column);
		if (error->hint)
			fprintf(stream, "hint: %s\n", error->hint);
	}
	if (errors->count >= ERRORS_MAX)
		fprintf(stream, "%s: too many errors; the first %d are shown\n", path, ERRORS_MAX);
}

/* Damerau-Levenshtein distance (adjacent swaps count once) of two short words; 99 when one is long. */
static unsigned distance(const char *a, const char *b)
{
	enum { LONGEST = 32 };
	unsigned table[LONGEST + 1][LONGEST + 1];
	size_t a_length = strlen(a), b_length = strlen(b);

	if (a_length > LONGEST || b_length > LONGEST)
		return 99;
	for (size_t i = 0; i <= a_length; i++)
		table[i][0] = (unsigned)i;
	for (size_t j = 0; j <= b_length; j++)
		table[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_length; i++) {
		for (size_t j = 1; j <= b_length; j++) {
			unsigned best = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			if (table[i - 1][j] + 1 < best)
				best = table[i - 1][j] + 1;
			if (table[i][j - 1] + 1 < best)
				best = table[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    table[i - 2][j - 2] + 1 < best)
				best = table[i - 2][j - 2] + 1;
			table[i][j] = best;
		}
	}
	return table[a_length][b_length];
}

const char *errors_nearest(const char *word, const char *(*next)(void *context), void *context)
{
	const char *best = NULL, *candidate;
	unsigned best_distance = 99, limit;

	while ((candidate = next(context)) != NULL) {
		unsigned d = distance(word, candidate);

		limit = strlen(candidate) <= 3 ? 1 : strlen(candidate) <= 6 ? 2 : 3;
		if (d <= limit && d < best_distance) {
			best = candidate;
			best_distance = d;
		}
	}
	return best;
}
