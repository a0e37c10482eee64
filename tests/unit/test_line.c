/* SPDX-License-Identifier: MIT */
/* test_line.c - the line protocol: what is a line, what is malformed, and that what is built reads back the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/line.h"

/* A copy of exactly its size, so that the sanitizer sees a step too far. */
static enum line_result parse(struct line *line, char **copy, const char *text, size_t length)
{
	free(*copy);
	*copy = malloc(length + 1);
	assert_non_null(*copy);
	memcpy(*copy, text, length);
	return line_parse(line, *copy, length);
}

static enum line_result parse_text(struct line *line, char **copy, const char *text)
{
	return parse(line, copy, text, strlen(text));
}

static void a_request_gives_its_id_verb_and_fields(void **state)
{
	struct line line;
	char *copy = NULL;
	uint64_t number;

	(void)state;
	assert_int_equal(
		parse_text(&line, &copy,
			   "1f take vm=vm1 name=\"a \\\"b\\\" \\\\ \\x41\\n\" request=0xff n=17"),
		LINE_PARSED);
	assert_int_equal(line.id, 0x1f);
	assert_string_equal(line.verb, "take");
	assert_int_equal(line.field_count, 4);
	assert_string_equal(line_text(&line, "vm"), "vm1");
	assert_string_equal(line_text(&line, "name"), "a \"b\" \\ A\n");
	assert_true(line_number(&line, "request", &number));
	assert_int_equal(number, 0xff);
	assert_true(line_number(&line, "n", &number));
	assert_int_equal(number, 17);
	assert_true(line_hex(&line, "n", &number));
	assert_int_equal(number, 0x17);
	assert_null(line_text(&line, "absent"));
	assert_false(line_number(&line, "vm", &number));
	free(copy);
}

static void an_empty_line_and_spaces_are_ignored(void **state)
{
	struct line line;
	char *copy = NULL;

	(void)state;
	assert_int_equal(parse_text(&line, &copy, ""), LINE_EMPTY);
	assert_int_equal(parse_text(&line, &copy, "   "), LINE_EMPTY);
	assert_int_equal(parse_text(&line, &copy, "  1   ping  "), LINE_PARSED);
	assert_int_equal(line.field_count, 0);
	free(copy);
}

static void malformed_lines_are_refused_with_the_id_that_could_be_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t id;
	} bad[] = {
		{"ping", 0},
		{"1", 1},
		{"AB ping", 0},
		{"12345678901234567 ping", 0},
		{"x1 ping", 0},
		{"1 Ping", 1},
		{"1 ping\t", 1},
		{"1 ping vm", 1},
		{"1 ping =x", 1},
		{"1 ping vm=", 1},
		{"1 ping vm= x=1", 1},
		{"1 ping vm=a\"b", 1},
		{"1 ping vm=a\\b", 1},
		{"1 ping vm=\"a", 1},
		{"1 ping vm=\"a\\", 1},
		{"1 ping vm=\"a\\\"", 1},
		{"1 ping vm=\"a\\q\"", 1},
		{"1 ping vm=\"a\\x4\"", 1},
		{"1 ping vm=\"a\\x4", 1},
		{"1 ping vm=\"a\"b", 1},
		{"1 ping vm=\"a\x01\"", 1},
		{"1 ping vm=\"\xc3\xa4\"", 1},
		{"1 ping vm=\xff", 1},
		{"1 ping vm=1 vm=2", 1},
		{"1 ping 2vm=1", 1},
		{"1 ping aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1", 1},
		{"fffffffffffffff1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0xfffffffffffffff1},
		{"1 ping\r", 1},
	};
	struct line line;
	char *copy = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse_text(&line, &copy, bad[i].text) != LINE_MALFORMED)
			fail_msg("accepted: %s", bad[i].text);
		if (line.id != bad[i].id)
			fail_msg("id %llx of: %s", (unsigned long long)line.id, bad[i].text);
	}
	free(copy);
}

static void a_nul_is_malformed_bare_and_no_string_quoted(void **state)
{
	struct line line;
	char *copy = NULL;

	(void)state;
	assert_int_equal(parse(&line, &copy, "1 ping a=\0b", 11), LINE_MALFORMED);
	assert_int_equal(parse_text(&line, &copy, "1 ping a=\"x\\x00y\""), LINE_PARSED);
	assert_int_equal(line_find(&line, "a")->length, 3);
	assert_memory_equal(line_find(&line, "a")->value, "x\0y", 3);
	assert_null(line_text(&line, "a"));
	free(copy);
}

