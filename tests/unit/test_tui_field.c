/* SPDX-License-Identifier: MIT */
/* test_tui_field.c - fields of every kind: shown, found by name, parsed for a poke, compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tui/shm_expr.h"
#include "tui/shm_field.h"
#include "tui/shm_text.h"

static struct set_choice state_choices[] = {{(char *)"idle", 0}, {(char *)"busy", 1}};
static struct set_choice level_choices[] = {{(char *)"low", 0xfffe}, {(char *)"high", 2}};
static struct set_enum states = {.choices = state_choices, .count = 2};
static struct set_enum levels = {.choices = level_choices, .count = 2};
static struct set_field fields[] = {
	{.name = (char *)"magic", .at = 0, .length = 4, .type = SET_FIELD_U32, .hex = true},
	{.name = (char *)"net", .at = 4, .length = 4, .type = SET_FIELD_U32, .big_endian = true},
	{.name = (char *)"state", .at = 8, .length = 1, .type = SET_FIELD_U8, .choices = &states},
	{.name = (char *)"level", .at = 10, .length = 2, .type = SET_FIELD_I16, .choices = &levels},
	{.name = (char *)"temps", .at = 12, .length = 8, .type = SET_FIELD_I16, .count = 4},
	{.name = (char *)"who", .at = 20, .length = 12, .type = SET_FIELD_STRING, .count = 3},
	{.name = (char *)"slot[1].head", .at = 32, .length = 8, .type = SET_FIELD_U64},
	{.name = (char *)"ratio", .at = 40, .length = 8, .type = SET_FIELD_F64, .big_endian = true},
	{.name = (char *)"raw", .at = 48, .length = 3, .type = SET_FIELD_BYTES},
	{.name = (char *)"small", .at = 52, .length = 4, .type = SET_FIELD_F32},
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))
static struct set_region region = {
	.name = (char *)"r", .size = 64, .fields = fields, .field_count = FIELD_COUNT};
static const uint8_t bytes[64] = {
	0xef, 0xbe, 0xad, 0xde,                     /* magic */
	0,    0,    1,    2,                        /* net 258 */
	1,    0,    0xfe, 0xff,                     /* busy, low */
	1,    0,    0xff, 0xff, 3,      0, 0, 0x80, /* temps */
	'a',  'b',  0,    0,    '\x1b', 0, 0, 0,    'w', 'x',
	'y',  'z',  7,    0,    0,      0, 0, 0,    0,   0x80, /* slot[1].head */
	0x3f, 0xf8, 0,    0,    0,      0, 0, 0,               /* ratio 1.5 */
	0xab, 0xcd, 0xef,
};

static const struct set_field *named(const char *name)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	fail_msg("%s", name);
	return NULL;
}

