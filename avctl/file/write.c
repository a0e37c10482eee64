/* SPDX-License-Identifier: MIT */
/*
 * write.c - a snapshot's file is written without a name, then complete and on disk given one.
 * Must never touch what was under that name before.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>
#include "file/snapshot_file.h"

#define LEVEL 1
#define RAW_MAX (AVS_CHUNK_PAGE_COUNT * (sizeof(struct avs_page) + FILE_PAGE))

struct seen {
	uint64_t hash, ipa, pa; /* pa 0: empty */
};

struct file_writer {
	int fd;
	char *path, *folder, *temporary; /* NULL: the file has no name yet */
	file_same *same;
	void *ctx;
	ZSTD_CCtx *zstd;
	XXH3_state_t *whole;
	unsigned char *stored;
	size_t stored_max;
	uint64_t offset;
	uint32_t chunk_count;
	uint32_t part_count;
	uint64_t layout;
	/* the chunk of pages being filled */
	struct avs_page pages[AVS_CHUNK_PAGE_COUNT];
	unsigned char *bytes;
	uint32_t count, data_count;
	uint64_t page_count, unique_count;
	struct seen *seen;
	size_t seen_max;
};

bool file_fail(struct file_error *error, const char *field, const char *format, ...)
{
	va_list list;

	snprintf(error->field, sizeof(error->field), "%s", field);
	va_start(list, format);
	vsnprintf(error->text, sizeof(error->text), format, list);
	va_end(list);
	return false;
}

uint64_t file_state_layout(const struct avs_part *parts, uint32_t count)
{
	return XXH3_64bits(parts, count * sizeof(*parts));
}

static bool put(struct file_writer *writer, const void *bytes, size_t size, uint64_t at,
		struct file_error *error)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pwrite(writer->fd, (const char *)bytes + done, size - done,
				   (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return file_fail(error, "", "cannot be written: %s",
					 n < 0 ? strerror(errno) : "no room");
		done += (size_t)n;
	}
	return true;
}

static void writer_free(struct file_writer *writer)
{
	if (writer->fd >= 0)
		close(writer->fd);
	ZSTD_freeCCtx(writer->zstd);
	XXH3_freeState(writer->whole);
	free(writer->stored);
	free(writer->bytes);
	free(writer->seen);
	free(writer->path);
	free(writer->folder);
	free(writer->temporary);
	free(writer);
}

void file_abandon(struct file_writer *writer)
{
	if (writer->temporary)
		unlink(writer->temporary);
	writer_free(writer);
}

/* Without a name where the file system can do that: then nothing is left of an export that was killed. */
static bool open_file(struct file_writer *writer, struct file_error *error)
{
	writer->fd = open(writer->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (writer->fd >= 0)
		return true;
	if (asprintf(&writer->temporary, "%s.XXXXXX", writer->path) < 0) {
		writer->temporary = NULL;
		return file_fail(error, "", "out of memory");
	}
	writer->fd = mkostemp(writer->temporary, O_CLOEXEC);
	if (writer->fd >= 0)
		return true;
	free(writer->temporary);
	writer->temporary = NULL;
	return file_fail(error, "", "%s", strerror(errno));
}

/* A slip of the pen does not cost a file of another kind. */
static bool may_replace(const char *path, struct file_error *error)
{
	char magic[8] = AVS_MAGIC;
	struct stat about;
	ssize_t got = 0;
	int fd;

	if (stat(path, &about) < 0 || !S_ISREG(about.st_mode) || !about.st_size)
		return true;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0) {
		got = read(fd, magic, sizeof(magic));
		close(fd);
	}
	if (fd >= 0 && got == sizeof(magic) && !memcmp(magic, AVS_MAGIC, sizeof(magic)))
		return true;
	return file_fail(error, "", "is there and no snapshot's file: not replaced");
}

struct file_writer *file_create(const char *path, file_same *same, void *ctx,
				struct file_error *error)
{
	struct file_writer *writer;
	char *copy;

