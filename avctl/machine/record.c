/* SPDX-License-Identifier: MIT */
/*
 * record.c - machine.json: the running set as later commands see it.
 * What is read back is checked like any input: a damaged file is refused, never trusted.
 */
#include "machine/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "machine/qemu.h"

#define RECORD_SIZE_MAX (64 << 20)

static json_t *hex(uint64_t value)
{
	return json_sprintf("0x%" PRIx64, value);
}

static json_t *vm_json(const struct set_vm *vm)
{
	json_t *object = json_pack("{s:s, s:i, s:I, s:b, s:I, s:s, s:i}", "name", vm->name, "vcpus",
				   (int)vm->vcpu_count, "keep", (json_int_t)vm->snapshot_keep,
				   "refuse", vm->snapshot_refuse, "snapshot_memory",
				   (json_int_t)vm->snapshot_memory, "image",
				   vm->image   ? vm->image
				   : vm->flash ? vm->flash
					       : "",
				   "kind", (int)vm->image_kind);

	json_object_set_new(object, "expire", json_integer((json_int_t)vm->snapshot_expire));
	json_object_set_new(object, "ram_base", hex(vm->ram_base));
	json_object_set_new(object, "ram_size", json_integer((json_int_t)vm->ram_size));
	return object;
}

static json_t *enum_json(const struct set_enum *list)
{
	json_t *choices = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(choices,
				      json_pack("{s:s, s:o}", "name", list->choices[i].name,
						"value", hex(list->choices[i].value)));
	return choices;
}

/* From 1; 0: the field has none. */
static int enum_index(const struct set_region *region, const struct set_enum *wanted)
{
	const struct set_enum *list = region->enums;

	for (int i = 1; wanted && list; i++, list = list->next)
		if (list == wanted)
			return i;
	return 0;
}

static json_t *region_json(const struct set_region *region, uint64_t pa)
{
	json_t *members = json_array();
	json_t *fields = json_array();
	json_t *enums = json_array();

	for (const struct set_enum *list = region->enums; list; list = list->next)
		json_array_append_new(enums, enum_json(list));
	for (size_t i = 0; i < region->member_count; i++)
		json_array_append_new(members,
				      json_pack("{s:i, s:b}", "vm", (int)region->members[i].vm,
						"write", region->members[i].write));
	for (size_t i = 0; i < region->field_count; i++) {
		const struct set_field *field = &region->fields[i];

		json_array_append_new(fields,
				      json_pack("{s:s, s:I, s:I, s:i, s:I, s:b, s:b, s:i}", "name",
						field->name, "at", (json_int_t)field->at, "length",
						(json_int_t)field->length, "type", (int)field->type,
						"count", (json_int_t)field->count, "big",
						field->big_endian, "hex", field->hex, "enum",
						enum_index(region, field->choices)));
	}
	return json_pack("{s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:o}", "name", region->name,
			 "address", hex(region->address), "size", (json_int_t)region->size,
			 "output", (json_int_t)region->output_size, "pa", hex(pa), "members",
			 members, "fields", fields, "enums", enums);
}

static json_t *spare_json(const struct set_spare *spare)
{
	return json_pack("{s:i, s:I, s:i, s:I}", "count", (int)spare->count, "memory",
			 (json_int_t)spare->memory, "cpus", (int)spare->cpus, "budget",
			 (json_int_t)spare->budget);
}

static json_t *record_json(const struct record *record)
{
	const struct set *set = record->set;
	json_t *vms = json_array();
	json_t *regions = json_array();
	json_t *argv = json_array();

	for (size_t i = 0; i < set->vm_count; i++)
		json_array_append_new(vms, vm_json(&set->vms[i]));
	for (size_t i = 0; i < set->region_count; i++)
		json_array_append_new(regions, region_json(&set->regions[i], record->region_pa[i]));
	for (size_t i = 0; record->argv && record->argv[i]; i++)
		json_array_append_new(argv, json_string(record->argv[i]));
	return json_pack(
		"{s:s, s:s, s:s, s:s?, s:s, s:s, s:i, s:I, s:I, s:i, s:s, s:I, s:o, s:o, s:o, s:o}",
		"schema", "avctl/1", "name", set->name, "path", set->path, "config_hash",
		record->config_hash, "log_dir", record->log_dir, "ram_file", record->ram_file,
		"pid", (int)record->pid, "pid_start", (json_int_t)record->pid_start, "started",
		(json_int_t)record->started, "cpus", (int)set->cpu_count, "cpu_model",
		set->cpu_model, "memory", (json_int_t)set->memory, "spare", spare_json(&set->spare),
		"vms", vms, "regions", regions, "argv", argv);
}

