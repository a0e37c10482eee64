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
#include "avs_steps.h"
#include "file/snapshot_file.h"

#define BASE UINT64_C(0x40000000)
#define PAGES 700u

static char folder[] = "/tmp/avisor-file.XXXXXX";
static char path[64];
static int copy;              /* in memory */
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
	copy = memfd_create("copy", MFD_CLOEXEC);
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
	close(copy);
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

	assert_int_equal(ftruncate(copy, 0), 0);
	assert_int_equal(pwrite(copy, bytes, size, 0), size);
	*error = (struct file_error){"", ""};
	return file_open_fd(&reader, copy, error) && file_scan(&reader, &nobody, error);
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

/* Each byte of the header with each bit of it: what it belongs to, as docs/snapshot-file.md says where fields are. */
static void every_bit_of_the_header_is_found_and_its_field_named(void **state)
{
	static const struct {
		size_t end;
		const char *name;
	} fields[] = {{8, "magic"},         {10, "format_major"}, {12, "format_minor"},
		      {16, "header_size"},  {20, "abi_major"},    {24, "abi_minor"},
		      {40, "platform"},     {56, "version"},      {64, "ram_base"},
		      {72, "ram_size"},     {76, "vcpu_count"},   {80, "part_count"},
		      {88, "state_layout"}, {96, "counter_hz"},   {104, "clock_origin"},
		      {112, "midr"},        {120, "ctr"},         {632, "id_registers"},
		      {664, "vm"},          {696, "name"},        {704, "id"},
		      {712, "exported"},    {720, "vm_ticks"},    {724, "state"},
		      {728, "reserved"},    {736, "page_count"},  {744, "unique_count"},
		      {752, "chunk_count"}, {760, "file_size"},   {768, "checksum"}};
	struct file_error error;
	size_t size, field = 0;
	unsigned char *bytes = load(&size);

	(void)state;
	for (size_t i = 0; i < sizeof(struct avs_header); i++) {
		field += i == fields[field].end;
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[i] ^= (unsigned char)(1u << bit);
			if (read_these(bytes, size, &error))
				fail_msg("byte %zu bit %u was changed, and nobody saw it", i, bit);
			if (strcmp(error.field, fields[field].name))
				fail_msg("byte %zu bit %u: %s, not %s", i, bit, error.field,
					 fields[field].name);
			bytes[i] ^= (unsigned char)(1u << bit);
		}
	}
	assert_int_equal(fields[field].end, sizeof(struct avs_header));
	free(bytes);
}

/* Random changes with hashes that are right: nothing is believed that cannot be, whoever made it. */
static void changes_that_no_hash_shows_are_refused_or_can_be_read(void **state)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : 2026;
	unsigned believed = 0, count = getenv("SOAK") ? 1000000 : 4000;
	int fd = memfd_create("avs", MFD_CLOEXEC);

	(void)state;
	printf("seed %u\n", seed);
	srand(seed);
	assert_true(avs_steps(fd, NULL, 0));
	for (unsigned i = 0; i < count; i++) {
		uint8_t data[32];
		size_t size = 5 + 4 * (size_t)(rand() % 4);

		for (size_t k = 0; k < size; k++)
			data[k] = (uint8_t)(rand() >> 8);
		/* Most real errors are small numbers in a table. */
		if (rand() % 2)
			data[3] = 0;
		data[0] &= 3;
		believed += avs_steps(fd, data, size);
	}
	assert_in_range(believed, count / 100, count - count / 10);
	close(fd);
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
		cmocka_unit_test(every_bit_of_the_header_is_found_and_its_field_named),
		cmocka_unit_test(changes_that_no_hash_shows_are_refused_or_can_be_read),
		cmocka_unit_test(every_truncation_is_found),
		cmocka_unit_test(an_abandoned_file_leaves_the_old_one),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
