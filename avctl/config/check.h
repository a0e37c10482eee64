/* SPDX-License-Identifier: MIT */
/* check.h - from text to a checked set. Internal to avctl/config. */
#pragma once
#include "raw.h"

#define CHECK_IPA_LIMIT (UINT64_C(1) << 36) /* S2_IPA_BITS of the hypervisor */
#define CHECK_SHM_FIRST UINT64_C(0x70000000)
#define CHECK_2M UINT64_C(0x200000)
#define CHECK_REGION_MOST (UINT64_C(1) << 30) /* bytes of a region */

struct check {
	struct set *set;
	const struct raw *raw;
	const struct node *root;
	const char *directory; /* of the YAML file, absolute */
	struct set_errors *errors;
	uint64_t bundle_size; /* what the bundle may take, so far */
};

/*
 * Fill set from the loaded text, with all defaults, and add an error for each thing that is wrong. Only when
 * there is none is the set complete.
 */
void check_set(struct check *check);

/* Its parts. */
void check_vms(struct check *check);
void check_regions(struct check *check);
void check_spare(struct check *check);
void check_vm_files(struct check *check, size_t index, const struct node *node,
		    const struct raw_vm *raw);
/* The region's fields from the list in the tree, which may be NULL. Its size is known, or 0. */
void check_fields(struct check *check, struct set_region *region, const struct node *list);

/* Convert the text of key in mapping; false when it is absent (NULL) or wrong, then with an error added. */
bool check_number(struct check *check, const struct node *mapping, const char *key,
		  const char *text, uint64_t *out);
bool check_size(struct check *check, const struct node *mapping, const char *key, const char *text,
		uint64_t *out);
bool check_duration(struct check *check, const struct node *mapping, const char *key,
		    const char *text, uint64_t *out);
bool check_bool(struct check *check, const struct node *mapping, const char *key, const char *text,
		bool *out);
/* The index of text in choices, or -1 when it is absent or wrong, then with an error added. */
int check_choice(struct check *check, const struct node *mapping, const char *key, const char *text,
		 const char *const *choices);
bool check_name(struct check *check, const struct node *mapping, const char *what,
		const char *text);

/* malloc()ed copy, or NULL with the error added; of NULL it is NULL. */
char *check_copy(struct check *check, const char *text);
void *check_array(struct check *check, size_t count, size_t size);