static int write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t done = write(fd, text, left);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		text += done;
		left -= (size_t)done;
	}
	return 0;
}

int record_save(const struct record *record)
{
	json_t *json = record_json(record);
	char path[PATH_MAX], temporary[PATH_MAX];
	int fd, result = -1;
	char *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;

	/* One that nobody could read back would leave a machine that nobody can end. */
	if (text && strlen(text) >= RECORD_SIZE_MAX) {
		free(text);
		json_decref(json);
		errno = EFBIG;
		return -1;
	}
	snprintf(path, sizeof(path), "%s/machine.json", record->runtime_dir);
	snprintf(temporary, sizeof(temporary), "%s/machine.json.new", record->runtime_dir);
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (!text || fd < 0)
		goto out;
	if (write_all(fd, text) == 0 && rename(temporary, path) == 0)
		result = 0;
	else
		unlink(temporary);
out:
	if (fd >= 0)
		close(fd);
	free(text);
	json_decref(json);
	return result;
}

/* The helpers below set *bad when a member is absent or of a wrong type. */
static char *text(const json_t *object, const char *key, bool *bad)
{
	const char *value = json_string_value(json_object_get(object, key));
	char *copy = value ? strdup(value) : NULL;

	if (!copy)
		*bad = true;
	return copy;
}

static uint64_t number(const json_t *object, const char *key, uint64_t limit, bool *bad)
{
	const json_t *value = json_object_get(object, key);
	json_int_t integer = json_integer_value(value);

	if (!json_is_integer(value) || integer < 0 || (uint64_t)integer > limit) {
		*bad = true;
		return 0;
	}
	return (uint64_t)integer;
}

static uint64_t address(const json_t *object, const char *key, bool *bad)
{
	const char *value = json_string_value(json_object_get(object, key));
	char *end;
	uint64_t result;

	if (!value || strncmp(value, "0x", 2) != 0) {
		*bad = true;
		return 0;
	}
	result = strtoull(value, &end, 16);
	if (*end)
		*bad = true;
	return result;
}

static void read_vm(struct set_vm *vm, const json_t *from, bool *bad)
{
	vm->name = text(from, "name", bad);
	vm->image = text(from, "image", bad);
	vm->image_kind = (enum set_image_kind)number(from, "kind", SET_IMAGE_FLAT, bad);
	vm->vcpu_count = (unsigned)number(from, "vcpus", AV_VCPU_MAX, bad);
	vm->snapshot_keep = (unsigned)number(from, "keep", UINT32_MAX, bad);
	vm->snapshot_memory = number(from, "snapshot_memory", INT64_MAX, bad);
	vm->snapshot_refuse = json_is_true(json_object_get(from, "refuse"));
	vm->snapshot_expire = number(from, "expire", INT64_MAX, bad);
	vm->ram_base = address(from, "ram_base", bad);
	vm->ram_size = number(from, "ram_size", INT64_MAX, bad);
}

/* In their order, which the fields' numbers mean. */
static void read_enums(struct set_region *region, const json_t *from, bool *bad)
{
	struct set_enum **link = &region->enums;

	for (size_t i = 0; i < json_array_size(from); i++) {
		const json_t *choices = json_array_get(from, i);
		struct set_enum *list = calloc(1, sizeof(*list));

		*link = list;
		if (list)
			list->choices =
				calloc(json_array_size(choices) + 1, sizeof(*list->choices));
		if (!list || !list->choices) {
			*bad = true;
			return;
		}
		for (size_t k = 0; k < json_array_size(choices); k++) {
			const json_t *choice = json_array_get(choices, k);

			list->choices[k].name = text(choice, "name", bad);
			list->choices[k].value = address(choice, "value", bad);
			list->count++;
		}
		link = &list->next;
	}
}

