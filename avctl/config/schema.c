/* SPDX-License-Identifier: MIT */
/*
 * schema.c - the one table of YAML keys, and the check that a file has no others.
 * Never looks at what a value means: that is check.c's.
 */
#include <string.h>
#include "raw.h"
#include "value.h"

#define TEXT(structure, member, name, kind_, required_, help_)           \
	{                                                                \
		.key = (name), .kind = (kind_), .required = (required_), \
		.offset = offsetof(structure, member), .help = (help_)   \
	}
#define CHOICE(structure, member, name, choices_, help_)                                     \
	{                                                                                    \
		.key = (name), .kind = SCHEMA_CHOICE, .offset = offsetof(structure, member), \
		.choices = (choices_), .help = (help_)                                       \
	}
#define MAP(keys_, structure, what_)                                                               \
	{                                                                                          \
		.what = (what_), .keys = (keys_), .key_count = sizeof(keys_) / sizeof((keys_)[0]), \
		.size = sizeof(structure)                                                          \
	}

static const char *const formats[] = {"elf", "linux", "flat", NULL};
static const char *const clocks[] = {"continue", "follow", NULL};
static const char *const starts[] = {"running", "paused", NULL};
static const char *const when_full[] = {"evict-oldest", "refuse", NULL};
static const char *const endians[] = {"little", "big", NULL};
const char *const schema_field_types[] = {"u8",  "u16", "u32", "u64",    "i8",    "i16", "i32",
					  "i64", "f32", "f64", "string", "bytes", NULL};

static const struct schema_key machine_keys[] = {
	TEXT(struct raw_machine, cpus, "cpus", SCHEMA_NUMBER, false,
	     "Physical CPUs of the machine, 1 to 8 (default 1)."),
	TEXT(struct raw_machine, memory, "memory", SCHEMA_SIZE, true,
	     "RAM of the machine: all VMs, snapshots, regions and the hypervisor live in it."),
	TEXT(struct raw_machine, cpu, "cpu", SCHEMA_TEXT, false,
	     "QEMU's CPU model (default cortex-a57)."),
	TEXT(struct raw_machine, shm, "shm", SCHEMA_SIZE, false,
	     "Memory for regions that VMs get at run time (default: 1/64 of memory, at most "
	     "16MiB)."),
	TEXT(struct raw_machine, sets, "sets", SCHEMA_SIZE, false,
	     "Memory for what regions hold in snapshots of the whole set (default: room for four, "
	     "at "
	     "most 1/32 of memory)."),
};
static const struct schema_map machine_map = MAP(machine_keys, struct raw_machine, "machine");

static const struct schema_key snapshot_keys[] = {
	TEXT(struct raw_snapshots, keep, "keep", SCHEMA_NUMBER, false,
	     "At most so many snapshots (0: as memory allows)."),
	TEXT(struct raw_snapshots, memory, "memory", SCHEMA_SIZE, false,
	     "Memory for snapshots (default: an equal share of what is left)."),
	CHOICE(struct raw_snapshots, when_full, "when-full", when_full,
	       "What a take does when there is no room (default evict-oldest)."),
	TEXT(struct raw_snapshots, copy_back, "copy-back", SCHEMA_BOOL, false,
	     "Restores keep the frames of pages that are dirty every time (default false)."),
	TEXT(struct raw_snapshots, expire, "expire", SCHEMA_DURATION, false,
	     "avctl deletes snapshots older than this, pinned ones and the newest left out."),
};
static const struct schema_map snapshot_map = MAP(snapshot_keys, struct raw_snapshots, "snapshots");

