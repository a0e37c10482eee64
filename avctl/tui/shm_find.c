/* SPDX-License-Identifier: MIT */
/* shm_find.c - what people type about a region: names of fields, elements, places, and new values.
 * Never hands out a field that is not inside its region, and never a part of a value. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tui/shm_field.h"

#define NAME_SHOWN 40

static int cut(size_t length)
{
	return (int)(length > NAME_SHOWN ? NAME_SHOWN : length);
}

/* Digits of a number, decimal or 0x..., all of them; false when it is something else. */
static bool whole_number(const char *text, size_t length, uint64_t *value)
{
	char digits[24];
	char *end;

	if (length == 0 || length >= sizeof(digits) || !isdigit((unsigned char)text[0]))
		return false;
	memcpy(digits, text, length);
	digits[length] = '\0';
	errno = 0;
	/* 010 is ten: nobody means octal. */
	*value = strtoull(digits, &end,
			  digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X') ? 16 : 10);
	return !errno && !*end;
}

static int find_place(const struct set_region *region, const char *text, size_t length, size_t type,
		      struct set_field *field, char *message, size_t size)
{
	if (!whole_number(text + type + 1, length - type - 1, &field->at)) {
		snprintf(message, size, "\"%.*s\" is not an offset", cut(length - type - 1),
			 text + type + 1);
		return -1;
	}
	if (field->at > region->size || field->length > region->size - field->at) {
		snprintf(message, size, "offset 0x%" PRIx64 " is outside region \"%s\"", field->at,
			 region->name);
		return -1;
	}
	return 0;
}

/* NAME[INDEX] of an array. 1: it is not of that form. */
static int find_element(const struct set_region *region, const char *text, size_t length,
			struct set_field *field, char *message, size_t size)
{
	const char *open = length && text[length - 1] == ']' ? memrchr(text, '[', length) : NULL;
	size_t base = open ? (size_t)(open - text) : 0;
	uint64_t index;

	if (!open || !whole_number(open + 1, length - base - 2, &index))
		return 1;
	for (size_t i = 0; i < region->field_count; i++) {
		const struct set_field *array = &region->fields[i];

		if (strlen(array->name) != base || memcmp(array->name, text, base) != 0)
			continue;
		if (index >= array->count) {
			snprintf(message, size, "\"%s\" has %" PRIu64 " elements, from 0",
				 array->name, array->count);
			return -1;
		}
		*field = shm_field_element(array, index);
		return 0;
	}
	return 1;
}

int shm_field_find(const struct set_region *region, const char *text, size_t length,
		   struct set_field *field, char *message, size_t message_size)
{
	const char *at = memchr(text, '@', length);
	int result;

	memset(field, 0, sizeof(*field));
	if (at && shm_field_type_parse(text, (size_t)(at - text), field))
		return find_place(region, text, length, (size_t)(at - text), field, message,
				  message_size);
	for (size_t i = 0; i < region->field_count; i++) {
		const char *name = region->fields[i].name;

		if (strlen(name) == length && memcmp(name, text, length) == 0) {
			*field = region->fields[i];
			return 0;
		}
	}
	result = find_element(region, text, length, field, message, message_size);
	if (result == 1)
		snprintf(message, message_size, "region \"%s\" has no field \"%.*s\"", region->name,
			 cut(length), text);
	return result ? -1 : 0;
}

static void put_bits(const struct set_field *field, uint64_t bits, uint8_t *bytes)
{
	for (uint64_t i = 0; i < field->length; i++)
		bytes[field->big_endian ? field->length - 1 - i : i] = (uint8_t)(bits >> (8 * i));
}

static int parse_whole(const struct set_field *field, const char *text, uint8_t *bytes,
		       char *message, size_t size)
{
	bool is_signed = field->type >= SET_FIELD_I8 && field->type <= SET_FIELD_I64;
	bool negative = text[0] == '-';
	uint64_t most = UINT64_MAX >> (64 - field->length * 8), value;

	if (shm_field_choice_value(field, text, &value)) {
		put_bits(field, value, bytes);
		return 0;
	}
	if (!whole_number(text + negative, strlen(text + negative), &value)) {
		snprintf(message, size, "\"%.40s\" is not a number for %s%s", text,
			 shm_field_type_name(field->type), field->choices ? " nor a name" : "");
		return -1;
	}
	if (is_signed)
		most = negative ? most / 2 + 1 : most / 2;
	else if (negative)
		most = 0;
	if (value > most) {
		snprintf(message, size, "%.40s does not fit a %s", text,
			 shm_field_type_name(field->type));
		return -1;
	}
	put_bits(field, negative ? 0 - value : value, bytes);
	return 0;
}

static int parse_real(const struct set_field *field, const char *text, uint8_t *bytes,
		      char *message, size_t size)
{
	double value;
	float single;
	uint32_t bits32;
	uint64_t bits;
	char *end;

	value = strtod(text, &end);
	if (end == text || *end || isspace((unsigned char)text[0])) {
		snprintf(message, size, "\"%.40s\" is not a number for %s", text,
			 shm_field_type_name(field->type));
		return -1;
	}
	single = (float)value;
	if (field->length == 4 && isinf(single) && !isinf(value)) {
		snprintf(message, size, "%.40s does not fit an f32", text);
		return -1;
	}
	memcpy(&bits32, &single, sizeof(bits32));
	memcpy(&bits, &value, sizeof(bits));
	put_bits(field, field->length == 4 ? bits32 : bits, bytes);
	return 0;
}

static int parse_hex(const struct set_field *field, const char *text, uint8_t *bytes, char *message,
		     size_t size)
{
	uint64_t count = 0;

	while (*text) {
		char pair[3] = {text[0], text[1], '\0'};

		if (*text == ' ') {
			text++;
			continue;
		}
		if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1])) {
			snprintf(message, size, "\"%.40s\" is not a row of hex bytes", text);
			return -1;
		}
		if (count < field->length)
			bytes[count] = (uint8_t)strtoul(pair, NULL, 16);
		count++;
		text += 2;
	}
	if (count == field->length)
		return 0;
	snprintf(message, size, "%" PRIu64 " bytes are wanted, not %" PRIu64, field->length, count);
	return -1;
}

int shm_field_parse(const struct set_field *field, const char *text, uint8_t *bytes, char *message,
		    size_t message_size)
{
	size_t length = strlen(text);

	if (field->count) {
		snprintf(message, message_size,
			 "it is an array: name one of its %" PRIu64 " elements", field->count);
		return -1;
	}
	switch (field->type) {
	case SET_FIELD_STRING:
		if (length <= field->length) {
			memset(bytes, 0, (size_t)field->length);
			memcpy(bytes, text, length);
			return 0;
		}
		snprintf(message, message_size, "%zu bytes do not fit the field's %" PRIu64, length,
			 field->length);
		return -1;
	case SET_FIELD_BYTES:
		return parse_hex(field, text, bytes, message, message_size);
	case SET_FIELD_F32:
	case SET_FIELD_F64:
		return parse_real(field, text, bytes, message, message_size);
	default:
		return parse_whole(field, text, bytes, message, message_size);
	}
}
