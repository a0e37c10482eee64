/* SPDX-License-Identifier: MIT */
/*
 * schema.h - the one table of YAML keys. From it come the check for unknown keys, libcyaml's schema and the JSON
 * schema for editors. Internal to avctl/config.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "errors.h"

enum schema_kind {
	SCHEMA_TEXT,
	SCHEMA_NAME,
	SCHEMA_NUMBER,
	SCHEMA_SIZE, /* bytes, or an address */
	SCHEMA_BOOL,
	SCHEMA_DTB, /* a truth value or a file */
	SCHEMA_DURATION,
	SCHEMA_CHOICE,
	SCHEMA_CPUS, /* a number or a list of numbers: libcyaml cannot say that, check.c reads it from the tree */
	SCHEMA_RIGHTS, /* a mapping VM name: ro|rw */
	SCHEMA_TYPE,   /* of a field */
	SCHEMA_ENUM,   /* a mapping of any name: number; read from the tree, too */
	SCHEMA_FIELDS, /* a list of mappings that may have such a list: read from the tree */
	SCHEMA_SPARE,  /* a number, or a mapping: read from the tree, too */
	SCHEMA_MAPPING,
	SCHEMA_LIST /* of mappings */
};

struct schema_map;

struct schema_key {
	const char *key;
	enum schema_kind kind;
	bool required;
	size_t offset; /* of the char * or pointer in the raw structure; SCHEMA_CPUS: unused */
	size_t count_offset;          /* SCHEMA_LIST: of its uint64_t count */
	const struct schema_map *map; /* SCHEMA_MAPPING, SCHEMA_LIST, SCHEMA_FIELDS */
	const char *const *choices;   /* SCHEMA_CHOICE, NULL-terminated */
	const char *help;
};

struct schema_map {
	const char *what; /* "VM", for messages */
	const struct schema_key *keys;
	size_t key_count;
	size_t size; /* of the raw structure */
};

extern const struct schema_map schema_set;
extern const struct schema_map schema_field; /* one of SCHEMA_FIELDS */
extern const char
	*const schema_field_types[]; /* in the order of enum set_field_type, NULL-terminated */

struct node;

/* Check the tree against the table, add an error for each part that does not fit and cut it off the tree. */
void schema_check(struct node *root, struct set_errors *errors);
