/* SPDX-License-Identifier: MIT */
/*
 * own_dtb.c - reading and completing a device tree that the user brings.
 * Never trusts the file: libfdt walks all of it before it is used, and it is edited in a buffer of our own size.
 */
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "place.h"
#include "own_dtb.h"

#define FILE_MAX (4 << 20) /* as QEMU writes them: a megabyte, mostly empty */

void *own_dtb_read(const char *path, size_t *size, struct image_error *error)
{
	uint64_t file_size;
	int fd = image_open(path, &file_size, error), wrong;
	void *blob = NULL;

	if (fd < 0)
		return NULL;
	if (file_size < sizeof(struct fdt_header) || file_size > FILE_MAX) {
		image_fail(error, "it is %s for a device tree",
			   file_size > FILE_MAX ? "too large" : "too short");
	} else if (!(blob = malloc((size_t)file_size))) {
		image_fail(error, "out of memory");
	} else if (image_read(fd, blob, (size_t)file_size, 0, error)) {
		wrong = fdt_check_full(blob, (size_t)file_size);
		*size = (size_t)file_size;
		close(fd);
		if (!wrong)
			return blob;
		image_fail(error, "it is no device tree blob: %s", fdt_strerror(wrong));
		snprintf(error->hint, sizeof(error->hint), "dtc -O dtb makes one of a .dts");
		free(blob);
		return NULL;
	}
	free(blob);
	close(fd);
	return NULL;
}

/* The node of this name under the root, made when it is not there. */
static int child(void *fdt, const char *name)
{
	int node = fdt_subnode_offset(fdt, 0, name);

	return node == -FDT_ERR_NOTFOUND ? fdt_add_subnode(fdt, 0, name) : node;
}

/* Absent is as good as deleted. */
static int delete (void *fdt, int node, const char *name)
{
	int status = fdt_delprop(fdt, node, name);

	return status == -FDT_ERR_NOTFOUND ? 0 : status;
}

static int put_text(void *fdt, int node, const char *name, const char *text)
{
	return fdt_setprop(fdt, node, name, text, (int)strlen(text) + 1);
}

static int put_chosen(void *fdt, const struct set_vm *vm, uint64_t initrd_start,
		      uint64_t initrd_end)
{
	int node = child(fdt, "chosen"), status;
	uint8_t seed[40];

	if (node < 0)
		return node;
	status = vm->bootargs ? put_text(fdt, node, "bootargs", vm->bootargs) : 0;
	if (!status && initrd_end > initrd_start)
		status = fdt_setprop_u64(fdt, node, "linux,initrd-start", initrd_start);
	else if (!status)
		status = delete (fdt, node, "linux,initrd-start");
	if (!status && initrd_end > initrd_start)
		status = fdt_setprop_u64(fdt, node, "linux,initrd-end", initrd_end);
	else if (!status)
		status = delete (fdt, node, "linux,initrd-end");
	if (status || getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return status;
	status = fdt_setprop(fdt, node, "kaslr-seed", seed, 8);
	return status ? status : fdt_setprop(fdt, node, "rng-seed", seed + 8, 32);
}

/* A number of 1 or 2 cells at cell `at`. */
static void put_number(fdt32_t *cells, int *at, int width, uint64_t value)
{
	if (width == 2)
		cells[(*at)++] = cpu_to_fdt32((uint32_t)(value >> 32));
	cells[(*at)++] = cpu_to_fdt32((uint32_t)value);
}

/* All nodes that say they are memory go, and one with the VM's RAM comes. */
static int put_memory(void *fdt, const struct set_vm *vm)
{
	int address = fdt_address_cells(fdt, 0), size = fdt_size_cells(fdt, 0), count = 0, node,
	    status;
	fdt32_t cells[4];
	char name[32];

	if (address < 1 || address > 2 || size < 1 || size > 2)
		return -FDT_ERR_BADNCELLS;
	if (size == 1 && vm->ram_size >> 32)
		return -FDT_ERR_BADVALUE;
	while ((node = fdt_node_offset_by_prop_value(fdt, -1, "device_type", "memory", 7)) >= 0) {
		status = fdt_del_node(fdt, node);
		if (status)
			return status;
	}
	snprintf(name, sizeof(name), "memory@%" PRIx64, vm->ram_base);
	node = child(fdt, name);
	if (node < 0)
		return node;
	put_number(cells, &count, address, vm->ram_base);
	put_number(cells, &count, size, vm->ram_size);
	status = put_text(fdt, node, "device_type", "memory");
	return status ? status : fdt_setprop(fdt, node, "reg", cells, count * 4);
}

void *own_dtb_complete(const struct set_vm *vm, uint64_t initrd_start, uint64_t initrd_end,
		       size_t *size, struct image_error *error)
{
	size_t file_size;
	void *blob = own_dtb_read(vm->dtb, &file_size, error), *fdt;
	int room, status;

	if (!blob)
		return NULL;
	room = (int)file_size + PLACE_DTB_ROOM;
	fdt = malloc((size_t)room);
	status = fdt ? fdt_open_into(blob, fdt, room) : -FDT_ERR_NOSPACE;
	free(blob);
	if (!status)
		status = put_chosen(fdt, vm, initrd_start, initrd_end);
	if (!status)
		status = put_memory(fdt, vm);
	if (!status)
		status = fdt_pack(fdt);
	if (!status && fdt_totalsize(fdt) > PLACE_DTB_ROOM) {
		image_fail(error, "it has %u bytes: more than the %d there is room for",
			   fdt_totalsize(fdt), PLACE_DTB_ROOM);
	} else if (!status) {
		*size = fdt_totalsize(fdt);
		return fdt;
	} else {
		image_fail(error, "it cannot be completed: %s", fdt_strerror(status));
	}
	free(fdt);
	return NULL;
}
