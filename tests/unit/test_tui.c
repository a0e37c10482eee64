/* SPDX-License-Identifier: MIT */
/* test_tui.c - the pure parts under `shm watch`: layout, change model, fields, conditions, lines.
 * Never opens a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tui/shm_expr.h"
#include "tui/shm_field.h"
#include "tui/shm_layout.h"
#include "tui/shm_model.h"
#include "tui/shm_text.h"
#include "tui/shm_view.h"

#define SECOND 1000000000ull

static bool inside(struct shm_rect r, int width, int height)
{
	return r.x >= 0 && r.y >= 0 && r.width >= 0 && r.height >= 0 && r.x + r.width <= width &&
	       r.y + r.height <= height;
}

static bool overlap(struct shm_rect a, struct shm_rect b)
{
	return a.width && b.width && a.height && b.height && a.x < b.x + b.width &&
	       b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

static void parts_of_the_panel_never_overlap_or_leave_the_screen(void **state)
{
	static const size_t field_counts[] = {0, 1, 5, 100};

	(void)state;
	for (int width = 1; width <= 200; width++) {
		for (int height = 1; height <= 60; height++) {
			for (size_t f = 0; f < 4; f++) {
				struct shm_layout l = shm_layout(width, height, field_counts[f]);
				struct shm_rect parts[] = {l.title, l.members, l.header, l.bytes,
							   l.rule,  l.fields,  l.status};

				for (size_t i = 0; i < 7; i++) {
					assert_true(inside(parts[i], width, height));
					for (size_t k = 0; k < i; k++)
						assert_false(overlap(parts[i], parts[k]));
				}
				assert_int_equal(l.too_small, width < 60 || height < 12);
				if (l.too_small)
					continue;
				assert_true(l.bytes.height >= 4);
				assert_true(shm_layout_row_width(l.bytes_per_row) <= l.bytes.width);
				assert_int_equal(l.side, width >= 120 && field_counts[f] > 0);
				assert_int_equal(l.fields.height > 0, field_counts[f] > 0);
			}
		}
	}
}

static void sixteen_bytes_and_their_text_fit_in_eighty_columns(void **state)
{
	(void)state;
	assert_int_equal(shm_layout(80, 24, 3).bytes_per_row, 16);
	assert_int_equal(shm_layout(60, 12, 3).bytes_per_row, 8);
	assert_int_equal(shm_layout(150, 24, 0).bytes_per_row, 32);
}

static void a_byte_ages_from_reverse_to_bold_to_underline_to_plain(void **state)
{
	uint64_t t = 10 * SECOND;

	(void)state;
	assert_int_equal(shm_age_of(0, t), SHM_AGE_OLD);
	assert_int_equal(shm_age_of(t, t), SHM_AGE_NOW);
	assert_int_equal(shm_age_of(t, t + 249999999), SHM_AGE_NOW);
	assert_int_equal(shm_age_of(t, t + 250000000), SHM_AGE_RECENT);
	assert_int_equal(shm_age_of(t, t + SECOND), SHM_AGE_FADING);
	assert_int_equal(shm_age_of(t, t + 5 * SECOND), SHM_AGE_OLD);
	assert_int_equal(shm_age_of(t + 1, t), SHM_AGE_NOW);
}

/* Take a sample in pieces of an odd size. */
static uint64_t update(struct shm_model *m, const uint8_t *bytes, size_t valid, uint64_t now)
{
	shm_model_begin(m, now);
	for (size_t at = 0; at < valid; at += 777)
		shm_model_feed(m, bytes + at, valid - at < 777 ? valid - at : 777);
	return shm_model_end(m);
}

