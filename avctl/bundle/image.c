/* SPDX-License-Identifier: MIT */
/*
 * image.c - reading the heads of ELF64 programs, Linux arm64 Images and flat binaries.
 * Never trusts a field of the file: each is checked against the file's size before use.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "image.h"
#include "unpack.h"

/* The head of a Linux arm64 Image (Documentation/arch/arm64/booting.rst). */
struct linux_head {
	uint32_t code[2];
	uint64_t text_offset;
	uint64_t image_size;
	uint64_t flags;
	uint64_t reserved[3];
	uint32_t magic;
	uint32_t pe_offset;
};
_Static_assert(sizeof(struct linux_head) == 64, "layout");
#define LINUX_MAGIC 0x644d5241 /* "ARM\x64" */
#define LINUX_FLAG_BIG_ENDIAN 1
/* QEMU keeps the first page of RAM for itself and moves an Image that would lie there up by 2 MiB. */
#define LINUX_RESERVED 4096
#define LINUX_STEP 0x200000

bool image_fail(struct image_error *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	return false;
}

static void set_hint(struct image_error *error, const char *hint)
{
	snprintf(error->hint, sizeof(error->hint), "%s", hint);
}

static bool add_piece(struct image *image, const struct image_piece *piece,
		      struct image_error *error)
{
	uint64_t end;

	if (__builtin_add_overflow(piece->ipa, piece->memory_size, &end))
		return image_fail(error, "its part at 0x%" PRIx64 " wraps around", piece->ipa);
	if (image->piece_count == IMAGE_PIECE_MAX)
		return image_fail(error, "it has more than %d loadable parts", IMAGE_PIECE_MAX);
	for (size_t i = 0; i < image->piece_count; i++) {
		const struct image_piece *other = &image->pieces[i];

		if (piece->ipa < other->ipa + other->memory_size && other->ipa < end)
			return image_fail(error,
					  "its parts at 0x%" PRIx64 " and 0x%" PRIx64 " overlap",
					  other->ipa, piece->ipa);
	}
	if (!image->piece_count || piece->ipa < image->low)
		image->low = piece->ipa;
	if (!image->piece_count || end > image->high)
		image->high = end;
	image->pieces[image->piece_count++] = *piece;
	return true;
}

static bool check_elf_head(const Elf64_Ehdr *head, size_t head_size, struct image_error *error)
{
	if (head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_ident[EI_DATA] != ELFDATA2LSB)
		return image_fail(error, "it is an ELF file, but not a 64-bit little-endian one");
	if (head->e_machine != EM_AARCH64) {
		set_hint(error,
			 "build it for AArch64 (aarch64-linux-gnu-gcc, or --target=aarch64)");
		return image_fail(error, "it is an ELF file for another machine (number %u)",
				  head->e_machine);
	}
	if (head->e_type != ET_EXEC && head->e_type != ET_DYN) {
		set_hint(error, "link it first");
		return image_fail(error, "it is an ELF file of type %u, not a linked program",
				  head->e_type);
	}
	if (head->e_phentsize != sizeof(Elf64_Phdr) || !head->e_phnum)
		return image_fail(error, "it is an ELF file without program headers");
	if (head->e_phoff > head_size ||
	    head->e_phnum * sizeof(Elf64_Phdr) > head_size - head->e_phoff)
		return image_fail(
			error, "its ELF program headers are cut off, or not in the first %d bytes",
			IMAGE_HEAD_SIZE);
	return true;
}

static bool parse_elf(const uint8_t *bytes, size_t size, uint64_t file_size, struct image *image,
		      struct image_error *error)
{
	Elf64_Ehdr head;

	image->kind = SET_IMAGE_ELF;
	if (size < sizeof(head))
		return image_fail(error, "it is an ELF file cut off in its head");
	memcpy(&head, bytes, sizeof(head));
	if (!check_elf_head(&head, size, error))
		return false;
	image->entry = head.e_entry;
	for (unsigned i = 0; i < head.e_phnum; i++) {
		Elf64_Phdr part;
		struct image_piece piece;

		memcpy(&part, bytes + head.e_phoff + i * sizeof(part), sizeof(part));
		if (part.p_type == PT_INTERP) {
			set_hint(error, "a bare-metal program is linked with -nostdlib -static");
			return image_fail(error, "it is a program for an operating system (it "
						 "wants an interpreter)");
		}
		if (part.p_type != PT_LOAD || !part.p_memsz)
			continue;
		if (part.p_filesz > part.p_memsz || part.p_offset > file_size ||
		    part.p_filesz > file_size - part.p_offset)
			return image_fail(
				error,
				"its ELF program header %u reaches beyond the end of the file", i);
		piece = (struct image_piece){part.p_paddr, part.p_offset, part.p_filesz,
					     part.p_memsz};
		if (!add_piece(image, &piece, error))
			return false;
		/* An entry given as a virtual address is meant where that part is loaded. */
		if (head.e_entry >= part.p_vaddr && head.e_entry - part.p_vaddr < part.p_memsz)
			image->entry = head.e_entry - part.p_vaddr + part.p_paddr;
	}
	if (!image->piece_count)
		return image_fail(error, "it is an ELF file with nothing to load");
	return true;
}

