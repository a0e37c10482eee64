/* SPDX-License-Identifier: MIT */
/*
 * avs_steps.h - a list of changes to a good snapshot's file, with all hashes made right again afterwards, so that what is behind them is
 * read too; and what must hold whatever comes of it. For fuzz_avs.c and for the host test, which gives it random bytes.
 */
#pragma once
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>
#include "file/snapshot_file.h"

#define AVS_BASE UINT64_C(0x40000000)
#define AVS_PAGES 12u /* of the VM */
#define AVS_STORED 6u /* in the file */
#define AVS_UNIQUE 4u /* with bytes of their own */
#define AVS_CHUNKS 3u /* the state, and two of pages */
#define AVS_RAW_MAX 32768u

/* The file before hashes and compression. */
struct avs_draft {
	struct avs_header header;
	struct avs_chunk chunks[AVS_CHUNKS];
	unsigned char raw[AVS_CHUNKS][AVS_RAW_MAX];
	size_t raw_size[AVS_CHUNKS];
};

static void avs_good(struct avs_draft *draft)
{
	static const struct avs_part parts[2] = {{"devices", 40, 0}, {"vcpu0", 8, 0}};
	static const uint64_t numbers[AVS_STORED] = {0, 2, 3, 7, 8, 11};
	struct avs_header *h = &draft->header;

	memset(draft, 0, sizeof(*draft));
	memcpy(h->magic, AVS_MAGIC, sizeof(h->magic));
	*h = (struct avs_header){.magic = "AVISNAP\x1a",
				 .format_major = AVS_FORMAT_MAJOR,
				 .header_size = sizeof(*h),
				 .platform = AVS_PLATFORM,
				 .version = "1",
				 .ram_base = AVS_BASE,
				 .ram_size = (uint64_t)AVS_PAGES * FILE_PAGE,
				 .vcpu_count = 1,
				 .part_count = 2,
				 .vm = "vm1",
				 .page_count = AVS_STORED,
				 .unique_count = AVS_UNIQUE,
				 .chunk_count = AVS_CHUNKS};
	h->state_layout = file_state_layout(parts, 2);
	memcpy(draft->raw[0], parts, sizeof(parts));
	draft->raw_size[0] = sizeof(parts) + 48;
	for (uint32_t i = 0; i < AVS_CHUNKS; i++)
		draft->chunks[i] = (struct avs_chunk){.magic = AVS_CHUNK_MAGIC,
						      .kind = i ? AVS_CHUNK_PAGES : AVS_CHUNK_STATE,
						      .index = i,
						      .count = i ? AVS_STORED / 2 : 2};
	/* The last of each three is the same as the file's first. */
	for (uint32_t i = 0; i < AVS_STORED; i++) {
		uint32_t chunk = 1 + i / 3;
		struct avs_page page = {AVS_BASE + numbers[i] * FILE_PAGE,
					i % 3 == 2 ? AVS_BASE : AVS_SAME_NONE};

		memcpy(draft->raw[chunk] + i % 3 * sizeof(page), &page, sizeof(page));
		memset(draft->raw[chunk] + 3 * sizeof(page) + i % 3 * FILE_PAGE, (int)i + 1,
		       i % 3 == 2 ? 0 : FILE_PAGE);
		draft->raw_size[chunk] = 3 * sizeof(page) + 2 * FILE_PAGE;
	}
}

/* Where change number `target` goes; *size: how much is there. */
static unsigned char *avs_target(struct avs_draft *draft, unsigned target, size_t *size)
{
	unsigned chunk = target / 3 % AVS_CHUNKS;

	switch (target % 3) {
	case 0:
		*size = sizeof(draft->header);
		return (unsigned char *)&draft->header;
	case 1:
		*size = sizeof(draft->chunks[chunk]);
		return (unsigned char *)&draft->chunks[chunk];
	default:
		*size = 128 + 3 * sizeof(struct avs_page); /* where the tables are */
		return draft->raw[chunk];
	}
}

