/* SPDX-License-Identifier: MIT */
/* log.c - the log ring and the UART behind it. Never allocates; a line is cut, not lost. */
#include "core/log.h"
#include "arch/lock.h"
#include "core/string.h"
#include "core/time.h"
#include "core/vm.h"
#include "drivers/pl011.h"

#define LOG_RING 32768
#define LOG_LINE 512
#define LOG_LINES_PER_SECOND 50

static char ring[LOG_RING];
static uint64_t next_byte;
static struct spinlock lock;

static void put(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		ring[(next_byte + i) % LOG_RING] = text[i];
	next_byte += size;
	pl011_write(text, size);
}

static void line(const char *name, const char *text, va_list list)
{
	char buffer[LOG_LINE];
	uint64_t us = time_ns() / 1000;
	size_t length;

	length = format(buffer, sizeof(buffer), "[%5lu.%06lu] ", (unsigned long)(us / 1000000),
			(unsigned long)(us % 1000000));
	if (name)
		length += format(buffer + length, sizeof(buffer) - length, "%s: ", name);
	length += format_list(buffer + length, sizeof(buffer) - length - 1, text, list);
	buffer[length++] = '\n';
	spin_lock(&lock);
	put(buffer, length);
	spin_unlock(&lock);
}

void log_line(const char *text, ...)
{
	va_list list;

	va_start(list, text);
	line(NULL, text, list);
	va_end(list);
}

void log_vm(struct vm *vm, const char *text, ...)
{
	struct log_limit *limit = &vm->log_limit;
	uint64_t second = counter_now() / counter_hz;
	va_list list;

	if (limit->window != second) {
		unsigned dropped = limit->dropped;

		limit->window = second;
		limit->lines = 0;
		limit->dropped = 0;
		if (dropped)
			log_line("%s: (%u lines dropped)", vm->name, dropped);
	}
	if (limit->lines++ >= LOG_LINES_PER_SECOND) {
		limit->dropped++;
		return;
	}
	va_start(list, text);
	line(vm->name, text, list);
	va_end(list);
}

size_t log_read(uint64_t offset, char *to, size_t size, uint64_t *first)
{
	size_t done = 0;
	uint64_t oldest;

	spin_lock(&lock);
	oldest = next_byte > LOG_RING ? next_byte - LOG_RING : 0;
	if (offset < oldest)
		offset = oldest;
	*first = offset < next_byte ? offset : next_byte;
	while (done < size && offset < next_byte)
		to[done++] = ring[offset++ % LOG_RING];
	spin_unlock(&lock);
	return done;
}

uint64_t log_next(void)
{
	return next_byte;
}

void log_emergency(const char *text)
{
	put(text, strlen(text));
}
