/* SPDX-License-Identifier: MIT */
/*
 * read.c - a snapshot's file, read as if an enemy had written it.
 * Must never give anybody a byte that no hash covers, nor believe a count, a size or an address.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>
#include "file/snapshot_file.h"

#define RAW_MAX (AVS_CHUNK_PAGE_COUNT * (sizeof(struct avs_page) + FILE_PAGE))
#define PARTS_MAX 32

/* Every byte of the header belongs to one. */
static const struct field {
	const char *name;
	size_t at, size;
} fields[] = {
#define FIELD(name)                                                                              \
	{                                                                                        \
#name, offsetof(struct avs_header, name), sizeof(((struct avs_header *)0)->name) \
	}
	FIELD(magic),        FIELD(format_major), FIELD(format_minor), FIELD(header_size),
	FIELD(abi_major),    FIELD(abi_minor),    FIELD(platform),     FIELD(version),
	FIELD(ram_base),     FIELD(ram_size),     FIELD(vcpu_count),   FIELD(part_count),
	FIELD(state_layout), FIELD(counter_hz),   FIELD(clock_origin), FIELD(midr),
	FIELD(ctr),          FIELD(id_registers), FIELD(vm),           FIELD(name),
	FIELD(id),           FIELD(exported),     FIELD(vm_ticks),     FIELD(state),
	FIELD(reserved),     FIELD(page_count),   FIELD(unique_count), FIELD(chunk_count),
	FIELD(file_size),    FIELD(checksum),
#undef FIELD
};

static bool get(int fd, void *to, size_t size, uint64_t at, struct file_error *error)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (char *)to + done, size - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_fail(error, "", "cannot be read: %s", strerror(errno));
		if (n == 0)
			return file_fail(error, "file_size", "the file ends at byte %" PRIu64,
					 at + done);
		done += (size_t)n;
	}
	return true;
}

/* The first field in which two headers differ. */
static const char *differs_in(const struct avs_header *a, const struct avs_header *b)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (memcmp((const char *)a + fields[i].at, (const char *)b + fields[i].at,
			   fields[i].size))
			return fields[i].name;
	return NULL;
}

static bool terminated(const char *text, size_t size)
{
	const char *end = memchr(text, '\0', size);

	for (const char *c = text; end && c < end; c++)
		if (*c < ' ' || *c > '~')
			return false;
	return end;
}

static bool sound(const struct avs_header *header)
{
	return header->checksum == XXH3_64bits(header, offsetof(struct avs_header, checksum));
}

/* What the checksum does not say: values that no writer of this format gives. */
static bool check_values(const struct avs_header *h, struct file_error *error)
{
	if (!terminated(h->platform, sizeof(h->platform)))
		return file_fail(error, "platform", "not a text");
	if (!terminated(h->version, sizeof(h->version)))
		return file_fail(error, "version", "not a text");
	if (!terminated(h->vm, sizeof(h->vm)))
		return file_fail(error, "vm", "not a text");
	if (!terminated(h->name, sizeof(h->name)))
		return file_fail(error, "name", "not a text");
	if (!h->ram_size || h->ram_size % FILE_PAGE || h->ram_size > UINT64_C(1) << 36)
		return file_fail(error, "ram_size", "%" PRIu64 " is no size of a VM's memory",
				 h->ram_size);
	if (h->ram_base % FILE_PAGE || h->ram_base > UINT64_C(1) << 36)
		return file_fail(error, "ram_base", "0x%" PRIx64 " is no address of memory",
				 h->ram_base);
	if (!h->vcpu_count || h->vcpu_count > 8)
		return file_fail(error, "vcpu_count", "%u", h->vcpu_count);
	if (!h->part_count || h->part_count > PARTS_MAX)
		return file_fail(error, "part_count", "%u", h->part_count);
	if (h->state > 4)
		return file_fail(error, "state", "%u is none", h->state);
	if (h->reserved)
		return file_fail(error, "reserved", "not 0");
	if (h->page_count > h->ram_size / FILE_PAGE)
		return file_fail(error, "page_count", "more than ram_size has");
	if (h->unique_count > h->page_count)
		return file_fail(error, "unique_count", "more than page_count");
	if (!h->chunk_count || h->chunk_count > h->page_count + 1)
		return file_fail(error, "chunk_count", "%" PRIu64, h->chunk_count);
	return true;
}

