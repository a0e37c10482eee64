/* SPDX-License-Identifier: MIT */
/* test_config.c - what set_load() accepts, and what it says about the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "config/config.h"
#include "config_files.h"

#define CORPUS "tests/unit/yaml"

static char *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	char *text = calloc(1, 1 << 20);

	assert_non_null(file);
	assert_non_null(text);
	*size = fread(text, 1, (1 << 20) - 1, file);
	fclose(file);
	return text;
}

/* Load text as NAME in the folder of test files. */
static struct set *load(const char *name, const char *text, size_t size, struct set_errors *errors)
{
	memset(errors, 0, sizeof(*errors));
	return set_load(config_files_write(name, text, size), errors);
}

static char *printed(const struct set_errors *errors)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	set_errors_print(errors, stream);
	fclose(stream);
	return text;
}

/* Compare the errors with the "# expect LINE:COLUMN words" lines of the file. */
static int compare_with_expected(const char *name, const char *text,
				 const struct set_errors *errors)
{
	const char *line = text;
	size_t index = 0;
	int wrong = 0;

	while ((line = strstr(line, "\n# expect ")) != NULL) {
		unsigned at_line = 0, at_column = 0;
		char words[160] = "";

		line += 10;
		if (sscanf(line, "%u:%u %159[^\n]", &at_line, &at_column, words) != 3)
			fail_msg("%s: bad expectation", name);
		if (index >= errors->count) {
			print_error("%s: missing: %u:%u %s\n", name, at_line, at_column, words);
			wrong++;
		} else if (errors->list[index].mark.line != at_line ||
			   errors->list[index].mark.column != at_column ||
			   !strstr(errors->list[index].message, words)) {
			print_error("%s: expected %u:%u %s\n  got %u:%u %s\n", name, at_line,
				    at_column, words, errors->list[index].mark.line,
				    errors->list[index].mark.column, errors->list[index].message);
			wrong++;
		}
		index++;
	}
	for (; index < errors->count; index++, wrong++)
		print_error("%s: not expected: %u:%u %s\n", name, errors->list[index].mark.line,
			    errors->list[index].mark.column, errors->list[index].message);
	return wrong;
}

/* Each error line is file:line:col, followed by the source line, a caret at that column and, mostly, a hint. */
static int check_form(const char *name, const struct set_errors *errors)
{
	char *text = printed(errors);
	char *at = text;
	int wrong = 0;

	for (size_t i = 0; i < errors->count; i++) {
		char head[600];
		char *caret;

		snprintf(head, sizeof(head), "%s:%u:%u: error: %s\n  ", errors->path,
			 errors->list[i].mark.line, errors->list[i].mark.column,
			 errors->list[i].message);
		if (strncmp(at, head, strlen(head))) {
			print_error("%s: printed otherwise: %.200s\n", name, at);
			wrong++;
			break;
		}
		at += strlen(head);
		caret = strchr(at, '\n') + 1;
		at = strchr(caret, '\n') + 1;
		if (at[-2] != '^' ||
		    (size_t)(at - 2 - caret) != 2 + (size_t)errors->list[i].mark.column - 1) {
			print_error("%s: caret of error %zu is elsewhere\n", name, i);
			wrong++;
		}
		if (errors->list[i].hint)
			at = strchr(at, '\n') + 1;
	}
	free(text);
	return wrong;
}

static void every_mistake_of_the_corpus_is_told_with_its_place(void **state)
{
	DIR *directory = opendir(CORPUS);
	const struct dirent *entry;
	int files = 0, wrong = 0;

	(void)state;
	assert_non_null(directory);
	while ((entry = readdir(directory)) != NULL) {
		struct set_errors errors;
		char path[400];
		struct set *set;
		size_t size;
		char *text;

		if (!strstr(entry->d_name, ".yaml"))
			continue;
		files++;
		snprintf(path, sizeof(path), CORPUS "/%s", entry->d_name);
		text = read_file(path, &size);
		set = load(entry->d_name, text, size, &errors);
		wrong += compare_with_expected(entry->d_name, text, &errors);
		wrong += check_form(entry->d_name, &errors);
		if (!set != !!errors.count) {
			print_error("%s: a set and errors do not go together\n", entry->d_name);
			wrong++;
		}
		set_free(set);
		set_errors_free(&errors);
		free(text);
	}
	closedir(directory);
	assert_true(files >= 25);
	assert_int_equal(wrong, 0);
}

