/* SPDX-License-Identifier: MIT */
/* shm_field.c - decodes typed values from a region and makes guest bytes safe to show.
 * Nothing that a guest wrote leaves here as anything but printable ASCII. */
#include "tui/shm_field.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	uint64_t length;
} types[] = {
	[SET_FIELD_U8] = {"u8", 1},         [SET_FIELD_U16] = {"u16", 2},
	[SET_FIELD_U32] = {"u32", 4},       [SET_FIELD_U64] = {"u64", 8},
	[SET_FIELD_I8] = {"i8", 1},         [SET_FIELD_I16] = {"i16", 2},
	[SET_FIELD_I32] = {"i32", 4},       [SET_FIELD_I64] = {"i64", 8},
	[SET_FIELD_F32] = {"f32", 4},       [SET_FIELD_F64] = {"f64", 8},
	[SET_FIELD_STRING] = {"string", 0}, [SET_FIELD_BYTES] = {"bytes", 0},
};

const char *shm_field_type_name(enum set_field_type type)
{
	return (size_t)type < sizeof(types) / sizeof(types[0]) ? types[type].name : "?";
}

bool shm_field_type_parse(const char *name, size_t length, struct set_field *field)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (types[i].length && strlen(types[i].name) == length &&
		    memcmp(types[i].name, name, length) == 0) {
			field->type = (enum set_field_type)i;
			field->length = types[i].length;
			return true;
		}
	}
	return false;
}

uint64_t shm_field_size(const struct set_field *field)
{
	return field->count ? field->length / field->count : field->length;
}

struct set_field shm_field_element(const struct set_field *field, uint64_t index)
{
	struct set_field element = *field;

	element.name = NULL;
	element.length = shm_field_size(field);
	element.at = field->at + index * element.length;
	element.count = 0;
	return element;
}

void shm_field_type_text(const struct set_field *field, char *out, size_t size)
{
	const char *name = shm_field_type_name(field->type);
	uint64_t each = shm_field_size(field);

	if (field->type != SET_FIELD_STRING && field->type != SET_FIELD_BYTES) {
		if (field->count)
			snprintf(out, size, "%s[%" PRIu64 "]", name, field->count);
		else
			snprintf(out, size, "%s", name);
		return;
	}
	name = field->type == SET_FIELD_STRING ? "char" : name;
	if (field->count)
		snprintf(out, size, "%s[%" PRIu64 "][%" PRIu64 "]", name, field->count, each);
	else
		snprintf(out, size, "%s[%" PRIu64 "]", name, each);
}

/* The number in the first field->length bytes, at most 8. */
static uint64_t raw_bits(const struct set_field *field, const uint8_t *bytes)
{
	uint64_t length = field->length < 8 ? field->length : 8;
	uint64_t value = 0;

	for (uint64_t i = 0; i < length; i++)
		value |= (uint64_t)bytes[field->big_endian ? length - 1 - i : i] << (8 * i);
	return value;
}

const char *shm_field_choice(const struct set_field *field, const uint8_t *bytes)
{
	uint64_t value = field->choices ? raw_bits(field, bytes) : 0;

	for (size_t i = 0; field->choices && i < field->choices->count; i++)
		if (field->choices->choices[i].value == value)
			return field->choices->choices[i].name;
	return NULL;
}

bool shm_field_choice_value(const struct set_field *field, const char *name, uint64_t *bits)
{
	for (size_t i = 0; field->choices && i < field->choices->count; i++) {
		if (strcmp(field->choices->choices[i].name, name) == 0) {
			*bits = field->choices->choices[i].value;
			return true;
		}
	}
	return false;
}

struct shm_value shm_field_value(const struct set_field *field, const uint8_t *bytes)
{
	struct shm_value value = {.kind = SHM_VALUE_UNSIGNED};
	uint64_t raw = raw_bits(field, bytes);
	uint32_t raw32 = (uint32_t)raw;
	float single;

	switch (field->type) {
	case SET_FIELD_U8:
	case SET_FIELD_U16:
	case SET_FIELD_U32:
	case SET_FIELD_U64:
		value.u = raw;
		break;
	case SET_FIELD_I8:
		value.kind = SHM_VALUE_SIGNED;
		value.i = (int8_t)raw;
		break;
	case SET_FIELD_I16:
		value.kind = SHM_VALUE_SIGNED;
		value.i = (int16_t)raw;
		break;
	case SET_FIELD_I32:
		value.kind = SHM_VALUE_SIGNED;
		value.i = (int32_t)raw;
		break;
	case SET_FIELD_I64:
		value.kind = SHM_VALUE_SIGNED;
		value.i = (int64_t)raw;
		break;
	case SET_FIELD_F32:
		value.kind = SHM_VALUE_FLOAT;
		memcpy(&single, &raw32, sizeof(single));
		value.f = (double)single;
		break;
	case SET_FIELD_F64:
		value.kind = SHM_VALUE_FLOAT;
		memcpy(&value.f, &raw, sizeof(value.f));
		break;
	case SET_FIELD_STRING:
	case SET_FIELD_BYTES:
		value.kind = SHM_VALUE_BYTES;
		value.bytes = bytes;
		value.length = field->type == SET_FIELD_STRING
				       ? strnlen((const char *)bytes, (size_t)field->length)
				       : (size_t)field->length;
		break;
	}
	return value;
}