static bool check_header(struct file_reader *r, struct file_error *error)
{
	const struct avs_header *h = &r->header, *copy = &r->trailer.header;
	const char *field;

	if (memcmp(h->magic, AVS_MAGIC, sizeof(h->magic)))
		return file_fail(error, "magic", "not a snapshot's file");
	if (sound(h) && h->format_major != AVS_FORMAT_MAJOR)
		return file_fail(error, "format_major", "format %u.%u; this avctl reads %u",
				 h->format_major, h->format_minor, AVS_FORMAT_MAJOR);
	/* The copy first: it says which field it was, wherever the damage is. */
	if (r->size < sizeof(*h) + sizeof(r->trailer))
		return file_fail(error, "file_size", "the file ends at byte %" PRIu64, r->size);
	if (sound(h) && h->file_size != r->size)
		return file_fail(error, "file_size", "%" PRIu64 " bytes, but %" PRIu64 " are there",
				 h->file_size, r->size);
	if (!get(r->fd, &r->trailer, sizeof(r->trailer), r->size - sizeof(r->trailer), error))
		return false;
	if (memcmp(r->trailer.magic, AVS_TRAILER_MAGIC, sizeof(r->trailer.magic)))
		return file_fail(error, sound(h) ? "trailer" : "file_size",
				 "the file's end is not there");
	field = differs_in(h, copy);
	if (field)
		return file_fail(error, sound(h) ? "trailer" : field,
				 sound(h) ? "damaged: %s" : "damaged", field);
	if (!sound(h))
		return file_fail(error, "checksum", "damaged");
	if (h->header_size != sizeof(*h))
		return file_fail(error, "header_size", "%u, not %zu", h->header_size, sizeof(*h));
	return check_values(h, error);
}

bool file_open_fd(struct file_reader *reader, int fd, struct file_error *error)
{
	struct stat about;

	*reader = (struct file_reader){.fd = fd};
	if (fstat(fd, &about) < 0)
		return file_fail(error, "", "%s", strerror(errno));
	if (!S_ISREG(about.st_mode))
		return file_fail(error, "", "not a file");
	reader->size = (uint64_t)about.st_size;
	return get(fd, &reader->header, sizeof(reader->header), 0, error) &&
	       check_header(reader, error);
}

bool file_open(struct file_reader *reader, const char *path, struct file_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*reader = (struct file_reader){.fd = -1};
	if (fd < 0)
		return file_fail(error, "", "%s", strerror(errno));
	if (file_open_fd(reader, fd, error))
		return true;
	file_close(reader);
	return false;
}

void file_close(struct file_reader *reader)
{
	if (reader->fd >= 0)
		close(reader->fd);
	reader->fd = -1;
}

/* One pass through the chunks. */
struct scan {
	const struct file_reader *r;
	const struct file_sink *sink;
	struct file_error *error;
	ZSTD_DCtx *zstd;
	XXH3_state_t *whole;
	unsigned char *stored, *raw;
	size_t stored_max;
	uint8_t *has_bytes; /* a bit a page of RAM: it is in the file */
	uint64_t at, next_ipa, pages, unique;
	struct avs_chunk chunk;
};

