/* SPDX-License-Identifier: MIT */
/*
 * shm_field.h - typed values in a region (the YAML's fields:) as text and numbers. Little-endian,
 * as the guests are.
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

/* The value of field, whose field->length bytes are at bytes. */
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

/* The value as text: numbers, "quoted string", bytes in hex. Safe to print. */
void shm_value_text(const struct shm_value *value, bool is_string, char *out, size_t size);
void shm_field_text(const struct set_field *field, const uint8_t *bytes, char *out, size_t size);
