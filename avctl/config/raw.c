/* SPDX-License-Identifier: MIT */
/*
 * raw.c - libcyaml's schema made from the table in schema.c, and the load through it.
 * Never lets libcyaml convert a number: 1.3.1 takes 64K for 64 and any word for true.
 */
#include <cyaml/cyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "raw.h"

static void *memory(void *context, void *pointer, size_t size)
{
	(void)context;
	if (!size) {
		free(pointer);
		return NULL;
	}
	return realloc(pointer, size);
}

/* libcyaml's own words about a refusal, first line kept. */
struct refusal {
	char text[256];
};

static void remember(cyaml_log_t level, void *context, const char *format, va_list arguments)
{
	struct refusal *refusal = context;

	if (level >= CYAML_LOG_ERROR && !refusal->text[0])
		vsnprintf(refusal->text, sizeof(refusal->text), format, arguments);
}

static const cyaml_config_t *configure(cyaml_config_t *config, struct refusal *refusal)
{
	*config = (cyaml_config_t){
		.log_fn = remember,
		.log_ctx = refusal,
		.mem_fn = memory,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_DEFAULT,
	};
	return config;
}

static const cyaml_schema_field_t *make_fields(struct arena *arena, const struct schema_map *map,
					       const cyaml_schema_value_t *rights);

/* Turn one key of the table into libcyaml's form. False without memory. */
static bool make_field(struct arena *arena, const struct schema_key *key,
		       const cyaml_schema_value_t *rights, cyaml_schema_field_t *field)
{
	const enum cyaml_flag optional_pointer =
		(enum cyaml_flag)(CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER);
	cyaml_schema_value_t *entry;

	field->key = key->key;
	field->data_offset = (uint32_t)key->offset;
	switch (key->kind) {
	case SCHEMA_CPUS:
	case SCHEMA_FIELDS:
	case SCHEMA_ENUM:
	case SCHEMA_SPARE:
		field->value =
			(cyaml_schema_value_t){.type = CYAML_IGNORE, .flags = CYAML_FLAG_OPTIONAL};
		return true;
	case SCHEMA_RIGHTS:
		field->value = *rights;
		return true;
	case SCHEMA_MAPPING:
		field->value = (cyaml_schema_value_t){.type = CYAML_MAPPING,
						      .flags = optional_pointer,
						      .data_size = (uint32_t)key->map->size};
		field->value.mapping.fields = make_fields(arena, key->map, rights);
		return field->value.mapping.fields;
	case SCHEMA_LIST:
		entry = arena_alloc(arena, sizeof(*entry));
		if (!entry)
			return false;
		*entry = (cyaml_schema_value_t){.type = CYAML_MAPPING,
						.flags = CYAML_FLAG_DEFAULT,
						.data_size = (uint32_t)key->map->size};
		entry->mapping.fields = make_fields(arena, key->map, rights);
		field->count_offset = (uint32_t)key->count_offset;
		field->count_size = sizeof(uint64_t);
		field->value = (cyaml_schema_value_t){.type = CYAML_SEQUENCE,
						      .flags = optional_pointer,
						      .data_size = (uint32_t)key->map->size};
		field->value.sequence.entry = entry;
		field->value.sequence.max = CYAML_UNLIMITED;
		return entry->mapping.fields;
	default:
		field->value = (cyaml_schema_value_t){
			.type = CYAML_STRING, .flags = optional_pointer, .data_size = sizeof(char)};
		field->value.string.max = CYAML_UNLIMITED;
		return true;
	}
}

static const cyaml_schema_field_t *make_fields(struct arena *arena, const struct schema_map *map,
					       const cyaml_schema_value_t *rights)
{
	cyaml_schema_field_t *fields = arena_alloc(arena, (map->key_count + 1) * sizeof(*fields));

	for (size_t i = 0; fields && i < map->key_count; i++)
		if (!make_field(arena, &map->keys[i], rights, &fields[i]))
			return NULL;
	return fields;
}