static const struct schema_key vm_keys[] = {
	TEXT(struct raw_vm, name, "name", SCHEMA_NAME, true, "The VM's name."),
	TEXT(struct raw_vm, image, "image", SCHEMA_TEXT, false,
	     "An ELF64 program, a Linux Image or a flat binary, relative to this file; also "
	     "compressed with gzip."),
	CHOICE(struct raw_vm, format, "format", formats, "What the image is (default: found out)."),
	TEXT(struct raw_vm, initrd, "initrd", SCHEMA_TEXT, false,
	     "Initial RAM disk, relative to this file."),
	TEXT(struct raw_vm, flash, "flash", SCHEMA_TEXT, false,
	     "Firmware in flash at address 0, where the VM then starts, relative to this file."),
	TEXT(struct raw_vm, bootargs, "bootargs", SCHEMA_TEXT, false, "Kernel command line."),
	TEXT(struct raw_vm, memory, "memory", SCHEMA_SIZE, true, "RAM, a multiple of 2MiB."),
	TEXT(struct raw_vm, cpus, "cpus", SCHEMA_NUMBER, false,
	     "Virtual CPUs, 1 to 8 (default 1)."),
	{.key = "cpu",
	 .kind = SCHEMA_CPUS,
	 .help = "Physical CPU of each virtual CPU: a list, or a number for all (default: "
		 "spread)."},
	TEXT(struct raw_vm, load, "load", SCHEMA_SIZE, false,
	     "Flat image: load address (default RAM + 0x80000)."),
	TEXT(struct raw_vm, entry, "entry", SCHEMA_SIZE, false,
	     "Address of the first instruction."),
	TEXT(struct raw_vm, dtb_address, "dtb-address", SCHEMA_SIZE, false,
	     "Where the device tree is put."),
	TEXT(struct raw_vm, dtb, "dtb", SCHEMA_DTB, false,
	     "A device tree blob of your own; false: none; true, the default: avctl's."),
	CHOICE(struct raw_vm, clock, "clock", clocks,
	       "The VM's counter over pauses and restores (default continue)."),
	CHOICE(struct raw_vm, start, "start", starts, "State after `avctl up` (default running)."),
	TEXT(struct raw_vm, slice, "slice", SCHEMA_DURATION, false,
	     "Time slice when VMs share a CPU, such as 5ms."),
	TEXT(struct raw_vm, shm, "shm", SCHEMA_BOOL, false,
	     "false: the VM gets no regions at run time (default true)."),
	{.key = "snapshots",
	 .kind = SCHEMA_MAPPING,
	 .offset = offsetof(struct raw_vm, snapshots),
	 .map = &snapshot_map,
	 .help = "How many snapshots, and the memory for them."},
};
static const struct schema_map vm_map = MAP(vm_keys, struct raw_vm, "VM");

#define FIELD_KEY(name, kind_, required_, help_)                                         \
	{                                                                                \
		.key = (name), .kind = (kind_), .required = (required_), .help = (help_) \
	}

static const struct schema_key field_keys[] = {
	FIELD_KEY("name", SCHEMA_NAME, true, "The field's name."),
	FIELD_KEY("at", SCHEMA_SIZE, false,
		  "Offset in the region or structure (default: behind the one before, as in C)."),
	FIELD_KEY("type", SCHEMA_TYPE, false,
		  "What the field holds: u8 to u64, i8 to i64, f32, f64, char[N], string, bytes; "
		  "also arrays: u16[8]."),
	FIELD_KEY("length", SCHEMA_SIZE, false,
		  "Bytes of a string, bytes, or one structure with what fills it up."),
	FIELD_KEY("count", SCHEMA_NUMBER, false, "So many of them in a row."),
	{.key = "endian",
	 .kind = SCHEMA_CHOICE,
	 .choices = endians,
	 .help = "Order of its bytes (default little)."},
	FIELD_KEY("hex", SCHEMA_BOOL, false, "Show the number in hexadecimal."),
	FIELD_KEY("enum", SCHEMA_ENUM, false, "Names for its values: {idle: 0, busy: 1}."),
	{.key = "fields",
	 .kind = SCHEMA_FIELDS,
	 .map = &schema_field,
	 .help = "Instead of a type: the fields of a structure."},
};
const struct schema_map schema_field = {
	.what = "field",
	.keys = field_keys,
	.key_count = sizeof(field_keys) / sizeof(field_keys[0]),
};

static const struct schema_key region_keys[] = {
	TEXT(struct raw_region, name, "name", SCHEMA_NAME, true, "The region's name."),
	TEXT(struct raw_region, address, "address", SCHEMA_SIZE, false,
	     "Where its members see it, a multiple of 2MiB (default: free, from 0x70000000)."),
	TEXT(struct raw_region, size, "size", SCHEMA_SIZE, true, "Bytes, rounded up to 4KiB."),
	TEXT(struct raw_region, output, "output", SCHEMA_SIZE, false,
	     "Bytes of each member's own section, rounded up to 4KiB (default 0: none)."),
	TEXT(struct raw_region, init, "init", SCHEMA_TEXT, false, "Its first bytes at boot."),
	{.key = "members",
	 .kind = SCHEMA_RIGHTS,
	 .required = true,
	 .offset = offsetof(struct raw_region, members),
	 .help = "The VMs that see it, each ro or rw."},
	{.key = "fields",
	 .kind = SCHEMA_FIELDS,
	 .map = &schema_field,
	 .help = "What lies where in it: names for `avctl shm watch`, peek and poke."},
};
static const struct schema_map region_map = MAP(region_keys, struct raw_region, "shm region");

