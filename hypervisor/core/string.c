/* SPDX-License-Identifier: MIT */
/* string.c - memcpy and friends for the EL2 image. Host tests use the C library's. */
#include "core/string.h"
#include <stdint.h>
#include "arch/mem.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	uint8_t *t = to;
	const uint8_t *f = from;

	if ((((uintptr_t)t | (uintptr_t)f) & 7) == 0) {
		if (size >= 64 && !(size & 7))
			return arch_copy_words(to, from, size);
		for (; size >= 16; size -= 16, t += 16, f += 16) {
			uint64_t a = ((const uint64_t *)f)[0], b = ((const uint64_t *)f)[1];

			((uint64_t *)t)[0] = a;
			((uint64_t *)t)[1] = b;
		}
		if (size >= 8) {
			*(uint64_t *)t = *(const uint64_t *)f;
			t += 8;
			f += 8;
			size -= 8;
		}
	}
	if ((((uintptr_t)t | (uintptr_t)f) & 3) == 0)
		for (; size >= 4; size -= 4, t += 4, f += 4)
			*(uint32_t *)t = *(const uint32_t *)f;
	while (size--)
		*t++ = *f++;
	return to;
}

void *memmove(void *to, const void *from, size_t size)
{
	uint8_t *t = to;
	const uint8_t *f = from;

	if (t <= f || t >= f + size)
		return memcpy(to, from, size);
	while (size--)
		t[size] = f[size];
	return to;
}

void *memset(void *to, int value, size_t size)
{
	uint8_t *t = to;
	uint64_t word = (uint8_t)value * 0x0101010101010101u;

	while (size && ((uintptr_t)t & 7)) {
		*t++ = (uint8_t)value;
		size--;
	}
	for (; size >= 32; size -= 32, t += 32) {
		((uint64_t *)t)[0] = word;
		((uint64_t *)t)[1] = word;
		((uint64_t *)t)[2] = word;
		((uint64_t *)t)[3] = word;
	}
	for (; size >= 8; size -= 8, t += 8)
		*(uint64_t *)t = word;
	while (size--)
		*t++ = (uint8_t)value;
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const uint8_t *x = a, *y = b;

	for (; size--; x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strnlen(const char *text, size_t most)
{
	size_t length = 0;

	while (length < most && text[length])
		length++;
	return length;
}

size_t strlen(const char *text)
{
	return strnlen(text, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t most)
{
	for (; most--; a++, b++) {
		if (*a != *b)
			return (uint8_t)*a - (uint8_t)*b;
		if (!*a)
			return 0;
	}
	return 0;
}