static void more_fields_than_the_limit_are_malformed(void **state)
{
	char text[1024];
	struct line line;
	char *copy = NULL;
	int length = 0;

	(void)state;
	length = snprintf(text, sizeof(text), "1 v");
	for (int i = 0; i < LINE_FIELD_MAX; i++)
		length += snprintf(text + length, sizeof(text) - (size_t)length, " f%d=%d", i, i);
	assert_int_equal(parse_text(&line, &copy, text), LINE_PARSED);
	assert_int_equal(line.field_count, LINE_FIELD_MAX);
	snprintf(text + length, sizeof(text) - (size_t)length, " more=1");
	assert_int_equal(parse_text(&line, &copy, text), LINE_MALFORMED);
	free(copy);
}

static void numbers_are_whole_and_fit_64_bits(void **state)
{
	static const char *const bad[] = {"",
					  "0x",
					  "12a",
					  "-1",
					  "+1",
					  " 1",
					  "1 ",
					  "0X10",
					  "0xg",
					  "18446744073709551616",
					  "0x10000000000000000"};
	uint64_t value = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (line_to_number(bad[i], &value))
			fail_msg("a number: \"%s\"", bad[i]);
	assert_int_equal(value, 5);
	assert_true(line_to_number("18446744073709551615", &value));
	assert_true(value == UINT64_MAX);
	assert_true(line_to_number("0xffffffffffffffff", &value));
	assert_true(value == UINT64_MAX);
	assert_true(line_to_hex("00ff", &value));
	assert_int_equal(value, 0xff);
	assert_false(line_to_hex("0x", &value));
}

static void the_feeder_cuts_a_stream_into_lines_however_it_comes(void **state)
{
	static const char stream[] = "\n1 ping\nsecond\n\nhalf";
	static const char *const lines[] = {"", "1 ping", "second", ""};
	struct line_feed feed;

	(void)state;
	for (size_t chunk = 1; chunk < sizeof(stream); chunk++) {
		size_t seen = 0;

		memset(&feed, 0, sizeof(feed));
		for (size_t at = 0; at < sizeof(stream) - 1; at += chunk) {
			const char *data = stream + at;
			size_t size =
				sizeof(stream) - 1 - at < chunk ? sizeof(stream) - 1 - at : chunk;
			enum line_event event;

			while ((event = line_feed_next(&feed, &data, &size)) != LINE_MORE) {
				assert_int_equal(event, LINE_READY);
				assert_true(seen < 4);
				assert_string_equal(feed.text, lines[seen]);
				assert_int_equal(feed.length, strlen(lines[seen]));
				seen++;
			}
			assert_int_equal(size, 0);
		}
		assert_int_equal(seen, 4);
	}
}

static enum line_event feed_run(struct line_feed *feed, size_t length)
{
	static char text[2 * AV_LINE_MAX];
	const char *data = text;
	size_t size = length + 1;

	memset(text, 'a', length);
	text[length] = '\n';
	return line_feed_next(feed, &data, &size);
}

static void a_line_of_4096_bytes_is_taken_and_one_more_is_too_long(void **state)
{
	struct line_feed feed = {0};

	(void)state;
	assert_int_equal(feed_run(&feed, AV_LINE_MAX - 1), LINE_READY);
	assert_int_equal(feed.length, AV_LINE_MAX - 1);
	assert_int_equal(feed_run(&feed, AV_LINE_MAX), LINE_TOO_LONG);
	assert_int_equal(feed_run(&feed, 2 * AV_LINE_MAX - 1), LINE_TOO_LONG);
	assert_int_equal(feed_run(&feed, 10), LINE_READY);
	assert_int_equal(feed.length, 10);
}

static void a_reset_forgets_half_a_line(void **state)
{
	struct line_feed feed = {0};
	const char *data = "half a li";
	size_t size = 9;

	(void)state;
	assert_int_equal(line_feed_next(&feed, &data, &size), LINE_MORE);
	line_feed_reset(&feed);
	data = "1 ping\n";
	size = 7;
	assert_int_equal(line_feed_next(&feed, &data, &size), LINE_READY);
	assert_string_equal(feed.text, "1 ping");
}

