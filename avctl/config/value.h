/* SPDX-License-Identifier: MIT */
/*
 * value.h - avctl's own strict reading of numbers, sizes, durations and truth values. libcyaml takes 64K for 64
 * and maybe for true, so it hands these over as text.
 *
 * Each function returns NULL and stores *out, or returns what is wrong with text (static) and leaves *out alone.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Decimal or 0x hexadecimal. No sign, no octal, no trailing characters. */
const char *value_number(const char *text, uint64_t *out);

/* A number of bytes: a number, K, KiB, M, MiB, G or GiB behind a decimal one. */
const char *value_size(const char *text, uint64_t *out);

/* Nanoseconds: a decimal number with ns, us, ms, s, m, h, d or w. */
const char *value_duration(const char *text, uint64_t *out);

/* true or false. */
const char *value_bool(const char *text, bool *out);

/* [a-z][a-z0-9._-]{0,30} */
bool value_is_name(const char *text);

/* Write size as "64KiB", "128MiB", "1GiB" or plain bytes into text. */
#define VALUE_SIZE_TEXT 24
const char *value_size_text(uint64_t size, char text[VALUE_SIZE_TEXT]);
