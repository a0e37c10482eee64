/* SPDX-License-Identifier: MIT */
/* access.h - what one load or store does, from its syndrome or from its instruction word. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct access {
	bool write;
	bool sign_extend;
	bool wide;      /* the register is 64 bits */
	unsigned size;  /* bytes: 1, 2, 4, 8 */
	unsigned reg;   /* 0..30, 31 = zero register */
	bool writeback; /* base register changes by offset */
	unsigned base;  /* 0..30, 31 = SP */
	int offset;
};

/* From ISS of a data abort with ISV = 1 (Arm ARM D17.2.37). */
static inline struct access access_from_syndrome(uint64_t iss)
{
	return (struct access){
		.write = iss >> 6 & 1,
		.sign_extend = iss >> 21 & 1,
		.wide = iss >> 15 & 1,
		.size = 1u << (iss >> 22 & 3),
		.reg = iss >> 16 & 0x1f,
	};
}

/* Pre- and post-indexed LDR and STR (immediate) of general registers, Arm ARM C4.1.88; false for anything else. */
bool access_decode(uint32_t instruction, struct access *access);

/* What a store of this register's value puts there, size bytes of it. */
static inline uint64_t access_stored(const struct access *access, uint64_t value)
{
	unsigned unused = 64 - 8 * access->size;

	return value << unused >> unused;
}

/* The value a load puts into its register. */
static inline uint64_t access_extend(const struct access *access, uint64_t value)
{
	unsigned unused = 64 - 8 * access->size;

	if (!access->sign_extend)
		return value << unused >> unused;
	value = (uint64_t)((int64_t)(value << unused) >> unused);
	return access->wide ? value : (uint32_t)value;
}
