/* SPDX-License-Identifier: MIT */
/*
 * table.c - rows as a table (libsmartcols), JSON (jansson) or names.
 * Never asks anybody for data: it prints what it was given.
 */
#include "out/table.h"

#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "out/out.h"

struct table {
	const struct column *columns;
	size_t column_count;
	char **cells;
	size_t row_count, row_capacity;
	size_t *parents; /* of each row: its parent's number + 1, or 0; NULL: no tree */
	size_t parent_count;
};

struct table *table_new(const struct column *columns, size_t count)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->columns = columns;
	table->column_count = count;
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->row_count * table->column_count; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table->parents);
	free(table);
}

void table_row(struct table *table)
{
	if (table->row_count == table->row_capacity) {
		size_t capacity = table->row_capacity ? table->row_capacity * 2 : 16;
		char **cells =
			reallocarray(table->cells, capacity * table->column_count, sizeof(*cells));

		if (!cells)
			abort();
		memset(cells + table->row_capacity * table->column_count, 0,
		       (capacity - table->row_capacity) * table->column_count * sizeof(*cells));
		table->cells = cells;
		table->row_capacity = capacity;
	}
	table->row_count++;
}

size_t table_row_count(const struct table *table)
{
	return table->row_count;
}

static char **cell_at(const struct table *table, size_t row, size_t column)
{
	return &table->cells[row * table->column_count + column];
}

void table_set(struct table *table, size_t column, const char *text)
{
	char **cell = cell_at(table, table->row_count - 1, column);

	free(*cell);
	*cell = text ? strdup(text) : NULL;
}

void table_set_number(struct table *table, size_t column, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	table_set(table, column, text);
}

void table_set_text_at(struct table *table, size_t row, size_t column, const char *text)
{
	char **cell = cell_at(table, row, column);
	char *copy = text ? strdup(text) : NULL;

	free(*cell);
	*cell = copy;
}

void table_set_at(struct table *table, size_t row, size_t column, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	table_set_text_at(table, row, column, text);
}

void table_truncate(struct table *table, size_t rows)
{
	for (size_t i = rows * table->column_count; i < table->row_count * table->column_count;
	     i++) {
		free(table->cells[i]);
		table->cells[i] = NULL;
	}
	if (rows < table->row_count)
		table->row_count = rows;
}

const char *table_get(const struct table *table, size_t row, size_t column)
{
	return *cell_at(table, row, column);
}

static json_t *number_json(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	return *end || !*text ? json_string(text) : json_integer((json_int_t)value);
}

static json_t *words_json(const char *text)
{
	json_t *array = json_array();

	while (text && *text) {
		size_t length = strcspn(text, " ");

		if (length)
			json_array_append_new(array, json_stringn(text, length));
		text += length + strspn(text + length, " ");
	}
	return array;
}

