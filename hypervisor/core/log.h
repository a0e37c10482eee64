/* SPDX-License-Identifier: MIT */
/*
 * log.h - the hypervisor's log: lines on the UART and in a ring that LOG_READ serves. Lines that a guest can cause
 * go through log_vm(), which limits their rate per VM and counts what it drops.
 */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct vm;

/* %s %c %d %u %x %lu %lx %ld %p %%, a width, 0 and - flags. Returns the length, cut at size - 1. */
size_t format(char *to, size_t size, const char *text, ...) __attribute__((format(printf, 3, 4)));
size_t format_list(char *to, size_t size, const char *text, va_list list);

void log_line(const char *text, ...) __attribute__((format(printf, 1, 2)));
void log_vm(struct vm *vm, const char *text, ...) __attribute__((format(printf, 2, 3)));

/* Copy log bytes from offset on: returns how many, and where the first really is (later than asked: lost) in *first. */
size_t log_read(uint64_t offset, char *to, size_t size, uint64_t *first);
uint64_t log_next(void);

/* For bug.c alone: write without the lock. */
void log_emergency(const char *text);