static struct set *load_good(struct set_errors *errors)
{
	size_t size;
	char *text = read_file(CORPUS "/good.yaml", &size);
	struct set *set = load("good.yaml", text, size, errors);

	free(text);
	assert_non_null(set);
	return set;
}

static void a_good_file_becomes_a_set_with_all_defaults(void **state)
{
	struct set_errors errors;
	struct set *set = load_good(&errors);

	(void)state;
	assert_string_equal(set->name, "good");
	assert_int_equal(set->cpu_count, 2);
	assert_int_equal(set->memory, 1 << 30);
	assert_string_equal(set->cpu_model, "max,pauth-impdef=on");
	assert_int_equal(set->vm_count, 4);
	assert_string_equal(set->vms[0].name, "vm1");
	assert_int_equal(set->vms[0].ram_base, 0x40000000);
	assert_int_equal(set->vms[0].ram_size, 128 << 20);
	assert_int_equal(set->vms[0].vcpu_count, 1);
	assert_int_equal(set->vms[0].vcpu_cpu[0], 1);
	assert_int_equal(set->vms[0].vcpu_cpu[1], -1);
	assert_true(set->vms[0].clock_follow && set->vms[0].start_paused &&
		    set->vms[0].snapshot_refuse);
	assert_int_equal(set->vms[0].slice_ns, 5000000);
	assert_int_equal(set->vms[0].snapshot_keep, 8);
	assert_int_equal(set->vms[0].snapshot_memory, 64 << 20);
	assert_int_equal(set->vms[0].image_kind, SET_IMAGE_ELF);
	assert_int_equal(set->vms[0].mark.line, 5);
	assert_int_equal(set->vms[1].image_kind, SET_IMAGE_LINUX);
	assert_string_equal(set->vms[1].initrd, config_files_path("initrd.img"));
	assert_string_equal(set->vms[1].bootargs, "console=ttyAMA0");
	assert_int_equal(set->vms[2].image_kind, SET_IMAGE_FLAT);
	assert_false(set->vms[2].has_load);
	assert_int_equal(set->vms[2].vcpu_cpu[0], -1);
	assert_true(set->vms[2].snapshot_memory >= 1 << 20);
	assert_int_equal(set->vms[2].snapshot_memory, set->vms[3].snapshot_memory);
	assert_int_equal(set->vms[3].load, 0x40100000);
	assert_int_equal(set->vms[3].entry, 0x40100004);
	assert_int_equal(set->vms[3].dtb_address, 0x40000000);
	assert_int_equal(set->region_count, 2);
	assert_int_equal(set->regions[0].size, 65536);
	assert_memory_equal(set->regions[0].init, "Ciallo!", set->regions[0].init_size);
	assert_int_equal(set->regions[0].member_count, 2);
	assert_false(set->regions[0].members[0].write);
	assert_true(set->regions[0].members[1].write);
	assert_int_equal(set->regions[0].members[1].vm, 1);
	assert_int_equal(set->regions[0].field_count, 2);
	assert_int_equal(set->regions[0].fields[1].type, SET_FIELD_U32);
	assert_int_equal(set->regions[0].fields[1].length, 4);
	assert_int_equal(set->regions[0].fields[1].at, 64);
	assert_int_equal(set->regions[1].size, 4096);
	assert_int_equal(set->regions[1].address, 0x70200000);
	set_free(set);
	set_errors_free(&errors);
}

static void what_show_prints_loads_to_the_same_set(void **state)
{
	struct set_errors errors, again_errors;
	struct set *set = load_good(&errors), *again;
	char *text = NULL, *first, *second;
	json_t *json;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	(void)state;
	config_show_yaml(set, stream);
	fclose(stream);
	again = load("good.yaml", text, size, &again_errors);
	if (!again)
		set_errors_print(&again_errors, stderr);
	assert_non_null(again);
	json = config_show_json(set);
	first = json_dumps(json, 0);
	json_decref(json);
	json = config_show_json(again);
	second = json_dumps(json, 0);
	json_decref(json);
	assert_non_null(first);
	assert_string_equal(first, second);
	free(first);
	free(second);
	free(text);
	set_free(set);
	set_free(again);
	set_errors_free(&errors);
	set_errors_free(&again_errors);
}

