/* SPDX-License-Identifier: MIT */
/*
 * region_state.c - what a snapshot holds of a VM's regions: where it has them and its side of their doorbells. Never
 * contents, and never anything of another member. A flag that is pending now stays pending through a restore.
 */
#include "core/boot.h"
#include "core/bug.h"
#include "core/doorbell.h"
#include "core/event.h"
#include "core/region.h"

struct saved_state {
	uint64_t count;
	struct region_saved regions[];
};

#define NUMBER(entry) ((unsigned)(entry)->address & 0xff)
#define VCPU(entry) ((uint8_t)((entry)->address >> 8 & 0xf))
#define RIGHTS(entry) ((uint32_t)((entry)->address >> 16 & 0x3))
#define ADDRESS(entry) ((entry)->address & ~(REGION_2M_SIZE - 1))

size_t region_state_size(const struct vm *vm)
{
	size_t most = vm->flags & AV_VM_FLAG_CONTROL ? 0 : VMEM_RUN_TIME_MAX;

	for (uint32_t i = 0; i < boot_manifest.head->member_count; i++)
		most += boot_manifest.members[i].vm == vm->index;
	return sizeof(struct saved_state) + most * sizeof(struct region_saved);
}

size_t region_state_used(const void *saved)
{
	const struct saved_state *state = saved;

	return sizeof(*state) + state->count * sizeof(state->regions[0]);
}

void region_state_save(void *ctx, void *to)
{
	struct vm *vm = ctx;
	struct saved_state *state = to;

	state->count = 0;
	if (!region_any(vm))
		return;
	spin_lock(&region_lock);
	for (unsigned n = region_next(vm->regions, 0); n < AV_REGION_NUMBERS;
	     n = region_next(vm->regions, n + 1)) {
		const struct region_member *member = region_member_of(n, vm);

		state->regions[state->count++] = (struct region_saved){
			.serial = regions[n].serial,
			.address = member->address | n | (uint64_t)member->vcpu << 8 |
				   member->rights << 16,
			.pending = member->pending,
			.enable = member->enable,
		};
	}
	spin_unlock(&region_lock);
}

void region_state_load(void *ctx, const void *from)
{
	struct vm *vm = ctx;
	const struct saved_state *state = from;

	vm->saved_count = (uint32_t)state->count;
	for (uint32_t i = 0; i < vm->saved_count; i++)
		vm->saved[i] = state->regions[i];
}

/* What the snapshot says of region n, if it is the one that is there now. */
static const struct region_saved *find_saved(const struct vm *vm, unsigned n)
{
	for (uint32_t i = 0; i < vm->saved_count; i++)
		if (NUMBER(&vm->saved[i]) == n && vm->saved[i].serial == regions[n].serial)
			return &vm->saved[i];
	return NULL;
}

/* Those that were got since are given up; those that were got again in another way leave their place (address 0). */
static void clear_places(struct vm *vm)
{
	for (unsigned n = region_next(vm->regions, AV_REGION_MAX); n < AV_REGION_NUMBERS;
	     n = region_next(vm->regions, n + 1)) {
		const struct region_saved *saved = find_saved(vm, n);
		struct region_member *member = region_member_of(n, vm);

		if (!saved) {
			region_give_up(vm, &regions[n]);
		} else if (ADDRESS(saved) != member->address || RIGHTS(saved) != member->rights) {
			vmem_detach_region(&vm->mem, ipa(member->address));
			member->address = 0;
		}
	}
}

/* region_lock held. All places the snapshot wants are free. */
static void restore_one(struct vm *vm, const struct region_saved *saved)
{
	unsigned n = NUMBER(saved);
	struct region *region = &regions[n];
	struct region_member *member = region_member_of(n, vm);

	vm->bells[n / 64] |= UINT64_C(1) << n % 64;
	if (region->serial != saved->serial) {
		event_add(AV_EVENT_REGION_LOST, vm->index, n, saved->serial, NULL);
		return;
	}
	if (!member) {
		region_join(vm, region, ADDRESS(saved), RIGHTS(saved));
		member = region_member_of(n, vm);
	} else if (!member->address) {
		member->address = ADDRESS(saved);
		member->rights = RIGHTS(saved);
		member->tables = &region->tables[member->rights & AV_RIGHT_WRITE ? 1 : 0];
		BUG_ON(vmem_attach_region(&vm->mem, ipa(member->address), member->tables));
	}
	BUG_ON(!member);
	member->pending |= saved->pending;
	member->enable = saved->enable;
	member->vcpu = VCPU(saved);
}

void region_restored(struct vm *vm)
{
	if (!region_any(vm) && !vm->saved_count && !vm->region_unmade)
		return;
	clear_places(vm);
	spin_lock(&region_lock);
	region_drop_unmade(vm);
	for (uint32_t i = 0; i < vm->saved_count; i++)
		restore_one(vm, &vm->saved[i]);
	for (unsigned n = region_next(vm->regions, 0); n < AV_REGION_NUMBERS;
	     n = region_next(vm->regions, n + 1))
		region_publish(&regions[n], regions[n].number_of[vm->index]);
	spin_unlock(&region_lock);
	doorbell_lines(vm);
	vm->saved_count = 0;
}
