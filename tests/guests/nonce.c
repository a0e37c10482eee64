/* SPDX-License-Identifier: MIT */
/*
 * nonce.c - tells a restored guest from a rebooted one.
 * A nonce that lives in RAM only, a running counter, and pages whose contents follow from both: the same count must
 * always come with the same hash, whatever was restored in between.
 */
#include "baremetal/guest.h"

#define PAGES 64u
#define WORDS (PAGES * GUEST_PAGE_SIZE / 8)

static uint64_t memory[WORDS] __attribute__((aligned(4096)));

void guest_main(uint64_t dtb)
{
	uint64_t nonce, seed, hash;

	(void)dtb;
	interrupts_init();
	nonce = guest_nonce();
	seed = nonce;
	for (size_t i = 0; i < WORDS; i++)
		memory[i] = guest_random(&seed);
	print("nonce: start nonce=%016lx pages=%u\n", nonce, PAGES);
	for (uint64_t count = 0;; count++) {
		/* A few pages change at each step, others now and then. */
		for (unsigned int i = 0; i < 4; i++)
			memory[guest_random(&seed) % WORDS] ^= guest_random(&seed);
		memory[count % PAGES * 512] += count;
		hash = guest_hash(memory, sizeof(memory), nonce);
		/* A restore cuts lines; one made of two pieces has the wrong check. */
		print("nonce=%016lx count=%lu hash=%016lx check=%016lx\n", nonce, count, hash,
		      guest_hash(&hash, sizeof(hash), nonce + count));
		sleep_us(3000);
	}
}
