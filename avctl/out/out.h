/* SPDX-License-Identifier: MIT */
/*
 * out.h - everything avctl says: data on stdout, errors with hints and progress on stderr, exit
 * codes.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

/* Exit codes (DESIGN 11). */
enum {
	RC_OK = 0,
	RC_FAILED = 1,
	RC_USAGE = 2,
	RC_NOT_FOUND = 3,
	RC_WRONG_STATE = 4, /* or locked */
	RC_BAD_CONFIG = 5,
	RC_UNREACHABLE = 6,
	RC_TIMEOUT = 7,
	RC_PARTLY = 8,
	RC_INTEGRITY = 9,
	RC_DIFFERS = 10,
	RC_INTERRUPTED = 130,
};

/* One line on an exit code, for help; NULL when avctl never gives it. */
const char *out_code_meaning(int code);

enum out_format { OUT_TABLE, OUT_JSON, OUT_JSONL, OUT_NAME };

enum out_color { OUT_COLOR_AUTO, OUT_COLOR_ALWAYS, OUT_COLOR_NEVER };

/* How this process speaks; set once for each command line. */
struct out_style {
	enum out_format format;
	enum out_color color;
	bool quiet; /* no notes, no progress */
};
extern struct out_style out_style;

/* "table", "json", "jsonl" or "name"; false for anything else. */
bool out_format_parse(const char *text, enum out_format *format);

/* Whether to colour what goes to that file descriptor. */
bool out_colored(int fd);

/*
 * Say "avctl: error: ..." and "hint: ..." (when not NULL and not empty) on stderr, as one JSON
 * object with -o json. Returns code. Control characters in the text are shown as ?.
 */
int out_error(int code, const char *hint, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "avctl: note: ..." on stderr, unless --quiet. */
void out_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * A step of long work: on a terminal one line that is rewritten, else one line for each step. NULL
 * ends it.
 */
void out_progress(const char *format, ...);

/* snprintf that returns its buffer. */
char *out_text(char *buffer, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Print a JSON document, "schema": "avctl/1" put in front; -o jsonl gives one line. Takes over
 * document.
 */
void out_json(json_t *document);

/* Print text that a guest may have chosen: control characters as \xHH. */
void out_escaped(void *stream, const char *text, size_t size);

/* Sizes and times for people: "12.5 MiB", "3m 20s", "17 us". */
char *out_size(char buffer[32], uint64_t bytes);
char *out_duration(char buffer[32], uint64_t ns);

/* The nearest of the names to word, NULL when none is near. */
const char *out_nearest(const char *word, const char *const *names, size_t count);
