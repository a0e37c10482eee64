/* SPDX-License-Identifier: MIT */
/*
 * test_cmd.c - the command table and the pure parts of avctl's verbs.
 * Runs no machine and reads no file of the user's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cmd/batch.h"
#include "cmd/ctx.h"
#include "cmd/logfile.h"
#include "cmd/snapshot_files.h"
#include "cmd/snapshot_pick.h"
#include "out/table.h"

static int run(const char *line)
{
	char copy[512];
	char *words[BATCH_WORD_MAX];
	int count;

	snprintf(copy, sizeof(copy), "%s", line);
	count = batch_split(copy, words, BATCH_WORD_MAX);
	assert_true(count >= 0);
	return command_line_run(count, words, NULL);
}

static void every_verb_has_a_summary_an_example_and_an_exit_code(void **state)
{
	(void)state;
	for (size_t i = 0; i < command_count; i++) {
		const struct command *command = &command_table[i];

		assert_non_null(command->run);
		assert_true(command->exits & EXIT_BIT(RC_OK));
		if (command->hidden)
			continue;
		assert_non_null(command->summary);
		assert_non_null(command->examples[0]);
		assert_true(command->exits & EXIT_BIT(RC_USAGE));
	}
}

static void no_verb_has_more_options_than_there_is_room_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < command_count; i++) {
		size_t count = 0;

		while (command_table[i].options && command_table[i].options[count].name)
			count++;
		assert_true(count <= OPTION_MAX);
	}
}

static void no_verb_uses_a_letter_or_name_twice(void **state)
{
	(void)state;
	for (size_t i = 0; i < command_count; i++) {
		const struct option_spec *options = command_table[i].options;

		for (size_t a = 0; options && options[a].name; a++) {
			for (size_t b = a + 1; options[b].name; b++) {
				assert_string_not_equal(options[a].name, options[b].name);
				if (options[a].letter)
					assert_int_not_equal(options[a].letter, options[b].letter);
			}
		}
	}
}

static void each_verb_and_alias_is_found_by_its_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < command_count; i++) {
		for (int alias = 0; alias < 2; alias++) {
			const char *name = alias ? command_table[i].alias : command_table[i].name;
			char copy[64], *words[3] = {copy, NULL, (char *)"vm1"};
			bool group;
			int used;

			if (!name)
				continue;
			snprintf(copy, sizeof(copy), "%s", name);
			words[1] = strchr(copy, ' ');
			if (words[1])
				*words[1]++ = '\0';
			else
				words[1] = words[2];
			assert_ptr_equal(command_find(words, 3, &used, &group), &command_table[i]);
			assert_int_equal(used, strchr(name, ' ') ? 2 : 1);
		}
	}
}

static void help_of_every_verb_ends_well(void **state)
{
	int out = dup(STDOUT_FILENO);

	(void)state;
	fflush(stdout);
	assert_true(freopen("/dev/null", "w", stdout));
	for (size_t i = 0; i < command_count; i++) {
		char line[128];

		if (command_table[i].hidden || !strcmp(command_table[i].name, "-"))
			continue;
		snprintf(line, sizeof(line), "help %s", command_table[i].name);
		assert_int_equal(run(line), RC_OK);
		snprintf(line, sizeof(line), "%s --help", command_table[i].name);
		assert_int_equal(run(line), RC_OK);
	}
	assert_int_equal(run("man"), RC_OK);
	assert_int_equal(run("completion bash"), RC_OK);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
}

static void wrong_lines_are_usage_errors(void **state)
{
	static const char *const lines[] = {
		"",
		"nonsense",
		"snapshot",
		"snapshot nonsense",
		"ps --nonsense",
		"ps -x",
		"ps extra",
		"ps -o nonsense",
		"ps --color nonsense",
		"snapshot take",
		"snapshot take a b",
		"snapshot delete vm1",
		"snapshot take --name",
		"restore vm1",
		"restore vm1 --id 1 --latest",
		"restore vm1 --id x",
		"restore vm1 --name 7",
		"completion fish",
		"help nonsense",
		"up --dry-run=1",
		"-f",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		print_message("  %s\n", lines[i]);
		assert_int_equal(run(lines[i]), RC_USAGE);
	}
}

static void options_stand_before_and_behind_the_verb(void **state)
{
	(void)state;
	assert_int_equal(run("-q version -o name"), RC_OK);
	assert_int_equal(run("--quiet --output=json version"), RC_OK);
	assert_int_equal(run("version --quiet"), RC_OK);
	out_style = (struct out_style){0};
}

static void durations_are_read_strictly(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {{"2", 2000000000},
		    {"500ms", 500000000},
		    {"1.5s", 1500000000},
		    {"2m", 120000000000},
		    {"1h", 3600000000000},
		    {"10us", 10000},
		    {"0", 0}};
	static const char *const bad[] = {"", "s", "-1", "1x", "1 s", "1e400s", "nan", "+1", "ms"};
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(ctx_duration(good[i].text, &ns));
		assert_int_equal(ns, good[i].ns);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(ctx_duration(bad[i], &ns));
}

static void check_split(const char *line, int count, const char *first, const char *last)
{
	char copy[256];
	char *words[4];

	snprintf(copy, sizeof(copy), "%s", line);
	assert_int_equal(batch_split(copy, words, 4), count);
	if (count > 0) {
		assert_string_equal(words[0], first);
		assert_string_equal(words[count - 1], last);
	}
}

static void batch_lines_split_as_in_a_shell(void **state)
{
	(void)state;
	check_split("", 0, NULL, NULL);
	check_split("  # only a comment", 0, NULL, NULL);
	check_split("ps\n", 1, "ps", "ps");
	check_split("a 'b c' \"d \\\" e\"", 3, "a", "d \" e");
	check_split("wait vm1 log='x y' # z", 3, "wait", "log=x y");
	check_split("a ''", 2, "a", "");
	check_split("a\\ b c#d", 2, "a b", "c#d");
	check_split("a 'b", -1, NULL, NULL);
	check_split("a b c d e", -1, NULL, NULL);
}

static void near_names_are_offered_and_far_ones_are_not(void **state)
{
	static const char *const names[] = {"vm1", "vm2", "database", "snapshot list"};

	(void)state;
	assert_string_equal(out_nearest("vm3", names, 4), "vm1");
	assert_string_equal(out_nearest("databaes", names, 4), "database");
	assert_string_equal(out_nearest("data", names, 4), "database");
	assert_string_equal(out_nearest("snapshot lst", names, 4), "snapshot list");
	assert_null(out_nearest("webserver", names, 4));
	assert_null(out_nearest("zz", names, 4));
}

static void sizes_and_times_read_well(void **state)
{
	char text[32];

	(void)state;
	assert_string_equal(out_size(text, 0), "0 B");
	assert_string_equal(out_size(text, 1536), "1.5 KiB");
	assert_string_equal(out_size(text, UINT64_C(1) << 30), "1 GiB");
	assert_string_equal(out_duration(text, 17), "17 ns");
	assert_string_equal(out_duration(text, 17500), "17.5 us");
	assert_string_equal(out_duration(text, 61000000000), "1m 1s");
	assert_string_equal(out_duration(text, 90000000000000), "1d 1h");
}

static void a_row_becomes_json_with_numbers_addresses_and_nulls(void **state)
{
	static const struct column columns[] = {
		{"NAME", "name", COLUMN_TEXT, NULL}, {"AT", "at", COLUMN_ADDRESS, NULL},
		{"N", "n", COLUMN_NUMBER, NULL},     {"T", "t_ms", COLUMN_NS, NULL},
		{"B", "b", COLUMN_BOOL, NULL},       {"W", "when", COLUMN_TIME, NULL},
		{"X", "x", COLUMN_TEXT, NULL},       {"S", NULL, COLUMN_TEXT, NULL},
		{"ID", "id", COLUMN_NUMBER, NULL},
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	json_t *json;
	char *text;

	(void)state;
	table_row(table);
	table_set(table, 0, "a\xff");
	table_set(table, 1, "0x00ff00000000");
	table_set(table, 2, "12");
	table_set(table, 3, "1500000");
	table_set(table, 4, "1");
	table_set_number(table, 5, UINT64_C(1600000000123000000));
	table_set(table, 8, "undo");
	json = table_row_json(table, 0);
	text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(6));
	assert_string_equal(
		text, "{\"name\":\"?\",\"at\":\"0xff00000000\",\"n\":12,\"t_ms\":1.5,\"b\":true,"
		      "\"when\":\"2020-09-13T12:26:40.123Z\",\"x\":null,\"id\":\"undo\"}");
	free(text);
	json_decref(json);
	table_free(table);
}

static void a_snapshot_is_picked_by_number_name_or_undo(void **state)
{
	struct agent_request request;
	char what[64];

	(void)state;
	agent_begin(&request, "x");
	assert_int_equal(snapshot_pick(&request, "7", what, sizeof(what)), RC_OK);
	assert_string_equal(what, "snapshot 7");
	assert_int_equal(snapshot_pick(&request, "clean", what, sizeof(what)), RC_OK);
	assert_int_equal(snapshot_pick(&request, "undo", what, sizeof(what)), RC_OK);
	assert_int_equal(snapshot_pick(&request, "boot", what, sizeof(what)), RC_WRONG_STATE);
	assert_int_equal(snapshot_pick(&request, "Not A Name", what, sizeof(what)), RC_USAGE);
	assert_int_equal(snapshot_pick(&request, "", what, sizeof(what)), RC_USAGE);
	assert_int_equal(snapshot_check_name("latest"), RC_USAGE);
	assert_int_equal(snapshot_check_name("7"), RC_USAGE);
	assert_int_equal(snapshot_check_name("clean-1.2_x"), RC_OK);
}

static void the_tail_of_a_log_starts_at_a_line(void **state)
{
	char path[] = "/tmp/avctl-test-XXXXXX";
	char line[64];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "one\ntwo\nthr\033ee\n\n", 16), 16);
	assert_int_equal(logfile_tail(fd, SIZE_MAX), 0);
	assert_int_equal(logfile_tail(fd, 0), 16);
	assert_int_equal(logfile_tail(fd, 1), 15);
	assert_int_equal(logfile_tail(fd, 3), 4);
	assert_int_equal(logfile_tail(fd, 99), 0);
	assert_string_equal(logfile_last_line(path, line, sizeof(line)), "thr?ee");
	assert_string_equal(logfile_last_line("/nonexistent", line, sizeof(line)), "");
	close(fd);
	unlink(path);
}

/* What files_compare() says of a file, from stderr into text. */
static int compared(const struct avs_header *file, const struct avs_header *shape, char *text,
		    size_t size)
{
	FILE *said = tmpfile();
	int kept = dup(2), result;

	assert_non_null(said);
	assert_true(dup2(fileno(said), 2) == 2);
	result = files_compare(file, shape, "a.avs", "vm1");
	fflush(stderr);
	assert_true(dup2(kept, 2) == 2);
	close(kept);
	rewind(said);
	text[fread(text, 1, size - 1, said)] = '\0';
	fclose(said);
	return result;
}

