/* SPDX-License-Identifier: MIT */
/*
 * random.c - SipHash-2-4 (Aumasson, Bernstein 2012) with a 128-bit result, keyed by the manifest's entropy, over VM
 * and generation. A pseudo-random function: one identity tells nothing of the next. Not for keys of guests.
 */
#include "core/random.h"
#include "core/string.h"

static uint64_t key[4];

static uint64_t rotate(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

static void mix(uint64_t v[4], unsigned rounds)
{
	while (rounds--) {
		v[0] += v[1];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[0] = rotate(v[0], 32);
		v[2] += v[3];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

static void absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	mix(v, 2);
	v[0] ^= word;
}

void random_seed(const uint8_t entropy[32])
{
	memcpy(key, entropy, sizeof(key));
}

void random_derive(uint64_t vm, uint64_t generation, uint64_t identity[2])
{
	uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du ^ 0xee,
			 key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};

	absorb(v, key[2]);
	absorb(v, key[3]);
	absorb(v, vm);
	absorb(v, generation);
	absorb(v, (uint64_t)32 << 56);
	v[2] ^= 0xee;
	mix(v, 4);
	identity[0] = v[0] ^ v[1] ^ v[2] ^ v[3];
	v[1] ^= 0xdd;
	mix(v, 4);
	identity[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
}
