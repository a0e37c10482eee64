/* SPDX-License-Identifier: MIT */
/*
 * heap.c - allocates and frees in a region that several VMs share (guest-agent/shared/heap.h). Each block must be zero when it
 * comes and hold nobody else's bytes while it is ours. Whose life before this one ended leaves blocks, and says
 * how many it freed.
 */
#include "baremetal/share.h"
#include "shared/heap.h"

#define MOST 16

static struct region region;
static struct shared_view view;
static struct shared_heap heap;
static struct {
	uint64_t offset;
	uint32_t words;
} blocks[MOST];

static uint64_t mark(uint32_t index)
{
	return (uint64_t)(region.member + 1) << 56 | (uint64_t)shared_epoch(&view) << 32 | index;
}

static void wrong(const char *what, uint64_t a)
{
	print("heap: WRONG: %s %lx\n", what, a);
	guest_panic("heap: WRONG");
}

static void check(uint32_t index, uint64_t value)
{
	uint64_t *words = shared_heap_at(&heap, blocks[index].offset);

	for (uint32_t i = 0; i < blocks[index].words; i++)
		if (words[i] != value)
			wrong(value ? "not mine any more" : "not zero", words[i]);
}

void guest_main(uint64_t dtb)
{
	uint64_t seed = guest_nonce(), free_bytes;
	unsigned int held = 0;
	uint32_t reaped;

	(void)dtb;
	if (region_open(&region, "board") != AV_OK || !share_view(&view, &region) ||
	    shared_heap_open(&heap, &view, region.base, region.size, 256))
		guest_panic("heap: no region with a state table");
	if (shared_heap_reap(&heap, &reaped, SHARED_FOREVER))
		wrong("reap", 0);
	print("heap: start, epoch %u, reaped %u\n", shared_epoch(&view), reaped);
	for (uint64_t round = 1;; round++) {
		if (held < MOST && guest_random(&seed) % 2) {
			uint64_t offset, words = 1 + guest_random(&seed) % 200;
			int status =
				shared_heap_allocate(&heap, words * 8, &offset, SHARED_FOREVER);
			uint64_t *at = shared_heap_at(&heap, offset);

			if (status == SHARED_FULL)
				continue;
			if (status)
				wrong("allocate", (uint64_t)-status);
			blocks[held].offset = offset;
			blocks[held].words = (uint32_t)words;
			check(held, 0);
			for (uint64_t i = 0; i < words; i++)
				at[i] = mark(held);
			held++;
		} else if (held) {
			held--;
			check(held, mark(held));
			if (shared_heap_free(&heap, blocks[held].offset, SHARED_FOREVER))
				wrong("free", blocks[held].offset);
		}
		if (round % 1000 == 0) {
			if (shared_heap_free_bytes(&heap, &free_bytes, SHARED_FOREVER))
				wrong("count", 0);
			print("heap: %lu rounds, %u blocks, %lu bytes free\n", round, held,
			      free_bytes);
		}
	}
}
