/* SPDX-License-Identifier: MIT */
/*
 * show.c - a checked set, printed with all its defaults: JSON for programs, YAML for people.
 * Never checks anything: the set is already good.
 */
#include <inttypes.h>
#include <string.h>
#include "config.h"
#include "schema.h"
#include "value.h"

static const char *const kinds[] = {"elf", "linux", "flat"};

static json_t *json_hex(uint64_t value)
{
	return json_sprintf("0x%" PRIx64, value);
}

static json_t *json_size(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *vm_json(const struct set_vm *vm)
{
	json_t *cpu = json_array();
	json_t *json;

	for (unsigned i = 0; cpu && i < vm->vcpu_count; i++)
		json_array_append_new(cpu, vm->vcpu_cpu[i] < 0 ? json_null()
							       : json_integer(vm->vcpu_cpu[i]));
	json = json_pack(
		"{s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:o, s:o, s:i, s:o, s:s, s:s, s:b, s:b, "
		"s:o, "
		"s:{s:i, s:o, s:s, s:b}}",
		"name", vm->name, "image", vm->image, "format",
		vm->image ? kinds[vm->image_kind] : NULL, "flash", vm->flash, "dtb_file", vm->dtb,
		"initrd", vm->initrd, "bootargs", vm->bootargs, "ram_base", json_hex(vm->ram_base),
		"memory", json_size(vm->ram_size), "cpus", vm->vcpu_count, "cpu", cpu, "clock",
		vm->clock_follow ? "follow" : "continue", "start",
		vm->start_paused ? "paused" : "running", "dtb", !vm->no_dtb, "shm", !vm->no_shm,
		"slice_ns", json_size(vm->slice_ns), "snapshots", "keep", vm->snapshot_keep,
		"memory", json_size(vm->snapshot_memory), "when_full",
		vm->snapshot_refuse ? "refuse" : "evict-oldest", "copy_back",
		vm->snapshot_copy_back);
	if (json)
		json_object_set_new(json_object_get(json, "snapshots"), "expire_ns",
				    vm->snapshot_expire ? json_size(vm->snapshot_expire)
							: json_null());
	if (json && vm->has_load)
		json_object_set_new(json, "load", json_hex(vm->load));
	if (json && vm->has_entry)
		json_object_set_new(json, "entry", json_hex(vm->entry));
	if (json && vm->has_dtb_address)
		json_object_set_new(json, "dtb_address", json_hex(vm->dtb_address));
	return json;
}

/* The value of an enum as the YAML has it: negative where its type has a sign. */
static int64_t choice_value(const struct set_field *field, uint64_t bits)
{
	uint64_t size = field->count ? field->length / field->count : field->length;
	unsigned shift = (unsigned)(64 - size * 8);

	if (field->type < SET_FIELD_I8)
		return (int64_t)bits;
	return (int64_t)(bits << shift) >> shift;
}

static json_t *field_json(const struct set_field *field)
{
	json_t *names = field->choices ? json_object() : NULL, *json;

	json = json_pack("{s:s, s:o, s:s, s:o}", "name", field->name, "at", json_size(field->at),
			 "type", schema_field_types[field->type], "length",
			 json_size(field->length));
	if (field->count)
		json_object_set_new(json, "count", json_size(field->count));
	if (field->big_endian)
		json_object_set_new(json, "endian", json_string("big"));
	if (field->hex)
		json_object_set_new(json, "hex", json_true());
	for (size_t i = 0; names && i < field->choices->count; i++)
		json_object_set_new(
			names, field->choices->choices[i].name,
			json_integer(choice_value(field, field->choices->choices[i].value)));
	if (names)
		json_object_set_new(json, "enum", names);
	return json;
}

static uint64_t common_size(const struct set_region *region)
{
	return region->size - region->member_count * region->output_size;
}

static json_t *region_json(const struct set *set, const struct set_region *region)
{
	json_t *members = json_object(), *fields = json_array(), *json;

	for (size_t i = 0; i < region->member_count; i++)
		json_object_set_new(members, set->vms[region->members[i].vm].name,
				    json_string(region->members[i].write ? "rw" : "ro"));
	for (size_t i = 0; i < region->field_count; i++)
		json_array_append_new(fields, field_json(&region->fields[i]));
	json = json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", region->name, "address",
			 json_hex(region->address), "size", json_size(region->size), "members",
			 members, "fields", fields);
	if (json && region->output_size) {
		json_object_set_new(json, "size", json_size(common_size(region)));
		json_object_set_new(json, "output", json_size(region->output_size));
	}
	if (json && region->init)
		json_object_set_new(json, "init", json_stringn(region->init, region->init_size));
	return json;
}

