/* SPDX-License-Identifier: MIT */
/*
 * place.c - where image, initrd and device tree go in a VM's RAM.
 * Follows what `qemu-system-aarch64 -M virt -kernel` does, so that what boots there boots here. Reads no file.
 */
#include <inttypes.h>
#include <string.h>
#include "place.h"

#define MIB UINT64_C(0x100000)
#define PAGE UINT64_C(4096)

static uint64_t round_up(uint64_t value, uint64_t step)
{
	return (value + step - 1) & ~(step - 1);
}

static bool within(const struct set_vm *vm, uint64_t start, uint64_t size)
{
	return start >= vm->ram_base && size <= vm->ram_size &&
	       start - vm->ram_base <= vm->ram_size - size;
}

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a_size && b_size && a < b + b_size && b < a + a_size;
}

static bool check_image(const struct set_vm *vm, const struct image *image,
			struct image_error *error)
{
	uint64_t end = vm->ram_base + vm->ram_size;

	if (image->low < vm->ram_base)
		return image_fail(
			error, "it is to be loaded at 0x%" PRIx64 ", but RAM starts at 0x%" PRIx64,
			image->low, vm->ram_base);
	if (image->high > end)
		return image_fail(error,
				  "memory is too small: it needs RAM up to 0x%" PRIx64
				  ", but RAM ends at 0x%" PRIx64,
				  image->high, end);
	return true;
}

/* An ELF program finds its DTB at the start of RAM, if it leaves room there; the others behind the initrd. */
static void place_dtb(const struct set_vm *vm, const struct image *image, uint64_t initrd_end,
		      struct placement *place)
{
	place->has_dtb = !vm->no_dtb;
	if (vm->has_dtb_address) {
		place->dtb_address = vm->dtb_address;
	} else if (vm->flash) { /* firmware looks for it there, and gets nothing in x0 */
		place->dtb_address = vm->ram_base;
	} else if (image->kind == SET_IMAGE_ELF) {
		place->dtb_address = vm->ram_base;
		place->has_dtb = place->has_dtb && image->low - vm->ram_base >= PLACE_DTB_ROOM;
	} else {
		place->dtb_address = round_up(initrd_end, 2 * MIB);
	}
	if (place->has_dtb && !vm->flash && (image->kind != SET_IMAGE_ELF || vm->has_dtb_address))
		place->x0 = place->dtb_address;
}

bool place_vm(const struct set_vm *vm, const struct image *image, uint64_t initrd_size,
	      struct placement *place, struct image_error *error)
{
	uint64_t half = vm->ram_size / 2 < 128 * MIB ? vm->ram_size / 2 : 128 * MIB;
	uint64_t initrd = vm->ram_base + half;

	memset(place, 0, sizeof(*place));
	memset(error, 0, sizeof(*error));
	if (!check_image(vm, image, error))
		return false;
	place->entry = vm->has_entry ? vm->entry : vm->flash ? 0 : image->entry;
	if (place->entry % 4)
		return image_fail(error, "entry 0x%" PRIx64 " is not a multiple of 4",
				  place->entry);
	if (!within(vm, place->entry, 4) && !(vm->flash && place->entry < AV_FLASH_SIZE))
		return image_fail(error, "entry 0x%" PRIx64 " is not in RAM", place->entry);
	if (image->high > initrd)
		initrd = image->high;
	initrd = round_up(initrd, PAGE);
	place->initrd_address = initrd;
	place->initrd_size = initrd_size;
	if (initrd_size && !within(vm, initrd, initrd_size))
		return image_fail(error,
				  "memory is too small: the initrd needs RAM up to 0x%" PRIx64
				  ", but RAM ends at 0x%" PRIx64,
				  initrd + initrd_size, vm->ram_base + vm->ram_size);
	place_dtb(vm, image, initrd + initrd_size, place);
	if (!place->has_dtb && vm->dtb)
		return image_fail(error, "there is no room for the device tree in front of the image");
	if (!place->has_dtb)
		return true;
	if (!within(vm, place->dtb_address, PLACE_DTB_ROOM))
		return image_fail(error,
				  "memory is too small: the device tree goes to 0x%" PRIx64
				  ", but RAM ends at 0x%" PRIx64,
				  place->dtb_address, vm->ram_base + vm->ram_size);
	for (size_t i = 0; i < image->piece_count; i++)
		if (overlap(place->dtb_address, PLACE_DTB_ROOM, image->pieces[i].ipa,
			    image->pieces[i].memory_size))
			return image_fail(error,
					  "the device tree at 0x%" PRIx64 " would lie in the image",
					  place->dtb_address);
	if (overlap(place->dtb_address, PLACE_DTB_ROOM, initrd, initrd_size))
		return image_fail(error, "the device tree at 0x%" PRIx64 " would lie in the initrd",
				  place->dtb_address);
	return true;
}
