/* SPDX-License-Identifier: MIT */
/*
 * files.c - does the calls of one client, which is taken for hostile.
 * Must never use a number of a request, or a byte of its buffer, that was not checked after it was copied; and never block.
 */
#include "serve/files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "serve/confine.h"

#define HANDLE_INDEX_BITS 8

void files_init(struct files *files, int root, bool read_only)
{
	memset(files, 0, sizeof(*files));
	files->root = root;
	files->read_only = read_only;
}

static void close_file(struct open_file *file)
{
	if (file->directory)
		closedir(file->directory);
	else
		close(file->fd);
	memset(file, 0, sizeof(*file));
}

void files_close(struct files *files)
{
	for (size_t i = 0; i < AV_FORWARD_OPEN_MAX; i++)
		if (files->list[i].handle)
			close_file(&files->list[i]);
}

unsigned int files_count(const struct files *files)
{
	unsigned int count = 0;

	for (size_t i = 0; i < AV_FORWARD_OPEN_MAX; i++)
		count += files->list[i].handle != 0;
	return count;
}

/* The open file, if it is open with all of those flags. */
static struct open_file *find(struct files *files, uint32_t handle, uint32_t flags)
{
	uint32_t index = handle & ((1u << HANDLE_INDEX_BITS) - 1);

	if (handle == 0 || index >= AV_FORWARD_OPEN_MAX || files->list[index].handle != handle ||
	    (files->list[index].flags & flags) != flags)
		return NULL;
	return &files->list[index];
}

/* The path, once out of the buffer. */
static int take_path(const struct request *request, const void *buffer, char *path)
{
	if (request->length == 0)
		return AV_FORWARD_E_INVALID;
	if (request->length > AV_FORWARD_PATH_MAX)
		return AV_FORWARD_E_TOO_LONG;
	memcpy(path, buffer, (size_t)request->length);
	path[request->length] = '\0';
	if (strlen(path) != request->length) {
		path[0] = '\0';
		return AV_FORWARD_E_INVALID;
	}
	return 0;
}

static int64_t call_open(struct files *files, const struct request *request, const char *path)
{
	const uint32_t changing = AV_FORWARD_O_WRITE | AV_FORWARD_O_CREATE | AV_FORWARD_O_TRUNCATE;
	struct open_file *file;
	uint32_t index = 0, type = 0;
	int fd;

	if (files->read_only && (request->flags & changing))
		return AV_FORWARD_E_READ_ONLY;
	while (index < AV_FORWARD_OPEN_MAX && files->list[index].handle)
		index++;
	if (index == AV_FORWARD_OPEN_MAX)
		return AV_FORWARD_E_TOO_MANY;
	fd = confine_open(files->root, path, request->flags, request->mode, &type);
	if (fd < 0)
		return fd;
	file = &files->list[index];
	if (type == AV_FORWARD_TYPE_DIRECTORY) {
		file->directory = fdopendir(fd);
		if (!file->directory) {
			close(fd);
			return AV_FORWARD_E_IO;
		}
	}
	/* 23 bits that count on above the place: positive, and never 0. */
	files->opened = (files->opened + 1) & 0x7fffff;
	if (files->opened == 0)
		files->opened = 1;
	file->fd = fd;
	file->type = type;
	file->flags = request->flags;
	file->handle = files->opened << HANDLE_INDEX_BITS | index;
	return file->handle;
}

/* A FIFO that is not ready for events yet. Its file is always ready. */
static bool must_wait(const struct open_file *file, short events)
{
	struct pollfd poll_fd = {.fd = file->fd, .events = events};

	return file->type == AV_FORWARD_TYPE_FIFO && poll(&poll_fd, 1, 0) == 0;
}

static int64_t waits(const struct open_file *file, short events, struct wait_for *wait)
{
	if (file->flags & AV_FORWARD_O_NONBLOCK)
		return AV_FORWARD_E_AGAIN;
	wait->fd = file->fd;
	wait->events = events;
	return FILES_WAIT;
}

static int64_t call_transfer(struct files *files, const struct request *request, void *buffer,
			     struct wait_for *wait)
{
	bool writing = request->call == AV_FORWARD_WRITE;
	bool here = request->offset == AV_FORWARD_HERE;
	size_t length = (size_t)request->length;
	short events = writing ? POLLOUT : POLLIN;
	struct open_file *file =
		find(files, request->handle, writing ? AV_FORWARD_O_WRITE : AV_FORWARD_O_READ);
	ssize_t done;

	if (!file)
		return AV_FORWARD_E_BAD_HANDLE;
	if (request->flags || request->mode || (!here && request->offset < 0))
		return AV_FORWARD_E_INVALID;
	if (file->directory)
		return AV_FORWARD_E_IS_DIRECTORY;
	if (must_wait(file, events))
		return waits(file, events, wait);
	if (writing)
		done = here ? write(file->fd, buffer, length)
			    : pwrite(file->fd, buffer, length, request->offset);
	else
		done = here ? read(file->fd, buffer, length)
			    : pread(file->fd, buffer, length, request->offset);
	if (done >= 0)
		return done;
	if (errno == EAGAIN || errno == EINTR)
		return waits(file, events, wait);
	return confine_error(errno);
}

static int64_t call_seek(struct files *files, const struct request *request)
{
	static const int whence[] = {SEEK_SET, SEEK_CUR, SEEK_END};
	struct open_file *file = find(files, request->handle, 0);
	off_t position;

	if (!file)
		return AV_FORWARD_E_BAD_HANDLE;
	if (request->flags > AV_FORWARD_FROM_END || request->length || request->mode)
		return AV_FORWARD_E_INVALID;
	if (file->directory) {
		if (request->offset || request->flags)
			return AV_FORWARD_E_INVALID;
		rewinddir(file->directory);
		return 0;
	}
	position = lseek(file->fd, request->offset, whence[request->flags]);
	return position < 0 ? confine_error(errno) : position;
}

