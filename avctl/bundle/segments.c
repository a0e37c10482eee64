/* SPDX-License-Identifier: MIT */
/*
 * segments.c - putting a VM's initial RAM together as page-aligned runs.
 * Never lets two runs share a page: the hypervisor maps whole pages.
 */
#include <stdlib.h>
#include <string.h>
#include "segments.h"

#define PAGE UINT64_C(4096)

static uint64_t page_up(uint64_t value)
{
	return (value + PAGE - 1) & ~(PAGE - 1);
}

bool segments_add(struct segments *segments, uint64_t ipa, uint64_t size)
{
	struct segments_run *run = &segments->runs[segments->count];

	if (!size)
		return true;
	if (segments->count == sizeof(segments->runs) / sizeof(segments->runs[0]))
		return false;
	run->ipa = ipa & ~(PAGE - 1);
	run->size = ipa + size - run->ipa;
	segments->count++;
	return true;
}

static int compare(const void *left, const void *right)
{
	const struct segments_run *a = left, *b = right;

	return a->ipa < b->ipa ? -1 : a->ipa > b->ipa;
}

bool segments_join(struct segments *segments)
{
	size_t kept = 0;

	if (!segments->count)
		return true;
	qsort(segments->runs, segments->count, sizeof(segments->runs[0]), compare);
	for (size_t i = 1; i < segments->count; i++) {
		struct segments_run *last = &segments->runs[kept];
		const struct segments_run *run = &segments->runs[i];

		if (run->ipa < page_up(last->ipa + last->size)) {
			if (run->ipa + run->size > last->ipa + last->size)
				last->size = run->ipa + run->size - last->ipa;
		} else {
			segments->runs[++kept] = *run;
		}
	}
	segments->count = kept + 1;
	for (size_t i = 0; i < segments->count; i++) {
		segments->runs[i].bytes = calloc(1, page_up(segments->runs[i].size));
		if (!segments->runs[i].bytes)
			return false;
	}
	return true;
}

uint8_t *segments_at(const struct segments *segments, uint64_t ipa)
{
	for (size_t i = 0; i < segments->count; i++) {
		const struct segments_run *run = &segments->runs[i];

		if (ipa >= run->ipa && ipa - run->ipa < run->size)
			return run->bytes + (ipa - run->ipa);
	}
	return NULL;
}

void segments_free(struct segments *segments)
{
	for (size_t i = 0; i < segments->count; i++)
		free(segments->runs[i].bytes);
	segments->count = 0;
}