static json_t *spare_json(const struct set_spare *spare)
{
	return json_pack("{s:i, s:o, s:i, s:o}", "count", spare->count, "memory",
			 json_size(spare->memory), "cpus", spare->cpus, "budget",
			 json_size(spare->budget));
}

json_t *config_show_json(const struct set *set)
{
	json_t *vms = json_array(), *regions = json_array();

	for (size_t i = 0; i < set->vm_count; i++)
		json_array_append_new(vms, vm_json(&set->vms[i]));
	for (size_t i = 0; i < set->region_count; i++)
		json_array_append_new(regions, region_json(set, &set->regions[i]));
	return json_pack("{s:s, s:i, s:s, s:s, s:{s:i, s:o, s:o, s:o, s:s}, s:o, s:o, s:o}",
			 "schema", "avctl/1", "version", 1, "name", set->name, "path", set->path,
			 "machine", "cpus", set->cpu_count, "memory", json_size(set->memory), "shm",
			 json_size(set->shm_size), "sets", json_size(set->sets_size), "cpu",
			 set->cpu_model, "vms", vms, "shm", regions, "spare",
			 spare_json(&set->spare));
}

json_t *config_errors_json(const struct set_errors *errors)
{
	json_t *list = json_array();

	for (size_t i = 0; i < errors->count; i++) {
		const struct set_error *error = &errors->list[i];

		json_array_append_new(list, json_pack("{s:s?, s:i, s:i, s:s?, s:s?}", "file",
						      errors->path, "line", (int)error->mark.line,
						      "column", (int)error->mark.column, "message",
						      error->message, "hint", error->hint));
	}
	return json_pack("{s:s, s:o}", "schema", "avctl/1", "errors", list);
}

/* A double-quoted YAML scalar. */
static void print_quoted(FILE *stream, const char *text)
{
	fputc('"', stream);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(stream, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(stream, "\\x%02x", c);
		else
			fputc(c, stream);
	}
	fputc('"', stream);
}

static void print_text(FILE *stream, const char *key, const char *text)
{
	if (!text)
		return;
	fprintf(stream, "    %s: ", key);
	print_quoted(stream, text);
	fputc('\n', stream);
}

static void print_address(FILE *stream, const char *key, bool given, uint64_t address)
{
	if (given)
		fprintf(stream, "    %s: 0x%" PRIx64 "\n", key, address);
}

static void print_vm(FILE *stream, const struct set_vm *vm)
{
	char size[VALUE_SIZE_TEXT];

	fprintf(stream, "  - name: %s\n", vm->name);
	print_text(stream, "image", vm->image);
	if (vm->image)
		fprintf(stream, "    format: %s\n", kinds[vm->image_kind]);
	print_text(stream, "flash", vm->flash);
	print_text(stream, "dtb", vm->dtb);
	print_text(stream, "initrd", vm->initrd);
	print_text(stream, "bootargs", vm->bootargs);
	fprintf(stream, "    memory: %s\n    cpus: %u\n", value_size_text(vm->ram_size, size),
		vm->vcpu_count);
	if (vm->vcpu_cpu[0] >= 0) {
		fprintf(stream, "    cpu: [%d", vm->vcpu_cpu[0]);
		for (unsigned i = 1; i < vm->vcpu_count; i++)
			fprintf(stream, ", %d", vm->vcpu_cpu[i]);
		fputs("]\n", stream);
	}
	print_address(stream, "load", vm->has_load, vm->load);
	print_address(stream, "entry", vm->has_entry, vm->entry);
	print_address(stream, "dtb-address", vm->has_dtb_address, vm->dtb_address);
	if (vm->no_dtb)
		fputs("    dtb: false\n", stream);
	fprintf(stream, "    clock: %s\n    start: %s\n", vm->clock_follow ? "follow" : "continue",
		vm->start_paused ? "paused" : "running");
	if (vm->no_shm)
		fputs("    shm: false\n", stream);
	if (vm->slice_ns)
		fprintf(stream, "    slice: %" PRIu64 "ns\n", vm->slice_ns);
	fprintf(stream, "    snapshots: {keep: %u, memory: %s, when-full: %s", vm->snapshot_keep,
		value_size_text(vm->snapshot_memory, size),
		vm->snapshot_refuse ? "refuse" : "evict-oldest");
	if (vm->snapshot_copy_back)
		fputs(", copy-back: true", stream);
	if (vm->snapshot_expire)
		fprintf(stream, ", expire: %" PRIu64 "ns", vm->snapshot_expire);
	fputs("}\n", stream);
}

