/* SPDX-License-Identifier: MIT */
/*
 * snapshot_file.h - writing and reading a snapshot's file (abi/avisor/snapshot_file.h).
 *
 * What is read is not trusted: every byte is checked before it is given to anybody. Functions that return false have filled
 * *error.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avisor/snapshot_file.h>

#define FILE_PAGE 4096u

struct file_error {
	char field
		[64]; /* of the file: "ram_size", "chunk 3"; "" when it is about the file as such */
	char text[192];
};

/* --- writing */

struct file_writer;

/* Whether the page at `pa` holds these bytes; how the writer makes sure that two pages are the same. */
typedef bool file_same(void *ctx, uint64_t pa, const unsigned char *bytes);

/* Nothing is at `path` before file_finish(), and what was there stays. NULL: *error. */
struct file_writer *file_create(const char *path, file_same *same, void *ctx,
				struct file_error *error);
/* All parts of the state at once, before the pages. */
bool file_add_state(struct file_writer *writer, const struct avs_part *parts, uint32_t count,
		    const unsigned char *bytes, struct file_error *error);
/* Addresses ascending. */
bool file_add_page(struct file_writer *writer, uint64_t ipa, uint64_t pa,
		   const unsigned char *bytes, struct file_error *error);
/* What the caller knows of the header goes in; on disk, complete, under its name. Frees the writer, also on failure. */
bool file_finish(struct file_writer *writer, const struct avs_header *facts,
		 struct avs_header *written, struct file_error *error);
/* Nothing is left of it. */
void file_abandon(struct file_writer *writer);

/* --- reading */

struct file_reader {
	int fd;
	uint64_t size;
	struct avs_header header;
	struct avs_trailer trailer;
};

/* Who is told what is in the file; each may be NULL. False stops, with *error filled by it. */
struct file_sink {
	bool (*state)(void *ctx, const struct avs_part *parts, uint32_t count,
		      const unsigned char *bytes, struct file_error *error);
	/* bytes NULL: the page is the same as the one at same_as */
	bool (*pages)(void *ctx, const struct avs_page *pages, uint32_t count,
		      const unsigned char *bytes, struct file_error *error);
	void (*progress)(void *ctx, uint64_t done, uint64_t total); /* bytes of the file */
	void *ctx;
};

/* Header and trailer are read and checked. */
bool file_open(struct file_reader *reader, const char *path, struct file_error *error);
bool file_open_fd(struct file_reader *reader, int fd, struct file_error *error);
void file_close(struct file_reader *reader);
/* All of the file, in order; with an empty sink it is checked, no more. */
bool file_scan(const struct file_reader *reader, const struct file_sink *sink,
	       struct file_error *error);

bool file_fail(struct file_error *error, const char *field, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Over all parts. */
uint64_t file_state_layout(const struct avs_part *parts, uint32_t count);
