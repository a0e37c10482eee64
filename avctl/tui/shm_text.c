/* SPDX-License-Identifier: MIT */
/* shm_text.c - prints a region as text and JSON.
 * Never lets a byte that a guest wrote out unescaped, but for shm_text_raw(), which is asked for by
 * name. */
#include "tui/shm_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tui/shm_field.h"

#define CHUNK (64u * 1024u)
#define FIELD_TEXT_MAX 1024
#define EXACT_MAX (1ull << 53) /* larger numbers lose digits in many JSON readers */

void shm_text_row(uint64_t offset, const uint8_t *bytes, size_t count, char line[SHM_TEXT_LINE_MAX])
{
	int used = snprintf(line, SHM_TEXT_LINE_MAX, "%08" PRIx64 " ", offset);

	for (size_t i = 0; i < 16; i++) {
		const char *gap = i == 8 ? "  " : " ";

		if (i < count)
			used += snprintf(line + used, SHM_TEXT_LINE_MAX - (size_t)used, "%s%02x",
					 gap, bytes[i]);
		else
			used += snprintf(line + used, SHM_TEXT_LINE_MAX - (size_t)used, "%s  ",
					 gap);
	}
	used += snprintf(line + used, SHM_TEXT_LINE_MAX - (size_t)used, "  |");
	for (size_t i = 0; i < count && i < 16; i++)
		line[used++] = bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '.';
	line[used++] = '|';
	line[used] = '\0';
}

int shm_text_dump(const struct shm_view *view, uint64_t at, uint64_t length, FILE *out)
{
	uint64_t end = at + length;
	uint8_t previous[16];
	uint8_t *chunk = malloc(CHUNK);
	bool starred = false, first = true;
	char line[SHM_TEXT_LINE_MAX];

	while (chunk && at < end) {
		size_t got = shm_view_read(view, at, chunk,
					   end - at < CHUNK ? (size_t)(end - at) : CHUNK);

		if (got == 0)
			break;
		for (size_t i = 0; i < got; i += 16) {
			size_t count = got - i < 16 ? got - i : 16;
			bool same = !first && count == 16 && memcmp(previous, chunk + i, 16) == 0;

			if (!same) {
				shm_text_row(at + i, chunk + i, count, line);
				fprintf(out, "%s\n", line);
			} else if (!starred) {
				fputs("*\n", out);
			}
			starred = same;
			first = false;
			memcpy(previous, chunk + i, count);
		}
		at += got;
	}
	fprintf(out, "%08" PRIx64 "\n", at);
	free(chunk);
	return at == end ? 0 : -1;
}

int shm_text_raw(const struct shm_view *view, uint64_t at, uint64_t length, FILE *out)
{
	uint8_t *chunk = malloc(CHUNK);
	uint64_t end = at + length;

	while (chunk && at < end) {
		size_t got = shm_view_read(view, at, chunk,
					   end - at < CHUNK ? (size_t)(end - at) : CHUNK);

		if (got == 0 || fwrite(chunk, 1, got, out) != got)
			break;
		at += got;
	}
	free(chunk);
	return at == end ? 0 : -1;
}

void shm_text_members(const struct set *set, const struct set_region *region, char *out,
		      size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < region->member_count && used < size; i++) {
		const struct set_member *member = &region->members[i];
		int n = snprintf(out + used, size - used, "%s%s %s", i ? "  " : "",
				 set->vms[member->vm].name, member->write ? "rw" : "ro");

		if (n > 0)
			used += (size_t)n;
	}
}

void shm_text_members_now(const struct shm_view *view, char *out, size_t size)
{
	static const char *const states[] = {" detached", "",         " paused",
					     " starved",  " crashed", " stopped"};
	const struct set_region *region = view->region;
	struct av_region_state state;
	bool known = shm_view_state(view, &state);
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < region->member_count && used < size; i++) {
		const struct set_member *member = &region->members[i];
		uint32_t now = known ? av_member_state(shm_view_member(view, &state, i))
				     : AV_MEMBER_RUNNING;
		int n = snprintf(out + used, size - used, "%s%s %s%s", i ? "  " : "",
				 view->set->vms[member->vm].name, member->write ? "rw" : "ro",
				 now <= AV_MEMBER_STOPPED ? states[now] : "");

		if (n > 0)
			used += (size_t)n;
	}
}

