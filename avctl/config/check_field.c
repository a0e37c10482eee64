/* SPDX-License-Identifier: MIT */
/*
 * check_field.c - the meaning of a region's `fields:`: types, places, arrays, structures, names of values.
 * Never keeps a field that reaches out of its region; structures are taken apart into their values.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "value.h"

#define FIELD_NAME_MOST 127

/* In the order of enum set_field_type. size 0: the length is the user's. */
static const struct {
	unsigned size;
	bool whole, is_signed;
} types[] = {
	{1, true, false}, {2, true, false}, {4, true, false},  {8, true, false},
	{1, true, true},  {2, true, true},  {4, true, true},   {8, true, true},
	{4, false, true}, {8, false, true}, {0, false, false}, {0, false, false},
};

/* The fields of one region while they are collected. */
struct fields {
	struct check *check;
	struct set_region *region;
	size_t capacity;
	uint64_t limit; /* bytes of the region */
	bool full;
};

/* What a structure takes so far. */
struct extent {
	uint64_t end, align;
};

static void read_list(struct fields *fields, const struct node *list, const char *prefix,
		      struct extent *extent);

static const char *text_of(const struct node *mapping, const char *key)
{
	const struct node *node = tree_get(mapping, key);

	return node ? node->text : NULL;
}

static uint64_t align_up(uint64_t value, uint64_t align)
{
	return (value + align - 1) / align * align;
}

static char *join(struct check *check, const char *prefix, const char *name)
{
	size_t size = strlen(prefix) + strlen(name) + 1;
	char *text = malloc(size);

	if (text)
		snprintf(text, size, "%s%s", prefix, name);
	else
		errors_out_of_memory(check->errors);
	return text;
}

/* Add field, whose name becomes prefix and name. */
static void add(struct fields *fields, const struct node *node, struct set_field field,
		const char *prefix, const char *name)
{
	struct set_region *region = fields->region;

	if (region->field_count == SET_FIELD_MAX) {
		if (!fields->full)
			errors_add(fields->check->errors, node->mark,
				   "a region has at most %d fields, arrays of structures counted "
				   "out",
				   SET_FIELD_MAX);
		fields->full = true;
		return;
	}
	if (region->field_count == fields->capacity) {
		size_t capacity = fields->capacity ? fields->capacity * 2 : 16;
		struct set_field *grown = realloc(region->fields, capacity * sizeof(*grown));

		if (!grown) {
			errors_out_of_memory(fields->check->errors);
			return;
		}
		region->fields = grown;
		fields->capacity = capacity;
	}
	field.name = join(fields->check, prefix, name);
	if (field.name)
		region->fields[region->field_count++] = field;
}

/* One value of an enum: its bits in a number of that type. */
static void check_value(struct check *check, const struct node_child *child, unsigned type,
			uint64_t *bits)
{
	const char *text = child->node->text;
	bool negative = text[0] == '-';
	uint64_t most = UINT64_MAX >> (64 - types[type].size * 8), magnitude = 0;
	const char *wrong = value_number(text + negative, &magnitude);

	if (types[type].is_signed)
		most = negative ? most / 2 + 1 : most / 2;
	else if (negative)
		most = 0;
	if (wrong)
		errors_add(check->errors, child->node->mark, "%s: \"%s\" is not a number: %s",
			   child->key, text, wrong);
	else if (magnitude > most)
		errors_add(check->errors, child->node->mark, "%s: %s does not fit a %s", child->key,
			   text, schema_field_types[type]);
	*bits = (negative ? 0 - magnitude : magnitude) & UINT64_MAX >> (64 - types[type].size * 8);
}

static void check_enum(struct fields *fields, const struct node *node, struct set_field *field)
{
	const struct node *names = tree_get(node, "enum");
	struct check *check = fields->check;
	struct set_enum *list;

	if (!names)
		return;
	if (!types[field->type].whole) {
		errors_add(check->errors, names->mark,
			   "enum: only whole numbers have names for their values");
		return;
	}
	list = check_array(check, 1, sizeof(*list));
	if (!list)
		return;
	list->next = fields->region->enums;
	fields->region->enums = list;
	list->choices = check_array(check, names->count, sizeof(*list->choices));
	if (!list->choices)
		return;
	for (const struct node_child *child = names->first; child; child = child->next) {
		struct set_choice *choice = &list->choices[list->count];

		check_value(check, child, field->type, &choice->value);
		choice->name = check_copy(check, child->key);
		if (choice->name)
			list->count++;
	}
	field->choices = list;
}

