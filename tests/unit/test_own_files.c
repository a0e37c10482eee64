/* SPDX-License-Identifier: MIT */
/* test_own_files.c - images compressed with gzip, and device trees of the user's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include "bundle/own_dtb.h"
#include "bundle/place.h"
#include "bundle/unpack.h"
#include "config_files.h"

/* bytes as gzip would have them, malloc()ed. */
static uint8_t *packed(const void *bytes, size_t size, size_t *packed_size)
{
	z_stream stream = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)size};
	size_t room = size + 1000;
	uint8_t *to = malloc(room);

	assert_int_equal(
		deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
	stream.next_out = to;
	stream.avail_out = (uInt)room;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	*packed_size = room - stream.avail_out;
	deflateEnd(&stream);
	return to;
}

static void an_image_is_the_same_with_and_without_gzip(void **state)
{
	static uint8_t bytes[300000], again[sizeof(bytes)];
	const struct image_options options = {.ram_base = 0x40000000};
	struct image plain, gz;
	struct image_error error;
	uint64_t size;
	uint8_t *small;
	size_t small_size;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * i >> 5);
	memset(bytes + 16, 0, 16);
	memcpy(bytes + 56, "ARM\x64", 4);
	small = packed(bytes, sizeof(bytes), &small_size);
	config_files_write("plain.img", bytes, sizeof(bytes));
	assert_true(image_inspect(config_files_path("plain.img"), &options, &plain, &size, &error));
	config_files_write("small.gz", small, small_size);
	assert_true(image_inspect(config_files_path("small.gz"), &options, &gz, &size, &error));
	assert_int_equal(size, sizeof(bytes));
	assert_memory_equal(&plain, &gz, sizeof(plain));
	fd = unpack_open(config_files_path("small.gz"), &size, &error);
	assert_true(fd >= 0);
	assert_true(image_read(fd, again, sizeof(again), 0, &error));
	assert_memory_equal(bytes, again, sizeof(bytes));
	close(fd);
	free(small);
}

static void files_behind_each_other_and_padding_are_one(void **state)
{
	uint8_t file[4000] = {0};
	struct image_error error;
	uint64_t size;
	size_t first, second;
	uint8_t *a = packed("one ", 4, &first), *b = packed("and two", 7, &second);
	char text[12] = "";
	int fd;

	(void)state;
	memcpy(file, a, first);
	memcpy(file + first, b, second);
	config_files_write("two.gz", file, first + second + 512);
	fd = unpack_open(config_files_path("two.gz"), &size, &error);
	assert_true(fd >= 0);
	assert_int_equal(size, 11);
	assert_true(image_read(fd, text, 11, 0, &error));
	assert_string_equal(text, "one and two");
	close(fd);
	free(a);
	free(b);
}

/* Cut off at every length, one byte changed at every place: an error, never a crash or a wrong image. */
static void what_is_damaged_is_refused(void **state)
{
	static uint8_t bytes[2000], again[2000];
	struct image_error error;
	uint64_t size;
	size_t whole;
	uint8_t *small;
	int refused = 0, fd;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i % 250 * i % 251);
	small = packed(bytes, sizeof(bytes), &whole);
	for (size_t cut = 2; cut < whole; cut++) {
		config_files_write("cut.gz", small, cut);
		assert_int_equal(unpack_open(config_files_path("cut.gz"), &size, &error), -1);
		assert_non_null(strstr(error.message, "compressed with gzip"));
	}
	for (size_t at = 10; at < whole; at++) {
		small[at] ^= 0x40;
		config_files_write("bad.gz", small, whole);
		fd = unpack_open(config_files_path("bad.gz"), &size, &error);
		refused += fd < 0;
		if (fd >= 0) { /* a bit that nobody needs */
			assert_int_equal(size, sizeof(bytes));
			assert_true(image_read(fd, again, sizeof(again), 0, &error));
			assert_memory_equal(again, bytes, sizeof(bytes));
			close(fd);
		}
		small[at] ^= 0x40;
	}
	assert_true(refused >= (int)whole - 12);
	free(small);
}

static void a_bomb_is_given_up(void **state)
{
	size_t whole, size = (size_t)UNPACK_SIZE_MAX + 1;
	uint8_t *zeros = calloc(1, size), *small = packed(zeros, size, &whole);
	struct image_error error;
	uint64_t unpacked;
	int fd;

	(void)state;
	config_files_write("bomb.gz", small, whole);
	assert_int_equal(unpack_open(config_files_path("bomb.gz"), &unpacked, &error), -1);
	assert_non_null(strstr(error.message, "more than 2MiB large"));
	free(small);
	small = packed(zeros, size - 1, &whole);
	config_files_write("bomb.gz", small, whole);
	fd = unpack_open(config_files_path("bomb.gz"), &unpacked, &error);
	assert_true(fd >= 0);
	assert_int_equal(unpacked, size - 1);
	close(fd);
	free(small);
	free(zeros);
}

