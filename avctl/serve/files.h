/* SPDX-License-Identifier: MIT */
/*
 * files.h - one client's open files, and the calls on them.
 */
#pragma once
#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avisor/forward.h>

/* A call, copied out of shared memory once and not looked up there again. */
struct request {
	uint32_t call, handle, flags, mode;
	int64_t offset;
	uint64_t length;
	unsigned int entry; /* < AV_FORWARD_ENTRIES */
};

struct open_file {
	int fd;
	DIR *directory;  /* of a folder; owns fd then */
	uint32_t handle; /* 0: this place is free */
	uint32_t flags;  /* AV_FORWARD_O_* */
	uint32_t type;
};

struct files {
	int root;
	bool read_only;
	uint32_t opened; /* how many so far: makes handles that do not come again soon */
	struct open_file list[AV_FORWARD_OPEN_MAX];
};

/* What a call that cannot go on yet waits for. */
struct wait_for {
	int fd;
	short events; /* POLLIN or POLLOUT */
};

/* The result of a call that has to wait: call files_call() with the same request again later. */
#define FILES_WAIT INT64_MIN

/* root stays the caller's. */
void files_init(struct files *files, int root, bool read_only);

/* Close all. */
void files_close(struct files *files);

/*
 * Do one call. buffer is shared memory of size bytes that the guest may change at any time. What is in it at the end is
 * the answer. Returns what the guest gets as result, or FILES_WAIT with *wait. path (AV_FORWARD_PATH_MAX + 1 bytes) is
 * filled in for calls that have one, for the log; else empty.
 */
int64_t files_call(struct files *files, const struct request *request, void *buffer, uint32_t size,
		   char *path, struct wait_for *wait);

/* How many files are open. */
unsigned int files_count(const struct files *files);

/* "open", for the log. */
const char *files_call_name(uint32_t call);