/* "u16[8]": the type, and what stands in the brackets (0: there are none). False with an error. */
static bool check_type(struct check *check, const struct node *node, struct set_field *field,
		       uint64_t *brackets)
{
	const char *text = text_of(node, "type");
	size_t base = strcspn(text, "["), length = strlen(text);
	char name[16], inner[24];
	int type;

	*brackets = 0;
	if (base == length || base >= sizeof(name) || text[length - 1] != ']' ||
	    length - base - 2 >= sizeof(inner)) {
		type = check_choice(check, node, "type", strcmp(text, "char") ? text : "string",
				    schema_field_types);
	} else {
		snprintf(name, sizeof(name), "%.*s", (int)base, text);
		snprintf(inner, sizeof(inner), "%.*s", (int)(length - base - 2), text + base + 1);
		type = check_choice(check, node, "type", strcmp(name, "char") ? name : "string",
				    schema_field_types);
		if (type >= 0 && (value_number(inner, brackets) || !*brackets)) {
			errors_add(check->errors, tree_mark(node, "type"),
				   "type: \"%s\" is not a count of elements", inner);
			errors_hint(check->errors, "for example type: \"u16[8]\"");
			return false;
		}
	}
	if (type < 0)
		return false;
	field->type = (enum set_field_type)type;
	return true;
}

/* The bytes of one element, from `length:` or the brackets of a string. */
static bool check_length(struct check *check, const struct node *node, struct set_field *field,
			 uint64_t *brackets)
{
	const char *text = text_of(node, "length"), *type = text_of(node, "type");
	unsigned size = types[field->type].size;
	bool given = check_size(check, node, "length", text, &field->length);

	if (text && !given)
		return false;
	if (size) {
		if (given && field->length != size) {
			errors_add(check->errors, tree_mark(node, "length"),
				   "length: a %s has %u bytes", schema_field_types[field->type],
				   size);
			errors_hint(check->errors, "leave it out");
			return false;
		}
		field->length = size;
		return true;
	}
	if (*brackets && given) {
		errors_add(check->errors, tree_mark(node, "length"),
			   "length: the type %s says it already", type);
		return false;
	}
	if (*brackets)
		field->length = *brackets;
	else if (!given) {
		errors_add(check->errors, node->mark, "a field of type %s needs a length", type);
		errors_hint(check->errors, "length: 64");
		return false;
	}
	*brackets = 0;
	if (!field->length)
		errors_add(check->errors, tree_mark(node, "length"),
			   "length: a field has at least one byte");
	return field->length;
}

/* `count:`, or the brackets of a number's type; 0 when there is neither. */
static bool check_count(struct check *check, const struct node *node, uint64_t brackets,
			uint64_t *count)
{
	const char *text = text_of(node, "count");

	*count = brackets;
	if (!text)
		return true;
	if (brackets) {
		errors_add(check->errors, tree_mark(node, "count"),
			   "count: the type says it already");
		return false;
	}
	if (!check_number(check, node, "count", text, count))
		return false;
	if (!*count)
		errors_add(check->errors, tree_mark(node, "count"),
			   "count: an array has at least one element");
	return *count;
}

/*
 * Find the place of size bytes, count times (0: once): where `at:` says, else behind what is there.
 * False with an error when they do not fit.
 */
static bool place(struct fields *fields, const struct node *node, struct extent *extent,
		  uint64_t align, uint64_t size, uint64_t count, uint64_t *at)
{
	const char *text = text_of(node, "at");
	struct check *check = fields->check;
	uint64_t total;

	*at = align_up(extent->end, align);
	if (text && !check_size(check, node, "at", text, at))
		return false;
	if (__builtin_mul_overflow(size, count ? count : 1, &total) || total > fields->limit ||
	    *at > fields->limit - total) {
		if (fields->region->size)
			errors_add(check->errors, tree_mark(node, "at"),
				   "%s: the field's %" PRIu64 " bytes%s at %" PRIu64
				   " reach beyond the region's %" PRIu64,
				   text ? "at" : "field", size, count ? " an element" : "", *at,
				   fields->region->size);
		return false;
	}
	if (*at + total > extent->end)
		extent->end = *at + total;
	if (align > extent->align)
		extent->align = align;
	return true;
}

static void read_value(struct fields *fields, const struct node *node, const char *prefix,
		       const char *name, struct extent *extent)
{
	struct check *check = fields->check;
	struct set_field field = {0};
	const char *endian = text_of(node, "endian"), *hex = text_of(node, "hex");
	static const char *const endians[] = {"little", "big", NULL};
	uint64_t brackets, align;

	if (!check_type(check, node, &field, &brackets) ||
	    !check_length(check, node, &field, &brackets) ||
	    !check_count(check, node, brackets, &field.count))
		return;
	if (endian && !types[field.type].size)
		errors_add(check->errors, tree_mark(node, "endian"),
			   "endian: only numbers have an order of bytes");
	else
		field.big_endian = check_choice(check, node, "endian", endian, endians) == 1;
	if (hex && !types[field.type].whole)
		errors_add(check->errors, tree_mark(node, "hex"),
			   "hex: only whole numbers are shown so");
	else
		check_bool(check, node, "hex", hex, &field.hex);
	check_enum(fields, node, &field);
	align = types[field.type].size ? types[field.type].size : 1;
	if (!place(fields, node, extent, align, field.length, field.count, &field.at))
		return;
	if (field.count)
		field.length *= field.count;
	if (name)
		add(fields, node, field, prefix, name);
}

