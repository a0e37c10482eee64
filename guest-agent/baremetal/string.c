/* SPDX-License-Identifier: MIT */
/*
 * string.c - the few memory and string functions that the compiler and the guests need.
 * Must never be compiled into calls of itself: guest.mk turns that optimisation off.
 */
#include "baremetal/guest.h"

void *memcpy(void *to, const void *from, size_t size)
{
	unsigned char *out = to;
	const unsigned char *in = from;

	if ((((uintptr_t)out | (uintptr_t)in) & 7) == 0)
		for (; size >= 8; size -= 8, out += 8, in += 8)
			*(uint64_t *)(void *)out = *(const uint64_t *)(const void *)in;
	while (size--)
		*out++ = *in++;
	return to;
}

void *memmove(void *to, const void *from, size_t size)
{
	unsigned char *out = to;
	const unsigned char *in = from;

	if (out <= in || out >= in + size)
		return memcpy(to, from, size);
	while (size--)
		out[size] = in[size];
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	unsigned char *out = to;
	uint64_t word = 0x0101010101010101u * (unsigned char)byte;

	for (; size && ((uintptr_t)out & 7); size--)
		*out++ = (unsigned char)byte;
	for (; size >= 8; size -= 8, out += 8)
		*(uint64_t *)(void *)out = word;
	while (size--)
		*out++ = (unsigned char)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *left = a, *right = b;

	for (; size; size--, left++, right++)
		if (*left != *right)
			return *left - *right;
	return 0;
}

size_t strlen(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

/* FNV-1a by words of 8 bytes where it can: a page hash must not cost a test its time. */
uint64_t guest_hash(const void *data, size_t size, uint64_t hash)
{
	const unsigned char *bytes = data;

	for (; size >= 8; size -= 8, bytes += 8) {
		uint64_t word;

		__builtin_memcpy(&word, bytes, 8);
		hash = (hash ^ word) * 0x100000001b3u;
		hash ^= hash >> 29;
	}
	for (; size; size--)
		hash = (hash ^ *bytes++) * 0x100000001b3u;
	return hash;
}
