/* SPDX-License-Identifier: MIT */
/*
 * line.h - the line protocol of abi/avisor/agent.h: feeding bytes, parsing a line, building a line.
 *
 * The one implementation for both ends. Freestanding: no libc, no allocation, no globals.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <avisor/agent.h>

#define LINE_FIELD_MAX 64 /* key=value pairs of one line; more is malformed */
#define LINE_WORD_MAX 31  /* characters of a verb or a key */

/*
 * From a byte stream to lines. Zero it, or line_feed_reset() it, when a connection starts.
 */
struct line_feed {
	char text[AV_LINE_MAX +
		  1];  /* after LINE_READY: the line, NUL-terminated, without its newline */
	size_t length; /* after LINE_READY: its bytes (it may contain NULs; parse refuses them) */
	bool ready;
	bool skipping;
};

enum line_event {
	LINE_MORE,     /* all bytes consumed, no complete line yet */
	LINE_READY,    /* feed->text, feed->length is a line; valid until the next call */
	LINE_TOO_LONG, /* a line of more than AV_LINE_MAX bytes has ended; nothing of it is kept */
};

void line_feed_reset(struct line_feed *feed);

/*
 * Take bytes from *data, *size (both are moved on) up to the end of the next line. Call again until it
 * returns LINE_MORE:
 *	while ((event = line_feed_next(&feed, &data, &size)) != LINE_MORE)
 *		...
 */
enum line_event line_feed_next(struct line_feed *feed, const char **data, size_t *size);

/* One parsed line. Strings point into the text that was parsed and are NUL-terminated. */
struct line_field {
	const char *key;
	const char *value; /* unescaped */
	size_t length;     /* of value: \x00 may be in it */
};

struct line {
	uint64_t id;      /* 0 when it could not be read */
	const char *verb; /* of a request; "row", "ok", "err" or "hello" in what an agent sends */
	size_t field_count;
	struct line_field fields[LINE_FIELD_MAX];
};

enum line_result {
	LINE_PARSED,
	LINE_EMPTY,     /* nothing, or spaces only: to be ignored */
	LINE_MALFORMED, /* line->id is set if that much could be read, else 0 */
};

/*
 * Parse text (length bytes, no newline, text[length] writable) in place: it is changed, and the line points
 * into it. A key that occurs twice is malformed. An empty value must be written "".
 */
enum line_result line_parse(struct line *line, char *text, size_t length);

/* The field of that key, or NULL. */
const struct line_field *line_find(const struct line *line, const char *key);

/* The value of that key as a string; NULL when it is absent or has a NUL in it. */
const char *line_text(const struct line *line, const char *key);

/* The value of that key as a number; false when it is absent, not a number, or over 64 bits. */
bool line_number(const struct line *line, const char *key, uint64_t *value);

/* The same for a HEX value (request=): hex digits with or without 0x. */
bool line_hex(const struct line *line, const char *key, uint64_t *value);

/* Text to number: decimal, or hex after 0x; the whole string must be it. */
bool line_to_number(const char *text, uint64_t *value);
bool line_to_hex(const char *text, uint64_t *value);
bool line_same(const char *a, const char *b);

/*
 * Building one line. What does not fit sets overflow and the line becomes unusable: line_end() then returns 0.
 * The capacity may be anything up to AV_LINE_MAX (more is not used).
 */
struct line_out {
	char *buffer;
	size_t capacity;
	size_t length;
	bool overflow;
};

void line_begin(struct line_out *out, char *buffer, size_t capacity, uint64_t id, const char *verb);
void line_add_text(struct line_out *out, const char *key, const char *value);
void line_add_bytes(struct line_out *out, const char *key, const void *data, size_t size);
void line_add_number(struct line_out *out, const char *key, uint64_t value); /* decimal */
void line_add_hex(struct line_out *out, const char *key, uint64_t value);    /* 0x... */

/* Always quoted; takes as many of the bytes as fit and returns how many those were (0 sets overflow, if size > 0). */
size_t line_add_bytes_fit(struct line_out *out, const char *key, const void *data, size_t size);

/* Ends the line with a newline: its bytes, newline included, or 0 after an overflow. Not NUL-terminated. */
size_t line_end(struct line_out *out);
