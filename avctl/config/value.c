/* SPDX-License-Identifier: MIT */
/*
 * value.c - strict reading of numbers, sizes, durations and truth values.
 * Never accepts a part of the text, and never guesses.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "value.h"

static int digit_of(char c, unsigned base)
{
	int digit = -1;

	if (c >= '0' && c <= '9')
		digit = c - '0';
	else if (c >= 'a' && c <= 'f')
		digit = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		digit = c - 'A' + 10;
	return digit >= 0 && (unsigned)digit < base ? digit : -1;
}

/* Read the digits at text; *rest is what follows them. */
static const char *read_digits(const char *text, uint64_t *out, const char **rest, unsigned *base)
{
	uint64_t value = 0;

	*base = 10;
	if (!*text)
		return "it is empty";
	if (*text == '-')
		return "it must not be negative";
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		*base = 16;
		text += 2;
	} else if (text[0] == '0' && digit_of(text[1], 10) >= 0) {
		return "a leading zero is not allowed (octal is not read here)";
	}
	if (digit_of(*text, *base) < 0)
		return *base == 16 ? "a hexadecimal digit must follow 0x"
				   : "it does not start with a digit";
	for (; digit_of(*text, *base) >= 0; text++) {
		if (__builtin_mul_overflow(value, (uint64_t)*base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit_of(*text, *base), &value))
			return "it does not fit 64 bits";
	}
	*out = value;
	*rest = text;
	return NULL;
}

const char *value_number(const char *text, uint64_t *out)
{
	const char *wrong, *rest = NULL;
	uint64_t value = 0;
	unsigned base;

	wrong = read_digits(text, &value, &rest, &base);
	if (wrong)
		return wrong;
	if (*rest)
		return "something follows the number";
	*out = value;
	return NULL;
}

const char *value_size(const char *text, uint64_t *out)
{
	static const struct {
		const char *suffix;
		unsigned shift;
	} suffixes[] = {{"", 0},     {"K", 10}, {"KiB", 10}, {"M", 20},
			{"MiB", 20}, {"G", 30}, {"GiB", 30}};
	const char *wrong, *rest = NULL;
	uint64_t value = 0;
	unsigned base;

	wrong = read_digits(text, &value, &rest, &base);
	if (wrong)
		return wrong;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		if (strcmp(rest, suffixes[i].suffix))
			continue;
		if (base == 16 && *rest)
			return "a hexadecimal number takes no suffix";
		if (value > UINT64_MAX >> suffixes[i].shift)
			return "it does not fit 64 bits";
		*out = value << suffixes[i].shift;
		return NULL;
	}
	return "its suffix is none of K, KiB, M, MiB, G, GiB";
}

const char *value_duration(const char *text, uint64_t *out)
{
	static const struct {
		const char *unit;
		uint64_t factor;
	} units[] = {{"ns", 1},
		     {"us", 1000},
		     {"ms", 1000000},
		     {"s", 1000000000},
		     {"m", 60000000000},
		     {"h", 3600000000000},
		     {"d", 86400000000000},
		     {"w", 604800000000000}};
	const char *wrong, *rest = NULL;
	uint64_t value = 0;
	unsigned base;

	wrong = read_digits(text, &value, &rest, &base);
	if (wrong)
		return wrong;
	if (base != 10)
		return "a duration is decimal";
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(rest, units[i].unit))
			continue;
		if (__builtin_mul_overflow(value, units[i].factor, &value))
			return "it does not fit 64 bits";
		*out = value;
		return NULL;
	}
	return *rest ? "its unit is none of ns, us, ms, s, m, h, d, w"
		     : "it has no unit (ns, us, ms, s, m, h, d or w)";
}

const char *value_bool(const char *text, bool *out)
{
	if (!strcmp(text, "true"))
		*out = true;
	else if (!strcmp(text, "false"))
		*out = false;
	else
		return "it is neither true nor false";
	return NULL;
}

bool value_is_name(const char *text)
{
	size_t length = strlen(text);

	if (length < 1 || length > 31 || text[0] < 'a' || text[0] > 'z')
		return false;
	for (size_t i = 1; i < length; i++) {
		char c = text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
		      c == '-'))
			return false;
	}
	return true;
}

const char *value_size_text(uint64_t size, char text[VALUE_SIZE_TEXT])
{
	static const char *const suffixes[] = {"", "KiB", "MiB", "GiB"};
	unsigned i = 0;

	while (i < 3 && size && size % 1024 == 0) {
		size /= 1024;
		i++;
	}
	snprintf(text, VALUE_SIZE_TEXT, "%" PRIu64 "%s", size, suffixes[i]);
	return text;
}
