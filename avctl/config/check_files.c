/* SPDX-License-Identifier: MIT */
/*
 * check_files.c - the files a VM is made of: image, initrd, flash, device tree, and where they go in its memory.
 * Never opens anything but what the set names, and that only for reading.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../bundle/budget.h"
#include "../bundle/place.h"
#include "../bundle/own_dtb.h"
#include "../bundle/unpack.h"
#include "check.h"

static const char *const kinds[] = {"elf", "linux", "flat",
				    NULL}; /* in the order of enum set_image_kind */

/* The absolute path of a file that the set names relative to itself; NULL without memory. */
static char *absolute_path(struct check *check, const char *name)
{
	size_t size = strlen(check->directory) + strlen(name) + 2;
	char *path = check_array(check, size, 1);

	if (path && *name == '/')
		strcpy(path, name);
	else if (path)
		snprintf(path, size, "%s/%s", strcmp(check->directory, "/") ? check->directory : "",
			 name);
	return path;
}

/* Take "x/../" and "./" out of an absolute path when what is left names the same file. */
static void tidy_path(char *path)
{
	char real[PATH_MAX];

	if (realpath(path, real) && strlen(real) <= strlen(path))
		strcpy(path, real);
}

/* The absolute, tidy path of a file named by the set; NULL when it names none, or without memory. */
static char *named_file(struct check *check, const char *name)
{
	char *path = name ? absolute_path(check, name) : NULL;

	if (path)
		tidy_path(path);
	return path;
}

static void check_addresses(struct check *check, struct set_vm *vm, const struct node *node,
			    const struct raw_vm *raw)
{
	vm->has_load = check_size(check, node, "load", raw->load, &vm->load);
	vm->has_entry = check_size(check, node, "entry", raw->entry, &vm->entry);
	vm->has_dtb_address =
		check_size(check, node, "dtb-address", raw->dtb_address, &vm->dtb_address);
	if (vm->has_dtb_address && vm->dtb_address % BUDGET_PAGE) {
		errors_add(check->errors, tree_mark(node, "dtb-address"),
			   "dtb-address: it is a multiple of 4KiB");
		vm->has_dtb_address = false;
	}
	if (vm->has_load && vm->load % 4) {
		errors_add(check->errors, tree_mark(node, "load"), "load: it is a multiple of 4");
		vm->has_load = false;
	}
}

static uint64_t page_up(uint64_t size)
{
	return (size + BUDGET_PAGE - 1) & ~(BUDGET_PAGE - 1);
}

/* True when an earlier VM has the same file under the same conditions: the bundle holds it once. */
static bool is_counted(const struct check *check, size_t index, const char *path)
{
	for (size_t i = 0; i < index; i++) {
		const struct set_vm *other = &check->set->vms[i];

		if ((other->image && !strcmp(other->image, path) &&
		     other->load == check->set->vms[index].load &&
		     other->image_kind == check->set->vms[index].image_kind) ||
		    (other->initrd && !strcmp(other->initrd, path)))
			return true;
	}
	return false;
}

static void report_file(struct check *check, const struct node *node, const char *key,
			const char *path, const struct image_error *error)
{
	errors_add(check->errors, tree_mark(node, key), "%s: %s: %s", key, path, error->message);
	if (error->hint[0])
		errors_hint(check->errors, "%s", error->hint);
	else if (access(path, F_OK))
		errors_hint(check->errors,
			    "paths are relative to the set's own file; has it been built?");
}

static bool check_initrd(struct check *check, size_t index, const struct node *node,
			 const char *name, uint64_t *size)
{
	struct set_vm *vm = &check->set->vms[index];
	struct image_error error;
	int fd;

	*size = 0;
	if (!name)
		return true;
	vm->initrd = named_file(check, name);
	if (!vm->initrd)
		return false;
	fd = image_open(vm->initrd, size, &error);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && *size)
		return true;
	if (fd >= 0)
		snprintf(error.message, sizeof(error.message), "it is empty");
	report_file(check, node, "initrd", vm->initrd, &error);
	return false;
}

