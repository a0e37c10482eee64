/* SPDX-License-Identifier: MIT */
/* shm_model.c - compares samples of a region and remembers when each byte last changed.
 * Never reads a clock or a file: the caller brings both. */
#include "tui/shm_model.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull
#define PAGE SHM_MODEL_PAGE

int shm_model_init(struct shm_model *model, uint64_t region_size, size_t history_limit)
{
	memset(model, 0, sizeof(*model));
	model->region_size = region_size;
	model->length =
		region_size < SHM_MODEL_WINDOW_MAX ? (size_t)region_size : SHM_MODEL_WINDOW_MAX;
	model->page_count = (model->length + PAGE - 1) / PAGE;
	/* One more: an empty region must not look like no memory. */
	model->bytes = calloc(model->length + 1, 1);
	model->pages = calloc(model->page_count + 1, sizeof(*model->pages));
	if (!model->bytes || !model->pages ||
	    (history_limit && shm_history_init(&model->history, history_limit) != 0)) {
		shm_model_free(model);
		return -1;
	}
	return 0;
}

static void forget_changes(struct shm_model *model)
{
	for (size_t i = 0; model->pages && i < model->page_count; i++) {
		free(model->pages[i].stamps);
		model->pages[i] = (struct shm_model_page){0};
	}
}

void shm_model_free(struct shm_model *model)
{
	forget_changes(model);
	shm_history_free(&model->history);
	free(model->pages);
	free(model->bytes);
	free(model->mark);
	memset(model, 0, sizeof(*model));
}

static uint32_t stamp_of(const struct shm_model *model, uint64_t time)
{
	return (uint32_t)((time - model->epoch) / NS_PER_MS + 1);
}

static void stamp_run(struct shm_model *model, size_t at, size_t length, uint64_t time)
{
	uint32_t stamp = stamp_of(model, time);

	while (length) {
		struct shm_model_page *page = &model->pages[at / PAGE];
		size_t from = at % PAGE;
		size_t piece = PAGE - from < length ? PAGE - from : length;

		if (time > page->last)
			page->last = time;
		if (!page->stamps)
			page->stamps = calloc(PAGE, sizeof(*page->stamps));
		for (size_t i = 0; page->stamps && i < piece; i++)
			page->stamps[from + i] = stamp; /* without memory it shows no decay */
		at += piece;
		length -= piece;
	}
}

void shm_model_begin(struct shm_model *model, uint64_t now)
{
	while (shm_model_forward(model))
		;
	if (!model->epoch)
		model->epoch = now;
	model->now = now;
	model->changed = 0;
	model->fed = 0;
}

/* Take over what differs at [at, at + length) of the window, which both samples hold. */
static void compare(struct shm_model *model, size_t at, const uint8_t *new, size_t length)
{
	uint8_t *old = model->bytes + at;
	size_t i = 0;

	if (memcmp(old, new, length) == 0)
		return;
	while (i < length) {
		size_t start;

		if (old[i] == new[i]) {
			i++;
			continue;
		}
		start = i;
		while (i < length && old[i] != new[i])
			i++;
		if (!model->changed)
			model->last_change_at = model->base + at + start;
		model->changed += i - start;
		if (model->history.limit)
			shm_history_run(&model->history, at + start, old + start, new + start,
					i - start);
		stamp_run(model, at + start, i - start, model->now);
	}
	memcpy(old, new, length);
}

void shm_model_feed(struct shm_model *model, const uint8_t *bytes, size_t length)
{
	size_t done = 0;

	if (length > model->length - model->fed)
		length = model->length - model->fed;
	while (model->primed && done < length && model->fed + done < model->valid) {
		size_t at = model->fed + done;
		size_t piece = PAGE - at % PAGE;

		if (piece > length - done)
			piece = length - done;
		if (piece > model->valid - at)
			piece = model->valid - at;
		compare(model, at, bytes + done, piece);
		done += piece;
	}
	memcpy(model->bytes + model->fed + done, bytes + done, length - done);
	model->fed += length;
}

/* Count anew what differs from the mark. */
static void compare_mark(struct shm_model *model)
{
	size_t both = model->valid < model->mark_valid ? model->valid : model->mark_valid;

	model->differ_count = 0;
	for (size_t at = 0; model->mark && at < both; at += PAGE) {
		size_t length = both - at < PAGE ? both - at : PAGE;
		bool differs = memcmp(model->bytes + at, model->mark + at, length) != 0;

		model->pages[at / PAGE].differs = differs;
		for (size_t i = at; differs && i < at + length; i++)
			model->differ_count += model->bytes[i] != model->mark[i];
	}
}

