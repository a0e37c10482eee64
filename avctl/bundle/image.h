/* SPDX-License-Identifier: MIT */
/* image.h - what a guest image is and where its parts go: ELF64, Linux arm64 Image, flat binary. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../config/set.h"

#define IMAGE_HEAD_SIZE 65536 /* bytes of the file's start that image_parse() needs at most */
#define IMAGE_PIECE_MAX 64
#define IMAGE_FLAT_OFFSET 0x80000
#define IMAGE_SIZE_MAX (UINT64_C(1) << 32)

struct image_piece {
	uint64_t ipa;
	uint64_t offset;      /* in the file */
	uint64_t file_size;   /* bytes from the file */
	uint64_t memory_size; /* with what follows as zero; >= file_size, > 0 */
};

struct image {
	enum set_image_kind kind;
	struct image_piece pieces[IMAGE_PIECE_MAX];
	size_t piece_count;
	uint64_t entry;
	uint64_t low, high; /* IPAs it occupies, zero parts included: [low, high) */
};

struct image_options {
	uint64_t ram_base;
	enum set_image_kind kind; /* used when has_kind */
	bool has_kind;
	uint64_t load; /* flat: used when has_load */
	bool has_load;
};

struct image_error {
	char message[192];
	char hint[128]; /* or empty */
};

/* Write the message; always false. */
bool image_fail(struct image_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Find out what the file is whose first head_size bytes (all of it, or IMAGE_HEAD_SIZE) are at head. Pure: reads
 * nothing outside head. True with *image, or false with *error.
 */
bool image_parse(const void *head, size_t head_size, uint64_t file_size,
		 const struct image_options *options, struct image *image,
		 struct image_error *error);

/* Open the file at path, a regular file of at most IMAGE_SIZE_MAX; its size in *size. A descriptor, or -1 with *error. */
int image_open(const char *path, uint64_t *size, struct image_error *error);

/* Read count bytes at offset. False with *error when they are not all there. */
bool image_read(int fd, void *buffer, size_t count, uint64_t offset, struct image_error *error);

/* unpack_open(), read the head and image_parse(). */
bool image_inspect(const char *path, const struct image_options *options, struct image *image,
		   uint64_t *file_size, struct image_error *error);