static void values_are_shown_in_their_order_base_and_by_name(void **state)
{
	static const struct {
		const char *name, *type, *text, *json;
	} cases[] = {
		{"magic", "u32", "0xdeadbeef", "3735928559"},
		{"net", "u32", "258", "258"},
		{"state", "u8", "busy", "\"busy\""},
		{"level", "i16", "low", "\"low\""},
		{"temps", "i16[4]", "[1, -1, 3, -32768]", "[1,-1,3,-32768]"},
		{"who", "char[3][4]", "[\"ab\", \"\\x1b\", \"wxyz\"]",
		 "[\"ab\",\"\\\\x1b\",\"wxyz\"]"},
		{"ratio", "f64", "1.5", "1.5"},
		{"raw", "bytes[3]", "ab cd ef", "\"abcdef\""},
		{"slot[1].head", "u64", "9223372036854775815", "\"0x8000000000000007\""},
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct set_field *field = named(cases[i].name);
		json_t *json = shm_json_field(field, bytes + field->at);
		char *dump = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

		shm_field_type_text(field, text, sizeof(text));
		assert_string_equal(text, cases[i].type);
		shm_field_text(field, bytes + field->at, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
		assert_string_equal(dump, cases[i].json);
		free(dump);
		json_decref(json);
	}
}

static void long_arrays_are_cut_at_an_element(void **state)
{
	const struct set_field *field = named("temps");
	char text[64];

	(void)state;
	for (size_t size = 16; size < 40; size++) {
		memset(text, 'x', sizeof(text));
		shm_field_text(field, bytes + field->at, text, size);
		assert_true(strlen(text) < size);
		assert_int_equal(text[strlen(text) - 1], ']');
	}
	shm_field_text(field, bytes + field->at, text, 16);
	assert_string_equal(text, "[1, -1, 3...]");
}

static void names_elements_and_places_are_found(void **state)
{
	static const struct {
		const char *text;
		uint64_t at, length;
	} cases[] = {
		{"magic", 0, 4},         {"temps", 12, 8},      {"temps[0]", 12, 2},
		{"temps[3]", 18, 2},     {"temps[0x2]", 16, 2}, {"who[2]", 28, 4},
		{"slot[1].head", 32, 8}, {"u16@0x3e", 62, 2},   {"i8@63", 63, 1},
	};
	static const char *const bad[] = {
		"",
		"nothing",
		"temps[4]",
		"temps[]",
		"temps[-1]",
		"temps[1",
		"temps1]",
		"[0]",
		"magic[0]",
		"u16@63",
		"u16@",
		"u16@x",
		"u16@-1",
		"u9@1",
		"@1",
		"string@0",
		"u8@18446744073709551616",
		"slot[0].head",
		"temps[18446744073709551615]",
		"u8@1x",
	};
	struct set_field field;
	char message[160];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (shm_field_find(&region, cases[i].text, strlen(cases[i].text), &field, message,
				   sizeof(message)) != 0)
			fail_msg("%s: %s", cases[i].text, message);
		assert_int_equal(field.at, cases[i].at);
		assert_int_equal(field.length, cases[i].length);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		message[0] = '\0';
		if (shm_field_find(&region, bad[i], strlen(bad[i]), &field, message,
				   sizeof(message)) == 0)
			fail_msg("found: %s", bad[i]);
		assert_true(message[0]);
	}
}

static void what_is_typed_becomes_the_bytes_that_show_it(void **state)
{
	static const struct {
		const char *field, *text, *shown;
	} good[] = {
		{"magic", "0x12345678", "0x12345678"},
		{"magic", "10", "0x0000000a"},
		{"net", "4294967295", "4294967295"},
		{"state", "idle", "idle"},
		{"state", "1", "busy"},
		{"state", "255", "255"},
		{"level", "-2", "low"},
		{"level", "low", "low"},
		{"level", "-32768", "-32768"},
		{"temps[1]", "-7", "-7"},
		{"who[0]", "wxyz", "\"wxyz\""},
		{"who[0]", "", "\"\""},
		{"ratio", "-2.5e3", "-2500"},
		{"small", "0.5", "0.5"},
		{"raw", "01 02 ff", "01 02 ff"},
	};
	static const struct {
		const char *field, *text;
	} bad[] = {
		{"magic", "4294967296"},
		{"magic", "-1"},
		{"magic", ""},
		{"magic", "0x"},
		{"magic", "1 "},
		{"magic", "+1"},
		{"state", "256"},
		{"state", "lazy"},
		{"level", "32768"},
		{"level", "-32769"},
		{"who[0]", "abcde"},
		{"ratio", "x"},
		{"ratio", "1x"},
		{"small", "1e300"},
		{"raw", "01 02"},
		{"raw", "01020304"},
		{"raw", "0"},
		{"temps", "1"},
		{"slot[1].head", "18446744073709551616"},
	};
	char message[160], text[64];
	struct set_field field;
	uint8_t out[16];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(shm_field_find(&region, good[i].field, strlen(good[i].field),
						&field, message, sizeof(message)),
				 0);
		if (shm_field_parse(&field, good[i].text, out, message, sizeof(message)) != 0)
			fail_msg("%s=%s: %s", good[i].field, good[i].text, message);
		shm_field_text(&field, out, text, sizeof(text));
		assert_string_equal(text, good[i].shown);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(shm_field_find(&region, bad[i].field, strlen(bad[i].field), &field,
						message, sizeof(message)),
				 0);
		message[0] = '\0';
		if (shm_field_parse(&field, bad[i].text, out, message, sizeof(message)) == 0)
			fail_msg("accepted: %s=%s", bad[i].field, bad[i].text);
		assert_true(message[0]);
	}
}

