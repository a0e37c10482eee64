/* SPDX-License-Identifier: MIT */
/*
 * table.h - rows that are printed as a table, JSON, JSON lines or names, from one description of
 * the columns.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

enum column_kind {
	COLUMN_TEXT,
	COLUMN_NUMBER,  /* a decimal count */
	COLUMN_ADDRESS, /* JSON: "0x..." */
	COLUMN_SIZE,    /* bytes; the table says MiB */
	COLUMN_FRAMES,  /* a count of 4 KiB frames; JSON: the count, the table says MiB */
	COLUMN_NS,      /* nanoseconds; JSON: milliseconds, the table says 3m 20s */
	COLUMN_TIME,    /* nanoseconds since 1970; JSON: RFC 3339, the table: 3m ago */
	COLUMN_BOOL,    /* "0" or "1" */
	COLUMN_WORDS,   /* separated by spaces; JSON: an array */
};

struct column {
	const char *title; /* NULL: not in the table, only in JSON */
	const char *json;  /* NULL: not in JSON, only in the table */
	enum column_kind kind;
	const char *source; /* key of the agent's row that it comes from; may be NULL */
};

struct table;

/*
 * columns must outlive the table; the first one is what -o name prints. NULL when memory is gone.
 */
struct table *table_new(const struct column *columns, size_t count);
void table_free(struct table *table);

/* Start a row. */
void table_row(struct table *table);
size_t table_row_count(const struct table *table);

/* Set a cell of the last row. Text is copied; NULL or never set is "-" and JSON null. */
void table_set(struct table *table, size_t column, const char *text);
void table_set_number(struct table *table, size_t column, uint64_t value);

/* The same for a cell of any row. */
void table_set_at(struct table *table, size_t row, size_t column, uint64_t value);
void table_set_text_at(struct table *table, size_t row, size_t column, const char *text);

/* Row stands below parent in the tree that the first column then shows; parents are no rings. */
void table_set_parent(struct table *table, size_t row, size_t parent);

/* Forget all rows from that one on. */
void table_truncate(struct table *table, size_t rows);

/* The cell of a row, NULL when not set. */
const char *table_get(const struct table *table, size_t row, size_t column);

/* One row as a JSON object. */
json_t *table_row_json(const struct table *table, size_t row);

/*
 * Print in the format of out_style: JSON is document (taken over, may be NULL) with the rows as the
 * array called list; JSON lines is a line for each row.
 */
void table_print(const struct table *table, json_t *document, const char *list);

/* Print row as "Title: value" lines (table) or as document with the row's members in it. */
void table_print_record(const struct table *table, size_t row, json_t *document);
