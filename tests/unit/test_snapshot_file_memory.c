/* SPDX-License-Identifier: MIT */
/*
 * test_snapshot_file_memory.c - each allocation of writing and of reading a snapshot's file fails once, those in zstd and xxHash
 * included (linked statically, malloc and its kin wrapped). Nothing crashes, leaks or claims success, and no file is left or lost.
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
#define PAGES 600u /* three chunks, and more than the table of what was seen begins with */

static long countdown = -1; /* allocations until one fails; -1: none does */
static bool has_failed;

static bool fails(void)
{
	if (countdown < 0 || countdown-- > 0)
		return false;
	has_failed = true;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *pointer, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *pointer, size_t size);

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *pointer, size_t size)
{
	return fails() ? NULL : __real_realloc(pointer, size);
}

static char folder[] = "/tmp/avisor-file.XXXXXX";
static char path[64];
static unsigned char page[FILE_PAGE];

static const unsigned char *page_at(uint64_t number)
{
	memset(page, 0, sizeof(page));
	snprintf((char *)page, sizeof(page), "page %u", (unsigned)(number % 500));
	return page;
}

static bool page_is(void *ctx, uint64_t pa, const unsigned char *bytes)
{
	char own[32];

	(void)ctx;
	snprintf(own, sizeof(own), "page %u", (unsigned)((pa / FILE_PAGE - 1) % 500));
	return !strcmp(own, (const char *)bytes);
}

static bool write_all(struct file_error *error)
{
	static const struct avs_part parts[2] = {{"devices", 40, 0}, {"vcpu", 8, 0}};
	static const unsigned char state[48] = {1};
	struct avs_header facts = {.ram_base = BASE,
				   .ram_size = (uint64_t)PAGES * FILE_PAGE,
				   .vcpu_count = 1,
				   .vm = "vm1",
				   .platform = AVS_PLATFORM,
				   .version = "9.9"};
	struct file_writer *writer = file_create(path, page_is, NULL, error);
	bool done;

	if (!writer)
		return false;
	done = file_add_state(writer, parts, 2, state, error);
	for (uint64_t i = 0; i < PAGES && done; i++)
		done = file_add_page(writer, BASE + i * FILE_PAGE, (i + 1) * FILE_PAGE, page_at(i),
				     error);
	if (done)
		return file_finish(writer, &facts, NULL, error);
	file_abandon(writer);
	return false;
}

static bool read_all(struct file_error *error)
{
	const struct file_sink nobody = {0};
	struct file_reader reader;
	bool done;

	if (!file_open(&reader, path, error))
		return false;
	done = file_scan(&reader, &nobody, error);
	file_close(&reader);
	return done;
}

/* Let allocation number 0, 1, 2... fail until none did; returns how many there are. */
static long fail_each(bool (*what)(struct file_error *))
{
	for (long n = 0;; n++) {
		struct file_error error = {"", ""};
		bool done;

		has_failed = false;
		countdown = n;
		done = what(&error);
		countdown = -1;
		if (!has_failed) {
			assert_true(done);
			return n;
		}
		if (done)
			fail_msg("allocation %ld failed, and nobody saw it", n);
		if (!*error.text)
			fail_msg("allocation %ld: no error", n);
	}
}

static void no_allocation_of_writing_may_fail_unseen(void **state)
{
	struct file_error error;

	(void)state;
	for (unsigned old = 0; old < 2; old++) {
		long count = fail_each(write_all);

		assert_true(count > 5);
		assert_true(read_all(&error)); /* the last one was written */
	}
}

static void a_failed_write_leaves_what_was_there(void **state)
{
	struct file_error error;

	(void)state;
	unlink(path);
	countdown = 3;
	assert_false(write_all(&error));
	countdown = -1;
	assert_int_equal(access(path, F_OK), -1);
	assert_true(write_all(&error));
	countdown = 3;
	assert_false(write_all(&error));
	countdown = -1;
	assert_true(read_all(&error));
}

static void no_allocation_of_reading_may_fail_unseen(void **state)
{
	struct file_error error;

	(void)state;
	assert_true(write_all(&error));
	assert_true(fail_each(read_all) > 4);
}

static int begin(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a.avs", folder);
	return 0;
}

static int end(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder); /* nothing else is left */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_allocation_of_writing_may_fail_unseen),
		cmocka_unit_test(a_failed_write_leaves_what_was_there),
		cmocka_unit_test(no_allocation_of_reading_may_fail_unseen),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