/* A tree with memory, a command line and a device nobody has. */
static size_t make_tree(uint8_t *fdt, int room)
{
	const fdt32_t cells = cpu_to_fdt32(2),
		      old[4] = {0, cpu_to_fdt32(0x40000000), 0, cpu_to_fdt32(0x1000)};

	assert_int_equal(fdt_create(fdt, room), 0);
	fdt_finish_reservemap(fdt);
	fdt_begin_node(fdt, "");
	fdt_property(fdt, "#address-cells", &cells, 4);
	fdt_property(fdt, "#size-cells", &cells, 4);
	for (int i = 0; i < 2; i++) {
		fdt_begin_node(fdt, i ? "memory@48000000" : "memory@40000000");
		fdt_property(fdt, "device_type", "memory", 7);
		fdt_property(fdt, "reg", old, sizeof(old));
		fdt_end_node(fdt);
	}
	fdt_begin_node(fdt, "chosen");
	fdt_property(fdt, "bootargs", "mine", 5);
	fdt_property(fdt, "linux,initrd-start", &cells, 4);
	fdt_end_node(fdt);
	fdt_begin_node(fdt, "teapot@1000");
	fdt_property(fdt, "compatible", "acme,teapot", 12);
	fdt_end_node(fdt);
	fdt_end_node(fdt);
	assert_int_equal(fdt_finish(fdt), 0);
	return fdt_totalsize(fdt);
}

static uint64_t number(const void *fdt, const char *path, const char *name, int at)
{
	int length, node = fdt_path_offset(fdt, path);
	const fdt32_t *cells = node < 0 ? NULL : fdt_getprop(fdt, node, name, &length);

	assert_non_null(cells);
	assert_true(length >= (at + 2) * 4);
	return (uint64_t)fdt32_to_cpu(cells[at]) << 32 | fdt32_to_cpu(cells[at + 1]);
}

static void a_tree_gets_what_only_the_set_knows(void **state)
{
	struct set_vm vm = {.ram_base = 0x40000000, .ram_size = UINT64_C(3) << 30};
	uint8_t tree[4096];
	struct image_error error;
	size_t size = make_tree(tree, sizeof(tree));
	void *fdt;

	(void)state;
	vm.dtb = strdup(config_files_write("own.dtb", tree, size));
	fdt = own_dtb_complete(&vm, 0, 0, &size, &error);
	assert_non_null(fdt);
	assert_int_equal(fdt_check_full(fdt, size), 0);
	assert_int_equal(number(fdt, "/memory@40000000", "reg", 0), 0x40000000);
	assert_int_equal(number(fdt, "/memory@40000000", "reg", 2), vm.ram_size);
	assert_true(fdt_path_offset(fdt, "/memory@48000000") < 0);
	assert_string_equal(fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "bootargs", NULL),
			    "mine");
	assert_null(fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "linux,initrd-start", NULL));
	assert_non_null(fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "rng-seed", NULL));
	assert_true(fdt_path_offset(fdt, "/teapot@1000") > 0);
	free(fdt);
	vm.bootargs = (char *)"theirs";
	fdt = own_dtb_complete(&vm, 0x48000000, 0x48001234, &size, &error);
	assert_non_null(fdt);
	assert_string_equal(fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "bootargs", NULL),
			    "theirs");
	assert_int_equal(number(fdt, "/chosen", "linux,initrd-start", 0), 0x48000000);
	assert_int_equal(number(fdt, "/chosen", "linux,initrd-end", 0), 0x48001234);
	free(fdt);
	free(vm.dtb);
}

static void a_tree_that_is_none_is_refused(void **state)
{
	uint8_t tree[4096];
	struct image_error error;
	size_t size = make_tree(tree, sizeof(tree)), got;

	(void)state;
	for (size_t cut = 0; cut < size; cut += 7) {
		config_files_write("cut.dtb", tree, cut);
		assert_null(own_dtb_read(config_files_path("cut.dtb"), &got, &error));
		assert_true(error.message[0]);
	}
	for (size_t at = 0; at < size; at++) { /* whatever it is, it is walked within its bounds */
		tree[at] ^= 0x80;
		config_files_write("bad.dtb", tree, size);
		free(own_dtb_read(config_files_path("bad.dtb"), &got, &error));
		tree[at] ^= 0x80;
	}
}

static int make(void **state)
{
	(void)state;
	config_files_make();
	return 0;
}

static int clean(void **state)
{
	(void)state;
	config_files_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_is_the_same_with_and_without_gzip),
		cmocka_unit_test(files_behind_each_other_and_padding_are_one),
		cmocka_unit_test(what_is_damaged_is_refused),
		cmocka_unit_test(a_bomb_is_given_up),
		cmocka_unit_test(a_tree_gets_what_only_the_set_knows),
		cmocka_unit_test(a_tree_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
