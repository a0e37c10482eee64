/* SPDX-License-Identifier: MIT */
/*
 * shm_field.h - typed values in a region (the YAML's fields:) as text and numbers, and back.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "config/set.h"

enum shm_value_kind { SHM_VALUE_UNSIGNED, SHM_VALUE_SIGNED, SHM_VALUE_FLOAT, SHM_VALUE_BYTES };

struct shm_value {
	enum shm_value_kind kind;
	uint64_t u;           /* SHM_VALUE_UNSIGNED */
	int64_t i;            /* SHM_VALUE_SIGNED */
	double f;             /* SHM_VALUE_FLOAT */
	const uint8_t *bytes; /* SHM_VALUE_BYTES: borrowed; a string ends before its NUL */
	size_t length;
};

/* "u32" and so on. */
const char *shm_field_type_name(enum set_field_type type);
/* Type and length of a name such as "u32"; false when there is none. */
bool shm_field_type_parse(const char *name, size_t length, struct set_field *field);

/* Bytes of one element, or of the whole when field is no array. */
uint64_t shm_field_size(const struct set_field *field);
/* Element number index of an array, as a field of its own without a name. */
struct set_field shm_field_element(const struct set_field *field, uint64_t index);

/*
 * What text (length characters of it) names in the region: a field, an element of an array
 * ("temps[2]"), or TYPE@OFFSET ("u32@0x40"). Returns 0, or -1 with a sentence in message. The
 * field's name is the region's, or NULL.
 */
int shm_field_find(const struct set_region *region, const char *text, size_t length,
		   struct set_field *field, char *message, size_t message_size);

/*
 * The bytes of field that text stands for: a number, a name of its enum, a string, hex digits.
 * bytes has room for field->length. Returns 0, or -1 with a sentence in message.
 */
int shm_field_parse(const struct set_field *field, const char *text, uint8_t *bytes, char *message,
		    size_t message_size);

/* The name of the number that those bytes hold, or NULL. */
const char *shm_field_choice(const struct set_field *field, const uint8_t *bytes);
/* The number of that name; false when the field has none so called. */
bool shm_field_choice_value(const struct set_field *field, const char *name, uint64_t *bits);

/* The value of field, which is no array and whose field->length bytes are at bytes. */
struct shm_value shm_field_value(const struct set_field *field, const uint8_t *bytes);

/* Whether [at, at + length) touches the field. */
bool shm_field_touches(const struct set_field *field, uint64_t at, uint64_t length);

/*
 * Write bytes as printable ASCII, everything else (and backslash and quote) escaped, to out,
 * NUL-terminated.
 * Cuts with "..." when out is too small (size >= 8). Returns the length of the text.
 */
size_t shm_escape(const uint8_t *bytes, size_t length, char *out, size_t size);
/*
 * Two hex digits a byte, separator (0: none) between. Cuts likewise. Returns the length of the
 * text.
 */
size_t shm_hex(const uint8_t *bytes, size_t length, char separator, char *out, size_t size);

/* "u32", "char[64]", "i16[4]" */
void shm_field_type_text(const struct set_field *field, char *out, size_t size);

/*
 * The value as text: numbers, names, "quoted string", bytes in hex, "[1, 2, 3]". Safe to print. Cut
 * when size (>= 16) is too small.
 */
void shm_field_text(const struct set_field *field, const uint8_t *bytes, char *out, size_t size);