const char *shm_text_writer(const struct set *set, const struct set_region *region, uint64_t at,
			    uint64_t length)
{
	uint64_t sections = region->output_size * region->member_count;
	uint64_t common = region->size - sections;
	const char *writer = NULL;

	if (sections && length && at >= common) {
		uint64_t first = (at - common) / region->output_size;

		if (first != (at + length - 1 - common) / region->output_size)
			return NULL;
		return set->vms[region->members[first].vm].name;
	}
	if (sections && at + length > common)
		return NULL;
	for (size_t i = 0; i < region->member_count; i++) {
		if (!region->members[i].write)
			continue;
		if (writer)
			return NULL;
		writer = set->vms[region->members[i].vm].name;
	}
	return writer;
}

void shm_text_fields(const struct shm_view *view, FILE *out)
{
	char text[FIELD_TEXT_MAX];

	for (size_t i = 0; i < view->region->field_count; i++) {
		const struct set_field *field = &view->region->fields[i];
		uint8_t *bytes = calloc((size_t)field->length + 1, 1);

		if (bytes &&
		    shm_view_read(view, field->at, bytes, (size_t)field->length) == field->length)
			shm_field_text(field, bytes, text, sizeof(text));
		else
			snprintf(text, sizeof(text), "??");
		fprintf(out, "%s = %s\n", field->name, text);
		free(bytes);
	}
}

static json_t *hex_json(const uint8_t *bytes, size_t length)
{
	char *text = malloc(length * 2 + 8);
	json_t *json;

	if (!text)
		return NULL;
	shm_hex(bytes, length, 0, text, length * 2 + 8);
	json = json_string(text);
	free(text);
	return json;
}

static json_t *value_json(const struct set_field *field, const uint8_t *bytes)
{
	struct shm_value value = shm_field_value(field, bytes);
	const char *name = shm_field_choice(field, bytes);
	char *text;
	json_t *json;

	if (name)
		return json_string(name);
	switch (value.kind) {
	case SHM_VALUE_UNSIGNED:
		if (value.u <= EXACT_MAX)
			return json_integer((json_int_t)value.u);
		return json_sprintf("0x%" PRIx64, value.u);
	case SHM_VALUE_SIGNED:
		if (value.i <= (int64_t)EXACT_MAX && value.i >= -(int64_t)EXACT_MAX)
			return json_integer(value.i);
		return json_sprintf("%" PRId64, value.i);
	case SHM_VALUE_FLOAT:
		json = json_real(value.f);
		return json ? json : json_null(); /* JSON has no NaN */
	case SHM_VALUE_BYTES:
		break;
	}
	if (field->type == SET_FIELD_BYTES)
		return hex_json(value.bytes, value.length);
	text = malloc(value.length * 4 + 8);
	if (!text)
		return NULL;
	shm_escape(value.bytes, value.length, text, value.length * 4 + 8);
	json = json_string(text);
	free(text);
	return json;
}

json_t *shm_json_field(const struct set_field *field, const uint8_t *bytes)
{
	json_t *list;

	if (!field->count)
		return value_json(field, bytes);
	list = json_array();
	for (uint64_t i = 0; list && i < field->count; i++) {
		struct set_field element = shm_field_element(field, i);

		json_array_append_new(list, value_json(&element, bytes + i * element.length));
	}
	return list;
}

/* The elements of an array that [at, at + length) touches, as members "name[i]". */
static void elements_json(json_t *fields, const struct set_field *field, uint64_t at,
			  uint64_t length, const uint8_t *bytes)
{
	uint64_t size = shm_field_size(field);
	uint64_t from = at > field->at ? (at - field->at) / size : 0;
	char name[256];

	for (uint64_t i = from; i < field->count && field->at + i * size < at + length; i++) {
		struct set_field element = shm_field_element(field, i);

		snprintf(name, sizeof(name), "%s[%" PRIu64 "]", field->name, i);
		json_object_set_new(fields, name, value_json(&element, bytes + element.at));
	}
}