static void read_field(const struct set_region *region, struct set_field *field, const json_t *from,
		       bool *bad)
{
	uint64_t list = number(from, "enum", INT64_MAX, bad);

	field->name = text(from, "name", bad);
	field->at = number(from, "at", region->size, bad);
	field->length = number(from, "length", region->size, bad);
	field->type = (enum set_field_type)number(from, "type", SET_FIELD_BYTES, bad);
	field->count = number(from, "count", field->length, bad);
	field->big_endian = json_is_true(json_object_get(from, "big"));
	field->hex = json_is_true(json_object_get(from, "hex"));
	field->choices = region->enums;
	while (list > 1 && field->choices) {
		field->choices = field->choices->next;
		list--;
	}
	if (list == 0)
		field->choices = NULL;
	else if (!field->choices)
		*bad = true;
}

static void read_region(struct set *set, struct set_region *region, uint64_t *pa,
			const json_t *from, bool *bad)
{
	const json_t *members = json_object_get(from, "members");
	const json_t *fields = json_object_get(from, "fields");

	region->name = text(from, "name", bad);
	region->address = address(from, "address", bad);
	region->size = number(from, "size", INT64_MAX, bad);
	region->output_size = number(from, "output", region->size, bad);
	*pa = address(from, "pa", bad);
	region->members = calloc(json_array_size(members) + 1, sizeof(*region->members));
	region->fields = calloc(json_array_size(fields) + 1, sizeof(*region->fields));
	if (!region->members || !region->fields || set->vm_count == 0) {
		*bad = true;
		return;
	}
	for (size_t i = 0; i < json_array_size(members); i++) {
		const json_t *member = json_array_get(members, i);

		region->members[i].vm = (unsigned)number(member, "vm", set->vm_count - 1, bad);
		region->members[i].write = json_is_true(json_object_get(member, "write"));
	}
	region->member_count = json_array_size(members);
	read_enums(region, json_object_get(from, "enums"), bad);
	for (size_t i = 0; i < json_array_size(fields); i++)
		read_field(region, &region->fields[i], json_array_get(fields, i), bad);
	region->field_count = json_array_size(fields);
}

static void read_spare(struct set_spare *spare, const json_t *from, bool *bad)
{
	spare->count = (unsigned)number(from, "count", AV_VM_MAX, bad);
	spare->memory = number(from, "memory", INT64_MAX, bad);
	spare->cpus = (unsigned)number(from, "cpus", AV_VCPU_MAX, bad);
	spare->budget = number(from, "budget", INT64_MAX, bad);
}

static void read_set(struct record *record, const json_t *from, bool *bad)
{
	const json_t *vms = json_object_get(from, "vms");
	const json_t *regions = json_object_get(from, "regions");
	struct set *set = record->set;

	set->name = text(from, "name", bad);
	set->path = text(from, "path", bad);
	set->cpu_model = text(from, "cpu_model", bad);
	set->cpu_count = (unsigned)number(from, "cpus", AV_CPU_MAX, bad);
	set->memory = number(from, "memory", INT64_MAX, bad);
	read_spare(&set->spare, json_object_get(from, "spare"), bad);
	/* Room for all clones there can be. */
	set->vms = calloc(json_array_size(vms) + AV_VM_MAX, sizeof(*set->vms));
	set->regions = calloc(json_array_size(regions) + 1, sizeof(*set->regions));
	record->region_pa = calloc(json_array_size(regions) + 1, sizeof(*record->region_pa));
	if (!set->vms || !set->regions || !record->region_pa) {
		*bad = true;
		return;
	}
	set->vm_count = json_array_size(vms);
	set->region_count = json_array_size(regions);
	for (size_t i = 0; i < set->vm_count; i++)
		read_vm(&set->vms[i], json_array_get(vms, i), bad);
	for (size_t i = 0; i < set->region_count; i++)
		read_region(set, &set->regions[i], &record->region_pa[i],
			    json_array_get(regions, i), bad);
}