static void only_bytes_that_differ_between_samples_are_stamped(void **state)
{
	uint8_t next[10000];
	struct shm_model m;

	(void)state;
	assert_int_equal(shm_model_init(&m, 10000, 0), 0);
	memset(next, 7, 10000);
	assert_int_equal(update(&m, next, 10000, SECOND), 0);
	assert_int_equal(shm_model_age(&m, 0, 10000, SECOND), SHM_AGE_OLD);
	next[5000] = 8;
	next[9999] = 8;
	assert_int_equal(update(&m, next, 10000, 2 * SECOND), 2);
	assert_int_equal(m.last_change_at, 5000);
	assert_int_equal(shm_model_age(&m, 5000, 1, 2 * SECOND), SHM_AGE_NOW);
	assert_int_equal(shm_model_age(&m, 4999, 1, 2 * SECOND), SHM_AGE_OLD);
	assert_int_equal(shm_model_age(&m, 4990, 20, 3 * SECOND), SHM_AGE_FADING);
	assert_int_equal(shm_model_rate(&m, 2 * SECOND), 2);
	assert_int_equal(shm_model_rate(&m, 4 * SECOND), 0);
	shm_model_free(&m);
}

static void bytes_beyond_the_end_of_the_file_are_unknown_and_do_not_count_as_changes(void **state)
{
	uint8_t next[100];
	struct shm_model m;

	(void)state;
	assert_int_equal(shm_model_init(&m, 100, 0), 0);
	memset(next, 1, 100);
	update(&m, next, 100, 1);
	memset(next, 2, 100);
	assert_int_equal(update(&m, next, 40, 2), 40);
	assert_int_equal(shm_model_byte(&m, 39), 2);
	assert_int_equal(shm_model_byte(&m, 40), -1);
	assert_null(shm_model_span(&m, 38, 4));
	assert_int_equal(update(&m, next, 100, 3), 0);
	shm_model_free(&m);
}

static void a_large_region_is_followed_around_the_view(void **state)
{
	struct shm_model m;
	uint64_t size = 200u << 20;

	(void)state;
	assert_int_equal(shm_model_init(&m, size, 1000), 0);
	assert_int_equal(m.length, SHM_MODEL_WINDOW_MAX);
	assert_false(shm_model_follow(&m, 0, 512));
	update(&m, (const uint8_t *)"abc", 3, 1);
	assert_true(shm_model_follow(&m, 100u << 20, 512));
	assert_true(m.base <= (100u << 20) && m.base + m.length >= (100u << 20) + 512);
	assert_int_equal(shm_model_byte(&m, 100u << 20), -1);
	assert_true(shm_model_follow(&m, size - 16, 512));
	assert_int_equal(m.base + m.length, size);
	assert_false(shm_model_follow(&m, size - 16, 512));
	shm_model_free(&m);
}

static void what_a_guest_wrote_is_escaped(void **state)
{
	char out[64];
	const uint8_t evil[] = "a\x1b[2J\"\\\n\xff";

	(void)state;
	shm_escape(evil, sizeof(evil) - 1, out, sizeof(out));
	assert_string_equal(out, "a\\x1b[2J\\\"\\\\\\n\\xff");
	shm_escape((const uint8_t *)"0123456789", 10, out, 11);
	assert_string_equal(out, "0123456789");
	shm_escape((const uint8_t *)"0123456789", 10, out, 10);
	assert_string_equal(out, "012345...");
	shm_hex((const uint8_t *)"\x01\x02\x03\x04", 4, ' ', out, 10);
	assert_string_equal(out, "01 02...");
	for (size_t size = 8; size < 40; size++) {
		shm_escape(evil, sizeof(evil) - 1, out, size);
		assert_true(strlen(out) < size);
	}
}

