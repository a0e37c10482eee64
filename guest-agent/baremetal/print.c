/* SPDX-License-Identifier: MIT */
/* print.c - formatted text to the console. Never allocates and never fails. */
#include "baremetal/guest.h"

struct spec {
	bool left;
	bool zero;
	unsigned int width;
	unsigned int size; /* how many l */
};

static void put_padded(const struct spec *spec, const char *sign, const char *text, size_t length)
{
	size_t used = length + strlen(sign);
	size_t pad = spec->width > used ? spec->width - used : 0;

	if (!spec->left && !spec->zero)
		for (size_t i = 0; i < pad; i++)
			console_put(' ');
	console_write(sign, strlen(sign));
	if (!spec->left && spec->zero)
		for (size_t i = 0; i < pad; i++)
			console_put('0');
	console_write(text, length);
	if (spec->left)
		for (size_t i = 0; i < pad; i++)
			console_put(' ');
}

static void put_number(const struct spec *spec, const char *sign, uint64_t value, unsigned int base,
		       const char *digits)
{
	char text[24];
	size_t at = sizeof(text);

	do {
		text[--at] = digits[value % base];
		value /= base;
	} while (value);
	put_padded(spec, sign, text + at, sizeof(text) - at);
}

static const char *parse_spec(const char *format, struct spec *spec)
{
	*spec = (struct spec){0};
	for (;; format++) {
		if (*format == '-')
			spec->left = true;
		else if (*format == '0')
			spec->zero = true;
		else
			break;
	}
	for (; *format >= '0' && *format <= '9'; format++)
		spec->width = spec->width * 10 + (unsigned int)(*format - '0');
	for (; *format == 'l' || *format == 'z'; format++)
		spec->size++;
	return format;
}

static void put_signed(const struct spec *spec, int64_t value)
{
	uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	put_number(spec, value < 0 ? "-" : "", magnitude, 10, "0123456789");
}

void print_list(const char *format, va_list list)
{
	struct spec spec;

	for (; *format; format++) {
		const char *text;
		char c;

		if (*format != '%') {
			console_put(*format);
			continue;
		}
		format = parse_spec(format + 1, &spec);
		switch (*format) {
		case 'd':
		case 'i':
			put_signed(&spec, spec.size ? va_arg(list, int64_t) : va_arg(list, int));
			break;
		case 'u':
			put_number(&spec, "",
				   spec.size ? va_arg(list, uint64_t) : va_arg(list, unsigned int),
				   10, "0123456789");
			break;
		case 'x':
			put_number(&spec, "",
				   spec.size ? va_arg(list, uint64_t) : va_arg(list, unsigned int),
				   16, "0123456789abcdef");
			break;
		case 'X':
			put_number(&spec, "",
				   spec.size ? va_arg(list, uint64_t) : va_arg(list, unsigned int),
				   16, "0123456789ABCDEF");
			break;
		case 'p':
			put_number(&spec, "0x", (uint64_t)va_arg(list, void *), 16,
				   "0123456789abcdef");
			break;
		case 's':
			text = va_arg(list, const char *);
			put_padded(&spec, "", text, strlen(text));
			break;
		case 'c':
			c = (char)va_arg(list, int);
			put_padded(&spec, "", &c, 1);
			break;
		case '\0':
			return;
		default:
			console_put(*format);
		}
	}
}

void print(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	print_list(format, list);
	va_end(list);
}