static bool read_bytes(void *context, uint64_t at, void *buffer, size_t length)
{
	(void)context;
	if (at > sizeof(bytes) || length > sizeof(bytes) - at)
		return false;
	memcpy(buffer, bytes + at, length);
	return true;
}

static void conditions_know_names_elements_and_orders(void **state)
{
	static const struct {
		const char *text;
		bool holds;
	} cases[] = {
		{"state==busy", true},    {"state!=idle", true},   {"state==1", true},
		{"level==low", true},     {"level<high", true},    {"level<0", true},
		{"temps[1]==-1", true},   {"who[0]==ab", true},    {"who[2]==\"wxyz\"", true},
		{"net>=258", true},       {"net<258", false},      {"ratio==1.5", true},
		{"slot[1].head>1", true}, {"i16@0xe == -1", true}, {"magic==0xdeadbeef", true},
	};
	struct shm_expr expr;
	char message[160];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int bad = shm_expr_parse(&expr, &region, cases[i].text, message, sizeof(message));

		if (bad)
			fail_msg("%s: %s", cases[i].text, message);
		if (shm_expr_holds(&expr, read_bytes, NULL) != cases[i].holds)
			fail_msg("%s", cases[i].text);
	}
	assert_int_not_equal(shm_expr_parse(&expr, &region, "temps==1", message, sizeof(message)),
			     0);
	assert_non_null(strstr(message, "array"));
}

static void a_change_in_an_array_tells_the_elements_that_it_touches(void **state)
{
	struct shm_change change = {.offset = 14, .length = 3};
	json_t *json = shm_json_change(&region, &change, 0, bytes + 14, bytes + 14, bytes, 64);
	json_t *told = json_object_get(json, "fields");

	(void)state;
	assert_int_equal(json_object_size(told), 2);
	assert_int_equal(json_integer_value(json_object_get(told, "temps[1]")), -1);
	assert_int_equal(json_integer_value(json_object_get(told, "temps[2]")), 3);
	json_decref(json);
}

static struct set_vm vms[] = {{.name = (char *)"vm1"}, {.name = (char *)"vm2"}};
static struct set_member members[] = {{.vm = 0}, {.vm = 1, .write = true}};
static struct set_region cut = {
	.name = (char *)"cut",
	.size = 3 * 4096,
	.output_size = 4096,
	.members = members,
	.member_count = 2,
};
static struct set set = {
	.name = (char *)"duo", .vms = vms, .vm_count = 2, .regions = &cut, .region_count = 1};

static void the_writer_is_whose_section_it_is_or_the_only_one_who_may(void **state)
{
	struct set_region whole = cut;

	(void)state;
	assert_string_equal(shm_text_writer(&set, &cut, 0, 4096), "vm2"); /* vm1 only reads it */
	assert_string_equal(shm_text_writer(&set, &cut, 4096, 1), "vm1");
	assert_string_equal(shm_text_writer(&set, &cut, 8191, 1), "vm1");
	assert_string_equal(shm_text_writer(&set, &cut, 8192, 4096), "vm2");
	assert_null(shm_text_writer(&set, &cut, 8191, 2));
	assert_null(shm_text_writer(&set, &cut, 4095, 2));
	assert_null(shm_text_writer(&set, &cut, 0, cut.size));
	whole.output_size = 0;
	assert_string_equal(shm_text_writer(&set, &whole, 0, whole.size), "vm2");
	members[0].write = true;
	assert_null(shm_text_writer(&set, &whole, 0, 1));
	assert_null(shm_text_writer(&set, &cut, 0, 1));
	assert_string_equal(shm_text_writer(&set, &cut, 4096, 1), "vm1");
	members[0].write = false;
}