static json_t *cell_json(enum column_kind kind, const char *text)
{
	char buffer[64];
	uint64_t value;
	struct tm when;
	time_t seconds;
	json_t *string;

	if (kind == COLUMN_WORDS)
		return words_json(text);
	if (!text)
		return json_null();
	switch (kind) {
	case COLUMN_NUMBER:
	case COLUMN_SIZE:
	case COLUMN_FRAMES:
		return number_json(text);
	case COLUMN_ADDRESS:
		snprintf(buffer, sizeof(buffer), "0x%" PRIx64, (uint64_t)strtoull(text, NULL, 0));
		return json_string(buffer);
	case COLUMN_NS:
		return json_real((double)strtoull(text, NULL, 0) / 1e6);
	case COLUMN_BOOL:
		return json_boolean(!strcmp(text, "1"));
	case COLUMN_TIME:
		value = strtoull(text, NULL, 0);
		seconds = (time_t)(value / 1000000000u);
		gmtime_r(&seconds, &when);
		strftime(buffer, sizeof(buffer) - 16, "%Y-%m-%dT%H:%M:%S", &when);
		snprintf(buffer + strlen(buffer), 16, ".%03uZ", (unsigned)(value / 1000000 % 1000));
		return json_string(buffer);
	case COLUMN_TEXT:
	case COLUMN_WORDS:
		break;
	}
	string = json_string(text);
	return string ? string : json_string("?"); /* not UTF-8 */
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static const char *cell_text(enum column_kind kind, const char *text, char buffer[64])
{
	uint64_t value;
	char part[32];

	if (!text)
		return "-";
	value = strtoull(text, NULL, 0);
	switch (kind) {
	case COLUMN_SIZE:
		return out_size(buffer, value);
	case COLUMN_FRAMES:
		return out_size(buffer, value * 4096);
	case COLUMN_NS:
		return out_duration(buffer, value);
	case COLUMN_ADDRESS:
		snprintf(buffer, 64, "0x%" PRIx64, value);
		return buffer;
	case COLUMN_TIME:
		value = now_ns() > value ? now_ns() - value : 0;
		if (value < 1000000000u)
			return "now";
		snprintf(buffer, 64, "%s ago", out_duration(part, value));
		return buffer;
	case COLUMN_BOOL:
		return value ? "yes" : "-";
	case COLUMN_WORDS:
	case COLUMN_TEXT:
	case COLUMN_NUMBER:
		break;
	}
	return *text ? text : "-";
}

void table_set_parent(struct table *table, size_t row, size_t parent)
{
	if (table->parent_count < table->row_count) {
		size_t *parents = reallocarray(table->parents, table->row_count, sizeof(*parents));

		if (!parents)
			abort();
		memset(parents + table->parent_count, 0,
		       (table->row_count - table->parent_count) * sizeof(*parents));
		table->parents = parents;
		table->parent_count = table->row_count;
	}
	table->parents[row] = parent + 1;
}

/* The lines in the order of the rows: each below its parent, in the glyphs that the locale has. */
static void make_tree(const struct table *table, struct libscols_table *scols)
{
	for (size_t row = 0; row < table->parent_count; row++) {
		if (table->parents[row])
			scols_line_add_child(scols_table_get_line(scols, table->parents[row] - 1),
					     scols_table_get_line(scols, row));
	}
}

json_t *table_row_json(const struct table *table, size_t row)
{
	json_t *object = json_object();

	for (size_t i = 0; i < table->column_count; i++) {
		const struct column *column = &table->columns[i];

		if (column->json)
			json_object_set_new(object, column->json,
					    cell_json(column->kind, table_get(table, row, i)));
	}
	return object;
}

static void print_table(const struct table *table)
{
	struct libscols_table *scols = scols_new_table();
	bool color = out_colored(STDOUT_FILENO);
	char buffer[64];

	if (!scols)
		abort();
	scols_table_set_stream(scols, stdout);
	scols_table_enable_colors(scols, color);
	for (size_t i = 0; i < table->column_count; i++) {
		enum column_kind kind = table->columns[i].kind;
		bool right = kind == COLUMN_NUMBER || kind == COLUMN_SIZE || kind == COLUMN_FRAMES;
		int look = table->parents && i == 0 ? SCOLS_FL_TREE : right ? SCOLS_FL_RIGHT : 0;

		if (table->columns[i].title)
			scols_table_new_column(scols, table->columns[i].title, 0, look);
	}
	for (size_t row = 0; row < table->row_count; row++) {
		struct libscols_line *line = scols_table_new_line(scols, NULL);
		size_t shown = 0;

		for (size_t i = 0; i < table->column_count; i++) {
			if (!table->columns[i].title)
				continue;
			scols_line_set_data(line, shown++,
					    cell_text(table->columns[i].kind,
						      table_get(table, row, i), buffer));
		}
		if (color) {
			for (size_t i = 0; i < table->column_count; i++) {
				const char *text = table_get(table, row, i);

				if (text && table->columns[i].kind == COLUMN_TEXT &&
				    (!strcmp(text, "crashed") || !strcmp(text, "starved")))
					scols_line_set_color(line, "red");
			}
		}
	}
	make_tree(table, scols);
	scols_print_table(scols);
	scols_unref_table(scols);
}

void table_print(const struct table *table, json_t *document, const char *list)
{
	json_t *array;

	switch (out_style.format) {
	case OUT_TABLE:
		if (table->row_count)
			print_table(table);
		break;
	case OUT_NAME:
		for (size_t row = 0; row < table->row_count; row++) {
			const char *text = table_get(table, row, 0);

			out_escaped(stdout, text ? text : "-", strlen(text ? text : "-"));
			putchar('\n');
		}
		break;
	case OUT_JSON:
		array = json_array();
		for (size_t row = 0; row < table->row_count; row++)
			json_array_append_new(array, table_row_json(table, row));
		if (!document)
			document = json_object();
		json_object_set_new(document, list, array);
		out_json(document);
		return;
	case OUT_JSONL:
		for (size_t row = 0; row < table->row_count; row++)
			out_json(table_row_json(table, row));
		break;
	}
	json_decref(document);
}

void table_print_record(const struct table *table, size_t row, json_t *document)
{
	char buffer[64];
	json_t *object;
	const char *text;

	switch (out_style.format) {
	case OUT_TABLE:
		for (size_t i = 0; i < table->column_count; i++) {
			if (!table->columns[i].title || !table_get(table, row, i))
				continue;
			text = cell_text(table->columns[i].kind, table_get(table, row, i), buffer);
			printf("%-18s ", table->columns[i].title);
			out_escaped(stdout, text, strlen(text));
			putchar('\n');
		}
		break;
	case OUT_NAME:
		text = table_get(table, row, 0);
		out_escaped(stdout, text ? text : "-", strlen(text ? text : "-"));
		putchar('\n');
		break;
	case OUT_JSON:
	case OUT_JSONL:
		if (!document)
			document = json_object();
		object = table_row_json(table, row);
		json_object_update(document, object);
		json_decref(object);
		out_json(document);
		return;
	}
	json_decref(document);
}