/* The other elements of an array of structures, like those of element 0 from first on. */
static void repeat(struct fields *fields, const struct node *node, const char *prefix,
		   const char *name, size_t first, uint64_t count, uint64_t stride)
{
	struct set_region *region = fields->region;
	size_t last = region->field_count;
	size_t skip = strlen(prefix) + strlen(name) + strlen("[0].");
	char element[FIELD_NAME_MOST + 32];
	char *start;

	for (uint64_t i = 1; i < count && first < last && !fields->full; i++) {
		snprintf(element, sizeof(element), "%s[%" PRIu64 "].", name, i);
		start = join(fields->check, prefix, element);
		for (size_t k = first; start && k < last; k++) {
			struct set_field field = region->fields[k];

			field.at += i * stride;
			add(fields, node, field, start, region->fields[k].name + skip);
		}
		free(start);
		if (errors_is_out_of_memory(fields->check->errors))
			return;
	}
}

static void read_structure(struct fields *fields, const struct node *node, const char *prefix,
			   const char *name, struct extent *extent)
{
	static const char *const strangers[] = {"type", "endian", "hex", "enum"};
	struct check *check = fields->check;
	struct extent inner = {0, 1};
	size_t first = fields->region->field_count;
	const char *length = text_of(node, "length");
	uint64_t count = 0, stride, at;
	char element[FIELD_NAME_MOST + 32];
	char *start;

	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		if (tree_get(node, strangers[i]))
			errors_add(check->errors, tree_mark(node, strangers[i]),
				   "%s: a structure has none, its fields have", strangers[i]);
	if (!check_count(check, node, 0, &count))
		return;
	snprintf(element, sizeof(element), count ? "%s[0]." : "%s.", name ? name : "?");
	start = join(check, prefix, element);
	if (start)
		read_list(fields, tree_get(node, "fields"), start, &inner);
	free(start);
	stride = align_up(inner.end, inner.align);
	if (length && check_size(check, node, "length", length, &stride) && stride < inner.end) {
		errors_add(check->errors, tree_mark(node, "length"),
			   "length: the structure's fields take %" PRIu64 " bytes", inner.end);
		return;
	}
	if (!stride || !place(fields, node, extent, inner.align, stride, count, &at))
		return;
	for (size_t k = first; k < fields->region->field_count; k++)
		fields->region->fields[k].at += at;
	if (name)
		repeat(fields, node, prefix, name, first, count, stride);
}

/* As `config show` prints those of structures: "slot[2].state". */
static bool is_field_name(const char *text)
{
	static const char digits[] = "0123456789";
	size_t length = strlen(text);

	if (length > FIELD_NAME_MOST || text[0] < 'a' || text[0] > 'z')
		return false;
	while (*text) {
		text += strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-");
		if (!*text)
			return true;
		if (text[0] != '[' || !strspn(text + 1, digits))
			return false;
		text += 1 + strspn(text + 1, digits);
		if (*text++ != ']')
			return false;
	}
	return true;
}

static bool check_field_name(struct check *check, const struct node *node, const char *name)
{
	if (!name || is_field_name(name))
		return name;
	errors_add(check->errors, tree_mark(node, "name"), "name: \"%s\" cannot name a field",
		   name);
	errors_hint(check->errors, "names are made of a-z 0-9 . _ - and start with a letter");
	return false;
}

static void check_sisters(struct check *check, const struct node *list,
			  const struct node_child *child, const char *name)
{
	for (const struct node_child *other = list->first; other != child; other = other->next) {
		const char *text = text_of(other->node, "name");

		if (!text || strcmp(text, name))
			continue;
		errors_add(check->errors, tree_mark(child->node, "name"),
			   "name: two fields are called \"%s\"", name);
		return;
	}
}

static void read_list(struct fields *fields, const struct node *list, const char *prefix,
		      struct extent *extent)
{
	struct check *check = fields->check;

	for (const struct node_child *child = list->first; child; child = child->next) {
		const struct node *node = child->node;
		const char *name = text_of(node, "name");

		if (errors_is_out_of_memory(check->errors))
			return;
		if (!check_field_name(check, node, name))
			name = NULL;
		else
			check_sisters(check, list, child, name);
		if (tree_get(node, "fields")) {
			read_structure(fields, node, prefix, name, extent);
		} else if (tree_get(node, "type")) {
			read_value(fields, node, prefix, name, extent);
		} else {
			errors_add(check->errors, node->mark, "field: the key \"type\" is missing");
			errors_hint(check->errors, "type: u32, or fields: for a structure");
		}
	}
}

void check_fields(struct check *check, struct set_region *region, const struct node *list)
{
	struct fields fields = {.check = check, .region = region};
	struct extent extent = {0, 1};

	fields.limit = region->size ? region->size : CHECK_REGION_MOST;
	if (list)
		read_list(&fields, list, "", &extent);
}