/* Collect the keys of all members: mappings. libcyaml knows no mapping with free keys, so each key becomes a field. */
static bool collect_members(struct raw *raw, struct arena *arena, const struct node *root)
{
	const struct node *regions = tree_get(root, "shm");
	size_t most = 0;

	for (const struct node_child *region = regions ? regions->first : NULL; region;
	     region = region->next) {
		const struct node *members = tree_get(region->node, "members");

		most += members ? members->count : 0;
	}
	raw->member_names = arena_alloc(arena, (most + 1) * sizeof(*raw->member_names));
	if (!raw->member_names)
		return false;
	for (const struct node_child *region = regions ? regions->first : NULL; region;
	     region = region->next) {
		const struct node *members = tree_get(region->node, "members");

		for (const struct node_child *member = members ? members->first : NULL; member;
		     member = member->next) {
			size_t i = 0;

			while (i < raw->member_name_count &&
			       strcmp(raw->member_names[i], member->key))
				i++;
			if (i == raw->member_name_count)
				raw->member_names[raw->member_name_count++] = member->key;
		}
	}
	return true;
}

static const cyaml_schema_value_t *make_schema(struct raw *raw, struct arena *arena)
{
	cyaml_schema_value_t *root = arena_alloc(arena, sizeof(*root));
	cyaml_schema_field_t *rights =
		arena_alloc(arena, (raw->member_name_count + 1) * sizeof(*rights));
	cyaml_schema_value_t members = {
		.type = CYAML_MAPPING,
		.flags = (enum cyaml_flag)(CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER)};

	if (!root || !rights)
		return NULL;
	for (size_t i = 0; i < raw->member_name_count; i++) {
		rights[i].key = raw->member_names[i];
		rights[i].data_offset = (uint32_t)(i * sizeof(char *));
		rights[i].value = (cyaml_schema_value_t){
			.type = CYAML_STRING, .flags = members.flags, .data_size = sizeof(char)};
		rights[i].value.string.max = CYAML_UNLIMITED;
	}
	members.data_size = (uint32_t)((raw->member_name_count + 1) * sizeof(char *));
	members.mapping.fields = rights;
	root->type = CYAML_MAPPING;
	root->flags = CYAML_FLAG_POINTER;
	root->data_size = sizeof(struct raw_set);
	root->mapping.fields = make_fields(arena, &schema_set, &members);
	return root->mapping.fields ? root : NULL;
}

bool raw_load(struct raw *raw, struct arena *arena, const struct node *root, const char *yaml,
	      size_t size, struct set_errors *errors)
{
	struct refusal refusal = {""};
	cyaml_config_t config;
	cyaml_err_t status;
	cyaml_data_t *data = NULL;

	if (!collect_members(raw, arena, root) || !(raw->schema = make_schema(raw, arena))) {
		errors_out_of_memory(errors);
		return false;
	}
	status = cyaml_load_data((const uint8_t *)yaml, size, configure(&config, &refusal),
				 raw->schema, &data, NULL);
	raw->set = data;
	if (status == CYAML_OK && data)
		return true;
	/* libyaml has read this text once already (or tree_write() made it): now it can only lack memory. */
	if (status == CYAML_ERR_OOM || status == CYAML_ERR_LIBYAML_PARSER_INIT ||
	    status == CYAML_ERR_LIBYAML_PARSER)
		errors_out_of_memory(errors);
	else
		errors_add(errors, root->mark, "libcyaml refuses the file: %s (%s)",
			   cyaml_strerror(status),
			   refusal.text[0] ? refusal.text : "no reason given");
	return false;
}

void raw_free(struct raw *raw)
{
	struct refusal refusal = {""};
	cyaml_config_t config;

	if (raw->set)
		cyaml_free(configure(&config, &refusal), raw->schema, raw->set, 0);
	raw->set = NULL;
}
