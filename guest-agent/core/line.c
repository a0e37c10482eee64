/* SPDX-License-Identifier: MIT */
/*
 * line.c - the line protocol: bytes to lines, lines to fields, fields to lines.
 * Both ends use it on what the other end sent, so it must never trust a length, never write past the buffer
 * it was given, and never need memory of its own.
 */
#include "core/line.h"

void line_feed_reset(struct line_feed *feed)
{
	feed->length = 0;
	feed->ready = false;
	feed->skipping = false;
	feed->text[0] = '\0';
}

/* The newline has come: what was it the end of? */
static enum line_event feed_finish(struct line_feed *feed)
{
	if (feed->skipping) {
		line_feed_reset(feed);
		return LINE_TOO_LONG;
	}
	feed->text[feed->length] = '\0';
	feed->ready = true;
	return LINE_READY;
}

enum line_event line_feed_next(struct line_feed *feed, const char **data, size_t *size)
{
	if (feed->ready)
		line_feed_reset(feed);
	while (*size > 0) {
		char byte = **data;

		(*data)++;
		(*size)--;
		if (byte == '\n')
			return feed_finish(feed);
		if (byte == AV_LINE_CANCEL) {
			line_feed_reset(feed);
			continue;
		}
		if (feed->length >= AV_LINE_MAX - 1)
			feed->skipping = true;
		else
			feed->text[feed->length++] = byte;
	}
	return LINE_MORE;
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

static bool is_word(char c, bool first)
{
	if (c >= 'a' && c <= 'z')
		return true;
	return !first && ((c >= '0' && c <= '9') || c == '_' || c == '-');
}

/* A position in the text being parsed. text[end] is the NUL that line_parse() put there. */
struct cursor {
	char *text;
	size_t at;
	size_t end;
};

static void skip_spaces(struct cursor *cursor)
{
	while (cursor->at < cursor->end && cursor->text[cursor->at] == ' ')
		cursor->at++;
}

static bool parse_id(struct cursor *cursor, uint64_t *id)
{
	uint64_t value = 0;
	size_t digits = 0;

	for (; cursor->at < cursor->end; cursor->at++, digits++) {
		char c = cursor->text[cursor->at];

		if (c == ' ')
			break;
		if (digits == 16 || hex_value(c) < 0 || (c >= 'A' && c <= 'F'))
			return false;
		value = value << 4 | (uint64_t)hex_value(c);
	}
	if (digits == 0)
		return false;
	*id = value;
	return true;
}

/* A verb or a key: leaves the cursor on the byte that ended it, which the caller replaces by NUL. */
static char *parse_word(struct cursor *cursor)
{
	size_t start = cursor->at;

	while (cursor->at < cursor->end && is_word(cursor->text[cursor->at], cursor->at == start))
		cursor->at++;
	if (cursor->at == start || cursor->at - start > LINE_WORD_MAX)
		return NULL;
	return cursor->text + start;
}

static bool parse_escape(struct cursor *cursor, char *byte)
{
	int high, low;

	if (cursor->at >= cursor->end)
		return false;
	switch (cursor->text[cursor->at++]) {
	case '"':
		*byte = '"';
		return true;
	case '\\':
		*byte = '\\';
		return true;
	case 'n':
		*byte = '\n';
		return true;
	case 'r':
		*byte = '\r';
		return true;
	case 't':
		*byte = '\t';
		return true;
	case 'x':
		if (cursor->end - cursor->at < 2)
			return false;
		high = hex_value(cursor->text[cursor->at]);
		low = hex_value(cursor->text[cursor->at + 1]);
		if (high < 0 || low < 0)
			return false;
		cursor->at += 2;
		*byte = (char)(unsigned char)(high << 4 | low);
		return true;
	default:
		return false;
	}
}

/* Unescaping shrinks, so it is done in place. */
static bool parse_quoted(struct cursor *cursor, struct line_field *field)
{
	char *out = cursor->text + cursor->at;

	field->value = out;
	while (cursor->at < cursor->end) {
		char c = cursor->text[cursor->at++];

		if (c == '"') {
			field->length = (size_t)(out - field->value);
			if (cursor->at < cursor->end && cursor->text[cursor->at] != ' ')
				return false;
			*out = '\0';
			return true;
		}
		if (c < ' ' || c > '~')
			return false;
		if (c == '\\' && !parse_escape(cursor, &c))
			return false;
		*out++ = c;
	}
	return false;
}

static bool parse_bare(struct cursor *cursor, struct line_field *field)
{
	size_t start = cursor->at;

	while (cursor->at < cursor->end && cursor->text[cursor->at] != ' ') {
		char c = cursor->text[cursor->at];

		if (c <= ' ' || c > '~' || c == '"' || c == '\\')
			return false;
		cursor->at++;
	}
	field->value = cursor->text + start;
	field->length = cursor->at - start;
	return field->length > 0;
}

static bool parse_field(struct cursor *cursor, struct line *line)
{
	struct line_field *field;
	char *key = parse_word(cursor);
	bool good;

	if (!key || cursor->at >= cursor->end || cursor->text[cursor->at] != '=')
		return false;
	if (line->field_count == LINE_FIELD_MAX)
		return false;
	cursor->text[cursor->at++] = '\0';
	if (line_find(line, key))
		return false;
	field = &line->fields[line->field_count];
	field->key = key;
	if (cursor->at < cursor->end && cursor->text[cursor->at] == '"') {
		cursor->at++;
		good = parse_quoted(cursor, field);
	} else {
		good = parse_bare(cursor, field);
	}
	line->field_count++;
	return good;
}

/* The byte after a verb or a value is a space or the end: make it the NUL of what was before it. */
static void terminate(struct cursor *cursor)
{
	cursor->text[cursor->at] = '\0';
	if (cursor->at < cursor->end)
		cursor->at++;
	skip_spaces(cursor);
}

enum line_result line_parse(struct line *line, char *text, size_t length)
{
	struct cursor cursor = {.text = text, .at = 0, .end = length};