	if (!may_replace(path, error))
		return NULL;
	writer = calloc(1, sizeof(*writer));
	if (!writer) {
		file_fail(error, "", "out of memory");
		return NULL;
	}
	writer->fd = -1;
	writer->same = same;
	writer->ctx = ctx;
	writer->offset = sizeof(struct avs_header);
	writer->stored_max = ZSTD_compressBound(RAW_MAX);
	writer->seen_max = 4096;
	writer->path = strdup(path);
	copy = strdup(path);
	writer->folder = copy ? strdup(dirname(copy)) : NULL;
	free(copy);
	writer->zstd = ZSTD_createCCtx();
	writer->whole = XXH3_createState();
	writer->stored = malloc(writer->stored_max);
	writer->bytes = malloc(RAW_MAX);
	writer->seen = calloc(writer->seen_max, sizeof(*writer->seen));
	if (!writer->path || !writer->folder || !writer->zstd || !writer->whole ||
	    !writer->stored || !writer->bytes || !writer->seen)
		file_fail(error, "", "out of memory");
	else if (XXH3_128bits_reset(writer->whole) == XXH_OK && open_file(writer, error))
		return writer;
	file_abandon(writer);
	return NULL;
}

static uint64_t chunk_hash(const struct avs_chunk *chunk, const void *stored)
{
	struct avs_chunk head = *chunk;
	uint64_t parts[2];

	head.hash = 0;
	parts[0] = XXH3_64bits(&head, sizeof(head));
	parts[1] = XXH3_64bits(stored, chunk->stored);
	return XXH3_64bits(parts, sizeof(parts));
}

static bool put_chunk(struct file_writer *writer, uint32_t kind, uint32_t count, const void *raw,
		      size_t size, struct file_error *error)
{
	size_t stored = ZSTD_compressCCtx(writer->zstd, writer->stored, writer->stored_max, raw,
					  size, LEVEL);
	struct avs_chunk chunk = {
		.magic = AVS_CHUNK_MAGIC,
		.kind = kind,
		.index = writer->chunk_count,
		.count = count,
		.raw = (uint32_t)size,
		.stored = (uint32_t)stored,
	};

	if (ZSTD_isError(stored))
		return file_fail(error, "", "cannot be packed: %s", ZSTD_getErrorName(stored));
	chunk.hash = chunk_hash(&chunk, writer->stored);
	if (!put(writer, &chunk, sizeof(chunk), writer->offset, error) ||
	    !put(writer, writer->stored, stored, writer->offset + sizeof(chunk), error))
		return false;
	XXH3_128bits_update(writer->whole, &chunk, sizeof(chunk));
	XXH3_128bits_update(writer->whole, writer->stored, stored);
	writer->offset += sizeof(chunk) + stored;
	writer->chunk_count++;
	return true;
}

bool file_add_state(struct file_writer *writer, const struct avs_part *parts, uint32_t count,
		    const unsigned char *bytes, struct file_error *error)
{
	size_t head = count * sizeof(*parts), size = head;

	for (uint32_t i = 0; i < count; i++)
		size += parts[i].size;
	if (size > RAW_MAX)
		return file_fail(error, "", "the state is too large for a file");
	memcpy(writer->bytes, parts, head);
	memcpy(writer->bytes + head, bytes, size - head);
	writer->part_count = count;
	writer->layout = file_state_layout(parts, count);
	return put_chunk(writer, AVS_CHUNK_STATE, count, writer->bytes, size, error);
}

static bool flush_pages(struct file_writer *writer, struct file_error *error)
{
	size_t head = writer->count * sizeof(writer->pages[0]),
	       data = writer->data_count * FILE_PAGE;

	if (!writer->count)
		return true;
	memmove(writer->bytes + head, writer->bytes, data);
	memcpy(writer->bytes, writer->pages, head);
	if (!put_chunk(writer, AVS_CHUNK_PAGES, writer->count, writer->bytes, head + data, error))
		return false;
	writer->count = writer->data_count = 0;
	return true;
}

static struct seen *find_slot(struct seen *seen, size_t max, uint64_t hash, size_t skip)
{
	size_t at = (size_t)hash & (max - 1);

	for (;; at = (at + 1) & (max - 1))
		if (!seen[at].pa || (seen[at].hash == hash && !skip--))
			return &seen[at];
}

static bool grow(struct file_writer *writer, struct file_error *error)
{
	size_t max = writer->seen_max * 2;
	struct seen *seen;

	if (writer->unique_count * 2 < writer->seen_max)
		return true;
	seen = calloc(max, sizeof(*seen));
	if (!seen)
		return file_fail(error, "", "out of memory");
	for (size_t i = 0; i < writer->seen_max; i++) {
		size_t at = (size_t)writer->seen[i].hash & (max - 1);

		if (!writer->seen[i].pa)
			continue;
		while (seen[at].pa)
			at = (at + 1) & (max - 1);
		seen[at] = writer->seen[i];
	}
	free(writer->seen);
	writer->seen = seen;
	writer->seen_max = max;
	return true;
}

