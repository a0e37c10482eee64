/* SPDX-License-Identifier: MIT */
/*
 * out.c - messages, colours, progress and plain formatting for avctl.
 * Data goes to stdout and nothing else does. Text that guests chose never reaches a terminal
 * unescaped.
 */
#include "out/out.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct out_style out_style;

static bool progress_shown;

const char *out_code_meaning(int code)
{
	static const char *const meanings[] = {
		[RC_OK] = "done",
		[RC_FAILED] = "failed",
		[RC_USAGE] = "wrong usage",
		[RC_NOT_FOUND] = "no such VM, snapshot, region or set",
		[RC_WRONG_STATE] = "the VM's state does not allow it, or something is locked",
		[RC_BAD_CONFIG] = "the YAML file is wrong",
		[RC_UNREACHABLE] = "the machine does not run, or its agent cannot be reached",
		[RC_TIMEOUT] = "not done in time",
		[RC_PARTLY] = "partly done",
		[RC_INTEGRITY] = "data is damaged or does not fit this version",
		[RC_DIFFERS] = "there are differences",
	};

	if (code == RC_INTERRUPTED)
		return "interrupted";
	if (code < 0 || (size_t)code >= sizeof(meanings) / sizeof(meanings[0]))
		return NULL;
	return meanings[code];
}

bool out_format_parse(const char *text, enum out_format *format)
{
	static const char *const names[] = {"table", "json", "jsonl", "name"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(text, names[i])) {
			*format = (enum out_format)i;
			return true;
		}
	}
	return false;
}

bool out_colored(int fd)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	const char *force = getenv("CLICOLOR_FORCE");

	if (out_style.color != OUT_COLOR_AUTO)
		return out_style.color == OUT_COLOR_ALWAYS;
	if (no_color && *no_color)
		return false;
	if (force && *force && strcmp(force, "0") != 0)
		return true;
	return isatty(fd) && term && strcmp(term, "dumb") != 0;
}

/* Messages may quote names from files and guests: no control character gets through. */
static void make_plain(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
	}
}

static void progress_clear(void)
{
	if (!progress_shown)
		return;
	progress_shown = false;
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

int out_error(int code, const char *hint, const char *format, ...)
{
	char message[2048];
	char plain_hint[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	make_plain(message);
	snprintf(plain_hint, sizeof(plain_hint), "%s", hint ? hint : "");
	make_plain(plain_hint);
	fflush(stdout);
	progress_clear();

	if (out_style.format == OUT_JSON || out_style.format == OUT_JSONL) {
		json_t *error = json_pack("{s:s, s:{s:i, s:s, s:s*}}", "schema", "avctl/1", "error",
					  "code", code, "message", message, "hint",
					  *plain_hint ? plain_hint : NULL);

		if (error) {
			json_dumpf(error, stderr, JSON_COMPACT);
			fputc('\n', stderr);
			json_decref(error);
			return code;
		}
	}
	if (out_colored(STDERR_FILENO))
		fprintf(stderr, "avctl: \033[1;31merror:\033[0m %s\n", message);
	else
		fprintf(stderr, "avctl: error: %s\n", message);
	if (*plain_hint)
		fprintf(stderr, "hint: %s\n", plain_hint);
	return code;
}

void out_note(const char *format, ...)
{
	char message[2048];
	va_list args;

	if (out_style.quiet)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	make_plain(message);
	fflush(stdout);
	progress_clear();
	fprintf(stderr, "avctl: note: %s\n", message);
}

void out_progress(const char *format, ...)
{
	char message[512];
	va_list args;

	if (out_style.quiet)
		return;
	if (!format) {
		progress_clear();
		return;
	}
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	make_plain(message);
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%s", message);
	else
		fprintf(stderr, "avctl: %s\n", message);
	fflush(stderr);
	progress_shown = true;
}

char *out_text(char *buffer, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(buffer, size, format, args);
	va_end(args);
	return buffer;
}

void out_json(json_t *document)
{
	json_t *whole = json_object();
	size_t flags = JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12);

	json_object_set_new(whole, "schema", json_string("avctl/1"));
	json_object_update(whole, document);
	json_decref(document);
	flags |= out_style.format == OUT_JSONL ? JSON_COMPACT : JSON_INDENT(2);
	json_dumpf(whole, stdout, flags);
	putchar('\n');
	json_decref(whole);
}

void out_escaped(void *stream, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte == '\n' || byte == '\t' || (byte >= 0x20 && byte < 0x7f))
			fputc(byte, stream);
		else if (byte != '\r')
			fprintf(stream, "\\x%02x", byte);
	}
}

char *out_size(char buffer[32], uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;
	double value = (double)bytes;

	while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	if (value == (double)(uint64_t)value)
		snprintf(buffer, 32, "%" PRIu64 " %s", (uint64_t)value, units[unit]);
	else
		snprintf(buffer, 32, "%.1f %s", value, units[unit]);
	return buffer;
}

char *out_duration(char buffer[32], uint64_t ns)
{
	uint64_t seconds = ns / 1000000000u;

	if (ns < 1000)
		snprintf(buffer, 32, "%" PRIu64 " ns", ns);
	else if (ns < 1000000)
		snprintf(buffer, 32, "%.3g us", (double)ns / 1e3);
	else if (ns < 1000000000u)
		snprintf(buffer, 32, "%.3g ms", (double)ns / 1e6);
	else if (seconds < 60)
		snprintf(buffer, 32, "%" PRIu64 "s", seconds);
	else if (seconds < 3600)
		snprintf(buffer, 32, "%" PRIu64 "m %" PRIu64 "s", seconds / 60, seconds % 60);
	else if (seconds < 86400)
		snprintf(buffer, 32, "%" PRIu64 "h %" PRIu64 "m", seconds / 3600,
			 seconds / 60 % 60);
	else
		snprintf(buffer, 32, "%" PRIu64 "d %" PRIu64 "h", seconds / 86400,
			 seconds / 3600 % 24);
	return buffer;
}

/* Edit distance with neighbours swapped counting one and case not at all; words longer than 31 bytes count as far. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[3][33];
	size_t length_a = strlen(a), length_b = strlen(b);

	if (length_a > 31 || length_b > 31)
		return 100;
	for (unsigned j = 0; j <= length_b; j++)
		row[0][j] = j;
	for (unsigned i = 1; i <= length_a; i++) {
		unsigned *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= length_b; j++) {
			unsigned best = last[j - 1] + (tolower((unsigned char)a[i - 1]) !=
						       tolower((unsigned char)b[j - 1]));

			best = last[j] + 1 < best ? last[j] + 1 : best;
			best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[length_a % 3][length_b];
}

const char *out_nearest(const char *word, const char *const *names, size_t count)
{
	const char *nearest = NULL;
	unsigned best = strlen(word) <= 4 ? 2 : 3;

	for (size_t i = 0; i < count; i++) {
		unsigned far = distance(word, names[i]);

		if (far < best) {
			best = far;
			nearest = names[i];
		}
	}
	if (nearest)
		return nearest;
	for (size_t i = 0; i < count; i++) {
		if (*word && !strncmp(names[i], word, strlen(word)))
			return names[i];
	}
	return NULL;
}