static bool check_image(struct check *check, size_t index, const struct node *node,
			const struct raw_vm *raw, struct image *image)
{
	struct set_vm *vm = &check->set->vms[index];
	struct image_options options = {
		.ram_base = vm->ram_base, .load = vm->load, .has_load = vm->has_load};
	struct image_error error;
	uint64_t size;
	int kind = check_choice(check, node, "format", raw->format, kinds);

	if (!raw->image) {
		*image = (struct image){.low = vm->ram_base, .high = vm->ram_base};
		return raw->flash;
	}
	options.has_kind = kind >= 0;
	options.kind = kind >= 0 ? (enum set_image_kind)kind : SET_IMAGE_ELF;
	vm->image = named_file(check, raw->image);
	if (!vm->image)
		return false;
	if (!image_inspect(vm->image, &options, image, &size, &error)) {
		report_file(check, node, "image", vm->image, &error);
		return false;
	}
	vm->image_kind = image->kind;
	if (vm->has_load && image->kind != SET_IMAGE_FLAT) {
		errors_add(check->errors, tree_mark(node, "load"),
			   "load: only a flat image has it; this one says itself where it goes");
		errors_hint(check->errors, "take it out, or say \"format: flat\"");
	}
	return true;
}

/* The first bank: the firmware as it is. */
static bool check_flash(struct check *check, size_t index, const struct node *node,
			const char *name)
{
	struct set_vm *vm = &check->set->vms[index];
	struct image_error error;
	uint64_t size = 0;
	int fd;

	if (!name)
		return true;
	vm->flash = named_file(check, name);
	if (!vm->flash)
		return false;
	fd = image_open(vm->flash, &size, &error);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && size && size <= AV_FLASH_SIZE / 2) {
		check->bundle_size += page_up(size);
		return true;
	}
	if (fd >= 0)
		snprintf(error.message, sizeof(error.message), "%s",
			 size ? "a bank of flash holds 64MiB" : "it is empty");
	report_file(check, node, "flash", vm->flash, &error);
	return false;
}

/* `true`, `false`, or a file. */
static bool check_dtb(struct check *check, struct set_vm *vm, const struct node *node,
		      const char *text)
{
	struct image_error error;
	bool dtb = true;
	size_t size;
	void *blob;

	if (!text || !strpbrk(text, "./")) {
		check_bool(check, node, "dtb", text, &dtb);
		vm->no_dtb = !dtb;
		return true;
	}
	vm->dtb = named_file(check, text);
	if (!vm->dtb)
		return false;
	blob = own_dtb_read(vm->dtb, &size, &error);
	free(blob);
	if (!blob)
		report_file(check, node, "dtb", vm->dtb, &error);
	return blob;
}

/* What `image:` or, without it, `flash:` is wrong about. */
static void report_place(struct check *check, const struct set_vm *vm, const struct node *node,
			 const struct image_error *error)
{
	const char *key = vm->image ? "image" : "flash";

	errors_add(check->errors, tree_mark(node, key), "%s: %s: %s", key,
		   vm->image ? vm->image : vm->flash, error->message);
	if (strstr(error->message, "memory is too small"))
		errors_hint(check->errors, "give \"%s\" more memory", vm->name ? vm->name : "it");
	else
		errors_hint(check->errors, "see load:, entry:, dtb-address: and dtb: of this VM");
}

void check_vm_files(struct check *check, size_t index, const struct node *node,
		    const struct raw_vm *raw)
{
	struct set_vm *vm = &check->set->vms[index];
	struct placement place;
	struct image_error error;
	struct image image;
	uint64_t initrd_size;
	bool good;

	check_addresses(check, vm, node, raw);
	good = check_image(check, index, node, raw, &image);
	good = check_initrd(check, index, node, raw->initrd, &initrd_size) && good;
	good = check_flash(check, index, node, raw->flash) && good;
	good = check_dtb(check, vm, node, raw->dtb) && good;
	if (!raw->image && !raw->flash) {
		errors_add(check->errors, node->mark, "VM: the key \"image\" is missing");
		errors_hint(check->errors, "image: a program to boot; or flash: firmware");
	}
	if (good && vm->image && !is_counted(check, index, vm->image))
		for (size_t i = 0; i < image.piece_count; i++)
			check->bundle_size += page_up(image.pieces[i].file_size) + BUDGET_PAGE;
	if (good && vm->initrd && !is_counted(check, index, vm->initrd))
		check->bundle_size += page_up(initrd_size);
	check->bundle_size += PLACE_DTB_ROOM;
	if (good && vm->ram_size && !place_vm(vm, &image, initrd_size, &place, &error))
		report_place(check, vm, node, &error);
}