static void a_file_that_does_not_fit_is_refused_with_the_fields_name(void **state)
{
	static const struct {
		const char *name;
		size_t offset;
	} fields[] = {
#define FIELD(name) {#name, offsetof(struct avs_header, name)}
		FIELD(platform),
		FIELD(version),
		FIELD(abi_major),
		FIELD(abi_minor),
		FIELD(ram_base),
		FIELD(ram_size),
		FIELD(vcpu_count),
		FIELD(midr),
		FIELD(ctr),
		FIELD(counter_hz),
		FIELD(clock_origin),
		FIELD(part_count),
		FIELD(state_layout),
		FIELD(id_registers[0]),
		FIELD(id_registers[63]),
#undef FIELD
	};
	struct avs_header shape = {.platform = "here", .version = "1.2.3", .ram_size = 1 << 20};
	char text[256], wanted[64];

	(void)state;
	assert_int_equal(compared(&shape, &shape, text, sizeof(text)), RC_OK);
	assert_string_equal(text, "");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct avs_header file = shape;

		((unsigned char *)&file)[fields[i].offset] ^= 1;
		assert_int_equal(compared(&file, &shape, text, sizeof(text)), RC_INTEGRITY);
		snprintf(wanted, sizeof(wanted), "a.avs does not fit vm1: %s is ", fields[i].name);
		assert_non_null(strstr(text, wanted));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_verb_has_a_summary_an_example_and_an_exit_code),
		cmocka_unit_test(no_verb_has_more_options_than_there_is_room_for),
		cmocka_unit_test(no_verb_uses_a_letter_or_name_twice),
		cmocka_unit_test(each_verb_and_alias_is_found_by_its_words),
		cmocka_unit_test(help_of_every_verb_ends_well),
		cmocka_unit_test(wrong_lines_are_usage_errors),
		cmocka_unit_test(options_stand_before_and_behind_the_verb),
		cmocka_unit_test(durations_are_read_strictly),
		cmocka_unit_test(batch_lines_split_as_in_a_shell),
		cmocka_unit_test(near_names_are_offered_and_far_ones_are_not),
		cmocka_unit_test(sizes_and_times_read_well),
		cmocka_unit_test(a_row_becomes_json_with_numbers_addresses_and_nulls),
		cmocka_unit_test(a_snapshot_is_picked_by_number_name_or_undo),
		cmocka_unit_test(the_tail_of_a_log_starts_at_a_line),
		cmocka_unit_test(a_file_that_does_not_fit_is_refused_with_the_fields_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