static const struct schema_key spare_keys[] = {
	FIELD_KEY("count", SCHEMA_NUMBER, true, "So many slots."),
	FIELD_KEY("memory", SCHEMA_SIZE, false,
		  "The most RAM of a clone (default: that of the largest VM)."),
	FIELD_KEY("cpus", SCHEMA_NUMBER, false,
		  "The most virtual CPUs of a clone (default: as many as a VM has)."),
	FIELD_KEY("budget", SCHEMA_SIZE, false,
		  "Memory of each for what a clone changes and for its snapshots (default: an "
		  "equal share of what is left)."),
};
static const struct schema_map spare_map = {
	.what = "spare",
	.keys = spare_keys,
	.key_count = sizeof(spare_keys) / sizeof(spare_keys[0]),
};

static const struct schema_key set_keys[] = {
	TEXT(struct raw_set, version, "version", SCHEMA_NUMBER, true, "Version of this format: 1."),
	TEXT(struct raw_set, name, "name", SCHEMA_NAME, false,
	     "The set's name (default: the file's)."),
	{.key = "machine",
	 .kind = SCHEMA_MAPPING,
	 .required = true,
	 .offset = offsetof(struct raw_set, machine),
	 .map = &machine_map,
	 .help = "The machine that QEMU emulates."},
	{.key = "vms",
	 .kind = SCHEMA_LIST,
	 .required = true,
	 .offset = offsetof(struct raw_set, vms),
	 .count_offset = offsetof(struct raw_set, vm_count),
	 .map = &vm_map,
	 .help = "The VMs."},
	{.key = "shm",
	 .kind = SCHEMA_LIST,
	 .offset = offsetof(struct raw_set, shm),
	 .count_offset = offsetof(struct raw_set, shm_count),
	 .map = &region_map,
	 .help = "Memory that VMs share."},
	{.key = "spare",
	 .kind = SCHEMA_SPARE,
	 .map = &spare_map,
	 .help = "Slots for VMs that `avctl clone` makes: a number, or a mapping (default 0)."},
};
const struct schema_map schema_set = MAP(set_keys, struct raw_set, "set");

struct candidates {
	const struct schema_map *map;
	size_t index;
};

static const char *next_key(void *context)
{
	struct candidates *at = context;

	return at->index < at->map->key_count ? at->map->keys[at->index++].key : NULL;
}

static const struct schema_key *find_key(const struct schema_map *map, const char *name)
{
	for (size_t i = 0; i < map->key_count; i++)
		if (!strcmp(map->keys[i].key, name))
			return &map->keys[i];
	return NULL;
}

/* All keys of map in one line, for a hint. */
static void list_keys(const struct schema_map *map, char *text, size_t size)
{
	size_t used = 0;

	text[0] = 0;
	for (size_t i = 0; i < map->key_count; i++) {
		size_t length = strlen(map->keys[i].key);

		if (used + length + 3 > size)
			return;
		if (i) {
			memcpy(text + used, ", ", 2);
			used += 2;
		}
		memcpy(text + used, map->keys[i].key, length + 1);
		used += length;
	}
}

/* Returns the key that was probably meant, or NULL. */
static const char *report_unknown(const struct schema_map *map, const struct node_child *child,
				  struct set_errors *errors)
{
	struct candidates at = {map, 0};
	const char *nearest = errors_nearest(child->key, next_key, &at);
	char keys[512];

	errors_add(errors, child->key_mark, "unknown key \"%s\" in %s", child->key, map->what);
	if (nearest) {
		errors_hint(errors, "did you mean \"%s\"?", nearest);
	} else {
		list_keys(map, keys, sizeof(keys));
		errors_hint(errors, "keys of %s: %s", map->what, keys);
	}
	return nearest;
}

static bool check_map(struct node *node, const struct schema_map *map, struct set_errors *errors);

/* A scalar that is not null. */
static bool check_scalar(const struct node *node, const char *key, struct set_errors *errors)
{
	if (node->kind == NODE_SCALAR && !node->is_null)
		return true;
	if (node->kind == NODE_SCALAR)
		errors_add(errors, node->mark, "%s: a value is missing", key);
	else
		errors_add(errors, node->mark, "%s: one value is wanted, not a %s", key,
			   node->kind == NODE_MAPPING ? "mapping" : "list");
	return false;
}