static void members_that_do_not_run_are_told_from_the_state_table(void **state)
{
	struct av_region_state table = {
		.magic = AV_REGION_STATE_MAGIC,
		.version = AV_REGION_STATE_VERSION,
		.serial = 7,
		.member = {3 << 8 | AV_MEMBER_RUNNING, 1 << 8 | AV_MEMBER_CRASHED}};
	FILE *file = tmpfile();
	struct shm_view view = {
		.set = &set, .region = &cut, .ram_fd = fileno(file), .offset = 4096};
	struct av_region_state read;
	char text[128];

	(void)state;
	assert_int_equal(ftruncate(fileno(file), 4096 + 4 * 4096), 0);
	shm_text_members_now(&view, text, sizeof(text));
	assert_string_equal(text, "vm1 ro  vm2 rw"); /* there is no table */
	assert_false(shm_view_state(&view, &read));
	assert_int_equal(pwrite(fileno(file), &table, sizeof(table), 4096 + 3 * 4096),
			 sizeof(table));
	assert_true(shm_view_state(&view, &read));
	assert_int_equal(av_member_generation(read.member[0]), 3);
	shm_text_members_now(&view, text, sizeof(text));
	assert_string_equal(text, "vm1 ro  vm2 rw crashed");
	table.member[1] = AV_MEMBER_NONE;
	table.member[0] = 0xff; /* nonsense is not shown */
	assert_int_equal(pwrite(fileno(file), &table, sizeof(table), 4096 + 3 * 4096),
			 sizeof(table));
	shm_text_members_now(&view, text, sizeof(text));
	assert_string_equal(text, "vm1 ro  vm2 rw detached");
	fclose(file);
}

/* Text made of pieces of good conditions: parsed or refused, but never a crash (the sanitizers look). */
static void mangled_conditions_do_no_harm(void **state)
{
	static const char *const pieces[] = {
		"magic",
		"temps[1]",
		"who[0]",
		"slot[1].head",
		"raw",
		"ratio",
		"u32@",
		"i8@63",
		">=",
		"==",
		"~",
		"&&",
		"\"",
		"\\",
		"-",
		"0x",
		"99999999999999999999",
		" ",
		"busy",
		"[",
		"]",
		"@",
		".",
		"\xff",
		"1e999",
		"low",
		"nan",
		"!=",
		"state",
		"level",
	};
	unsigned long rounds = getenv("SOAK") ? 1000000 : 100000, parsed = 0;
	unsigned seed = getenv("SEED") ? (unsigned)strtoul(getenv("SEED"), NULL, 0) : 1;
	struct shm_expr expr;
	struct set_field field;
	uint8_t out[64];
	char text[600], message[160];

	(void)state;
	for (unsigned long i = 0; i < rounds; i++) {
		size_t used = 0, count;

		seed = seed * 1103515245u + 12345u;
		count = 1 + (seed >> 16) % 12;
		text[0] = '\0';
		while (count-- && used < 500) {
			seed = seed * 1103515245u + 12345u;
			used += (size_t)snprintf(
				text + used, sizeof(text) - used, "%s",
				pieces[(seed >> 16) % (sizeof(pieces) / sizeof(pieces[0]))]);
		}
		message[0] = 'x';
		if (shm_expr_parse(&expr, &region, text, message, sizeof(message)) == 0) {
			shm_expr_holds(&expr, read_bytes, NULL);
			parsed++;
		} else {
			assert_true(message[0]);
		}
		if (shm_field_find(&region, text, strlen(text), &field, message, sizeof(message)) ==
		    0)
			shm_field_parse(&field, text, out, message, sizeof(message));
		shm_field_parse(&fields[i % FIELD_COUNT], text, out, message, sizeof(message));
	}
	assert_true(parsed > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_shown_in_their_order_base_and_by_name),
		cmocka_unit_test(long_arrays_are_cut_at_an_element),
		cmocka_unit_test(names_elements_and_places_are_found),
		cmocka_unit_test(what_is_typed_becomes_the_bytes_that_show_it),
		cmocka_unit_test(conditions_know_names_elements_and_orders),
		cmocka_unit_test(a_change_in_an_array_tells_the_elements_that_it_touches),
		cmocka_unit_test(the_writer_is_whose_section_it_is_or_the_only_one_who_may),
		cmocka_unit_test(members_that_do_not_run_are_told_from_the_state_table),
		cmocka_unit_test(mangled_conditions_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