static void fields_are_decoded_little_endian(void **state)
{
	static const uint8_t bytes[] = {0x13, 0x04, 0xff, 0xff, 0xff, 0xff,
					0xff, 0xff, 'h',  'i',  0,    'x'};
	struct set_field field = {.type = SET_FIELD_U16, .length = 2};
	char out[64];

	(void)state;
	shm_field_text(&field, bytes, out, sizeof(out));
	assert_string_equal(out, "1043");
	field = (struct set_field){.type = SET_FIELD_I16, .length = 2};
	shm_field_text(&field, bytes + 2, out, sizeof(out));
	assert_string_equal(out, "-1");
	field = (struct set_field){.type = SET_FIELD_U64, .length = 8};
	shm_field_text(&field, bytes, out, sizeof(out));
	assert_string_equal(out, "18446744073709487123");
	field = (struct set_field){.type = SET_FIELD_STRING, .length = 4};
	shm_field_text(&field, bytes + 8, out, sizeof(out));
	assert_string_equal(out, "\"hi\"");
	field = (struct set_field){.type = SET_FIELD_BYTES, .length = 4};
	shm_field_text(&field, bytes + 8, out, sizeof(out));
	assert_string_equal(out, "68 69 00 78");
	field = (struct set_field){.at = 8, .length = 4};
	assert_true(shm_field_touches(&field, 11, 1));
	assert_true(shm_field_touches(&field, 0, 9));
	assert_false(shm_field_touches(&field, 12, 1));
	assert_false(shm_field_touches(&field, 0, 8));
}

/*
 * ---- a region to test with
 * ----------------------------------------------------------------------------
 */

static struct set_field fields[] = {
	{.name = (char *)"head", .at = 0, .length = 4, .type = SET_FIELD_U32},
	{.name = (char *)"level", .at = 4, .length = 2, .type = SET_FIELD_I16},
	{.name = (char *)"ratio", .at = 8, .length = 4, .type = SET_FIELD_F32},
	{.name = (char *)"message", .at = 16, .length = 32, .type = SET_FIELD_STRING},
	{.name = (char *)"raw-id", .at = 48, .length = 2, .type = SET_FIELD_BYTES},
	{.name = (char *)"big", .at = 56, .length = 8, .type = SET_FIELD_U64},
};
static struct set_vm vms[] = {{.name = (char *)"vm1"}, {.name = (char *)"vm2"}};
static struct set_member members[] = {{.vm = 0}, {.vm = 1, .write = true}};
static struct set_region region = {
	.name = (char *)"board",
	.address = 0x70000000,
	.size = 64,
	.members = members,
	.member_count = 2,
	.fields = fields,
	.field_count = 6,
};
static struct set set = {
	.name = (char *)"duo", .vms = vms, .vm_count = 2, .regions = &region, .region_count = 1};

struct sample {
	const uint8_t *bytes;
	size_t length;
};

static bool read_sample(void *context, uint64_t at, void *buffer, size_t length)
{
	const struct sample *sample = context;

	if (at > sample->length || length > sample->length - at)
		return false;
	memcpy(buffer, sample->bytes + at, length);
	return true;
}

static void fill(uint8_t bytes[64])
{
	float ratio = 1.5f;

	memset(bytes, 0, 64);
	bytes[0] = 0xe8;
	bytes[1] = 3;               /* head 1000 */
	bytes[4] = bytes[5] = 0xff; /* level -1 */
	memcpy(bytes + 8, &ratio, 4);
	memcpy(bytes + 16, "Hello, shared memory!", 21);
	bytes[48] = 0xab;
	bytes[49] = 0xcd;
	memset(bytes + 56, 0xff, 8);
}