static void errors_and_schema_are_json(void **state)
{
	static const char text[] = "version: 1\nmachine: {memory: 64Q}\nvms: []\n";
	struct set_errors errors;
	char *schema = config_schema_json();
	json_t *json;

	(void)state;
	assert_null(load("x.yaml", text, sizeof(text) - 1, &errors));
	json = config_errors_json(&errors);
	assert_int_equal(json_array_size(json_object_get(json, "errors")), 2);
	assert_int_equal(json_integer_value(json_object_get(
				 json_array_get(json_object_get(json, "errors"), 0), "column")),
			 19);
	json_decref(json);
	set_errors_free(&errors);
	json = json_loads(schema, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(json, "$schema")),
			    "http://json-schema.org/draft-07/schema#");
	assert_non_null(json_object_get(json_object_get(json, "properties"), "vms"));
	json_decref(json);
	free(schema);
}

static void expect_one(const char *text, size_t size, unsigned line, unsigned column,
		       const char *words)
{
	struct set_errors errors;
	struct set *set = load("one.yaml", text, size, &errors);
	bool found = false;

	assert_null(set);
	for (size_t i = 0; i < errors.count; i++)
		if (errors.list[i].mark.line == line && errors.list[i].mark.column == column &&
		    strstr(errors.list[i].message, words))
			found = true;
	if (!found) {
		set_errors_print(&errors, stderr);
		fail_msg("not told: %u:%u %s", line, column, words);
	}
	set_errors_free(&errors);
}

static void a_nest_of_200000_brackets_is_refused_at_once(void **state)
{
	static char nest[200000];
	struct timespec before, after;

	(void)state;
	memset(nest, '[', sizeof(nest));
	clock_gettime(CLOCK_MONOTONIC, &before);
	expect_one(nest, sizeof(nest), 1, 33, "nested too deep");
	for (size_t i = 0; i < sizeof(nest); i += 2)
		memcpy(nest + i, "- ", 2);
	expect_one(nest, sizeof(nest), 1, 65, "nested too deep");
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec <= 1);
}

static void bytes_that_are_not_utf8_are_told_with_their_place(void **state)
{
	(void)state;
	expect_one("version: 1\nname: \"\xff\"\n", 21, 2, 8, "not valid UTF-8");
	expect_one("\xff\xfe"
		   "a\0",
		   4, 1, 1, "not valid UTF-8");
	expect_one("name: \"1\\0\"\n", 12, 1, 7, "NUL");
	expect_one("version: 1\nna\x01me: x\n", 20, 2, 3, "not valid UTF-8");
	expect_one("", 0, 1, 1, "empty");
	expect_one("\n\n---\n", 6, 1, 1, "empty");
}

