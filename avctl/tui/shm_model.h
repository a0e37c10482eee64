/* SPDX-License-Identifier: MIT */
/*
 * shm_model.h - the bytes of a region as last sampled, when each was last seen to change, and what
 * they were before.
 *
 * Pure: knows no file, no clock and no terminal. Times are nanoseconds of any clock that does not
 * go back.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tui/shm_history.h"

#define SHM_MODEL_WINDOW_MAX (64u << 20) /* larger regions are followed only around the view */
#define SHM_MODEL_PAGE 4096u
#define SHM_MODEL_RATE_SLOTS 64u
#define SHM_MODEL_SECONDS 64u

#define SHM_AGE_NOW_NS 250000000ull
#define SHM_AGE_RECENT_NS 1000000000ull
#define SHM_AGE_FADING_NS 5000000000ull

/* How long ago a byte was seen to change; drawn as reverse, bold, underline, normal. */
enum shm_age { SHM_AGE_OLD, SHM_AGE_FADING, SHM_AGE_RECENT, SHM_AGE_NOW };

struct shm_model_page {
	uint64_t last;    /* when a byte of it was last seen to change; 0: never */
	uint32_t *stamps; /* of each byte, milliseconds since the epoch + 1; NULL: none changed */
	bool differs;     /* from the mark */
};

struct shm_model {
	uint64_t region_size;
	uint64_t base; /* offset in the region of the followed window */
	size_t length; /* bytes in the window */
	size_t valid;  /* how many of them the last sample held */
	uint8_t *bytes;
	struct shm_model_page *pages;
	size_t page_count;
	bool primed;    /* bytes hold a sample to compare with */
	uint64_t epoch; /* time of the first sample */
	uint64_t now, changed;
	size_t fed; /* of the sample that is being taken */
	uint64_t last_change;
	uint64_t last_change_at; /* offset in the region of the first byte that changed then */
	struct {
		uint64_t time, bytes;
	} rate[SHM_MODEL_RATE_SLOTS];
	unsigned rate_next;
	uint64_t seconds[SHM_MODEL_SECONDS]; /* bytes that changed in each second, by its number */
	uint64_t second;                     /* the newest one's number */
	uint8_t *mark;                       /* the bytes to compare with, or NULL */
	size_t mark_valid;
	uint64_t differ_count;      /* bytes that differ from the mark */
	struct shm_history history; /* when limit != 0 */
};

/*
 * history_limit: bytes that may be spent on remembering changes, 0: none are. Returns 0, or -1 when
 * there is no memory. The caller frees with shm_model_free().
 */
int shm_model_init(struct shm_model *model, uint64_t region_size, size_t history_limit);
void shm_model_free(struct shm_model *model);

/*
 * A sample is given in pieces, in their order from the window's first byte on: begin, feed...,
 * end. What was not fed is not there any more. end returns how many bytes differ from the sample
 * before; in the first one, and where none were before, they differ in nothing.
 */
void shm_model_begin(struct shm_model *model, uint64_t now);
void shm_model_feed(struct shm_model *model, const uint8_t *bytes, size_t length);
uint64_t shm_model_end(struct shm_model *model);

/*
 * Make sure that [at, at + length) is in the window, moving it if it must. Returns true when it
 * moved: what was known, the mark and the history too, is then forgotten and a sample is needed.
 */
bool shm_model_follow(struct shm_model *model, uint64_t at, size_t length);

/* The byte at offset at of the region, or -1 when it is not known. */
int shm_model_byte(const struct shm_model *model, uint64_t at);
/* Pointer to length known bytes at offset at, or NULL. */
const uint8_t *shm_model_span(const struct shm_model *model, uint64_t at, uint64_t length);

/*
 * Go to the state before the newest change that is still applied, or forward again. False at the
 * end. The change that led to the state that is then there looks as if seen just now.
 */
bool shm_model_back(struct shm_model *model);
bool shm_model_forward(struct shm_model *model);
/* The time that is shown: now, or that of the change which led to the state gone back to. */
uint64_t shm_model_shown_time(const struct shm_model *model, uint64_t now);

/* Remember the bytes to compare with; -1 without memory. Forget them. */
int shm_model_set_mark(struct shm_model *model);
void shm_model_clear_mark(struct shm_model *model);
/* Whether that known byte differs from the mark. */
bool shm_model_differs(const struct shm_model *model, uint64_t at);

enum shm_age shm_age_of(uint64_t stamp, uint64_t now);
/* The youngest age in [at, at + length). */
enum shm_age shm_model_age(const struct shm_model *model, uint64_t at, uint64_t length,
			   uint64_t now);
/* Of the page of 4 KiB that holds at: of its last change. Not known: -1. */
int shm_model_page_age(const struct shm_model *model, uint64_t at, uint64_t now);

/* Bytes seen to change in the second before now: a lower bound of what was written. */
uint64_t shm_model_rate(const struct shm_model *model, uint64_t now);
/* Bytes that changed in the second that many before the newest one; 0 is that one. */
uint64_t shm_model_in_second(const struct shm_model *model, unsigned before);
/* Let the seconds run on to now, though nothing changes. */
void shm_model_tick(struct shm_model *model, uint64_t now);
