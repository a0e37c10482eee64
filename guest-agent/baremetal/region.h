/* SPDX-License-Identifier: MIT */
/* region.h - shared regions and their doorbells, as a guest uses them. */
#pragma once

#include <avisor/region.h>

#include "baremetal/guest.h"

struct region {
	uint8_t *base; /* of the common section */
	uint64_t size; /* without the state table */
	uint32_t number;
	uint32_t member; /* own number */
	uint32_t intid;  /* doorbell */
	uint32_t reserved;
	uint64_t common_size, output_size;
	const volatile struct av_region_state *state;
};

/* The region of this key, made if it is not there. AV_E_*; on failure *region is untouched. */
int64_t region_get(struct region *region, uint64_t key, uint64_t size, uint64_t flags);

/* The region of the YAML file with this name. AV_E_NOT_FOUND. */
int64_t region_open(struct region *region, const char *name);

int64_t region_detach(struct region *region);

/* Where member `number` may write and all may read; NULL without sections. */
static inline uint8_t *region_section(const struct region *region, uint32_t number)
{
	return region->output_size
		       ? region->base + region->common_size + number * region->output_size
		       : NULL;
}

/* The word of a member in the state table. */
static inline uint64_t region_member_word(const struct region *region, uint32_t number)
{
	return __atomic_load_n(&region->state->member[number], __ATOMIC_ACQUIRE);
}

/* Flags to one member or AV_MEMBER_ALL. What is written before is seen by who sees the flags. AV_E_*. */
int64_t doorbell_ring(const struct region *region, uint32_t member, uint64_t flags);

/* Own flags that are pending, and no longer after this (`ack` of them). */
uint64_t doorbell_take(const struct region *region, uint64_t ack);

/* Which flags raise region->intid at this vCPU; returns those before. */
uint64_t doorbell_mask(const struct region *region, uint64_t enable, uint32_t vcpu);

/*
 * Rings a member (ring 0: nobody), sleeps until one of the own flags is pending, and takes those: one call of the hypervisor,
 * for who asks and waits for the answer. Returns which; 0: the region or the member is not there. Interrupts masked, or it
 * goes on waiting after them.
 */
uint64_t doorbell_call(const struct region *region, uint32_t member, uint64_t ring, uint64_t flags);

/* Sleeps until one of the flags is pending, an interrupt is, or CNTVCT reaches deadline. Returns what is pending; clears nothing. */
uint64_t doorbell_wait(const struct region *region, uint64_t flags, uint64_t deadline);
