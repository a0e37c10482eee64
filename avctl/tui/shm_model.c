/* SPDX-License-Identifier: MIT */
/* shm_model.c - compares samples of a region and remembers when each byte last changed.
 * Never reads a clock or a file: the caller brings both. */
#include "tui/shm_model.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1000000000ull
#define BLOCK 4096u

int shm_model_init(struct shm_model *model, uint64_t region_size)
{
	memset(model, 0, sizeof(*model));
	model->region_size = region_size;
	model->length =
		region_size < SHM_MODEL_WINDOW_MAX ? (size_t)region_size : SHM_MODEL_WINDOW_MAX;
	/* One more byte: an empty region must not look like no memory. */
	model->bytes = calloc(model->length + 1, 1);
	model->next = calloc(model->length + 1, 1);
	model->stamps = calloc(model->length + 1, sizeof(*model->stamps));
	if (!model->bytes || !model->next || !model->stamps) {
		shm_model_free(model);
		return -1;
	}
	return 0;
}

void shm_model_free(struct shm_model *model)
{
	free(model->bytes);
	free(model->next);
	free(model->stamps);
	memset(model, 0, sizeof(*model));
}

/* Stamp what differs in [from, to), which both samples hold. Returns how many bytes differ. */
static size_t stamp_block(struct shm_model *model, size_t from, size_t to, uint64_t now)
{
	size_t changed = 0;

	if (memcmp(model->bytes + from, model->next + from, to - from) == 0)
		return 0;
	for (size_t i = from; i < to; i++) {
		if (model->bytes[i] == model->next[i])
			continue;
		if (model->last_change != now) {
			model->last_change = now;
			model->last_change_at = model->base + i;
		}
		model->stamps[i] = now;
		changed++;
	}
	return changed;
}

size_t shm_model_update(struct shm_model *model, size_t valid, uint64_t now)
{
	size_t both = model->valid < valid ? model->valid : valid;
	size_t changed = 0;
	uint8_t *old;

	if (valid > model->length)
		valid = model->length;
	if (both > valid)
		both = valid;
	if (model->primed) {
		for (size_t at = 0; at < both; at += BLOCK)
			changed +=
				stamp_block(model, at, both - at < BLOCK ? both : at + BLOCK, now);
	}
	old = model->bytes;
	model->bytes = model->next;
	model->next = old;
	model->valid = valid;
	model->primed = true;
	if (changed) {
		model->rate[model->rate_next].time = now;
		model->rate[model->rate_next].bytes = changed;
		model->rate_next = (model->rate_next + 1) % SHM_MODEL_RATE_SLOTS;
	}
	return changed;
}

bool shm_model_follow(struct shm_model *model, uint64_t at, size_t length)
{
	uint64_t base;

	if (at >= model->base && at - model->base <= model->length &&
	    length <= model->length - (size_t)(at - model->base))
		return false;
	if (model->length == model->region_size)
		return false;
	base = at > model->length / 2 ? at - model->length / 2 : 0;
	base &= ~(uint64_t)(BLOCK - 1);
	if (base > model->region_size - model->length)
		base = model->region_size - model->length;
	if (base == model->base)
		return false;
	model->base = base;
	model->valid = 0;
	model->primed = false;
	memset(model->stamps, 0, model->length * sizeof(*model->stamps));
	return true;
}

const uint8_t *shm_model_span(const struct shm_model *model, uint64_t at, uint64_t length)
{
	if (at < model->base || at - model->base > model->valid ||
	    length > model->valid - (at - model->base))
		return NULL;
	return model->bytes + (at - model->base);
}

int shm_model_byte(const struct shm_model *model, uint64_t at)
{
	const uint8_t *byte = shm_model_span(model, at, 1);

	return byte ? *byte : -1;
}

enum shm_age shm_age_of(uint64_t stamp, uint64_t now)
{
	uint64_t age;

	if (stamp == 0)
		return SHM_AGE_OLD;
	age = now > stamp ? now - stamp : 0;
	if (age < SHM_AGE_NOW_NS)
		return SHM_AGE_NOW;
	if (age < SHM_AGE_RECENT_NS)
		return SHM_AGE_RECENT;
	if (age < SHM_AGE_FADING_NS)
		return SHM_AGE_FADING;
	return SHM_AGE_OLD;
}

enum shm_age shm_model_age(const struct shm_model *model, uint64_t at, uint64_t length,
			   uint64_t now)
{
	uint64_t latest = 0;

	for (uint64_t i = 0; i < length; i++) {
		uint64_t where = at + i;

		if (where < model->base || where - model->base >= model->valid)
			continue;
		if (model->stamps[where - model->base] > latest)
			latest = model->stamps[where - model->base];
	}
	return shm_age_of(latest, now);
}

uint64_t shm_model_rate(const struct shm_model *model, uint64_t now)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < SHM_MODEL_RATE_SLOTS; i++) {
		if (model->rate[i].bytes && now - model->rate[i].time < NS_PER_S)
			sum += model->rate[i].bytes;
	}
	return sum;
}