/* The draft as a file: compressed, sizes and hashes made right, unless `keep_sizes`. Returns its size. */
static size_t avs_build(struct avs_draft *draft, bool keep_sizes, unsigned char *to, size_t room)
{
	struct avs_trailer trailer = {.magic = {0}};
	XXH3_state_t *whole = XXH3_createState();
	XXH128_hash_t hash;
	size_t at = sizeof(draft->header);

	XXH3_128bits_reset(whole);
	for (uint32_t i = 0; i < AVS_CHUNKS; i++) {
		struct avs_chunk *chunk = &draft->chunks[i];
		unsigned char *stored = to + at + sizeof(*chunk);
		size_t size = ZSTD_compress(stored, room - at - sizeof(*chunk), draft->raw[i],
					    draft->raw_size[i], 1);
		uint64_t parts[2];

		if (!keep_sizes) {
			chunk->raw = (uint32_t)draft->raw_size[i];
			chunk->stored = (uint32_t)size;
		}
		chunk->hash = 0;
		parts[0] = XXH3_64bits(chunk, sizeof(*chunk));
		/* What the reader takes it over. */
		parts[1] = XXH3_64bits(stored, chunk->stored < size ? chunk->stored : size);
		chunk->hash = XXH3_64bits(parts, sizeof(parts));
		memcpy(to + at, chunk, sizeof(*chunk));
		XXH3_128bits_update(whole, chunk, sizeof(*chunk));
		XXH3_128bits_update(whole, stored, size);
		at += sizeof(*chunk) + size;
	}
	if (!keep_sizes)
		draft->header.file_size = at + sizeof(trailer);
	draft->header.checksum = XXH3_64bits(&draft->header, offsetof(struct avs_header, checksum));
	XXH3_128bits_update(whole, &draft->header, sizeof(draft->header));
	hash = XXH3_128bits_digest(whole);
	XXH3_freeState(whole);
	memcpy(trailer.magic, AVS_TRAILER_MAGIC, sizeof(trailer.magic));
	trailer.header = draft->header;
	trailer.whole_low = hash.low64;
	trailer.whole_high = hash.high64;
	memcpy(to, &draft->header, sizeof(draft->header));
	memcpy(to + at, &trailer, sizeof(trailer));
	return at + sizeof(trailer);
}

/* Who is given what is in the file: looks at every byte, and whether it can be. */
struct avs_watch {
	const struct avs_header *header;
	uint64_t sum, pages, unique, next;
	uint32_t parts;
};

static bool avs_watch_state(void *ctx, const struct avs_part *parts, uint32_t count,
			    const unsigned char *bytes, struct file_error *error)
{
	struct avs_watch *watch = ctx;

	(void)error;
	if (watch->parts || watch->pages || count != watch->header->part_count)
		abort();
	watch->parts = count;
	for (uint32_t i = 0; i < count; i++) {
		if (strnlen(parts[i].name, sizeof(parts[i].name)) == sizeof(parts[i].name))
			abort();
		for (uint32_t k = 0; k < parts[i].size; k++)
			watch->sum += *bytes++;
	}
	return true;
}

static bool avs_watch_pages(void *ctx, const struct avs_page *pages, uint32_t count,
			    const unsigned char *bytes, struct file_error *error)
{
	struct avs_watch *watch = ctx;
	const struct avs_header *h = watch->header;

	(void)error;
	if (!watch->parts)
		abort();
	for (uint32_t i = 0; i < count; i++) {
		uint64_t ipa = pages[i].ipa, same = pages[i].same_as;

		if (ipa % FILE_PAGE || ipa < watch->next || ipa < h->ram_base ||
		    ipa - h->ram_base >= h->ram_size)
			abort();
		watch->next = ipa + FILE_PAGE;
		watch->pages++;
		if (same != AVS_SAME_NONE) {
			if (same % FILE_PAGE || same < h->ram_base || same >= ipa)
				abort();
			continue;
		}
		watch->unique++;
		for (uint32_t k = 0; k < FILE_PAGE; k++)
			watch->sum += *bytes++;
	}
	return true;
}

/* True: the file was believed. A refusal has to say why. */
static bool avs_read(int fd, const unsigned char *bytes, size_t size)
{
	struct avs_watch watch = {0};
	const struct file_sink sink = {
		.state = avs_watch_state, .pages = avs_watch_pages, .ctx = &watch};
	struct file_error error = {"", ""};
	struct file_reader reader;

	if (ftruncate(fd, 0) || pwrite(fd, bytes, size, 0) != (ssize_t)size)
		abort();
	if (!file_open_fd(&reader, fd, &error)) {
		if (!*error.text || !*error.field)
			abort();
		return false;
	}
	watch.header = &reader.header;
	if (!file_scan(&reader, &sink, &error)) {
		if (!*error.text || !*error.field)
			abort();
		return false;
	}
	if (watch.pages != reader.header.page_count || watch.unique != reader.header.unique_count ||
	    watch.parts != reader.header.part_count)
		abort();
	return true;
}

/*
 * The first byte: bit 0 keeps the sizes that the changes gave, bit 1 cuts the file at the end of the data's choice. Then changes of 4
 * bytes each: where, offset (2), value. True: believed.
 */
static bool avs_steps(int fd, const uint8_t *data, size_t size)
{
	static struct avs_draft draft;
	static unsigned char file[3 * AVS_RAW_MAX];
	uint8_t choice = size ? data[0] : 0;
	size_t length;

	avs_good(&draft);
	if (size) {
		data++;
		size--;
	}
	if (choice & 1) { /* sizes as they are, before they are changed */
		avs_build(&draft, false, file, sizeof(file));
	}
	for (; size >= 4; data += 4, size -= 4) {
		size_t there;
		unsigned char *at = avs_target(&draft, data[0], &there);

		at[(data[1] + 256u * data[2]) % there] = data[3];
	}
	length = avs_build(&draft, choice & 1, file, sizeof(file));
	if (choice & 2 && size)
		length = length * data[0] / 256;
	return avs_read(fd, file, length);
}