static void a_cancel_forgets_the_line_so_far_however_long(void **state)
{
	static char text[2 * AV_LINE_MAX];
	struct line_feed feed = {0};
	const char *data = "1 stop vm=vm1\x18\n2 ping\n";
	size_t size = strlen(data);

	(void)state;
	assert_int_equal(line_feed_next(&feed, &data, &size), LINE_READY);
	assert_string_equal(feed.text, "");
	assert_int_equal(line_feed_next(&feed, &data, &size), LINE_READY);
	assert_string_equal(feed.text, "2 ping");
	memset(text, 'a', sizeof(text));
	memcpy(text + sizeof(text) - 3, "\x18x\n", 3);
	data = text;
	size = sizeof(text);
	assert_int_equal(line_feed_next(&feed, &data, &size), LINE_READY);
	assert_string_equal(feed.text, "x");
}

static void built_lines_look_as_specified(void **state)
{
	char buffer[AV_LINE_MAX];
	struct line_out out;
	size_t size;

	(void)state;
	line_begin(&out, buffer, sizeof(buffer), 0xabc, "ok");
	line_add_number(&out, "n", 0);
	line_add_hex(&out, "h", 0x70000000);
	line_add_text(&out, "t", "plain");
	line_add_text(&out, "e", "");
	line_add_text(&out, "q", "a b\"\\\n\r\t\x01\xff");
	size = line_end(&out);
	assert_int_equal(buffer[size - 1], '\n');
	buffer[size - 1] = '\0';
	assert_string_equal(
		buffer,
		"abc ok n=0 h=0x70000000 t=plain e=\"\" q=\"a b\\\"\\\\\\n\\r\\t\\x01\\xff\"");
}

static void a_line_that_does_not_fit_is_none_and_nothing_is_written_beyond(void **state)
{
	(void)state;
	for (size_t capacity = 0; capacity < 40; capacity++) {
		char *buffer = malloc(capacity ? capacity : 1);
		struct line_out out;

		assert_non_null(buffer);
		line_begin(&out, buffer, capacity, 1, "ok");
		line_add_text(&out, "key", "some value"); /* 1 ok key="some value"\n: 22 */
		if (line_end(&out))
			assert_true(capacity >= 22);
		else
			assert_true(capacity < 22);
		free(buffer);
	}
}

static void bytes_fit_takes_what_fits_and_says_how_many(void **state)
{
	char buffer[AV_LINE_MAX + 1], data[2048], *copy = NULL;
	struct line_out out;
	struct line line;
	size_t taken, size;

	(void)state;
	memset(data, 0, sizeof(data));
	line_begin(&out, buffer, AV_LINE_MAX, 1, "row");
	taken = line_add_bytes_fit(&out, "data", data, sizeof(data));
	size = line_end(&out);
	assert_true(taken > 1000 && taken < 1024);
	assert_true(size > AV_LINE_MAX - 8 && size <= AV_LINE_MAX);
	assert_int_equal(parse(&line, &copy, buffer, size - 1), LINE_PARSED);
	assert_int_equal(line_find(&line, "data")->length, taken);
	line_begin(&out, buffer, 12, 1, "row");
	assert_int_equal(line_add_bytes_fit(&out, "data", data, 4), 0);
	assert_int_equal(line_end(&out), 0);
	free(copy);
}

static uint64_t next_random(uint64_t *seed)
{
	uint64_t value = *seed += 0x9e3779b97f4a7c15u;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
	value = (value ^ value >> 27) * 0x94d049bb133111ebu;
	return value ^ value >> 31;
}