static bool parse_linux(const uint8_t *bytes, uint64_t file_size,
			const struct image_options *options, struct image *image,
			struct image_error *error)
{
	struct linux_head head;
	struct image_piece piece = {.file_size = file_size, .memory_size = file_size};

	image->kind = SET_IMAGE_LINUX;
	memcpy(&head, bytes, sizeof(head));
	if (head.image_size && head.flags & LINUX_FLAG_BIG_ENDIAN)
		return image_fail(error, "it is a big-endian Linux Image");
	/* Before Linux 3.17 image_size is 0 and text_offset means nothing. */
	if (!head.image_size)
		head.text_offset = IMAGE_FLAT_OFFSET;
	else if (head.text_offset < LINUX_RESERVED)
		head.text_offset += LINUX_STEP;
	if (head.text_offset > IMAGE_SIZE_MAX || head.text_offset % 4096)
		return image_fail(error,
				  "its Linux Image header has a strange text_offset 0x%" PRIx64,
				  head.text_offset);
	if (head.image_size > IMAGE_SIZE_MAX)
		return image_fail(error,
				  "its Linux Image header has a strange image_size 0x%" PRIx64,
				  head.image_size);
	if (head.image_size > piece.memory_size)
		piece.memory_size = head.image_size;
	piece.ipa = options->ram_base + head.text_offset;
	image->entry = piece.ipa;
	return add_piece(image, &piece, error);
}

static bool parse_flat(uint64_t file_size, const struct image_options *options, struct image *image,
		       struct image_error *error)
{
	struct image_piece piece = {.file_size = file_size, .memory_size = file_size};

	image->kind = SET_IMAGE_FLAT;
	piece.ipa = options->has_load ? options->load : options->ram_base + IMAGE_FLAT_OFFSET;
	image->entry = piece.ipa;
	return add_piece(image, &piece, error);
}

static bool is_elf(const uint8_t *bytes, size_t size)
{
	return size >= SELFMAG && !memcmp(bytes, ELFMAG, SELFMAG);
}

static bool is_linux(const uint8_t *bytes, size_t size)
{
	uint32_t magic;

	if (size < sizeof(struct linux_head))
		return false;
	memcpy(&magic, bytes + offsetof(struct linux_head, magic), sizeof(magic));
	return magic == LINUX_MAGIC;
}

bool image_parse(const void *head, size_t head_size, uint64_t file_size,
		 const struct image_options *options, struct image *image,
		 struct image_error *error)
{
	const uint8_t *bytes = head;

	memset(image, 0, sizeof(*image));
	memset(error, 0, sizeof(*error));
	if (!file_size)
		return image_fail(error, "it is empty");
	if (options->has_kind && options->kind == SET_IMAGE_FLAT)
		return parse_flat(file_size, options, image, error);
	if (is_elf(bytes, head_size)) {
		if (options->has_kind && options->kind != SET_IMAGE_ELF)
			return image_fail(error, "it is an ELF file, not a Linux Image");
		return parse_elf(bytes, head_size, file_size, image, error);
	}
	if (is_linux(bytes, head_size)) {
		if (options->has_kind && options->kind != SET_IMAGE_LINUX)
			return image_fail(error, "it is a Linux Image, not an ELF file");
		return parse_linux(bytes, file_size, options, image, error);
	}
	if (!options->has_kind && options->has_load)
		return parse_flat(file_size, options, image, error);
	if (head_size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b) {
		set_hint(error, "gunzip it and name the result");
		return image_fail(error, "it is compressed with gzip");
	}
	if (!options->has_kind)
		set_hint(error, "for a flat binary say \"format: flat\" (at RAM + 0x80000) or "
				"\"load: ADDRESS\"");
	return image_fail(error, "it is neither an ELF64 program for AArch64 nor a Linux Image");
}

int image_open(const char *path, uint64_t *size, struct image_error *error)
{
	struct stat info;
	int fd;

	memset(error, 0, sizeof(*error));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &info)) {
		image_fail(error, "%s", strerror(errno));
	} else if (!S_ISREG(info.st_mode)) {
		image_fail(error, "it is not a regular file");
	} else if ((uint64_t)info.st_size > IMAGE_SIZE_MAX) {
		image_fail(error, "it is larger than 4GiB");
	} else {
		*size = (uint64_t)info.st_size;
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

bool image_read(int fd, void *buffer, size_t count, uint64_t offset, struct image_error *error)
{
	uint8_t *to = buffer;

	while (count) {
		ssize_t got = pread(fd, to, count, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return image_fail(error, "%s",
					  got ? strerror(errno)
					      : "it became shorter while it was read");
		to += got;
		offset += (uint64_t)got;
		count -= (size_t)got;
	}
	return true;
}

bool image_inspect(const char *path, const struct image_options *options, struct image *image,
		   uint64_t *file_size, struct image_error *error)
{
	size_t head_size;
	void *head;
	bool good;
	int fd;

	fd = unpack_open(path, file_size, error);
	if (fd < 0)
		return false;
	head_size = *file_size < IMAGE_HEAD_SIZE ? (size_t)*file_size : IMAGE_HEAD_SIZE;
	head = malloc(head_size ? head_size : 1);
	if (!head)
		good = image_fail(error, "out of memory");
	else
		good = image_read(fd, head, head_size, 0, error) &&
		       image_parse(head, head_size, *file_size, options, image, error);
	free(head);
	close(fd);
	return good;
}
