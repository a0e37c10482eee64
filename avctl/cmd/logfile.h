/* SPDX-License-Identifier: MIT */
/*
 * logfile.h - the ends of log files, printed safely.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The last line that is not empty, control characters as "?"; "" when there is none. */
char *logfile_last_line(const char *path, char *buffer, size_t size);

/*
 * Where the last `lines` lines of the open file start (0: all of them are wanted when lines is
 * SIZE_MAX).
 */
uint64_t logfile_tail(int fd, size_t lines);

/*
 * Print the file from *at on to stdout, *at moved to its end. raw: as it is, else control
 * characters escaped but for colour-free text. 0, or -1 with errno.
 */
int logfile_copy(int fd, uint64_t *at, bool raw);

/* Every NAME.log in folder becomes NAME.log.1. */
void logfile_rotate(const char *folder);
