/* SPDX-License-Identifier: MIT */
/*
 * top_until.c - conditions on what VMs do. A VM's values are laid out as fields of a region, so that the parser of
 * `shm watch --until` is this one's, too. Asks nobody.
 */
#include "cmd/top_until.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "out/out.h"

#define FRAME 4096u

/* In the order in which lay_out() writes them. */
static const struct {
	const char *name;
	enum set_field_type type;
	uint64_t length;
} values[] = {
	{"state", SET_FIELD_STRING, 16},    {"cpu_percent", SET_FIELD_F64, 8},
	{"exits_per_s", SET_FIELD_U64, 8},  {"unique_bytes", SET_FIELD_U64, 8},
	{"shared_bytes", SET_FIELD_U64, 8}, {"charged_bytes", SET_FIELD_U64, 8},
	{"snapshots", SET_FIELD_U64, 8},    {"generation", SET_FIELD_U64, 8},
};
#define VALUE_COUNT (sizeof(values) / sizeof(values[0]))
#define VM_SIZE (16u + 7u * 8u)

static int add_fields(struct top_until *until, const char *vm, uint64_t at)
{
	for (size_t i = 0; i < VALUE_COUNT; i++) {
		struct set_field *field = &until->names.fields[until->names.field_count];

		if (asprintf(&field->name, "%s.%s", vm, values[i].name) < 0) {
			field->name = NULL;
			return -1;
		}
		until->names.field_count++;
		field->at = at;
		field->length = values[i].length;
		field->type = values[i].type;
		at += values[i].length;
	}
	return 0;
}

int top_until_parse(struct top_until *until, const struct set *set, const char *text)
{
	char message[200];

	memset(until, 0, sizeof(*until));
	if (!text)
		return RC_OK;
	until->names.name = set->name;
	until->names.size = set->vm_count * VM_SIZE;
	until->names.fields = calloc(set->vm_count * VALUE_COUNT, sizeof(struct set_field));
	until->values = calloc(set->vm_count, VM_SIZE);
	until->known = calloc(set->vm_count, sizeof(bool));
	if (!until->names.fields || !until->values || !until->known)
		return out_error(RC_FAILED, NULL, "not enough memory");
	for (size_t i = 0; i < set->vm_count; i++)
		if (add_fields(until, set->vms[i].name, i * VM_SIZE) != 0)
			return out_error(RC_FAILED, NULL, "not enough memory");
	if (shm_expr_parse(&until->expr, &until->names, text, message, sizeof(message)) != 0)
		return out_error(
			RC_USAGE,
			"--until 'VM.exits_per_s>=1000 && VM.state==running'; the names are "
			"those of -o json",
			"--until: %s%s", strncmp(message, "region ", 7) == 0 ? "set " : "",
			strncmp(message, "region ", 7) == 0 ? message + 7 : message);
	return RC_OK;
}

static void lay_out(uint8_t *to, const struct top_row *row)
{
	const struct top_vm *vm = row->vm;
	uint64_t shared = vm->ram_frames > vm->dirty_frames ? vm->ram_frames - vm->dirty_frames : 0;
	double cpu = row->cpu * 100;
	const uint64_t numbers[] = {row->exits,     vm->dirty_frames * FRAME,
				    shared * FRAME, vm->frames_used * FRAME,
				    vm->snapshots,  vm->generation};

	memcpy(to, vm->state, sizeof(vm->state));
	memcpy(to + 16, &cpu, sizeof(cpu));
	memcpy(to + 24, numbers, sizeof(numbers));
}

static bool read_value(void *context, uint64_t at, void *buffer, size_t length)
{
	const struct top_until *until = context;

	if (at > until->names.size || length > until->names.size - at ||
	    !until->known[at / VM_SIZE])
		return false;
	memcpy(buffer, until->values + at, length);
	return true;
}

bool top_until_holds(struct top_until *until, const struct set *set, const struct top_row *rows,
		     size_t count)
{
	if (!until->expr.count)
		return false;
	memset(until->known, 0, set->vm_count * sizeof(bool));
	for (size_t i = 0; i < set->vm_count; i++)
		for (size_t k = 0; k < count; k++)
			if (rows[k].known && strcmp(rows[k].vm->name, set->vms[i].name) == 0) {
				lay_out(until->values + i * VM_SIZE, &rows[k]);
				until->known[i] = true;
			}
	return shm_expr_holds(&until->expr, read_value, until);
}

void top_until_free(struct top_until *until)
{
	for (size_t i = 0; i < until->names.field_count; i++)
		free(until->names.fields[i].name);
	free(until->names.fields);
	free(until->values);
	free(until->known);
}
