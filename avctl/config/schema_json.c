/* SPDX-License-Identifier: MIT */
/*
 * schema_json.c - the table of keys as a draft-07 JSON schema, for editors.
 * Never knows a key of its own: all come from schema.c.
 */
#include <string.h>
#include "config.h"
#include "schema.h"

#define NAME_PATTERN "^[a-z][a-z0-9._-]{0,30}$"
#define NUMBER_PATTERN "^(0|[1-9][0-9]*|0[xX][0-9a-fA-F]+)$"
#define SIZE_PATTERN "^((0|[1-9][0-9]*)([KMG](iB)?)?|0[xX][0-9a-fA-F]+)$"
#define TYPE_PATTERN                                                           \
	"^([ui](8|16|32|64)|f32|f64|char|string|bytes)(\\[(0[xX][0-9a-fA-F]+|" \
	"[1-9][0-9]*)\\])?$"
#define VALUE_PATTERN "^-?(0|[1-9][0-9]*|0[xX][0-9a-fA-F]+)$"
#define DURATION_PATTERN "^(0|[1-9][0-9]*)(ns|us|ms|s|m|h|d|w)$"

static json_t *map_schema(const struct schema_map *map);

/* A value that is either a YAML integer or text of that form. */
static json_t *number_schema(const char *pattern)
{
	return json_pack("{s:[{s:s, s:i}, {s:s, s:s}]}", "anyOf", "type", "integer", "minimum", 0,
			 "type", "string", "pattern", pattern);
}

static json_t *choice_schema(const char *const *choices)
{
	json_t *list = json_array();

	for (size_t i = 0; list && choices[i]; i++)
		json_array_append_new(list, json_string(choices[i]));
	return json_pack("{s:o}", "enum", list);
}

static json_t *value_schema(const struct schema_key *key)
{
	switch (key->kind) {
	case SCHEMA_NAME:
		return json_pack("{s:s, s:s}", "type", "string", "pattern", NAME_PATTERN);
	case SCHEMA_NUMBER:
		return number_schema(NUMBER_PATTERN);
	case SCHEMA_SIZE:
		return number_schema(SIZE_PATTERN);
	case SCHEMA_BOOL:
		return json_pack("{s:s}", "type", "boolean");
	case SCHEMA_DTB:
		return json_pack("{s:[s, s]}", "type", "boolean", "string");
	case SCHEMA_DURATION:
		return json_pack("{s:s, s:s}", "type", "string", "pattern", DURATION_PATTERN);
	case SCHEMA_CHOICE:
		return choice_schema(key->choices);
	case SCHEMA_CPUS:
		return json_pack("{s:[{s:s, s:i}, {s:s, s:{s:s, s:i}}]}", "anyOf", "type",
				 "integer", "minimum", 0, "type", "array", "items", "type",
				 "integer", "minimum", 0);
	case SCHEMA_RIGHTS:
		return json_pack("{s:s, s:i, s:{s:s}, s:{s:[s, s]}}", "type", "object",
				 "minProperties", 1, "propertyNames", "pattern", NAME_PATTERN,
				 "additionalProperties", "enum", "ro", "rw");
	case SCHEMA_TYPE:
		return json_pack("{s:s, s:s}", "type", "string", "pattern", TYPE_PATTERN);
	case SCHEMA_ENUM:
		return json_pack("{s:s, s:i, s:{s:[{s:s}, {s:s, s:s}]}}", "type", "object",
				 "minProperties", 1, "additionalProperties", "anyOf", "type",
				 "integer", "type", "string", "pattern", VALUE_PATTERN);
	case SCHEMA_FIELDS: /* which are made of fields again */
		return json_pack("{s:s, s:{s:s}}", "type", "array", "items", "$ref",
				 "#/definitions/field");
	case SCHEMA_SPARE:
		return json_pack("{s:[{s:s, s:i}, o]}", "anyOf", "type", "integer", "minimum", 0,
				 map_schema(key->map));
	case SCHEMA_MAPPING:
		return map_schema(key->map);
	case SCHEMA_LIST:
		return json_pack("{s:s, s:o}", "type", "array", "items", map_schema(key->map));
	default:
		return json_pack("{s:[s, s, s, s]}", "type", "string", "number", "integer",
				 "boolean");
	}
}

static json_t *map_schema(const struct schema_map *map)
{
	json_t *properties = json_object(), *required = json_array(), *schema;

	for (size_t i = 0; i < map->key_count; i++) {
		const struct schema_key *key = &map->keys[i];
		json_t *value = value_schema(key);

		if (value)
			json_object_set_new(value, "description", json_string(key->help));
		json_object_set_new(properties, key->key, value);
		if (key->required)
			json_array_append_new(required, json_string(key->key));
	}
	schema = json_pack("{s:s, s:b, s:o, s:o}", "type", "object", "additionalProperties", 0,
			   "properties", properties, "required", required);
	return schema;
}

char *config_schema_json(void)
{
	json_t *schema = map_schema(&schema_set), *head;
	json_t *field = map_schema(&schema_field);
	char *text = NULL;

	head = json_pack("{s:s, s:s, s:{s:o}}", "$schema",
			 "http://json-schema.org/draft-07/schema#", "title", "A set of Avisor VMs",
			 "definitions", "field", field);
	if (head && schema && !json_object_update(head, schema))
		text = json_dumps(head, JSON_INDENT(2));
	json_decref(schema);
	json_decref(head);
	return text;
}
