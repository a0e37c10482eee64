/* SPDX-License-Identifier: MIT */
/*
 * test_config_memory.c - each allocation of loading a set and writing its bundle fails once, those in libyaml and
 * libcyaml included (linked statically, malloc and its kin wrapped). Nothing crashes, leaks or claims success.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "bundle/bundle.h"
#include "config_files.h"

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

static const char *copy_of(const char *name)
{
	static char text[65536];
	char path[128];
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), "tests/unit/yaml/%s", name);
	file = fopen(path, "rb");
	assert_non_null(file);
	size = fread(text, 1, sizeof(text), file);
	fclose(file);
	return config_files_write(name, text, size);
}

static bool tells_of_memory(const struct set_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		if (strstr(errors->list[i].message, "out of memory"))
			return true;
	return false;
}

/* Let allocation number 0, 1, 2... fail until none did; returns how many there are. */
static long fail_each(const char *path, bool good)
{
	for (long n = 0;; n++) {
		struct set_errors errors = {0};
		struct set *set;

		has_failed = false;
		countdown = n;
		set = set_load(path, &errors);
		countdown = -1;
		if (has_failed) {
			if (set || !tells_of_memory(&errors))
				fail_msg("allocation %ld of %s: %s", n, path,
					 errors.count ? errors.list[0].message : "no error");
		} else if (good != !!set) {
			fail_msg("%s does not load as it should", path);
		}
		set_free(set);
		set_errors_free(&errors);
		if (!has_failed)
			return n;
	}
}

static void a_good_file_survives_each_failing_allocation(void **state)
{
	(void)state;
	assert_true(fail_each(copy_of("good.yaml"), true) > 100);
	assert_true(fail_each(copy_of("anchors.yaml"), true) > 100);
}

static void wrong_files_survive_each_failing_allocation(void **state)
{
	static const char *const names[] = {"everything-wrong.yaml", "bad-fields.yaml",
					    "bad-region.yaml",       "images.yaml",
					    "unknown-key.yaml",      "merge-key.yaml",
					    "syntax-bracket.yaml",   "key-kinds.yaml"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		fail_each(copy_of(names[i]), false);
}

static void a_bundle_survives_each_failing_allocation(void **state)
{
	struct set_errors errors = {0};
	struct set *set = set_load(copy_of("good.yaml"), &errors);
	char control[256];
	long n = 0;

	(void)state;
	assert_non_null(set);
	snprintf(control, sizeof(control), "%s", config_files_path("guest.elf"));
	do {
		struct bundle_error error;
		int fd = memfd_create("ram", 0), status;

		assert_int_equal(ftruncate(fd, (off_t)set->memory), 0);
		has_failed = false;
		countdown = n++;
		status = bundle_write(set, control, fd, NULL, &error);
		countdown = -1;
		close(fd);
		if (has_failed != (status != 0) ||
		    (has_failed && !strstr(error.message, "out of memory")))
			fail_msg("allocation %ld: %d %s", n - 1, status, error.message);
	} while (has_failed);
	assert_true(n > 10);
	set_free(set);
	set_errors_free(&errors);
}

static int set_up(void **state)
{
	(void)state;
	config_files_make();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	config_files_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_file_survives_each_failing_allocation),
		cmocka_unit_test(wrong_files_survive_each_failing_allocation),
		cmocka_unit_test(a_bundle_survives_each_failing_allocation),
	};

	return cmocka_run_group_tests_name("config_memory", tests, set_up, tear_down);
}
