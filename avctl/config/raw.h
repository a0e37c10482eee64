/* SPDX-License-Identifier: MIT */
/*
 * raw.h - what libcyaml loads: the YAML keys as text, NULL when absent. Internal to avctl/config.
 * All numbers, sizes, addresses, truth values and durations are text here; check.c converts them.
 */
#pragma once
#include "schema.h"
#include "tree.h"

struct raw_machine {
	char *cpus, *memory, *cpu, *shm, *sets;
};

struct raw_snapshots {
	char *keep, *memory, *when_full, *expire, *copy_back;
};

struct raw_vm {
	char *name, *image, *format, *initrd, *flash, *bootargs, *memory, *cpus, *load, *entry,
		*dtb_address, *dtb, *clock, *start, *slice, *shm;
	struct raw_snapshots *snapshots;
};

struct raw_region {
	char *name, *address, *size, *output, *init;
	char **members; /* rights, by index into raw.member_names */
};

struct raw_set {
	char *version, *name;
	struct raw_machine *machine;
	struct raw_vm *vms;
	uint64_t vm_count;
	struct raw_region *shm;
	uint64_t shm_count;
};

struct raw {
	struct raw_set *set;
	const char **member_names; /* all keys of all members: mappings; in the arena */
	size_t member_name_count;
	const struct cyaml_schema_value *schema; /* in the arena */
};

/*
 * Load the bytes with libcyaml. root is their tree, already checked by schema_check(); it says which members exist.
 * False with an error added when libcyaml refuses them all the same.
 */
bool raw_load(struct raw *raw, struct arena *arena, const struct node *root, const char *yaml,
	      size_t size, struct set_errors *errors);
void raw_free(struct raw *raw);