/* An `up` that was killed early left no pid in the record, but QEMU's parent wrote it down. */
static void read_pid(struct record *record)
{
	unsigned long long start;
	char path[PATH_MAX];
	FILE *file;
	int pid;

	snprintf(path, sizeof(path), "%s/qemu.pid", record->runtime_dir);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fscanf(file, "%d %llu", &pid, &start) == 2 && pid > 0) {
		record->pid = pid;
		record->pid_start = start;
	}
	fclose(file);
}

/* jansson's own reading of a file takes a system call for each byte. */
static json_t *read_json(const char *path)
{
	json_t *json = NULL;
	struct stat info;
	char *text = NULL;
	ssize_t size = -1;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	if (fstat(fd, &info) == 0 && info.st_size < RECORD_SIZE_MAX)
		text = malloc((size_t)info.st_size + 1);
	if (text)
		size = read(fd, text, (size_t)info.st_size);
	if (size > 0)
		json = json_loadb(text, (size_t)size, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	close(fd);
	if (!json)
		errno = EINVAL;
	return json;
}

struct record *record_load(const char *runtime_dir)
{
	struct record *record;
	char path[PATH_MAX];
	json_t *json;
	bool bad = false;

	snprintf(path, sizeof(path), "%s/machine.json", runtime_dir);
	json = read_json(path);
	if (!json)
		return NULL;
	record = calloc(1, sizeof(*record));
	if (record)
		record->set = calloc(1, sizeof(*record->set));
	if (!record || !record->set) {
		record_free(record);
		json_decref(json);
		errno = EINVAL;
		return NULL;
	}
	record->runtime_dir = strdup(runtime_dir);
	record->log_dir = text(json, "log_dir", &bad);
	record->ram_file = text(json, "ram_file", &bad);
	record->config_hash = text(json, "config_hash", &bad);
	record->pid = (pid_t)number(json, "pid", INT_MAX, &bad);
	record->pid_start = number(json, "pid_start", INT64_MAX, &bad);
	record->started = number(json, "started", INT64_MAX, &bad);
	read_set(record, json, &bad);
	json_decref(json);
	if (record->pid == 0)
		read_pid(record);
	if (bad) {
		record_free(record);
		errno = EINVAL;
		return NULL;
	}
	return record;
}

static void set_contents_free(struct set *set)
{
	for (size_t i = 0; i < set->vm_count; i++) {
		free(set->vms[i].name);
		free(set->vms[i].slot);
		free(set->vms[i].image);
	}
	for (size_t i = 0; i < set->region_count; i++) {
		struct set_region *region = &set->regions[i];

		set_fields_free(region);
		free(region->members);
		free(region->name);
	}
	free(set->vms);
	free(set->regions);
	free(set->name);
	free(set->path);
	free(set->cpu_model);
	free(set);
}

void record_free(struct record *record)
{
	if (!record)
		return;
	if (record->set)
		set_contents_free(record->set);
	free(record->runtime_dir);
	free(record->log_dir);
	free(record->ram_file);
	free(record->config_hash);
	free(record->region_pa);
	for (size_t i = 0; record->argv && record->argv[i]; i++)
		free(record->argv[i]);
	free(record->argv);
	free(record);
}

bool record_alive(const struct record *record)
{
	uint64_t start;

	return record->pid > 0 && process_start(record->pid, &start) && start == record->pid_start;
}

char *record_last_exit(const struct record *record, char *buffer, size_t size)
{
	char path[PATH_MAX];
	int pid = 0, code = 0;
	char how[8] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/exit", record->runtime_dir);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%d %7s %d", &pid, how, &code) != 3 || pid != record->pid)
		snprintf(buffer, size, "unknown");
	else if (!strcmp(how, "signal"))
		snprintf(buffer, size, "killed by signal %d (%s)", code, strsignal(code));
	else
		snprintf(buffer, size, "exit status %d", code);
	if (file)
		fclose(file);
	return buffer;
}