static bool check_list(struct node *node, const struct schema_key *key, struct set_errors *errors)
{
	if (node->kind != NODE_SEQUENCE) {
		errors_add(errors, node->mark, "%s: a list is wanted (one \"- \" for each %s)",
			   key->key, key->map->what);
		return false;
	}
	for (struct node_child **link = &node->first; *link;) {
		if (check_map((*link)->node, key->map, errors)) {
			link = &(*link)->next;
		} else {
			*link = (*link)->next;
			node->count--;
		}
	}
	return true;
}

static bool check_cpus(const struct node *node, const char *key, struct set_errors *errors)
{
	bool good = true;

	if (node->kind != NODE_SEQUENCE)
		return check_scalar(node, key, errors);
	for (const struct node_child *child = node->first; child; child = child->next)
		good = check_scalar(child->node, key, errors) && good;
	return good;
}

static bool check_rights(struct node *node, const char *key, struct set_errors *errors)
{
	if (node->kind != NODE_MAPPING) {
		errors_add(errors, node->mark, "%s: a mapping of VM names is wanted", key);
		errors_hint(errors, "for example: members: {vm1: ro, vm2: rw}");
		return false;
	}
	for (struct node_child **link = &node->first; *link;) {
		bool named = value_is_name((*link)->key);

		if (!named)
			errors_add(errors, (*link)->key_mark, "%s: \"%s\" cannot name a VM", key,
				   (*link)->key);
		if (check_scalar((*link)->node, (*link)->key, errors) && named) {
			link = &(*link)->next;
		} else {
			*link = (*link)->next;
			node->count--;
		}
	}
	return true;
}

/* The name of a value as C and people write them. */
static bool is_value_name(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789_.-");

	return length > 0 && length <= 31 && !text[length] && !strchr("0123456789.-", text[0]);
}

static bool check_enum(struct node *node, const char *key, struct set_errors *errors)
{
	if (node->kind != NODE_MAPPING || !node->count) {
		errors_add(errors, node->mark, "%s: a mapping of names is wanted", key);
		errors_hint(errors, "for example: enum: {idle: 0, busy: 1}");
		return false;
	}
	for (struct node_child **link = &node->first; *link;) {
		bool named = is_value_name((*link)->key);

		if (!named)
			errors_add(errors, (*link)->key_mark, "%s: \"%s\" cannot name a value", key,
				   (*link)->key);
		if (check_scalar((*link)->node, (*link)->key, errors) && named) {
			link = &(*link)->next;
		} else {
			*link = (*link)->next;
			node->count--;
		}
	}
	return true;
}

static bool check_value(struct node *node, const struct schema_key *key, struct set_errors *errors)
{
	switch (key->kind) {
	case SCHEMA_SPARE:
		if (node->kind != NODE_MAPPING)
			return check_scalar(node, key->key, errors);
		return check_map(node, key->map, errors);
	case SCHEMA_MAPPING:
		return check_map(node, key->map, errors);
	case SCHEMA_LIST:
	case SCHEMA_FIELDS:
		return check_list(node, key, errors);
	case SCHEMA_ENUM:
		return check_enum(node, key->key, errors);
	case SCHEMA_RIGHTS:
		return check_rights(node, key->key, errors);
	case SCHEMA_CPUS:
		return check_cpus(node, key->key, errors);
	default:
		return check_scalar(node, key->key, errors);
	}
}

static bool check_map(struct node *node, const struct schema_map *map, struct set_errors *errors)
{
	bool given[32] = {false};

	if (node->kind != NODE_MAPPING) {
		char keys[512];

		errors_add(errors, node->mark, "a %s is a mapping of keys", map->what);
		list_keys(map, keys, sizeof(keys));
		errors_hint(errors, "keys of %s: %s", map->what, keys);
		return false;
	}
	for (struct node_child **link = &node->first; *link;) {
		struct node_child *child = *link;
		const struct schema_key *key = find_key(map, child->key);

		const char *meant = key ? NULL : report_unknown(map, child, errors);

		/* A misspelled key is one mistake: it is not missing as well. */
		if (meant)
			given[find_key(map, meant) - map->keys] = true;
		if (key)
			given[key - map->keys] = true;
		if (key && check_value(child->node, key, errors)) {
			link = &child->next;
		} else {
			*link = child->next;
			node->count--;
		}
	}
	for (size_t i = 0; i < map->key_count; i++) {
		if (map->keys[i].required && !given[i]) {
			errors_add(errors, node->mark, "%s: the key \"%s\" is missing", map->what,
				   map->keys[i].key);
			errors_hint(errors, "%s: %s", map->keys[i].key, map->keys[i].help);
		}
	}
	return true;
}

void schema_check(struct node *root, struct set_errors *errors)
{
	check_map(root, &schema_set, errors);
}
