/* SPDX-License-Identifier: MIT */
/*
 * region.h - memory that VMs share, outside every snapshot, with rights per member in stage 2: fixed by the manifest, or got
 * by key at run time.
 *
 * region_lock holds the table of regions together: who is attached, doorbells, the pool. A VM's memberships change
 * only with its vm->lock held as well (taken first), so either lock is enough to read them. Nothing waits under it.
 */
#pragma once
#include <avisor/hypercall.h>
#include <avisor/region.h>
#include "core/vm.h"

#define REGION_NOBODY 0xff
#define REGION_SET_WORDS ((AV_REGION_NUMBERS + 63) / 64)
_Static_assert(AV_REGION_MEMBERS >= AV_VM_MAX, "a run-time region numbers its members as the VMs are");

struct region_member {
	struct vm *vm; /* NULL: nobody */
	struct region *region;
	const struct region_tables *tables;
	uint64_t *word;	  /* its word in the state table */
	uint64_t address; /* IPA */
	uint64_t pending, enable; /* doorbell flags */
	uint32_t rights;
	uint8_t vcpu;	 /* the SPI goes there */
	uint8_t waiters; /* vCPUs that wait for flags: to be looked at when one is rung */
};

struct region {
	char name[AV_NAME_SIZE];
	uint64_t serial; /* 0: there is no region of this number */
	uint64_t key;	 /* 0: of the manifest */
	uint64_t size;
	uint64_t common_size, output_size;
	pa_t memory; /* contents, then the page of the state table */
	uint64_t zeroed; /* run time: bytes of them so far */
	uint64_t pool_first, pool_pages; /* run time: contents, state table, tables */
	uint32_t attached;
	uint32_t maker; /* run time: the VM that zeroes it, as long as nobody is attached */
	uint32_t member_count; /* numbers below may be in use */
	uint8_t number_of[AV_VM_MAX]; /* member number by VM; REGION_NOBODY */
	struct region_tables tables[2]; /* read-only, read-write */
	struct region_member members[AV_REGION_MEMBERS];
};

extern struct region regions[AV_REGION_NUMBERS];
extern struct spinlock region_lock;

/* Build the tables and attach all regions to their members; set the pool aside. All VMs are created, none is sealed. */
void region_init(void);

/* How many there are, and the pages of the pool and those of them in use. */
void region_counts(struct av_machine_info *info);

/* What `viewer` may know of region index: NOT_FOUND when it is no member and not the control VM. */
int region_describe(const struct vm *viewer, uint64_t index, struct av_region_info *info);

/* The membership of vm, or NULL. region_lock or vm->lock held. */
struct region_member *region_member_of(uint64_t number, const struct vm *vm);

static inline unsigned region_number(const struct region *region)
{
	return (unsigned)(region - regions);
}

/* The first number in set from `from` on, or AV_REGION_NUMBERS. */
unsigned region_next(const uint64_t set[REGION_SET_WORDS], unsigned from);

static inline bool region_any(const struct vm *vm)
{
	return vm->regions[0] | vm->regions[1];
}

/* Set the VM's state, and tell the members of its regions. */
void region_set_state(struct vm *vm, uint32_t state);

/* What the state table says of a VM. */
static inline uint64_t region_word_of(const struct vm *vm)
{
	_Static_assert(AV_MEMBER_RUNNING == AV_STATE_RUNNING + 1 && AV_MEMBER_PAUSED == AV_STATE_PAUSED + 1 &&
			       AV_MEMBER_STARVED == AV_STATE_STARVED + 1 &&
			       AV_MEMBER_CRASHED == AV_STATE_CRASHED + 1 &&
			       AV_MEMBER_STOPPED == AV_STATE_STOPPED + 1,
		       "a sum");
	return vm->generation << 8 | (vm->state + 1);
}

/* A member's word in the state table, and the doorbell of the others when it is another. region_lock held. */
void region_publish(struct region *region, unsigned number);

/* A new region of this number: nobody is in it. Memory: contents and the page of the state table. */
void region_make(struct region *region, uint64_t key, uint64_t size, pa_t memory, uint32_t member_count);
/* Its memory is zero: the state table's head. */
void region_open_state(struct region *region);
void region_add_member(struct region *region, unsigned number, struct vm *vm, const struct region_tables *tables,
		       uint64_t address, uint32_t rights);

/* Recompute all counts: 0, or AV_E_INTEGRITY and *why. op_lock held; takes the locks of all VMs in turn. */
int region_audit(const char **why);

/* --- region_get.c: at run time. Status AV_E_*; or REGION_AGAIN: the caller makes the call again. */

#define REGION_AGAIN 1
struct region_place {
	uint64_t address;
	uint32_t region;
	uint32_t member;
};
int region_get(struct vm *vm, uint64_t key, uint64_t size, uint64_t flags, struct region_place *place);
int region_detach(struct vm *vm, uint64_t number);
/* vm stops or dies: all it has got at run time is given up. Takes vm->lock. */
void region_leave(struct vm *vm);
/* The same for one; region_lock not held, vm->lock held. */
void region_give_up(struct vm *vm, struct region *region);
/* vm is in a region it got, at this address; region_lock and vm->lock held, the region is zeroed and vm not in it. */
int region_join(struct vm *vm, struct region *region, uint64_t address, uint32_t rights);
/* It outlives its last member until region_let_go(), whoever leaves meanwhile. op_lock held. */
void region_keep(struct region *region);
void region_let_go(struct region *region);
/* What vm was making, and nobody else has joined, goes. region_lock held. */
void region_drop_unmade(struct vm *vm);
uint64_t region_pool_used(void);
void region_pool_init(uint64_t size);
int region_pool_audit(const char **why);

/* --- region_state.c: what a snapshot holds of a VM's regions */

size_t region_state_size(const struct vm *vm);
/* How many of these bytes a saved state uses: what lies behind says nothing. */
size_t region_state_used(const void *saved);
void region_state_save(void *vm, void *to);
bool region_state_adopt(void *ctx, void *saved); /* of a file: as at boot */
void region_state_load(void *vm, const void *from);
/* vm is a clone of `from`, in none of its regions: an event for each that the state saved there had. from's lock is not needed. */
void region_adopt(struct vm *vm, const struct vm *from, const void *saved);
/* After a load, state and generation set: attachments, doorbells and lines as the snapshot has them. VM held and locked. */
void region_restored(struct vm *vm);
