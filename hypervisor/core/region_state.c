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
#define RANGE_OF_MANIFEST ((UINT64_C(1) << AV_REGION_MAX) - 1)
_Static_assert(AV_REGION_MAX <= 63, "in the first word");
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

/* A region of the manifest whose doorbell is as at boot needs no entry: that costs every take and restore of its members. */
static bool is_as_at_boot(const struct region_member *member)
{
	return !(member->pending | member->enable | member->vcpu);
}

/* Out of line: few take part, and all would pay for what it needs. */
static __attribute__((noinline)) void save_one(const struct region_member *member,
					       struct region_saved *to)
{
	*to = (struct region_saved){
		.serial = member->region->serial,
		.address = member->address | region_number(member->region) |
			   (uint64_t)member->vcpu << 8 | member->rights << 16,
		.pending = member->pending,
		.enable = member->enable,
	};
}

/* Without the lock: the VM is held, so only flags can be added meanwhile, and those stay pending anyway. */
void region_state_save(void *ctx, void *to)
{
	const struct vm *vm = ctx;
	struct saved_state *state = to;

	state->count = 0;
	for (uint32_t i = 0; i < vm->fixed_count; i++)
		if (!is_as_at_boot(vm->fixed[i]))
			save_one(vm->fixed[i], &state->regions[state->count++]);
	if (!(vm->regions[0] & ~RANGE_OF_MANIFEST) && !vm->regions[1])
		return;
	for (unsigned n = region_next(vm->regions, AV_REGION_MAX); n < AV_REGION_NUMBERS;
	     n = region_next(vm->regions, n + 1))
		save_one(region_member_of(n, vm), &state->regions[state->count++]);
}

void region_state_load(void *ctx, const void *from)
{
	struct vm *vm = ctx;
	const struct saved_state *state = from;

	vm->saved_count = (uint32_t)state->count;
	for (uint32_t i = 0; i < vm->saved_count; i++)
		vm->saved[i] = state->regions[i];
}

void region_adopt(struct vm *vm, const struct vm *from, const void *saved)
{
	const struct saved_state *state = saved;

	vm->saved_count = 0;
	vm->bells[0] = vm->bells[1] = 0;
	for (uint32_t i = 0; i < from->fixed_count; i++)
		event_add(AV_EVENT_REGION_LOST, vm->index, region_number(from->fixed[i]->region),
			  from->fixed[i]->region->serial, from->fixed[i]->region->name);
	for (uint64_t i = 0; i < state->count; i++)
		if (NUMBER(&state->regions[i]) >= AV_REGION_MAX)
			event_add(AV_EVENT_REGION_LOST, vm->index, NUMBER(&state->regions[i]),
				  state->regions[i].serial, NULL);
}

/* Another machine's regions are not this one's: it has none at run time, and the manifest's are as at boot. */
bool region_state_adopt(void *ctx, void *saved)
{
	struct saved_state *state = saved;

	(void)ctx;
	state->count = 0;
	return true;
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

/* Out of line, both: a VM that uses no doorbells pays for neither at its restores. */
static __attribute__((noinline)) void tell_peers(struct region_member *member)
{
	spin_lock(&region_lock);
	region_publish(member->region, (unsigned)(member - member->region->members));
	spin_unlock(&region_lock);
}

/*
 * The masks of the manifest's regions as at boot, before those that the snapshot has; and the words of the state tables. Who
 * rings meanwhile reads one mask or the other: the line is looked at again, and what is pending stays so.
 */
static inline void reset_masks(struct vm *vm)
{
	uint64_t word = region_word_of(vm);

	for (uint32_t i = 0; i < vm->fixed_count; i++) {
		struct region_member *member = vm->fixed[i];

		member->enable = 0;
		member->vcpu = 0;
		if (member->region->attached == 1)
			__atomic_store_n(member->word, word, __ATOMIC_RELEASE); /* nobody to tell */
		else
			tell_peers(member);
	}
}

static void publish_run_time(struct vm *vm)
{
	for (unsigned n = region_next(vm->regions, AV_REGION_MAX); n < AV_REGION_NUMBERS;
	     n = region_next(vm->regions, n + 1))
		region_publish(&regions[n], regions[n].number_of[vm->index]);
}

static __attribute__((cold, noinline)) void restore_all(struct vm *vm)
{
	clear_places(vm);
	spin_lock(&region_lock);
	region_drop_unmade(vm);
	for (uint32_t i = 0; i < vm->saved_count; i++)
		restore_one(vm, &vm->saved[i]);
	publish_run_time(vm);
	spin_unlock(&region_lock);
	/* Without an entry the line is low, in the snapshot's GIC and now. */
	if (vm->bells[0] | vm->bells[1])
		doorbell_lines(vm);
	vm->saved_count = 0;
}

void region_restored(struct vm *vm)
{
	reset_masks(vm);
	if (vm->regions[0] & ~RANGE_OF_MANIFEST || vm->regions[1] || vm->saved_count ||
	    vm->region_unmade)
		restore_all(vm);
}
