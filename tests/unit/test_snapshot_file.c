/* SPDX-License-Identifier: MIT */
/*
 * test_snapshot_file.c - a snapshot's file, written and read again: the same comes back, and no file with a byte changed or missing is
 * believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "file/snapshot_file.h"

#define BASE UINT64_C(0x40000000)
#define PAGES 700u

static char folder[] = "/tmp/avisor-file.XXXXXX";
static char path[64], copy[64];
static unsigned char *memory; /* pa is an address in it, plus 1 page */
static struct avs_header facts;

static unsigned char *page_at(uint64_t number)
{
	return memory + number * FILE_PAGE;
}

static bool page_is(void *ctx, uint64_t pa, const unsigned char *bytes)
{
	(void)ctx;
	return !memcmp(page_at(pa / FILE_PAGE - 1), bytes, FILE_PAGE);
}

/* Every third page is zero, every fifth like the one before the last, the rest their own. */
static void fill(void)
{
	memset(memory, 0, PAGES * FILE_PAGE);
	for (uint32_t i = 0; i < PAGES; i++) {
		if (i % 3 == 0)
			continue;
		if (i % 5 == 0 && i > 7)
			memcpy(page_at(i), page_at(4), FILE_PAGE);
		else
			snprintf((char *)page_at(i), FILE_PAGE, "page %u", i);
	}
}

static const struct avs_part parts[2] = {{"devices", 40, 0}, {"vcpu", 8, 0}};

static struct file_writer *write_most(struct file_error *error)
{
	unsigned char state[48];
	struct file_writer *writer = file_create(path, page_is, NULL, error);

	assert_non_null(writer);
	memset(state, 0x5a, sizeof(state));
	assert_true(file_add_state(writer, parts, 2, state, error));
	for (uint32_t i = 0; i < PAGES; i++)
		assert_true(file_add_page(writer, BASE + (uint64_t)i * FILE_PAGE,
					  ((uint64_t)i + 1) * FILE_PAGE, page_at(i), error));
	return writer;
}

static int begin(void **state)
{
	struct file_error error;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a.avs", folder);
	snprintf(copy, sizeof(copy), "%s/b.avs", folder);
	memory = malloc(PAGES * FILE_PAGE);
	fill();
	facts = (struct avs_header){.ram_base = BASE,
				    .ram_size = (uint64_t)PAGES * FILE_PAGE,
				    .vcpu_count = 1,
				    .vm = "vm1",
				    .platform = AVS_PLATFORM,
				    .version = "9.9",
				    .id_registers = {7}};
	assert_true(file_finish(write_most(&error), &facts, NULL, &error));
	return 0;
}

static int end(void **state)
{
	(void)state;
	unlink(path);
	unlink(copy);
	free(memory);
	return rmdir(folder); /* nothing else is left */
}

struct seen {
	uint32_t pages, unique;
	unsigned char *copy;
};

static bool take_pages(void *ctx, const struct avs_page *pages, uint32_t count,
		       const unsigned char *bytes, struct file_error *error)
{
	struct seen *seen = ctx;

	(void)error;
	for (uint32_t i = 0; i < count; i++) {
		unsigned char *to = seen->copy + (pages[i].ipa - BASE);

		seen->pages++;
		if (pages[i].same_as != AVS_SAME_NONE) {
			memcpy(to, seen->copy + (pages[i].same_as - BASE), FILE_PAGE);
			continue;
		}
		memcpy(to, bytes, FILE_PAGE);
		bytes += FILE_PAGE;
		seen->unique++;
	}
	return true;
}

static void what_was_written_comes_back(void **state)
{
	struct seen seen = {.copy = calloc(PAGES, FILE_PAGE)};
	const struct file_sink sink = {.pages = take_pages, .ctx = &seen};
	struct file_reader reader;
	struct file_error error;

	(void)state;
	assert_true(file_open(&reader, path, &error));
	assert_true(file_scan(&reader, &sink, &error));
	assert_memory_equal(seen.copy, memory, PAGES * FILE_PAGE);
	assert_int_equal(seen.pages, reader.header.page_count);
	assert_int_equal(seen.unique, reader.header.unique_count);
	assert_true(seen.unique < seen.pages && seen.pages < PAGES);
	file_close(&reader);
	free(seen.copy);
}

static unsigned char *load(size_t *size)
{
	FILE *file = fopen(path, "rb");
	unsigned char *bytes;

	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	*size = (size_t)ftell(file);
	rewind(file);
	bytes = malloc(*size);
	assert_int_equal(fread(bytes, 1, *size, file), *size);
	fclose(file);
	return bytes;
}

/* True: believed. */
static bool read_these(const unsigned char *bytes, size_t size, struct file_error *error)
{
	const struct file_sink nobody = {0};
	struct file_reader reader;
	FILE *file = fopen(copy, "wb");
	bool good;

	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
	*error = (struct file_error){"", ""};
	if (!file_open(&reader, copy, error))
		return false;
	good = file_scan(&reader, &nobody, error);
	file_close(&reader);
	return good;
}

static void every_changed_byte_is_found_and_named(void **state)
{
	struct file_error error;
	size_t size;
	unsigned char *bytes = load(&size);

	(void)state;
	assert_true(read_these(bytes, size, &error));
	for (size_t i = 0; i < size; i++) {
		bytes[i] ^= (unsigned char)(1u << i % 8);
		if (read_these(bytes, size, &error))
			fail_msg("byte %zu was changed, and nobody saw it", i);
		if (!*error.field)
			fail_msg("byte %zu: no field: %s", i, error.text);
		bytes[i] ^= (unsigned char)(1u << i % 8);
	}
	free(bytes);
}

static void the_field_of_the_header_is_named(void **state)
{
	static const struct {
		size_t at;
		const char *name;
	} some[] = {{0, "magic"},
		    {offsetof(struct avs_header, format_major), "format_major"},
		    {offsetof(struct avs_header, ram_size) + 3, "ram_size"},
		    {offsetof(struct avs_header, vcpu_count), "vcpu_count"},
		    {offsetof(struct avs_header, midr) + 7, "midr"},
		    {offsetof(struct avs_header, id_registers) + 100, "id_registers"},
		    {offsetof(struct avs_header, vm) + 1, "vm"},
		    {offsetof(struct avs_header, file_size), "file_size"},
		    {offsetof(struct avs_header, checksum), "checksum"}};
	struct file_error error;
	size_t size;
	unsigned char *bytes = load(&size);

	(void)state;
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		bytes[some[i].at] ^= 1;
		assert_false(read_these(bytes, size, &error));
		assert_string_equal(error.field, some[i].name);
		bytes[some[i].at] ^= 1;
	}
	free(bytes);
}

static void every_truncation_is_found(void **state)
{
	struct file_error error;
	size_t size;
	unsigned char *bytes = load(&size);

	(void)state;
	for (size_t i = 0; i < size; i++) {
		assert_false(read_these(bytes, i, &error));
		assert_string_equal(error.field, "file_size");
	}
	free(bytes);
}

static void an_abandoned_file_leaves_the_old_one(void **state)
{
	struct file_error error;
	size_t before, after;
	unsigned char *old = load(&before), *now;

	(void)state;
	file_abandon(write_most(&error));
	now = load(&after);
	assert_int_equal(before, after);
	assert_memory_equal(old, now, before);
	free(old);
	free(now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_comes_back),
		cmocka_unit_test(every_changed_byte_is_found_and_named),
		cmocka_unit_test(the_field_of_the_header_is_named),
		cmocka_unit_test(every_truncation_is_found),
		cmocka_unit_test(an_abandoned_file_leaves_the_old_one),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
