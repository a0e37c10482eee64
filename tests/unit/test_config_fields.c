/* SPDX-License-Identifier: MIT */
/* test_config_fields.c - a region's fields: where they lie, arrays, structures, enums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "config/config.h"
#include "config/set.h"
#include "config_files.h"

static const char head[] = "version: 1\n"
			   "name: fields\n"
			   "machine: {memory: 512MiB}\n"
			   "vms: [{name: vm1, image: guest.elf, memory: 32MiB}]\n"
			   "shm:\n"
			   "  - name: a\n"
			   "    size: 4KiB\n"
			   "    members: {vm1: rw}\n"
			   "    fields:\n";

static struct set *load(const char *fields)
{
	struct set_errors errors = {0};
	char text[8192];
	struct set *set;

	snprintf(text, sizeof(text), "%s%s", head, fields);
	set = set_load(config_files_write("fields.yaml", text, strlen(text)), &errors);
	if (!set)
		set_errors_print(&errors, stderr);
	set_errors_free(&errors);
	return set;
}

static const struct set_field *find(const struct set *set, const char *name)
{
	const struct set_region *region = &set->regions[0];

	for (size_t i = 0; i < region->field_count; i++)
		if (strcmp(region->fields[i].name, name) == 0)
			return &region->fields[i];
	fail_msg("no field %s", name);
	return NULL;
}

static void expect(const struct set *set, const char *name, uint64_t at, uint64_t length)
{
	const struct set_field *field = find(set, name);

	if (field->at != at || field->length != length)
		fail_msg("%s at %llu, %llu bytes", name, (unsigned long long)field->at,
			 (unsigned long long)field->length);
}

static void fields_without_a_place_lie_as_in_c(void **state)
{
	struct set *set = load("      - {name: a, type: u8}\n"
			       "      - {name: b, type: u32}\n"
			       "      - {name: c, type: \"char[3]\"}\n"
			       "      - {name: d, type: i16}\n"
			       "      - {name: e, at: 0x40, type: u8}\n"
			       "      - {name: f, type: f64}\n"
			       "      - {name: g, at: 0, type: u64}\n"
			       "      - {name: h, type: u8}\n");

	(void)state;
	assert_non_null(set);
	expect(set, "a", 0, 1);
	expect(set, "b", 4, 4);
	expect(set, "c", 8, 3);
	expect(set, "d", 12, 2);
	expect(set, "e", 0x40, 1);
	expect(set, "f", 0x48, 8);
	expect(set, "g", 0, 8);
	expect(set, "h", 0x50, 1); /* behind all, not behind the union */
	set_free(set);
}

struct c_slot {
	uint8_t kind;
	struct {
		uint16_t length;
		uint64_t token;
	} head;
	int16_t values[5];
};
struct c_region {
	uint32_t magic;
	struct c_slot slots[3];
	uint8_t tail;
};

static void structures_and_their_arrays_lie_as_the_compiler_puts_them(void **state)
{
	struct set *set = load("      - {name: magic, type: u32}\n"
			       "      - name: slots\n"
			       "        count: 3\n"
			       "        fields:\n"
			       "          - {name: kind, type: u8}\n"
			       "          - name: head\n"
			       "            fields:\n"
			       "              - {name: length, type: u16}\n"
			       "              - {name: token, type: u64}\n"
			       "          - {name: values, type: i16, count: 5}\n"
			       "      - {name: tail, type: u8}\n");
	const size_t slot = offsetof(struct c_region, slots);

	(void)state;
	assert_non_null(set);
	expect(set, "slots[0].kind", slot, 1);
	expect(set, "slots[0].head.token", slot + offsetof(struct c_slot, head.token), 8);
	expect(set, "slots[2].head.length",
	       slot + 2 * sizeof(struct c_slot) + offsetof(struct c_slot, head.length), 2);
	expect(set, "slots[2].values",
	       slot + 2 * sizeof(struct c_slot) + offsetof(struct c_slot, values), 10);
	assert_int_equal(find(set, "slots[1].values")->count, 5);
	expect(set, "tail", offsetof(struct c_region, tail), 1);
	assert_int_equal(set->regions[0].field_count, 2 + 3 * 4);
	set_free(set);
}