static void print_field(FILE *stream, const struct set_field *field)
{
	uint64_t each = field->count ? field->length / field->count : field->length;

	fprintf(stream, "      - {name: \"%s\", at: %" PRIu64 ", type: %s, length: %" PRIu64,
		field->name, field->at, schema_field_types[field->type], each);
	if (field->count)
		fprintf(stream, ", count: %" PRIu64, field->count);
	if (field->big_endian)
		fputs(", endian: big", stream);
	if (field->hex)
		fputs(", hex: true", stream);
	if (field->choices)
		fputs(", enum: {", stream);
	for (size_t i = 0; field->choices && i < field->choices->count; i++) {
		int64_t value = choice_value(field, field->choices->choices[i].value);
		bool high = value < 0 && field->type < SET_FIELD_I8;

		fprintf(stream, "%s%s: ", i ? ", " : "", field->choices->choices[i].name);
		fprintf(stream, high ? "%" PRIu64 : "%" PRId64, value);
	}
	fputs(field->choices ? "}}\n" : "}\n", stream);
}

static void print_region(FILE *stream, const struct set *set, const struct set_region *region)
{
	char size[VALUE_SIZE_TEXT];

	fprintf(stream, "  - name: %s\n    address: 0x%" PRIx64 "\n    size: %s\n", region->name,
		region->address, value_size_text(common_size(region), size));
	if (region->output_size)
		fprintf(stream, "    output: %s\n", value_size_text(region->output_size, size));
	print_text(stream, "init", region->init);
	fputs("    members: {", stream);
	for (size_t i = 0; i < region->member_count; i++)
		fprintf(stream, "%s%s: %s", i ? ", " : "", set->vms[region->members[i].vm].name,
			region->members[i].write ? "rw" : "ro");
	fputs("}\n", stream);
	if (region->field_count)
		fputs("    fields:\n", stream);
	for (size_t i = 0; i < region->field_count; i++)
		print_field(stream, &region->fields[i]);
}

void config_show_yaml(const struct set *set, FILE *stream)
{
	char size[VALUE_SIZE_TEXT];

	fprintf(stream, "version: 1\nname: %s\nmachine: {cpus: %u, memory: %s", set->name,
		set->cpu_count, value_size_text(set->memory, size));
	fprintf(stream, ", shm: %s", value_size_text(set->shm_size, size));
	fprintf(stream, ", sets: %s, cpu: ", value_size_text(set->sets_size, size));
	print_quoted(stream, set->cpu_model);
	fputs("}\nvms:\n", stream);
	for (size_t i = 0; i < set->vm_count; i++)
		print_vm(stream, &set->vms[i]);
	if (set->region_count)
		fputs("shm:\n", stream);
	for (size_t i = 0; i < set->region_count; i++)
		print_region(stream, set, &set->regions[i]);
	if (!set->spare.count)
		return;
	fprintf(stream, "spare: {count: %u, memory: %s, cpus: %u, ", set->spare.count,
		value_size_text(set->spare.memory, size), set->spare.cpus);
	fprintf(stream, "budget: %s}\n", value_size_text(set->spare.budget, size));
}
