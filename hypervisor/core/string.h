/* SPDX-License-Identifier: MIT */
/* string.h - the few memory functions a freestanding C compiler expects, and bounded names. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);
size_t strnlen(const char *text, size_t most);
int strncmp(const char *a, const char *b, size_t most);
