/* SPDX-License-Identifier: MIT */
/* types.h - addresses and ids that must not be mixed up, and overflow-checked sums of guest numbers. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096UL
#define PAGE_MASK (PAGE_SIZE - 1)
#define REGION_2M_SHIFT 21
#define REGION_2M_SIZE (1UL << REGION_2M_SHIFT)

/* A physical address, an intermediate physical address (what a guest calls physical). */
typedef struct {
	uint64_t value;
} pa_t;
typedef struct {
	uint64_t value;
} ipa_t;

static inline pa_t pa(uint64_t value)
{
	return (pa_t){value};
}

static inline ipa_t ipa(uint64_t value)
{
	return (ipa_t){value};
}

/* True and *sum = a + b, or false when it does not fit 64 bits. */
static inline bool sum_fits(uint64_t a, uint64_t b, uint64_t *sum)
{
	return !__builtin_add_overflow(a, b, sum);
}

/* True when [start, start + size) lies in [base, base + length), nothing wrapping. */
static inline bool range_within(uint64_t start, uint64_t size, uint64_t base, uint64_t length)
{
	return start >= base && size <= length && start - base <= length - size;
}

static inline bool range_overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a_size && b_size && (a < b ? b - a < a_size : a - b < b_size);
}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