static uint64_t first_seed(void)
{
	const char *text = getenv("SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : 20240501;

	print_message("seed %llu (SEED=)\n", (unsigned long long)seed);
	return seed;
}

static void random_values_read_back_as_they_were_written(void **state)
{
	uint64_t seed = first_seed();

	(void)state;
	for (unsigned int round = 0; round < 20000; round++) {
		unsigned char values[8][64];
		char keys[8][4], buffer[AV_LINE_MAX], *copy = NULL;
		size_t lengths[8], count = next_random(&seed) % 8, size;
		uint64_t id = next_random(&seed) >> (next_random(&seed) % 64);
		struct line_out out;
		struct line line;

		line_begin(&out, buffer, sizeof(buffer), id, "row");
		for (size_t i = 0; i < count; i++) {
			bool printable = next_random(&seed) % 2;

			snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
			lengths[i] = next_random(&seed) % 64;
			for (size_t j = 0; j < lengths[i]; j++)
				values[i][j] =
					(unsigned char)(printable ? '!' + next_random(&seed) % 94
								  : next_random(&seed));
			line_add_bytes(&out, keys[i], values[i], lengths[i]);
		}
		size = line_end(&out);
		assert_true(size > 0);
		assert_null(memchr(buffer, '\n', size - 1));
		assert_int_equal(parse(&line, &copy, buffer, size - 1), LINE_PARSED);
		assert_true(line.id == id);
		assert_int_equal(line.field_count, count);
		for (size_t i = 0; i < count; i++) {
			const struct line_field *field = line_find(&line, keys[i]);

			assert_int_equal(field->length, lengths[i]);
			assert_memory_equal(field->value, values[i], lengths[i]);
		}
		free(copy);
	}
}

/* Pieces of lines in random order, some bytes broken: whatever is accepted must read back after it is built again. */
static void random_lines_are_accepted_or_refused_but_never_misread(void **state)
{
	static const char *const pieces[] = {"1",
					     " ",
					     "ping",
					     "vm=",
					     "vm1",
					     "\"",
					     "\\",
					     "\\x4",
					     "\\n",
					     "=",
					     " a=\"b c\"",
					     " id=3",
					     "ffffffffffffffff ",
					     "\x80",
					     "\t",
					     "k"};
	uint64_t seed = first_seed();
	unsigned int accepted = 0;

	(void)state;
	for (unsigned int round = 0; round < 100000; round++) {
		char text[256], *copy = NULL;
		size_t length = 0, count = 1 + next_random(&seed) % 16;
		struct line line;

		if (next_random(&seed) % 2)
			length = (size_t)snprintf(text, sizeof(text), "7 take");
		for (size_t i = 0; i < count; i++) {
			const char *piece =
				pieces[next_random(&seed) % (sizeof(pieces) / sizeof(pieces[0]))];

			memcpy(text + length, piece, strlen(piece));
			length += strlen(piece);
		}
		if (next_random(&seed) % 4 == 0)
			text[next_random(&seed) % length] = (char)next_random(&seed);
		if (parse(&line, &copy, text, length) == LINE_PARSED) {
			accepted++;
			assert_true(line.field_count <= LINE_FIELD_MAX);
			assert_true(strlen(line.verb) > 0 && strlen(line.verb) <= LINE_WORD_MAX);
			for (size_t i = 0; i < line.field_count; i++) {
				const struct line_field *field = &line.fields[i];

				assert_ptr_equal(line_find(&line, field->key), field);
				assert_true(field->value >= copy &&
					    field->value + field->length <= copy + length);
				assert_int_equal(field->value[field->length], 0);
			}
		}
		free(copy);
	}
	assert_true(accepted > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_gives_its_id_verb_and_fields),
		cmocka_unit_test(an_empty_line_and_spaces_are_ignored),
		cmocka_unit_test(malformed_lines_are_refused_with_the_id_that_could_be_read),
		cmocka_unit_test(a_nul_is_malformed_bare_and_no_string_quoted),
		cmocka_unit_test(more_fields_than_the_limit_are_malformed),
		cmocka_unit_test(numbers_are_whole_and_fit_64_bits),
		cmocka_unit_test(the_feeder_cuts_a_stream_into_lines_however_it_comes),
		cmocka_unit_test(a_line_of_4096_bytes_is_taken_and_one_more_is_too_long),
		cmocka_unit_test(a_reset_forgets_half_a_line),
		cmocka_unit_test(a_cancel_forgets_the_line_so_far_however_long),
		cmocka_unit_test(built_lines_look_as_specified),
		cmocka_unit_test(a_line_that_does_not_fit_is_none_and_nothing_is_written_beyond),
		cmocka_unit_test(bytes_fit_takes_what_fits_and_says_how_many),
		cmocka_unit_test(random_values_read_back_as_they_were_written),
		cmocka_unit_test(random_lines_are_accepted_or_refused_but_never_misread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