bool shm_field_touches(const struct set_field *field, uint64_t at, uint64_t length)
{
	if (field->at <= at)
		return at - field->at < field->length;
	return field->at - at < length;
}

/* Text that grows in a buffer and is cut with dots when that is full. */
struct cut_text {
	char *out;
	size_t size, used;
	size_t safe; /* where it can be cut so that the dots fit */
};

/* False when the piece did not fit: the text is then cut. */
static bool append(struct cut_text *text, const char *piece)
{
	size_t length = strlen(piece);

	if (text->used + length >= text->size) {
		memcpy(text->out + text->safe, "...", 4);
		text->used = text->safe + 3;
		return false;
	}
	memcpy(text->out + text->used, piece, length + 1);
	text->used += length;
	if (text->used + 4 <= text->size)
		text->safe = text->used;
	return true;
}

size_t shm_escape(const uint8_t *bytes, size_t length, char *out, size_t size)
{
	struct cut_text text = {.out = out, .size = size};
	char piece[8];

	out[0] = '\0';
	for (size_t i = 0; i < length; i++) {
		uint8_t c = bytes[i];

		if (c == '\n')
			snprintf(piece, sizeof(piece), "\\n");
		else if (c == '\\' || c == '"')
			snprintf(piece, sizeof(piece), "\\%c", c);
		else if (c >= 0x20 && c < 0x7f)
			snprintf(piece, sizeof(piece), "%c", c);
		else
			snprintf(piece, sizeof(piece), "\\x%02x", c);
		if (!append(&text, piece))
			break;
	}
	return text.used;
}

size_t shm_hex(const uint8_t *bytes, size_t length, char separator, char *out, size_t size)
{
	struct cut_text text = {.out = out, .size = size};
	char piece[8];

	out[0] = '\0';
	for (size_t i = 0; i < length; i++) {
		if (separator && i)
			snprintf(piece, sizeof(piece), "%c%02x", separator, bytes[i]);
		else
			snprintf(piece, sizeof(piece), "%02x", bytes[i]);
		if (!append(&text, piece))
			break;
	}
	return text.used;
}

/* One value, which is no array. */
static void value_text(const struct set_field *field, const uint8_t *bytes, char *out, size_t size)
{
	struct shm_value value = shm_field_value(field, bytes);
	const char *name = shm_field_choice(field, bytes);
	size_t used;

	if (name) {
		snprintf(out, size, "%s", name);
		return;
	}
	switch (value.kind) {
	case SHM_VALUE_UNSIGNED:
	case SHM_VALUE_SIGNED:
		if (field->hex)
			snprintf(out, size, "0x%0*" PRIx64, (int)(field->length * 2),
				 raw_bits(field, bytes));
		else if (value.kind == SHM_VALUE_UNSIGNED)
			snprintf(out, size, "%" PRIu64, value.u);
		else
			snprintf(out, size, "%" PRId64, value.i);
		break;
	case SHM_VALUE_FLOAT:
		snprintf(out, size, field->length == 4 ? "%.9g" : "%.17g", value.f);
		break;
	case SHM_VALUE_BYTES:
		if (field->type != SET_FIELD_STRING || size < 16) {
			shm_hex(value.bytes, value.length, ' ', out, size);
			break;
		}
		out[0] = '"';
		used = shm_escape(value.bytes, value.length, out + 1, size - 2);
		out[used + 1] = '"';
		out[used + 2] = '\0';
		break;
	}
}

void shm_field_text(const struct set_field *field, const uint8_t *bytes, char *out, size_t size)
{
	struct cut_text text = {.out = out, .size = size - 1}; /* a bracket more */
	char piece[1024];

	if (!field->count) {
		value_text(field, bytes, out, size);
		return;
	}
	out[0] = '\0';
	append(&text, "[");
	for (uint64_t i = 0; i < field->count; i++) {
		struct set_field element = shm_field_element(field, i);
		size_t used = i ? 2 : 0;

		memcpy(piece, ", ", used);
		value_text(&element, bytes + i * element.length, piece + used,
			   sizeof(piece) - used);
		if (!append(&text, piece))
			break;
	}
	memcpy(out + text.used, "]", 2);
}