	line->id = 0;
	line->verb = NULL;
	line->field_count = 0;
	text[length] = '\0';
	skip_spaces(&cursor);
	if (cursor.at == cursor.end)
		return LINE_EMPTY;
	if (!parse_id(&cursor, &line->id))
		return LINE_MALFORMED;
	skip_spaces(&cursor);
	line->verb = parse_word(&cursor);
	if (!line->verb || (cursor.at < cursor.end && text[cursor.at] != ' '))
		return LINE_MALFORMED;
	terminate(&cursor);
	while (cursor.at < cursor.end) {
		if (!parse_field(&cursor, line))
			return LINE_MALFORMED;
		terminate(&cursor);
	}
	return LINE_PARSED;
}

bool line_same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

const struct line_field *line_find(const struct line *line, const char *key)
{
	for (size_t i = 0; i < line->field_count; i++)
		if (line_same(line->fields[i].key, key))
			return &line->fields[i];
	return NULL;
}

const char *line_text(const struct line *line, const char *key)
{
	const struct line_field *field = line_find(line, key);

	if (!field)
		return NULL;
	for (size_t i = 0; i < field->length; i++)
		if (field->value[i] == '\0')
			return NULL;
	return field->value;
}

static bool digits_to_number(const char *text, unsigned int base, uint64_t *value)
{
	uint64_t sum = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		int digit = hex_value(*text);

		if (digit < 0 || (unsigned int)digit >= base)
			return false;
		if (__builtin_mul_overflow(sum, (uint64_t)base, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)digit, &sum))
			return false;
	}
	*value = sum;
	return true;
}

static bool has_hex_prefix(const char *text)
{
	return text[0] == '0' && text[1] == 'x';
}

bool line_to_number(const char *text, uint64_t *value)
{
	if (has_hex_prefix(text))
		return digits_to_number(text + 2, 16, value);
	return digits_to_number(text, 10, value);
}

bool line_to_hex(const char *text, uint64_t *value)
{
	return digits_to_number(has_hex_prefix(text) ? text + 2 : text, 16, value);
}

