/* SPDX-License-Identifier: MIT */
/*
 * shm_history.h - changes of some bytes, kept so that one can go back through them. Pure.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHM_HISTORY_MAX 4096u /* changes */

/* All that changed from one sample to the next. */
struct shm_record {
	uint64_t time;
	uint8_t *runs; /* {offset, length, old bytes, new bytes}... */
	size_t size;
};

struct shm_history {
	struct shm_record *records; /* a ring */
	size_t first, count;
	size_t applied; /* how many of them, from the oldest, the bytes hold */
	size_t bytes, limit;
	uint64_t forgotten; /* changes that are not kept any more */
	struct shm_record open;
	size_t open_room;
	bool open_lost; /* what is being collected is too large to keep */
};

/* limit: bytes in all. 0, or -1 without memory. */
int shm_history_init(struct shm_history *history, size_t limit);
void shm_history_free(struct shm_history *history);
void shm_history_clear(struct shm_history *history);

/* Collect a run that changed at offset at; what was collected becomes one record. */
void shm_history_run(struct shm_history *history, size_t at, const uint8_t *old, const uint8_t *new,
		     size_t length);
void shm_history_end(struct shm_history *history, uint64_t time);

/* The record that was applied last; NULL when the bytes are as before the oldest one. */
const struct shm_record *shm_history_shown(const struct shm_history *history);

/* Undo that record in bytes, or apply the next one. False when there is none. */
bool shm_history_back(struct shm_history *history, uint8_t *bytes);
bool shm_history_forward(struct shm_history *history, uint8_t *bytes);

/* Call visit for each run of the record. */
void shm_record_each(const struct shm_record *record,
		     void (*visit)(void *context, size_t at, size_t length), void *context);