static void a_structure_can_be_longer_than_its_fields(void **state)
{
	struct set *set = load("      - {name: s, at: 64, length: 64, count: 4, "
			       "fields: [{name: x, at: 8, type: u8}]}\n");

	(void)state;
	assert_non_null(set);
	expect(set, "s[0].x", 72, 1);
	expect(set, "s[3].x", 72 + 3 * 64, 1);
	set_free(set);
}

static void numbers_have_an_order_a_base_and_names(void **state)
{
	struct set *set = load("      - {name: a, type: u32, endian: big, hex: true}\n"
			       "      - {name: b, type: i16, enum: {minus: -2, plus: 0x10}}\n"
			       "      - {name: c, type: \"u8[4]\", enum: {no: 0, most: 255}}\n");

	(void)state;
	assert_non_null(set);
	assert_true(find(set, "a")->big_endian && find(set, "a")->hex);
	assert_null(find(set, "a")->choices);
	assert_int_equal(find(set, "b")->choices->choices[0].value, 0xfffe);
	assert_string_equal(find(set, "b")->choices->choices[1].name, "plus");
	assert_int_equal(find(set, "c")->choices->choices[1].value, 255);
	assert_int_equal(find(set, "c")->count, 4);
	set_free(set);
}

static void what_show_prints_of_fields_loads_to_the_same(void **state)
{
	struct set *set = load("      - {name: a, type: u32, endian: big, hex: true}\n"
			       "      - name: s\n"
			       "        count: 2\n"
			       "        fields:\n"
			       "          - {name: b, type: i16, enum: {minus: -2, plus: 0x10}}\n"
			       "          - {name: t, type: \"char[8]\", count: 2}\n"
			       "      - {name: big, type: u64, enum: {all: 0xffffffffffffffff}}\n"),
		   *again;
	struct set_errors errors = {0};
	json_t *first, *second;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(set);
	config_show_yaml(set, out);
	fclose(out);
	/* At the same path, which is shown too. */
	again = set_load(config_files_write("fields.yaml", text, size), &errors);
	if (!again)
		set_errors_print(&errors, stderr);
	assert_non_null(again);
	first = config_show_json(set);
	second = config_show_json(again);
	assert_true(json_equal(first, second));
	json_decref(first);
	json_decref(second);
	free(text);
	set_errors_free(&errors);
	set_free(again);
	set_free(set);
}

static void arrays_of_structures_end_at_4096_fields(void **state)
{
	struct set_errors errors = {0};
	char text[2048];

	(void)state;
	snprintf(text, sizeof(text),
		 "%s      - {name: s, count: 2049, fields: [{name: x, at: 0, "
		 "type: u8}, {name: y, at: 0, type: u8}]}\n",
		 head);
	assert_null(set_load(config_files_write("fields.yaml", text, strlen(text)), &errors));
	assert_int_equal(errors.count, 1);
	assert_non_null(strstr(errors.list[0].message, "at most 4096 fields"));
	set_errors_free(&errors);
}

static int setup(void **state)
{
	(void)state;
	return config_files_make() ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	config_files_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_without_a_place_lie_as_in_c),
		cmocka_unit_test(structures_and_their_arrays_lie_as_the_compiler_puts_them),
		cmocka_unit_test(a_structure_can_be_longer_than_its_fields),
		cmocka_unit_test(numbers_have_an_order_a_base_and_names),
		cmocka_unit_test(what_show_prints_of_fields_loads_to_the_same),
		cmocka_unit_test(arrays_of_structures_end_at_4096_fields),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