static void aliases_cannot_blow_a_file_up(void **state)
{
	char text[4096] = "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n";
	struct set_errors errors;

	(void)state;
	for (int i = 1; i < 12; i++) {
		char line[200];

		snprintf(line, sizeof(line),
			 "x%d: &x%d [*x%d, *x%d, *x%d, *x%d, *x%d, *x%d, *x%d, *x%d, *x%d]\n", i, i,
			 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
		strcat(text, line);
	}
	assert_null(load("bomb.yaml", text, strlen(text), &errors));
	assert_int_equal(errors.count, 1);
	assert_non_null(strstr(errors.list[0].message, "too large"));
	set_errors_free(&errors);
}

static void files_that_cannot_be_read_are_told(void **state)
{
	static char large[1024 * 1024 + 1];
	struct set_errors errors = {0};

	(void)state;
	assert_null(set_load(config_files_path("nowhere.yaml"), &errors));
	assert_non_null(strstr(errors.list[0].message, "No such file"));
	set_errors_free(&errors);
	assert_null(set_load("/tmp", &errors));
	assert_int_equal(errors.count, 1);
	assert_non_null(strstr(errors.list[0].message, "cannot be read"));
	set_errors_free(&errors);
	memset(large, '#', sizeof(large));
	assert_null(load("large.yaml", large, sizeof(large), &errors));
	assert_non_null(strstr(errors.list[0].message, "larger than 1MiB"));
	set_errors_free(&errors);
}

static void too_many_vms_and_regions_are_refused(void **state)
{
	static char text[16384];
	struct set_errors errors;

	(void)state;
	strcpy(text, "version: 1\nmachine: {memory: 4GiB}\nvms:\n");
	for (int i = 0; i < AV_VM_MAX; i++)
		sprintf(text + strlen(text), "  - {name: v%d, image: guest.elf, memory: 16MiB}\n",
			i);
	strcat(text, "shm:\n");
	for (int i = 0; i < AV_REGION_MAX + 1; i++)
		sprintf(text + strlen(text), "  - {name: r%d, size: 4KiB, members: {v0: ro}}\n", i);
	assert_null(load("many.yaml", text, strlen(text), &errors));
	assert_int_equal(errors.count, 2);
	assert_non_null(strstr(errors.list[0].message, "20 VMs are too many: at most 19"));
	assert_non_null(strstr(errors.list[1].message, "33 regions are too many: at most 32"));
	set_errors_free(&errors);
}

static void an_endless_list_of_mistakes_ends(void **state)
{
	static char text[65536];
	struct set_errors errors;
	char *shown;

	(void)state;
	strcpy(text, "version: 1\n");
	for (int i = 0; i < 1000; i++)
		sprintf(text + strlen(text), "key%d: 1\n", i);
	assert_null(load("endless.yaml", text, strlen(text), &errors));
	assert_int_equal(errors.count, 200);
	shown = printed(&errors);
	assert_non_null(strstr(shown, "too many errors"));
	free(shown);
	set_errors_free(&errors);
}

static void a_region_without_address_goes_above_its_members(void **state)
{
	static const char text[] =
		"version: 1\nmachine: {memory: 3GiB}\nvms:\n"
		"  - {name: a, image: guest.elf, memory: 32MiB}\n"
		"  - {name: b, image: guest.elf, memory: 1GiB}\n"
		"shm:\n"
		"  - {name: high, size: 3MiB, members: {a: ro, b: rw}}\n"
		"  - {name: low, size: 4KiB, members: {a: ro}}\n"
		"  - {name: low2, size: 4KiB, members: {a: ro}}\n"
		"  - {name: high2, size: 4KiB, members: {b: ro}}\n"
		"  - {name: fixed, address: 0x70000000, size: 2MiB, members: {a: ro}}\n";
	/* The state table of a region of 2 MiB needs another 2 MiB. */
	static const uint64_t wanted[] = {0x80000000, 0x70400000, 0x70600000, 0x80400000,
					  0x70000000};
	struct set_errors errors;
	struct set *set = load("place.yaml", text, sizeof(text) - 1, &errors);

	(void)state;
	set_errors_print(&errors, stderr);
	assert_non_null(set);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(set->regions[i].address, wanted[i]);
	set_free(set);
	set_errors_free(&errors);
}

/* NAME of the repository's configs must be free of all mistakes but images that are not built yet. */
static void the_sets_that_come_with_avisor_are_right(void **state)
{
	DIR *directory = opendir("configs");
	const struct dirent *entry;
	int wrong = 0;

	(void)state;
	assert_non_null(directory);
	while ((entry = readdir(directory)) != NULL) {
		struct set_errors errors = {0};
		char path[400];
		struct set *set;

		if (!strstr(entry->d_name, ".yaml"))
			continue;
		snprintf(path, sizeof(path), "configs/%s", entry->d_name);
		set = set_load(path, &errors);
		for (size_t i = 0; i < errors.count; i++) {
			if (strstr(errors.list[i].message, "No such file"))
				continue;
			print_error("%s:%u: %s\n", path, errors.list[i].mark.line,
				    errors.list[i].message);
			wrong++;
		}
		set_free(set);
		set_errors_free(&errors);
	}
	closedir(directory);
	assert_int_equal(wrong, 0);
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
		cmocka_unit_test(every_mistake_of_the_corpus_is_told_with_its_place),
		cmocka_unit_test(a_good_file_becomes_a_set_with_all_defaults),
		cmocka_unit_test(what_show_prints_loads_to_the_same_set),
		cmocka_unit_test(errors_and_schema_are_json),
		cmocka_unit_test(a_nest_of_200000_brackets_is_refused_at_once),
		cmocka_unit_test(bytes_that_are_not_utf8_are_told_with_their_place),
		cmocka_unit_test(aliases_cannot_blow_a_file_up),
		cmocka_unit_test(files_that_cannot_be_read_are_told),
		cmocka_unit_test(too_many_vms_and_regions_are_refused),
		cmocka_unit_test(an_endless_list_of_mistakes_ends),
		cmocka_unit_test(a_region_without_address_goes_above_its_members),
		cmocka_unit_test(the_sets_that_come_with_avisor_are_right),
	};

	return cmocka_run_group_tests_name("config", tests, set_up, tear_down);
}
