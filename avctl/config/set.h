/* SPDX-License-Identifier: MIT */
/*
 * set.h - a checked set of VMs: what a YAML file says, with every default filled in and every rule kept.
 *
 * Owned by the caller of set_load(), freed by set_free(). Nothing in it needs checking again.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <avisor/manifest.h>

/* Where a thing stands in the YAML file; line 0 = it does not. Lines and columns from 1. */
struct set_mark {
	unsigned line, column;
};

enum set_image_kind { SET_IMAGE_ELF, SET_IMAGE_LINUX, SET_IMAGE_FLAT };

struct set_vm {
	char *name;
	char *slot; /* a clone: its spare slot's name, which its host ports and logs have; else NULL */
	char *image;  /* absolute path; NULL: firmware alone */
	char *initrd; /* absolute path, or NULL */
	char *flash;  /* firmware at IPA 0: absolute path, or NULL; without it there is an image */
	char *dtb;    /* a device tree of the user's own, or NULL */
	char *bootargs; /* or NULL */
	enum set_image_kind image_kind;
	uint64_t ram_base, ram_size;
	uint64_t load, entry, dtb_address; /* 0: the defaults of DESIGN 5 */
	bool has_load, has_entry, has_dtb_address;
	bool no_dtb; /* dtb: false */
	unsigned vcpu_count;
	int vcpu_cpu[AV_VCPU_MAX]; /* physical CPU, -1: balanced at boot */
	bool clock_follow;
	bool start_paused;
	bool no_shm;              /* shm: false */
	unsigned snapshot_keep;   /* 0: no limit but memory */
	uint64_t snapshot_memory; /* bytes */
	bool snapshot_refuse;     /* when-full: refuse */
	bool snapshot_copy_back;  /* copy-back: true */
	uint64_t snapshot_expire; /* ns; 0: never */
	uint64_t slice_ns;
	struct set_mark mark;
};

enum set_field_type {
	SET_FIELD_U8,
	SET_FIELD_U16,
	SET_FIELD_U32,
	SET_FIELD_U64,
	SET_FIELD_I8,
	SET_FIELD_I16,
	SET_FIELD_I32,
	SET_FIELD_I64,
	SET_FIELD_F32,
	SET_FIELD_F64,
	SET_FIELD_STRING,
	SET_FIELD_BYTES
};

#define SET_FIELD_MAX 4096 /* of a region, arrays of structures counted out */

/* Names for the values of a field. */
struct set_choice {
	char *name;
	uint64_t value; /* its bits, as wide as the field */
};
struct set_enum {
	struct set_enum *next; /* of the region's */
	struct set_choice *choices;
	size_t count;
};

/* A value in a region. Structures are taken apart: "ring.head", "slot[2].state". */
struct set_field {
	char *name;
	uint64_t at;     /* offset in the region */
	uint64_t length; /* bytes, of all elements */
	enum set_field_type type;
	uint64_t count; /* elements of an array, 0: it is none */
	bool big_endian, hex;
	const struct set_enum *choices; /* the region's, or NULL */
};

struct set_member {
	unsigned vm; /* index into vms */
	bool write;
};

struct set_region {
	char *name;
	uint64_t address;
	uint64_t size;        /* sections included, the state table not */
	uint64_t output_size; /* of each member's section, 0: there are none */
	void *init;           /* initial bytes, or NULL */
	size_t init_size;
	struct set_member *members;
	size_t member_count;
	struct set_field *fields;
	size_t field_count;
	struct set_enum *enums; /* those of the fields */
	struct set_mark mark;
};

/* Slots for clones: all alike. */
struct set_spare {
	unsigned count;
	uint64_t memory; /* bytes: the most RAM of a clone */
	unsigned cpus;   /* the most vCPUs */
	uint64_t budget; /* bytes for the pages a clone changes, and for its snapshots */
};
#define AV_SLOT_NAME 32

struct set {
	char *name;
	char *path;         /* absolute path of the YAML file */
	unsigned cpu_count; /* machine.cpus */
	char *cpu_model;    /* machine.cpu, default "cortex-a57" */
	uint64_t memory;    /* machine.memory, bytes */
	uint64_t shm_size;  /* machine.shm, bytes */
	uint64_t sets_size; /* machine.sets, bytes */
	struct set_vm *vms; /* without the control VM */
	size_t vm_count;
	struct set_region *regions;
	size_t region_count;
	struct set_spare spare;
};

/* The name of spare slot number index, in text. */
static inline const char *set_slot_name(unsigned index, char text[AV_SLOT_NAME])
{
	snprintf(text, AV_SLOT_NAME, "spare%u", index + 1);
	return text;
}

/* What a VM's host ports and their logs are named by. */
static inline const char *set_vm_port(const struct set_vm *vm)
{
	return vm->slot ? vm->slot : vm->name;
}

/* One thing that is wrong with a file. */
struct set_error {
	struct set_mark mark;
	char *message;
	char *hint; /* or NULL */
};

struct set_errors {
	struct set_error *list;
	size_t count;
	char *source; /* the file's bytes, for the caret lines; NULL when it could not be read */
	size_t source_size;
	char *path;
};

/*
 * Load and check the file at path. Returns the set, or NULL with at least one error in *errors, which
 * collects all that is wrong in one run, sorted by place. *errors must be zeroed before and freed with set_errors_free().
 */
struct set *set_load(const char *path, struct set_errors *errors);
void set_free(struct set *set);
void set_errors_free(struct set_errors *errors);

/* Free the fields and enums of a region. */
void set_fields_free(struct set_region *region);

/* Print "file:line:col: error: message", the source line, a caret, and "hint: ..." for each to stream. */
void set_errors_print(const struct set_errors *errors, void *stream);