bool line_number(const struct line *line, const char *key, uint64_t *value)
{
	const char *text = line_text(line, key);

	return text && line_to_number(text, value);
}

bool line_hex(const struct line *line, const char *key, uint64_t *value)
{
	const char *text = line_text(line, key);

	return text && line_to_hex(text, value);
}

/* One byte is always kept for the newline. */
static bool has_room(struct line_out *out, size_t size)
{
	if (!out->overflow && out->capacity - out->length > size)
		return true;
	out->overflow = true;
	return false;
}

static void put(struct line_out *out, char c)
{
	if (has_room(out, 1))
		out->buffer[out->length++] = c;
}

static void put_text(struct line_out *out, const char *text)
{
	while (*text)
		put(out, *text++);
}

static void put_number(struct line_out *out, uint64_t value, unsigned int base)
{
	char digits[24];
	size_t count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (count)
		put(out, digits[--count]);
}

static void put_key(struct line_out *out, const char *key)
{
	put(out, ' ');
	put_text(out, key);
	put(out, '=');
}

void line_begin(struct line_out *out, char *buffer, size_t capacity, uint64_t id, const char *verb)
{
	out->buffer = buffer;
	out->capacity = capacity < AV_LINE_MAX ? capacity : AV_LINE_MAX;
	out->length = 0;
	out->overflow = out->capacity == 0;
	put_number(out, id, 16);
	put(out, ' ');
	put_text(out, verb);
}

/* How one byte stands between quotes; returns the count of characters, at most 4. */
static size_t escape(unsigned char byte, char form[4])
{
	size_t count = 1;

	form[0] = '\\';
	switch (byte) {
	case '"':
	case '\\':
		form[count++] = (char)byte;
		break;
	case '\n':
		form[count++] = 'n';
		break;
	case '\r':
		form[count++] = 'r';
		break;
	case '\t':
		form[count++] = 't';
		break;
	default:
		if (byte >= ' ' && byte <= '~') {
			form[0] = (char)byte;
			break;
		}
		form[count++] = 'x';
		form[count++] = "0123456789abcdef"[byte >> 4];
		form[count++] = "0123456789abcdef"[byte & 15];
	}
	return count;
}

size_t line_add_bytes_fit(struct line_out *out, const char *key, const void *data, size_t size)
{
	const unsigned char *bytes = data;
	size_t taken;

	put_key(out, key);
	put(out, '"');
	for (taken = 0; taken < size; taken++) {
		char form[4];
		size_t count = escape(bytes[taken], form);

		/* The closing quote must fit behind it. */
		if (out->overflow || out->capacity - out->length <= count + 1)
			break;
		for (size_t i = 0; i < count; i++)
			put(out, form[i]);
	}
	put(out, '"');
	if (taken == 0 && size > 0)
		out->overflow = true;
	return out->overflow ? 0 : taken;
}

static bool is_bare(const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] <= ' ' || bytes[i] > '~' || bytes[i] == '"' || bytes[i] == '\\')
			return false;
	return size > 0;
}

void line_add_bytes(struct line_out *out, const char *key, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	if (!is_bare(bytes, size)) {
		if (line_add_bytes_fit(out, key, data, size) < size)
			out->overflow = true;
		return;
	}
	put_key(out, key);
	for (size_t i = 0; i < size; i++)
		put(out, (char)bytes[i]);
}

void line_add_text(struct line_out *out, const char *key, const char *value)
{
	size_t size = 0;

	while (value[size])
		size++;
	line_add_bytes(out, key, value, size);
}

void line_add_number(struct line_out *out, const char *key, uint64_t value)
{
	put_key(out, key);
	put_number(out, value, 10);
}

void line_add_hex(struct line_out *out, const char *key, uint64_t value)
{
	put_key(out, key);
	put_text(out, "0x");
	put_number(out, value, 16);
}

size_t line_end(struct line_out *out)
{
	if (out->overflow)
		return 0;
	out->buffer[out->length++] = '\n';
	return out->length;
}
