/* SPDX-License-Identifier: MIT */
/*
 * segments.h - a VM's initial RAM, put together from files and bytes, as page-aligned runs that do not overlap.
 * Internal to avctl/bundle.
 */
#pragma once
#include "image.h"

struct segments_run {
	uint64_t ipa;   /* page-aligned */
	uint64_t size;  /* bytes up to the last one that was put, > 0 */
	uint8_t *bytes; /* size rounded up to pages, zero where nothing was put */
};

struct segments {
	struct segments_run runs[IMAGE_PIECE_MAX + 3];
	size_t count;
};

/* Add room for size bytes at ipa; false without memory. All room is added before the first segments_at(). */
bool segments_add(struct segments *segments, uint64_t ipa, uint64_t size);

/* Join what shares a page, and get the memory. False without memory. */
bool segments_join(struct segments *segments);

/* Where the bytes for ipa go; they were added as one piece. */
uint8_t *segments_at(const struct segments *segments, uint64_t ipa);

void segments_free(struct segments *segments);
