/* SPDX-License-Identifier: MIT */
/*
 * logfile.c - reading logs from their ends.
 * What guests wrote reaches a terminal only escaped, unless the caller asks for it raw.
 */
#include "cmd/logfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "out/out.h"

char *logfile_last_line(const char *path, char *buffer, size_t size)
{
	char text[2048];
	struct stat info;
	ssize_t length = -1;
	char *end, *start;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*buffer = '\0';
	if (fd < 0)
		return buffer;
	if (fstat(fd, &info) == 0) {
		off_t from = info.st_size > (off_t)sizeof(text) - 1
				     ? info.st_size - (off_t)sizeof(text) + 1
				     : 0;

		length = pread(fd, text, sizeof(text) - 1, from);
	}
	close(fd);
	if (length <= 0)
		return buffer;
	end = text + length;
	while (end > text &&
	       (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' ' || end[-1] == '\0'))
		end--;
	*end = '\0';
	for (start = end; start > text && start[-1] != '\n'; start--) {
		if ((unsigned char)start[-1] < 0x20)
			start[-1] = '?';
	}
	snprintf(buffer, size, "%s", start);
	return buffer;
}

uint64_t logfile_tail(int fd, size_t lines)
{
	char text[4096];
	struct stat info;
	uint64_t at;
	bool last = true;

	if (lines == SIZE_MAX || fstat(fd, &info) < 0)
		return 0;
	if (lines == 0)
		return (uint64_t)info.st_size;
	at = (uint64_t)info.st_size;
	while (at) {
		size_t size = at < sizeof(text) ? (size_t)at : sizeof(text);

		if (pread(fd, text, size, (off_t)(at - size)) != (ssize_t)size)
			return 0;
		for (size_t i = size; i-- > 0;) {
			/* The newline that ends the last line does not start another. */
			if (text[i] == '\n' && !last && --lines == 0)
				return at - size + i + 1;
			last = false;
		}
		at -= size;
	}
	return 0;
}

int logfile_copy(int fd, uint64_t *at, bool raw)
{
	char text[16384];
	ssize_t length;

	while ((length = pread(fd, text, sizeof(text), (off_t)*at)) > 0) {
		*at += (uint64_t)length;
		if (raw)
			fwrite(text, 1, (size_t)length, stdout);
		else
			out_escaped(stdout, text, (size_t)length);
	}
	if (fflush(stdout) == EOF)
		return -1;
	return length < 0 ? -1 : 0;
}

void logfile_rotate(const char *folder)
{
	DIR *entries = opendir(folder);
	struct dirent *entry;

	while (entries && (entry = readdir(entries))) {
		size_t length = strlen(entry->d_name);
		char old[300];

		if (length < 5 || strcmp(entry->d_name + length - 4, ".log") != 0)
			continue;
		snprintf(old, sizeof(old), "%s.1", entry->d_name);
		renameat(dirfd(entries), entry->d_name, dirfd(entries), old);
	}
	if (entries)
		closedir(entries);
}