static int64_t call_fstat(struct files *files, const struct request *request, void *buffer)
{
	struct open_file *file = find(files, request->handle, 0);
	struct av_forward_stat answer;
	struct stat stat;

	if (!file)
		return AV_FORWARD_E_BAD_HANDLE;
	if (fstat(file->fd, &stat) < 0)
		return confine_error(errno);
	confine_fill_stat(&stat, &answer);
	memcpy(buffer, &answer, sizeof(answer));
	return sizeof(answer);
}

static uint32_t directory_type(DIR *directory, const struct dirent *entry)
{
	struct av_forward_stat answer;
	struct stat stat;

	switch (entry->d_type) {
	case DT_REG:
		return AV_FORWARD_TYPE_FILE;
	case DT_DIR:
		return AV_FORWARD_TYPE_DIRECTORY;
	case DT_FIFO:
		return AV_FORWARD_TYPE_FIFO;
	case DT_UNKNOWN: /* not every file system says it here */
		if (fstatat(dirfd(directory), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
			return AV_FORWARD_TYPE_OTHER;
		confine_fill_stat(&stat, &answer);
		return answer.type;
	default:
		return AV_FORWARD_TYPE_OTHER;
	}
}

static int64_t call_readdir(struct files *files, const struct request *request, char *buffer)
{
	struct open_file *file = find(files, request->handle, AV_FORWARD_O_READ);
	const struct dirent *entry;
	size_t used = 0, need;
	long before;

	if (!file)
		return AV_FORWARD_E_BAD_HANDLE;
	if (!file->directory)
		return AV_FORWARD_E_NOT_DIRECTORY;
	if (request->length < AV_FORWARD_BUFFER_MIN)
		return AV_FORWARD_E_INVALID;
	for (;;) {
		before = telldir(file->directory);
		entry = readdir(file->directory);
		if (!entry)
			return (int64_t)used;
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		need = strlen(entry->d_name) + 2;
		if (used + need > request->length) {
			seekdir(file->directory, before);
			return (int64_t)used;
		}
		buffer[used] = (char)directory_type(file->directory, entry);
		memcpy(buffer + used + 1, entry->d_name, need - 1);
		used += need;
	}
}

static int64_t call_close(struct files *files, const struct request *request)
{
	struct open_file *file = find(files, request->handle, 0);

	if (!file)
		return AV_FORWARD_E_BAD_HANDLE;
	close_file(file);
	return 0;
}

static int64_t call_path(struct files *files, const struct request *request, const char *path,
			 void *buffer)
{
	struct av_forward_stat answer;
	int result;

	if (request->call == AV_FORWARD_OPEN)
		return call_open(files, request, path);
	if (request->call == AV_FORWARD_STAT) {
		if (request->flags || request->mode)
			return AV_FORWARD_E_INVALID;
		result = confine_stat(files->root, path, &answer);
		if (result < 0)
			return result;
		memcpy(buffer, &answer, sizeof(answer));
		return sizeof(answer);
	}
	if (files->read_only)
		return AV_FORWARD_E_READ_ONLY;
	if (request->call == AV_FORWARD_MKDIR)
		return request->flags ? AV_FORWARD_E_INVALID
				      : confine_mkdir(files->root, path, request->mode);
	if ((request->flags & ~(uint32_t)AV_FORWARD_O_DIRECTORY) || request->mode)
		return AV_FORWARD_E_INVALID;
	return confine_unlink(files->root, path, request->flags != 0);
}

int64_t files_call(struct files *files, const struct request *request, void *buffer, uint32_t size,
		   char *path, struct wait_for *wait)
{
	int error;

	path[0] = '\0';
	if (request->length > size)
		return AV_FORWARD_E_INVALID;
	switch (request->call) {
	case AV_FORWARD_NOP:
		return 0;
	case AV_FORWARD_OPEN:
	case AV_FORWARD_STAT:
	case AV_FORWARD_UNLINK:
	case AV_FORWARD_MKDIR:
		error = take_path(request, buffer, path);
		return error ? error : call_path(files, request, path, buffer);
	case AV_FORWARD_CLOSE:
		return call_close(files, request);
	case AV_FORWARD_READ:
	case AV_FORWARD_WRITE:
		return call_transfer(files, request, buffer, wait);
	case AV_FORWARD_SEEK:
		return call_seek(files, request);
	case AV_FORWARD_FSTAT:
		return call_fstat(files, request, buffer);
	case AV_FORWARD_READDIR:
		return call_readdir(files, request, buffer);
	default:
		return AV_FORWARD_E_NOT_SUPPORTED;
	}
}

const char *files_call_name(uint32_t call)
{
	static const char *const names[AV_FORWARD_CALL_COUNT] = {
		[AV_FORWARD_NOP] = "nop",         [AV_FORWARD_OPEN] = "open",
		[AV_FORWARD_CLOSE] = "close",     [AV_FORWARD_READ] = "read",
		[AV_FORWARD_WRITE] = "write",     [AV_FORWARD_SEEK] = "seek",
		[AV_FORWARD_STAT] = "stat",       [AV_FORWARD_FSTAT] = "fstat",
		[AV_FORWARD_UNLINK] = "unlink",   [AV_FORWARD_MKDIR] = "mkdir",
		[AV_FORWARD_READDIR] = "readdir",
	};

	return call < AV_FORWARD_CALL_COUNT ? names[call] : "?";
}
