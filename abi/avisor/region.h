/* SPDX-License-Identifier: MIT */
/*
 * region.h - what the members of a shared region find in its memory.
 *
 *   common section | section of member 0 | section of member 1 | ... | state table
 *
 * Regions without sections (and all that are got at run time) have only the common one. The state table is one page,
 * read-only for every member, right behind the region's last page; the hypervisor writes it.
 */
#pragma once

#include <avisor/hypercall.h>

#define AV_REGION_STATE_MAGIC 0x53525641 /* "AVRS" read as little-endian */
#define AV_REGION_STATE_VERSION 1
#define AV_REGION_STATE_SIZE 4096

/* The low byte of a member's word. */
#define AV_MEMBER_NONE 0 /* not attached */
#define AV_MEMBER_RUNNING 1
#define AV_MEMBER_PAUSED 2
#define AV_MEMBER_STARVED 3
#define AV_MEMBER_CRASHED 4
#define AV_MEMBER_STOPPED 5

#ifndef __ASSEMBLER__
#include <stdint.h>

struct av_region_state {
	uint32_t magic; /* AV_REGION_STATE_MAGIC */
	uint32_t version;
	uint32_t member_count; /* words of member[] that can ever be in use */
	uint32_t region;       /* its number */
	uint64_t serial;       /* no two regions of a machine's life have the same */
	/*
	 * generation << 8 | AV_MEMBER_*: one aligned load gives both. The generation is the VM's (IDENTITY) and grows at each
	 * restore, restart and start, before the VM runs again: what a member wrote down before it went back in time
	 * has an older one.
	 */
	uint64_t member[AV_REGION_MEMBERS];
};
_Static_assert(sizeof(struct av_region_state) == 24 + 8 * AV_REGION_MEMBERS, "layout");

static inline uint32_t av_member_state(uint64_t word)
{
	return (uint32_t)(word & 0xff);
}

static inline uint64_t av_member_generation(uint64_t word)
{
	return word >> 8;
}

/* It may still write: it runs, or will go on where it is. */
static inline int av_member_lives(uint64_t word)
{
	return av_member_state(word) >= AV_MEMBER_RUNNING &&
	       av_member_state(word) <= AV_MEMBER_STARVED;
}
#endif /* __ASSEMBLER__ */