/* The address of an earlier page with these bytes; else this one is remembered. */
static uint64_t same_as(struct file_writer *writer, uint64_t ipa, uint64_t pa,
			const unsigned char *bytes)
{
	uint64_t hash = XXH3_64bits(bytes, FILE_PAGE);
	struct seen *slot;

	for (size_t skip = 0;; skip++) {
		slot = find_slot(writer->seen, writer->seen_max, hash, skip);
		if (!slot->pa)
			break;
		if (writer->same(writer->ctx, slot->pa, bytes))
			return slot->ipa;
	}
	*slot = (struct seen){hash, ipa, pa};
	return AVS_SAME_NONE;
}

static bool is_zero(const unsigned char *bytes)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, FILE_PAGE - 1);
}

bool file_add_page(struct file_writer *writer, uint64_t ipa, uint64_t pa,
		   const unsigned char *bytes, struct file_error *error)
{
	struct avs_page *page = &writer->pages[writer->count];

	if (is_zero(bytes))
		return true;
	if (!grow(writer, error))
		return false;
	page->ipa = ipa;
	page->same_as = same_as(writer, ipa, pa, bytes);
	writer->count++;
	writer->page_count++;
	if (page->same_as == AVS_SAME_NONE) {
		memcpy(writer->bytes + writer->data_count++ * FILE_PAGE, bytes, FILE_PAGE);
		writer->unique_count++;
	}
	return writer->count < AVS_CHUNK_PAGE_COUNT || flush_pages(writer, error);
}

/* A name for what had none, and then the right one; and the folder on disk too. */
static bool name_it(struct file_writer *writer, struct file_error *error)
{
	char self[64];
	int folder;

	if (!writer->temporary) {
		snprintf(self, sizeof(self), "/proc/self/fd/%d", writer->fd);
		if (asprintf(&writer->temporary, "%s.%ld.part", writer->path, (long)getpid()) < 0) {
			writer->temporary = NULL;
			return file_fail(error, "", "out of memory");
		}
		unlink(writer->temporary); /* of a process that had this number before */
		if (linkat(AT_FDCWD, self, AT_FDCWD, writer->temporary, AT_SYMLINK_FOLLOW) < 0)
			return file_fail(error, "", "cannot be named: %s", strerror(errno));
	}
	if (rename(writer->temporary, writer->path) < 0)
		return file_fail(error, "", "%s", strerror(errno));
	free(writer->temporary);
	writer->temporary = NULL;
	folder = open(writer->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder >= 0) {
		fsync(folder);
		close(folder);
	}
	return true;
}

bool file_finish(struct file_writer *writer, const struct avs_header *facts,
		 struct avs_header *written, struct file_error *error)
{
	struct avs_trailer trailer = {.header = *facts};
	struct avs_header *header = &trailer.header;
	XXH128_hash_t whole;
	bool done = flush_pages(writer, error);

	memcpy(header->magic, AVS_MAGIC, sizeof(header->magic));
	memcpy(trailer.magic, AVS_TRAILER_MAGIC, sizeof(trailer.magic));
	header->format_major = AVS_FORMAT_MAJOR;
	header->format_minor = AVS_FORMAT_MINOR;
	header->header_size = sizeof(*header);
	header->part_count = writer->part_count;
	header->state_layout = writer->layout;
	header->page_count = writer->page_count;
	header->unique_count = writer->unique_count;
	header->chunk_count = writer->chunk_count;
	header->file_size = writer->offset + sizeof(trailer);
	header->checksum = XXH3_64bits(header, offsetof(struct avs_header, checksum));
	XXH3_128bits_update(writer->whole, header, sizeof(*header));
	whole = XXH3_128bits_digest(writer->whole);
	trailer.whole_low = whole.low64;
	trailer.whole_high = whole.high64;
	done = done && put(writer, &trailer, sizeof(trailer), writer->offset, error) &&
	       put(writer, header, sizeof(*header), 0, error);
	if (done && fsync(writer->fd) < 0)
		done = file_fail(error, "", "cannot be written: %s", strerror(errno));
	done = done && name_it(writer, error);
	if (written)
		*written = *header;
	file_abandon(writer);
	return done;
}