static void conditions_compare_fields_as_their_types_say(void **state)
{
	static const struct {
		const char *text;
		bool holds;
	} cases[] = {
		{"head>=1000", true},
		{"head>1000", false},
		{"head == 0x3e8", true},
		{"head=1000", true},
		{"head!=1000", false},
		{"level<0", true},
		{"level == -1", true},
		{"level>-1", false},
		{"ratio>1.25", true},
		{"ratio<=1.25", false},
		{"message~Hello", true},
		{"message~\"shared memory\"", true},
		{"message~Ciallo", false},
		{"message==Hello", false},
		{"message == \"Hello, shared memory!\"", true},
		{"raw-id==abcd", true},
		{"raw-id~cd", true},
		{"u8@1==3", true},
		{"u32@0x0>=1000 && level<0", true},
		{"head>=1000&&level>0", false},
		{"big==18446744073709551615", true},
		{"big>-1", true},
	};
	uint8_t bytes[64];
	struct sample sample = {bytes, sizeof(bytes)};
	struct shm_expr expr;
	char message[160];

	(void)state;
	fill(bytes);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (shm_expr_parse(&expr, &region, cases[i].text, message, sizeof(message)) != 0)
			fail_msg("%s: %s", cases[i].text, message);
		if (shm_expr_holds(&expr, read_sample, &sample) != cases[i].holds)
			fail_msg("%s", cases[i].text);
	}
	sample.length = 2;
	assert_int_equal(shm_expr_parse(&expr, &region, "head>=0", message, sizeof(message)), 0);
	assert_false(shm_expr_holds(&expr, read_sample, &sample));
}

static void conditions_that_make_no_sense_are_refused_with_a_sentence(void **state)
{
	static const char *const bad[] = {
		"",
		"head",
		"head>",
		"head>>1",
		"nothere>1",
		"head>abc",
		"head~1",
		"u32@64==1",
		"u32@61==1",
		"u9@0==1",
		"head>1 &&",
		"head>1 head",
		"raw-id==abc",
		"raw-id==zz",
		"message==\"open",
		"head>99999999999999999999",
		"u32@==1",
		"u32@-1==1",
		"ratio>x",
		"head>1 && head>1 && head>1 && head>1 && head>1 && head>1 && head>1"
		" && head>1 && head>1",
	};
	struct shm_expr expr;
	char message[160];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		message[0] = '\0';
		if (shm_expr_parse(&expr, &region, bad[i], message, sizeof(message)) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_true(message[0] != '\0');
	}
}

static void a_change_is_one_line_with_time_place_old_and_new(void **state)
{
	uint8_t old[64], new[64];
	struct shm_change change;
	size_t at = 0;
	json_t *json;
	char *text;

	(void)state;
	fill(old);
	fill(new);
	new[0] = 0xe9;
	new[62] = 1;
	new[63] = 0x7f;
	assert_int_equal(shm_next_change(old, new, 64, &at, &change), 1);
	assert_int_equal(change.offset, 0);
	assert_int_equal(change.length, 1);
	json = shm_json_change(&region, &change, 1700000000ull * SECOND + 250000000, old, new, new,
			       64);
	text = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);
	assert_string_equal(
		text,
		"{\"t\":\"2023-11-14T22:13:20.250Z\",\"region\":\"board\",\"off\":0,\"old\":\"e8\","
		"\"new\":\"e9\",\"fields\":{\"head\":1001}}");
	free(text);
	json_decref(json);
	assert_int_equal(shm_next_change(old, new, 64, &at, &change), 1);
	assert_int_equal(change.offset, 62);
	assert_int_equal(change.length, 2);
	json = shm_json_change(&region, &change, 0, old + 62, new + 62, new, 64);
	text = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);
	assert_string_equal(text, "{\"t\":\"1970-01-01T00:00:00.000Z\",\"region\":\"board\","
				  "\"off\":62,\"old\":\"ffff\","
				  "\"new\":\"017f\",\"fields\":{\"big\":\"0x7f01ffffffffffff\"}}");
	free(text);
	json_decref(json);
	assert_int_equal(shm_next_change(old, new, 64, &at, &change), 0);
}

static void long_runs_become_several_changes_that_cover_all(void **state)
{
	uint8_t *old = calloc(1, 10000), *new = calloc(1, 10000);
	struct shm_change change;
	size_t at = 0, covered = 0;

	(void)state;
	memset(new + 4000, 1, 1000);
	while (shm_next_change(old, new, 10000, &at, &change)) {
		assert_true(change.length <= SHM_CHANGE_MAX);
		assert_int_equal(change.offset, 4000 + covered);
		covered += change.length;
	}
	assert_int_equal(covered, 1000);
	free(old);
	free(new);
}

