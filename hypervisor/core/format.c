/* SPDX-License-Identifier: MIT */
/* format.c - printf for the log: integers, strings, pointers. Never writes past size, always terminates. */
#include "core/log.h"
#include "core/string.h"
#include "core/types.h"

struct out {
	char *to;
	size_t size, length;
};

static void put(struct out *out, char c)
{
	if (out->length + 1 < out->size)
		out->to[out->length++] = c;
}

static void put_text(struct out *out, const char *text, size_t length, unsigned width, bool left,
		     char pad)
{
	if (!left)
		for (size_t i = length; i < width; i++)
			put(out, pad);
	for (size_t i = 0; i < length; i++)
		put(out, text[i]);
	if (left)
		for (size_t i = length; i < width; i++)
			put(out, ' ');
}

static size_t number(char *to, uint64_t value, unsigned base, bool negative)
{
	char reverse[24];
	size_t count = 0, length = 0;

	do {
		reverse[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	if (negative)
		to[length++] = '-';
	while (count)
		to[length++] = reverse[--count];
	return length;
}

static const char *conversion(struct out *out, const char *text, va_list *list)
{
	bool left = false, wide = false;
	char pad = ' ', digits[32];
	unsigned width = 0;
	size_t length;

	for (; *text == '-' || *text == '0'; text++) {
		left |= *text == '-';
		if (*text == '0')
			pad = '0';
	}
	for (; *text >= '0' && *text <= '9'; text++)
		width = width * 10 + (unsigned)(*text - '0');
	for (; *text == 'l' || *text == 'z'; text++)
		wide = true;
	switch (*text) {
	case 's': {
		const char *string = va_arg(*list, const char *);

		put_text(out, string ? string : "(null)", strlen(string ? string : "(null)"), width,
			 left, ' ');
		return text + 1;
	}
	case 'c':
		put(out, (char)va_arg(*list, int));
		return text + 1;
	case 'd': {
		int64_t value = wide ? va_arg(*list, int64_t) : va_arg(*list, int);
		uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

		length = number(digits, magnitude, 10, value < 0);
		break;
	}
	case 'u':
	case 'x':
		length = number(digits, wide ? va_arg(*list, uint64_t) : va_arg(*list, unsigned),
				*text == 'x' ? 16 : 10, false);
		break;
	case 'p':
		put(out, '0');
		put(out, 'x');
		length = number(digits, (uint64_t)va_arg(*list, void *), 16, false);
		break;
	case '%':
		put(out, '%');
		return text + 1;
	default:
		put(out, '?');
		return *text ? text + 1 : text;
	}
	put_text(out, digits, length, width, left, pad);
	return text + 1;
}

size_t format_list(char *to, size_t size, const char *text, va_list list)
{
	struct out out = {to, size, 0};
	va_list copy;

	va_copy(copy, list);
	while (*text)
		if (*text == '%')
			text = conversion(&out, text + 1, &copy);
		else
			put(&out, *text++);
	va_end(copy);
	if (size)
		to[out.length] = '\0';
	return out.length;
}

size_t format(char *to, size_t size, const char *text, ...)
{
	va_list list;
	size_t length;

	va_start(list, text);
	length = format_list(to, size, text, list);
	va_end(list);
	return length;
}