static bool bad_chunk(const struct scan *s, uint64_t index, const char *what)
{
	char field[32];

	snprintf(field, sizeof(field), "chunk %" PRIu64, index);
	return file_fail(s->error, field, "%s", what);
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

/* The chunk's bytes into s->raw. */
static bool read_chunk(struct scan *s, uint64_t index)
{
	struct avs_chunk *chunk = &s->chunk;
	uint64_t end = s->r->size - sizeof(struct avs_trailer);
	size_t size;

	if (end - s->at < sizeof(*chunk))
		return bad_chunk(s, index, "is missing");
	if (!get(s->r->fd, chunk, sizeof(*chunk), s->at, s->error))
		return false;
	s->at += sizeof(*chunk);
	if (chunk->magic != AVS_CHUNK_MAGIC || chunk->index != index ||
	    chunk->kind != (index ? AVS_CHUNK_PAGES : AVS_CHUNK_STATE))
		return bad_chunk(s, index, "is not where it should be");
	if (chunk->raw > RAW_MAX || chunk->stored > s->stored_max || chunk->stored > end - s->at)
		return bad_chunk(s, index, "has a size that it cannot have");
	if (!get(s->r->fd, s->stored, chunk->stored, s->at, s->error))
		return false;
	s->at += chunk->stored;
	if (chunk_hash(chunk, s->stored) != chunk->hash)
		return bad_chunk(s, index, "is damaged: its hash is another one");
	XXH3_128bits_update(s->whole, chunk, sizeof(*chunk));
	XXH3_128bits_update(s->whole, s->stored, chunk->stored);
	size = ZSTD_decompressDCtx(s->zstd, s->raw, RAW_MAX, s->stored, chunk->stored);
	if (ZSTD_isError(size) || size != chunk->raw)
		return bad_chunk(s, index, "cannot be unpacked");
	return true;
}

static bool read_state(struct scan *s)
{
	struct avs_part parts[PARTS_MAX];
	const struct avs_header *h = &s->r->header;
	size_t head, size;

	if (s->chunk.count != h->part_count)
		return file_fail(s->error, "part_count", "%u, but %u are there", h->part_count,
				 s->chunk.count);
	head = size = s->chunk.count * sizeof(parts[0]);
	if (s->chunk.raw < head)
		return bad_chunk(s, 0, "is too short");
	memcpy(parts, s->raw, head);
	for (uint32_t i = 0; i < s->chunk.count; i++) {
		if (!terminated(parts[i].name, sizeof(parts[i].name)) ||
		    parts[i].size > FILE_PAGE || parts[i].reserved)
			return bad_chunk(s, 0, "describes a part that cannot be");
		size += parts[i].size;
	}
	if (size != s->chunk.raw)
		return bad_chunk(s, 0, "has another size than its parts");
	if (file_state_layout(parts, s->chunk.count) != h->state_layout)
		return file_fail(s->error, "state_layout", "not that of the state in the file");
	return !s->sink->state ||
	       s->sink->state(s->sink->ctx, parts, s->chunk.count, s->raw + head, s->error);
}

static bool is_there(const struct scan *s, uint64_t ipa)
{
	uint64_t page = (ipa - s->r->header.ram_base) / FILE_PAGE;

	return s->has_bytes[page / 8] >> page % 8 & 1;
}

/* NULL: fine. */
static const char *check_page(struct scan *s, const struct avs_page *page)
{
	const struct avs_header *h = &s->r->header;
	uint64_t number = (page->ipa - h->ram_base) / FILE_PAGE;

	if (page->ipa % FILE_PAGE || page->ipa < h->ram_base ||
	    page->ipa - h->ram_base >= h->ram_size)
		return "has a page that is not in the VM's memory";
	if (page->ipa < s->next_ipa)
		return "has pages out of order";
	s->next_ipa = page->ipa + FILE_PAGE;
	s->pages++;
	if (page->same_as != AVS_SAME_NONE)
		return page->same_as % FILE_PAGE || page->same_as < h->ram_base ||
				       page->same_as >= page->ipa || !is_there(s, page->same_as)
			       ? "has a page that is the same as none"
			       : NULL;
	s->unique++;
	s->has_bytes[number / 8] = (uint8_t)(s->has_bytes[number / 8] | 1u << number % 8);
	return NULL;
}

static bool read_pages(struct scan *s, uint64_t index)
{
	struct avs_page pages[AVS_CHUNK_PAGE_COUNT];
	size_t head, size;

	if (!s->chunk.count || s->chunk.count > AVS_CHUNK_PAGE_COUNT)
		return bad_chunk(s, index, "has too many pages, or none");
	head = size = s->chunk.count * sizeof(pages[0]);
	if (s->chunk.raw < head)
		return bad_chunk(s, index, "is too short");
	memcpy(pages, s->raw, head);
	for (uint32_t i = 0; i < s->chunk.count; i++) {
		const char *wrong = check_page(s, &pages[i]);

		if (wrong)
			return bad_chunk(s, index, wrong);
		size += pages[i].same_as == AVS_SAME_NONE ? FILE_PAGE : 0;
	}
	if (size != s->chunk.raw)
		return bad_chunk(s, index, "has another size than its pages");
	return !s->sink->pages ||
	       s->sink->pages(s->sink->ctx, pages, s->chunk.count, s->raw + head, s->error);
}

static bool check_end(struct scan *s)
{
	const struct avs_header *h = &s->r->header;
	XXH128_hash_t whole;

	if (s->at != s->r->size - sizeof(struct avs_trailer))
		return file_fail(s->error, "chunk_count", "there are bytes behind the last chunk");
	if (s->pages != h->page_count)
		return file_fail(s->error, "page_count", "%" PRIu64 ", but %" PRIu64 " are there",
				 h->page_count, s->pages);
	if (s->unique != h->unique_count)
		return file_fail(s->error, "unique_count", "%" PRIu64 ", but %" PRIu64 " are there",
				 h->unique_count, s->unique);
	XXH3_128bits_update(s->whole, h, sizeof(*h));
	whole = XXH3_128bits_digest(s->whole);
	if (whole.low64 != s->r->trailer.whole_low || whole.high64 != s->r->trailer.whole_high)
		return file_fail(s->error, "trailer", "damaged: the hash of the whole file");
	return true;
}

static bool scan_all(struct scan *s)
{
	const struct avs_header *h = &s->r->header;

	for (uint64_t i = 0; i < h->chunk_count; i++) {
		if (!read_chunk(s, i) || !(i ? read_pages(s, i) : read_state(s)))
			return false;
		if (s->sink->progress)
			s->sink->progress(s->sink->ctx, s->at, s->r->size);
	}
	return check_end(s);
}

bool file_scan(const struct file_reader *reader, const struct file_sink *sink,
	       struct file_error *error)
{
	struct scan s = {
		.r = reader,
		.sink = sink,
		.error = error,
		.zstd = ZSTD_createDCtx(),
		.whole = XXH3_createState(),
		.stored_max = ZSTD_compressBound(RAW_MAX),
		.raw = malloc(RAW_MAX),
		.has_bytes = calloc(1, reader->header.ram_size / FILE_PAGE / 8 + 1),
		.at = sizeof(struct avs_header),
	};
	bool done = false;

	s.stored = malloc(s.stored_max);
	if (!s.zstd || !s.whole || !s.raw || !s.stored || !s.has_bytes)
		file_fail(error, "", "out of memory");
	else if (XXH3_128bits_reset(s.whole) == XXH_OK)
		done = scan_all(&s);
	ZSTD_freeDCtx(s.zstd);
	XXH3_freeState(s.whole);
	free(s.raw);
	free(s.stored);
	free(s.has_bytes);
	return done;
}