static struct shm_view file_view(FILE *file, uint64_t offset)
{
	return (struct shm_view){
		.set = &set, .region = &region, .ram_fd = fileno(file), .offset = offset};
}

static void the_dump_shows_hex_text_and_repeats_as_a_star(void **state)
{
	FILE *file = tmpfile();
	uint8_t bytes[64] = "Hello\x1b, ";
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct shm_view view = file_view(file, 4096);

	(void)state;
	assert_int_equal(pwrite(fileno(file), bytes, 64, 4096), 64);
	assert_int_equal(shm_text_dump(&view, 0, 64, out), 0);
	fclose(out);
	assert_string_equal(
		text,
		"00000000  48 65 6c 6c 6f 1b 2c 20  00 00 00 00 00 00 00 00  |Hello., ........|\n"
		"00000010  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
		"*\n00000040\n");
	free(text);
	fclose(file);
}

static void a_file_that_is_cut_is_noticed_and_not_fatal(void **state)
{
	FILE *file = tmpfile();
	uint8_t bytes[64];
	struct shm_view view = file_view(file, 4096);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(ftruncate(fileno(file), 4096 + 30), 0);
	assert_int_equal(shm_view_read(&view, 0, bytes, 64), 30);
	assert_int_equal(shm_view_read(&view, 64, bytes, 64), 0);
	assert_int_equal(shm_view_read(&view, UINT64_MAX, bytes, 64), 0);
	assert_true(shm_view_gone(&view));
	assert_int_equal(shm_text_dump(&view, 0, 64, out), -1);
	assert_null(shm_json_region(&view, 0, 64));
	fclose(out);
	free(text);
	fclose(file);
}

static void a_region_as_json_has_members_fields_and_data(void **state)
{
	FILE *file = tmpfile();
	uint8_t bytes[64];
	struct shm_view view = file_view(file, 0);
	json_t *json;

	(void)state;
	fill(bytes);
	assert_int_equal(pwrite(fileno(file), bytes, 64, 0), 64);
	json = shm_json_region(&view, 0, 64);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "address")), "0x70000000");
	assert_int_equal(json_array_size(json_object_get(json, "members")), 2);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(json, "fields"), "head")), 1000);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(json, "fields"), "message")),
		"Hello, shared memory!");
	assert_int_equal(strlen(json_string_value(json_object_get(json, "data"))), 128);
	json_decref(json);
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_of_the_panel_never_overlap_or_leave_the_screen),
		cmocka_unit_test(sixteen_bytes_and_their_text_fit_in_eighty_columns),
		cmocka_unit_test(a_byte_ages_from_reverse_to_bold_to_underline_to_plain),
		cmocka_unit_test(only_bytes_that_differ_between_samples_are_stamped),
		cmocka_unit_test(
			bytes_beyond_the_end_of_the_file_are_unknown_and_do_not_count_as_changes),
		cmocka_unit_test(a_large_region_is_followed_around_the_view),
		cmocka_unit_test(what_a_guest_wrote_is_escaped),
		cmocka_unit_test(fields_are_decoded_little_endian),
		cmocka_unit_test(conditions_compare_fields_as_their_types_say),
		cmocka_unit_test(conditions_that_make_no_sense_are_refused_with_a_sentence),
		cmocka_unit_test(a_change_is_one_line_with_time_place_old_and_new),
		cmocka_unit_test(long_runs_become_several_changes_that_cover_all),
		cmocka_unit_test(the_dump_shows_hex_text_and_repeats_as_a_star),
		cmocka_unit_test(a_file_that_is_cut_is_noticed_and_not_fatal),
		cmocka_unit_test(a_region_as_json_has_members_fields_and_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