void shm_model_tick(struct shm_model *model, uint64_t now)
{
	uint64_t second = now / NS_PER_S;

	if (second > model->second + SHM_MODEL_SECONDS)
		model->second = second - SHM_MODEL_SECONDS;
	while (model->second < second)
		model->seconds[++model->second % SHM_MODEL_SECONDS] = 0;
}

uint64_t shm_model_end(struct shm_model *model)
{
	model->valid = model->fed;
	model->primed = true;
	shm_model_tick(model, model->now);
	if (model->history.limit)
		shm_history_end(&model->history, model->now);
	if (model->changed) {
		model->last_change = model->now;
		model->rate[model->rate_next].time = model->now;
		model->rate[model->rate_next].bytes = model->changed;
		model->rate_next = (model->rate_next + 1) % SHM_MODEL_RATE_SLOTS;
		model->seconds[model->second % SHM_MODEL_SECONDS] += model->changed;
	}
	if (model->mark)
		compare_mark(model);
	return model->changed;
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
	base &= ~(uint64_t)(PAGE - 1);
	if (base > model->region_size - model->length)
		base = model->region_size - model->length;
	if (base == model->base)
		return false;
	model->base = base;
	model->valid = 0;
	model->primed = false;
	forget_changes(model);
	shm_model_clear_mark(model);
	if (model->history.limit)
		shm_history_clear(&model->history);
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

struct stamping {
	struct shm_model *model;
	uint64_t time;
};

static void stamp_visit(void *context, size_t at, size_t length)
{
	const struct stamping *stamping = context;

	stamp_run(stamping->model, at, length, stamping->time);
}

/* The bytes of the change that led here look as they did when it was new. */
static void stamp_shown(struct shm_model *model)
{
	const struct shm_record *record = shm_history_shown(&model->history);
	struct stamping stamping = {model, record ? record->time : 0};

	if (record)
		shm_record_each(record, stamp_visit, &stamping);
	if (model->mark)
		compare_mark(model);
}

bool shm_model_back(struct shm_model *model)
{
	if (!model->history.limit || !shm_history_back(&model->history, model->bytes))
		return false;
	stamp_shown(model);
	return true;
}

bool shm_model_forward(struct shm_model *model)
{
	if (!model->history.limit || !shm_history_forward(&model->history, model->bytes))
		return false;
	stamp_shown(model);
	return true;
}

uint64_t shm_model_shown_time(const struct shm_model *model, uint64_t now)
{
	const struct shm_record *record;

	if (!model->history.limit || model->history.applied == model->history.count)
		return now;
	record = shm_history_shown(&model->history);
	return record ? record->time : model->epoch;
}

int shm_model_set_mark(struct shm_model *model)
{
	if (!model->mark)
		model->mark = malloc(model->length + 1);
	if (!model->mark)
		return -1;
	memcpy(model->mark, model->bytes, model->valid);
	model->mark_valid = model->valid;
	compare_mark(model);
	return 0;
}

void shm_model_clear_mark(struct shm_model *model)
{
	free(model->mark);
	model->mark = NULL;
	model->differ_count = 0;
	for (size_t i = 0; i < model->page_count; i++)
		model->pages[i].differs = false;
}

bool shm_model_differs(const struct shm_model *model, uint64_t at)
{
	const uint8_t *byte = shm_model_span(model, at, 1);

	return byte && model->mark && at - model->base < model->mark_valid &&
	       *byte != model->mark[at - model->base];
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
	bool back = model->history.limit && model->history.applied < model->history.count;
	uint32_t latest = 0, limit;

	if (!model->epoch || now < model->epoch)
		return SHM_AGE_OLD;
	/* Changes that were gone back over have not happened yet. */
	limit = back ? stamp_of(model, now) : UINT32_MAX;
	for (uint64_t i = 0; i < length; i++) {
		uint64_t where = at + i - model->base;
		const struct shm_model_page *page;

		if (at + i < model->base || where >= model->valid)
			continue;
		page = &model->pages[where / PAGE];
		if (page->stamps && page->stamps[where % PAGE] > latest &&
		    page->stamps[where % PAGE] <= limit)
			latest = page->stamps[where % PAGE];
	}
	return shm_age_of(latest ? model->epoch + (latest - 1) * NS_PER_MS : 0, now);
}

int shm_model_page_age(const struct shm_model *model, uint64_t at, uint64_t now)
{
	if (at < model->base || at - model->base >= model->valid)
		return -1;
	return (int)shm_age_of(model->pages[(at - model->base) / PAGE].last, now);
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

uint64_t shm_model_in_second(const struct shm_model *model, unsigned before)
{
	if (before >= SHM_MODEL_SECONDS || before > model->second)
		return 0;
	return model->seconds[(model->second - before) % SHM_MODEL_SECONDS];
}
