/* SPDX-License-Identifier: MIT */
/*
 * shm_model.h - the bytes of a region as last sampled, and when each was last seen to change.
 *
 * Pure: knows no file, no clock and no terminal. Times are nanoseconds of any clock that does not
 * go back.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHM_MODEL_WINDOW_MAX (1u << 20) /* larger regions are followed only around the view */
#define SHM_MODEL_RATE_SLOTS 64u

#define SHM_AGE_NOW_NS 250000000ull
#define SHM_AGE_RECENT_NS 1000000000ull
#define SHM_AGE_FADING_NS 5000000000ull

/* How long ago a byte was seen to change; drawn as reverse, bold, underline, normal. */
enum shm_age { SHM_AGE_OLD, SHM_AGE_FADING, SHM_AGE_RECENT, SHM_AGE_NOW };

struct shm_model {
	uint64_t region_size;
	uint64_t base; /* offset in the region of the followed window */
	size_t length; /* bytes in the window */
	size_t valid;  /* how many of them the last sample held */
	uint8_t *bytes;
	uint8_t *next;    /* where the caller puts the next sample */
	uint64_t *stamps; /* of the last change; 0: none seen */
	bool primed;      /* bytes hold a sample to compare with */
	uint64_t last_change;
	uint64_t last_change_at; /* offset in the region of the first byte that changed then */
	struct {
		uint64_t time, bytes;
	} rate[SHM_MODEL_RATE_SLOTS];
	unsigned rate_next;
};

/* Returns 0, or -1 when there is no memory. The caller frees with shm_model_free(). */
int shm_model_init(struct shm_model *model, uint64_t region_size);
void shm_model_free(struct shm_model *model);

/*
 * Take over the sample in model->next, its first valid bytes being real. Returns how many bytes
 * differ from the sample before; the first sample, and bytes that were not there before, differ in
 * nothing.
 */
size_t shm_model_update(struct shm_model *model, size_t valid, uint64_t now);

/*
 * Make sure that [at, at + length) is in the window, moving it if it must. Returns true when it
 * moved: what was known is then forgotten and a sample is needed.
 */
bool shm_model_follow(struct shm_model *model, uint64_t at, size_t length);

/* The byte at offset at of the region, or -1 when it is not known. */
int shm_model_byte(const struct shm_model *model, uint64_t at);
/* Pointer to length known bytes at offset at, or NULL. */
const uint8_t *shm_model_span(const struct shm_model *model, uint64_t at, uint64_t length);

enum shm_age shm_age_of(uint64_t stamp, uint64_t now);
/* The youngest age in [at, at + length). */
enum shm_age shm_model_age(const struct shm_model *model, uint64_t at, uint64_t length,
			   uint64_t now);

/* Bytes seen to change in the second before now: a lower bound of what was written. */
uint64_t shm_model_rate(const struct shm_model *model, uint64_t now);
