/* SPDX-License-Identifier: MIT */
/*
 * shm_text.h - a region as lines: hex dump, fields, and one JSON object for each change.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <jansson.h>
#include "config/set.h"
#include "tui/shm_view.h"

#define SHM_TEXT_LINE_MAX 96
#define SHM_CHANGE_MAX 256u /* bytes in one change line; longer runs become several */

/* One row of a hex dump, up to 16 bytes, without a newline. */
void shm_text_row(uint64_t offset, const uint8_t *bytes, size_t count,
		  char line[SHM_TEXT_LINE_MAX]);

/*
 * [at, at + length) of the region, which it must be in, as a hex dump with repeated rows as one
 * "*". Returns 0, or -1 when the file ended early.
 */
int shm_text_dump(const struct shm_view *view, uint64_t at, uint64_t length, FILE *out);
/* Those bytes as they are. Likewise. */
int shm_text_raw(const struct shm_view *view, uint64_t at, uint64_t length, FILE *out);

/* "vm1 ro  vm2 rw" */
void shm_text_members(const struct set *set, const struct set_region *region, char *out,
		      size_t size);

/* The same, and what the state table of a region in a running machine says of who does not run. */
void shm_text_members_now(const struct shm_view *view, char *out, size_t size);

/*
 * The VM that wrote whatever was written in [at, at + length): whose section it is, else the only
 * member with rw. NULL when that is not known.
 */
const char *shm_text_writer(const struct set *set, const struct set_region *region, uint64_t at,
			    uint64_t length);

/* "name = value" for each field. */
void shm_text_fields(const struct shm_view *view, FILE *out);

/*
 * The value of a field for JSON: number (string "0x..." beyond 2^53), the name that an enum gives
 * it, string with escapes, hex digits, or an array of these.
 */
json_t *shm_json_field(const struct set_field *field, const uint8_t *bytes);
/* Name, address, size and members. NULL when there is no memory. */
json_t *shm_json_summary(const struct set *set, const struct set_region *region);
/*
 * That, fields, "offset", and the bytes [at, at + length) as hex in "data". NULL: no memory, or the
 * file ended.
 */
json_t *shm_json_region(const struct shm_view *view, uint64_t at, uint64_t length);

/* A run of bytes that differ between two samples. */
struct shm_change {
	uint64_t offset; /* in the region */
	size_t length;
};

/*
 * The first run at or after *at in which the two samples differ, at most SHM_CHANGE_MAX long; *at
 * moves behind it.
 * Returns 0 when there is none.
 */
int shm_next_change(const uint8_t *old, const uint8_t *new, size_t length, size_t *at,
		    struct shm_change *change);

/*
 * {"t","region","off","old","new"} and, when the run touches any, "fields" with their new values.
 * bytes is the new sample of the whole region, valid bytes long; old and new point at the run.
 * wall_ns: since 1970, UTC.
 */
json_t *shm_json_change(const struct set_region *region, const struct shm_change *change,
			uint64_t wall_ns, const uint8_t *old, const uint8_t *new,
			const uint8_t *bytes, size_t valid);