/*
 * Put the fields that [at, at + length) touches into a new object; NULL when there are none. whole:
 * arrays as arrays, else only what is touched of them.
 */
static json_t *fields_json(const struct set_region *region, uint64_t at, uint64_t length,
			   const uint8_t *bytes, size_t valid, bool whole)
{
	json_t *fields = NULL;

	for (size_t i = 0; i < region->field_count; i++) {
		const struct set_field *field = &region->fields[i];

		if (!shm_field_touches(field, at, length) || field->at > valid ||
		    field->length > valid - field->at)
			continue;
		if (!fields)
			fields = json_object();
		if (field->count && !whole)
			elements_json(fields, field, at, length, bytes);
		else
			json_object_set_new(fields, field->name,
					    shm_json_field(field, bytes + field->at));
	}
	return fields;
}

json_t *shm_json_summary(const struct set *set, const struct set_region *region)
{
	json_t *members = json_array();

	for (size_t i = 0; i < region->member_count; i++)
		json_array_append_new(
			members, json_pack("{s:s, s:s}", "vm", set->vms[region->members[i].vm].name,
					   "rights", region->members[i].write ? "rw" : "ro"));
	return json_pack("{s:s, s:o, s:I, s:o}", "region", region->name, "address",
			 json_sprintf("0x%" PRIx64, region->address), "size",
			 (json_int_t)region->size, "members", members);
}

json_t *shm_json_region(const struct shm_view *view, uint64_t at, uint64_t length)
{
	const struct set_region *region = view->region;
	size_t size = (size_t)region->size;
	uint8_t *bytes = malloc(size + 1);
	json_t *json = NULL;
	json_t *fields;

	if (bytes && shm_view_read(view, 0, bytes, size) == size)
		json = shm_json_summary(view->set, region);
	if (json) {
		fields = fields_json(region, 0, region->size, bytes, size, true);
		json_object_set_new(json, "fields", fields ? fields : json_object());
		json_object_set_new(json, "offset", json_integer((json_int_t)at));
		json_object_set_new(json, "data", hex_json(bytes + at, (size_t)length));
	}
	free(bytes);
	return json;
}

int shm_next_change(const uint8_t *old, const uint8_t *new, size_t length, size_t *at,
		    struct shm_change *change)
{
	size_t i = *at;
	size_t start;

	while (i < length) {
		size_t block = length - i < 4096 ? length - i : 4096;

		if (memcmp(old + i, new + i, block) != 0)
			break;
		i += block;
	}
	while (i < length && old[i] == new[i])
		i++;
	start = i;
	while (i < length && old[i] != new[i] && i - start < SHM_CHANGE_MAX)
		i++;
	*at = i;
	change->offset = start;
	change->length = i - start;
	return i > start;
}

json_t *shm_json_change(const struct set_region *region, const struct shm_change *change,
			uint64_t wall_ns, const uint8_t *old, const uint8_t *new,
			const uint8_t *bytes, size_t valid)
{
	time_t seconds = (time_t)(wall_ns / 1000000000ull);
	unsigned ms = (unsigned)(wall_ns / 1000000ull % 1000ull);
	json_t *fields = fields_json(region, change->offset, change->length, bytes, valid, false);
	char date[32] = "";
	struct tm tm;
	json_t *json;

	if (gmtime_r(&seconds, &tm))
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	json = json_pack("{s:o, s:s, s:I, s:o, s:o}", "t", json_sprintf("%s.%03uZ", date, ms),
			 "region", region->name, "off", (json_int_t)change->offset, "old",
			 hex_json(old, change->length), "new", hex_json(new, change->length));
	if (json && fields)
		json_object_set_new(json, "fields", fields);
	else
		json_decref(fields);
	return json;
}
