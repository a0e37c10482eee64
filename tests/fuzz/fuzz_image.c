/* SPDX-License-Identifier: MIT */
/*
 * fuzz_image.c - any bytes as a guest image: refused with a message, or parsed into parts that lie in the file and,
 * when placed, in RAM. The first byte chooses what the set says about it, and whether the rest
 * is the file or a list of changes {offset, value} to a good ELF file.
 */
#include <stdlib.h>
#include <string.h>
#include "bundle/place.h"
#include "config_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Make a good ELF file of 256 bytes and write the changes over it. */
static size_t change_elf(const uint8_t *data, size_t size, uint8_t bytes[256])
{
	size_t length = config_files_elf(bytes, 183, 0x40200000, 8, 0x3000);

	for (; size >= 5; data += 5, size -= 5)
		if (data[0] + 4U <= length)
			memcpy(bytes + data[0], data + 1, 4);
	return length;
}

static void check(const struct image *image, uint64_t file_size)
{
	if (!image->piece_count || image->low > image->high)
		abort();
	for (size_t i = 0; i < image->piece_count; i++) {
		const struct image_piece *piece = &image->pieces[i];

		if (piece->offset > file_size || piece->file_size > file_size - piece->offset ||
		    piece->file_size > piece->memory_size || piece->ipa < image->low ||
		    piece->ipa + piece->memory_size > image->high)
			abort();
	}
}

static void place(struct set_vm *vm, const struct image *image, uint64_t initrd_size)
{
	uint64_t end = vm->ram_base + vm->ram_size;
	struct placement placement;
	struct image_error error;

	if (!place_vm(vm, image, initrd_size, &placement, &error)) {
		if (!error.message[0])
			abort();
		return;
	}
	if (image->low < vm->ram_base || image->high > end || placement.entry < vm->ram_base ||
	    placement.entry >= end ||
	    (placement.has_dtb && (placement.dtb_address < vm->ram_base ||
				   placement.dtb_address + PLACE_DTB_ROOM > end)) ||
	    (initrd_size && placement.initrd_address + initrd_size > end))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_options options = {.ram_base = 0x40000000};
	struct set_vm vm = {.ram_base = 0x40000000, .ram_size = 0x4000000};
	uint8_t choice = size ? data[0] : 0;
	struct image image;
	struct image_error error;
	uint8_t elf[256], *bytes;
	size_t head;

	if (!size)
		return 0;
	data++;
	size--;
	if (choice & 128) {
		size = change_elf(data, size, elf);
		data = elf;
	}
	head = size < IMAGE_HEAD_SIZE ? size : IMAGE_HEAD_SIZE;
	bytes = malloc(head ? head : 1);
	if (!bytes)
		return 0;
	memcpy(bytes, data, head);
	options.has_kind = choice & 1;
	options.kind = (enum set_image_kind)((choice >> 1) % 3);
	options.has_load = choice & 8;
	if (size >= 16)
		memcpy(&options.load, data + size - 8, sizeof(options.load));
	vm.has_dtb_address = choice & 16;
	vm.dtb_address = options.load & ~UINT64_C(0xfff);
	vm.has_entry = choice & 32;
	vm.entry = options.load;
	if (image_parse(bytes, head, size, &options, &image, &error)) {
		check(&image, size);
		place(&vm, &image, choice & 64 ? size * 4096 : 0);
	} else if (!error.message[0]) {
		abort();
	}
	free(bytes);
	return 0;
}
