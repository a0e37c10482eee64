/* SPDX-License-Identifier: MIT */
/*
 * region.c - the table of shared regions: those of the manifest, what each VM may know, and the state table members read.
 * Never copies a region's contents and never puts them into a snapshot.
 */
#include "core/region.h"
#include "arch/mem.h"
#include "core/boot.h"
#include "core/flash.h"
#include "core/doorbell.h"
#include "core/string.h"
#include "mm/frame.h"

/* Address space kept for regions at run time, besides what the pool itself needs. */
#define WINDOW_LEAST UINT64_C(0x4000000)

struct region regions[AV_REGION_NUMBERS];
struct spinlock region_lock;

static struct frame_budget budget;
static struct region_tables section_tables[AV_MEMBER_MAX]; /* as boot_manifest.members */
static uint64_t serials;

static uint64_t mapped_size(const struct region *region)
{
	return region->size + AV_REGION_STATE_SIZE;
}

static struct av_region_state *state_of(const struct region *region)
{
	return pa_ptr(pa(region->memory.value + region->size));
}

unsigned region_next(const uint64_t set[REGION_SET_WORDS], unsigned from)
{
	for (unsigned word = from / 64; word < REGION_SET_WORDS; word++, from = word * 64) {
		uint64_t bits = set[word] & ~UINT64_C(0) << from % 64;

		if (bits)
			return word * 64 + (unsigned)__builtin_ctzl(bits);
	}
	return AV_REGION_NUMBERS;
}

struct region_member *region_member_of(uint64_t number, const struct vm *vm)
{
	struct region_member *member;
	struct region *region;

	if (number >= AV_REGION_NUMBERS)
		return NULL;
	region = &regions[number];
	if (!region->serial || region->number_of[vm->index] == REGION_NOBODY)
		return NULL;
	member = &region->members[region->number_of[vm->index]];
	return member->vm == vm ? member : NULL;
}

/* --- the state table */

void region_publish(struct region *region, unsigned number)
{
	const struct vm *vm = region->members[number].vm;
	uint64_t *word = &state_of(region)->member[number];
	uint64_t now = vm ? region_word_of(vm) : *word & ~UINT64_C(0xff);

	if (*word == now)
		return;
	__atomic_store_n(word, now, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < region->member_count; i++)
		if (i != number && region->members[i].vm)
			doorbell_ring(region, i, AV_DOORBELL_PEER);
}

void region_set_state(struct vm *vm, uint32_t state)
{
	if (!region_any(vm)) {
		vm->state = state;
		return;
	}
	spin_lock(&region_lock);
	vm->state = state;
	for (unsigned n = region_next(vm->regions, 0); n < AV_REGION_NUMBERS;
	     n = region_next(vm->regions, n + 1))
		region_publish(&regions[n], regions[n].number_of[vm->index]);
	spin_unlock(&region_lock);
}

/* A new region: its state table, complete but for its members' words. The memory behind size is zero. */
void region_make(struct region *region, uint64_t key, uint64_t size, pa_t memory,
		 uint32_t member_count)
{
	struct av_region_state *state;

	region->key = key;
	region->size = region->common_size = size;
	region->output_size = 0;
	region->memory = memory;
	region->attached = 0;
	region->member_count = member_count;
	memset(region->number_of, REGION_NOBODY, sizeof(region->number_of));
	memset(region->members, 0, sizeof(region->members));
	region->serial = ++serials;
	if (key)
		return; /* region_get.c: when the memory is zeroed */
	state = state_of(region);
	memset(state, 0, AV_REGION_STATE_SIZE);
	region_open_state(region);
}

void region_open_state(struct region *region)
{
	struct av_region_state *state = state_of(region);

	state->version = AV_REGION_STATE_VERSION;
	state->member_count = region->member_count;
	state->region = region_number(region);
	state->serial = region->serial;
	__atomic_store_n(&state->magic, AV_REGION_STATE_MAGIC, __ATOMIC_RELEASE);
}

void region_add_member(struct region *region, unsigned number, struct vm *vm,
		       const struct region_tables *tables, uint64_t address, uint32_t rights)
{
	unsigned n = region_number(region);

	region->members[number] = (struct region_member){.vm = vm,
							 .region = region,
							 .tables = tables,
							 .word = &state_of(region)->member[number],
							 .address = address,
							 .rights = rights};
	region->number_of[vm->index] = (uint8_t)number;
	region->attached++;
	vm->regions[n / 64] |= UINT64_C(1) << n % 64;
	if (!region->key)
		vm->fixed[vm->fixed_count++] = &region->members[number];
	region_publish(region, number);
}

/* --- the manifest's */

/* Tables all regions can need: one per 2 MiB and right, or per 2 MiB and member. */
static uint64_t tables_needed(void)
{
	uint64_t count = 0;

	for (uint32_t r = 0; r < boot_manifest.head->region_count; r++) {
		const struct av_manifest_region *m = &boot_manifest.regions[r];

		count += (m->output_size ? m->member_count : 2) *
			 region_tables_count(m->size + AV_REGION_STATE_SIZE);
	}
	return count;
}

/* The tables of one member: its own when there are sections, else those of all with the same right. */
static int make_tables(struct region *region, uint32_t index, unsigned number,
		       struct region_tables **tables)
{
	bool writes = boot_manifest.members[index].rights & AV_RIGHT_WRITE;
	int error;

	*tables = region->output_size ? &section_tables[index] : &region->tables[writes];
	if ((*tables)->size)
		return 0;
	error = region_tables_init(*tables, &budget, region->memory, mapped_size(region), false);
	if (!error && writes)
		region_tables_allow(*tables, 0, region->common_size);
	if (!error && writes)
		region_tables_allow(*tables, region->common_size + number * region->output_size,
				    region->output_size);
	return error;
}

static void init_region(uint32_t r)
{
	const struct av_manifest_region *m = &boot_manifest.regions[r];
	struct region *region = &regions[r];

	region_make(region, 0, m->size, pa(AV_BUNDLE_PA + m->offset), m->member_count);
	memcpy(region->name, m->name, sizeof(region->name));
	region->output_size = m->output_size;
	region->common_size = m->size - m->member_count * m->output_size;
	for (uint32_t i = 0; i < m->member_count; i++) {
		const struct av_manifest_member *member =
			&boot_manifest.members[m->member_first + i];
		struct vm *vm = vms[member->vm];
		struct region_tables *tables;
		int error = make_tables(region, m->member_first + i, i, &tables);

		if (!error)
			error = vmem_attach_region(&vm->mem, ipa(m->ipa), tables);
		if (error)
			boot_refuse("region[%u] (%s): member %u: error %d", r, m->name, i, error);
		region_add_member(region, i, vm, tables, m->ipa, member->rights);
	}
	for (uint32_t i = 0; i < m->member_count; i++)
		region->members[i].pending = 0; /* of each other's joining */
}

void region_init(void)
{
	uint64_t tables = tables_needed(), pool = boot_manifest.head->shm_size;

	if (tables && !frame_budget_init(&budget, AV_VM_MAX + 2, tables))
		boot_refuse("regions: no frames left for %lu tables", tables);
	for (uint32_t r = 0; r < boot_manifest.head->region_count; r++)
		init_region(r);
	region_pool_init(pool);
	for (unsigned i = 0; i < vm_count && pool; i++)
		if (!(vms[i]->flags & (AV_VM_FLAG_CONTROL | AV_VM_FLAG_NO_SHM | AV_VM_FLAG_SPARE)))
			vmem_reserve_window(&vms[i]->mem, pool + WINDOW_LEAST);
}

/* --- what may be known */

void region_counts(struct av_machine_info *info)
{
	spin_lock(&region_lock);
	for (unsigned n = 0; n < AV_REGION_NUMBERS; n++)
		info->region_count += regions[n].serial && (!regions[n].key || regions[n].attached);
	info->shm_pages = boot_manifest.head->shm_size >> PAGE_SHIFT;
	info->shm_used = region_pool_used();
	spin_unlock(&region_lock);
}

static void describe_members(const struct region *region, bool control, struct av_region_info *info)
{
	for (unsigned i = 0; i < region->member_count; i++) {
		const struct region_member *member = &region->members[i];
		unsigned at = info->member_count;

		if (!member->vm)
			continue;
		info->members[at].vm = member->vm->index;
		info->members[at].rights = member->rights;
		info->numbers[at] = (uint8_t)i;
		info->ipas[at] = control ? member->address : 0;
		info->member_count++;
	}
}

int region_describe(const struct vm *viewer, uint64_t index, struct av_region_info *info)
{
	bool control = viewer->flags & AV_VM_FLAG_CONTROL;
	const struct region_member *own;
	const struct region *region;
	int status = AV_E_NOT_FOUND;

	memset(info, 0, sizeof(*info));
	if (index >= AV_REGION_NUMBERS)
		return AV_E_NOT_FOUND;
	region = &regions[index];
	spin_lock(&region_lock);
	own = region_member_of(index, viewer);
	if (own || (control && region->serial && region->attached)) {
		status = AV_OK;
		memcpy(info->name, region->name, sizeof(info->name));
		info->size = region->size;
		info->index = (uint32_t)index;
		info->serial = region->serial;
		info->key = region->key;
		info->common_size = region->common_size;
		info->output_size = region->output_size;
		info->flags = region->key ? AV_REGION_RUN_TIME : 0;
		info->intid = AV_REGION_INTID((uint32_t)index);
		info->own_number = own ? region->number_of[viewer->index] : AV_MEMBER_ALL;
		describe_members(region, control, info);
		if (own)
			info->ipa = own->address;
		else if (!region->key)
			info->ipa = info->ipas[0];
		info->state_ipa = info->ipa ? info->ipa + info->size : 0;
		info->pa = control ? region->memory.value : 0;
	}
	spin_unlock(&region_lock);
	return status;
}

/* --- audit */

#define CHECK(condition, what)                 \
	do {                                   \
		if (!(condition)) {            \
			*why = (what);         \
			return AV_E_INTEGRITY; \
		}                              \
	} while (0)

static const struct vmem_attach *attach_of(const struct vm *vm, uint64_t address)
{
	for (uint32_t i = 0; i < vm->mem.attach_count; i++)
		if (vm->mem.attach[i].start == address)
			return &vm->mem.attach[i];
	return NULL;
}

static int audit_region(const struct region *region, const char **why)
{
	const struct av_region_state *state = state_of(region);
	unsigned n = region_number(region), attached = 0;

	for (unsigned i = 0; i < AV_REGION_MEMBERS; i++) {
		const struct vm *vm = region->members[i].vm;
		const struct vmem_attach *attach;

		if (!vm)
			continue;
		attached++;
		attach = attach_of(vm, region->members[i].address);
		CHECK(region->number_of[vm->index] == i,
		      "a region's members and their numbers differ");
		CHECK(vm->regions[n / 64] >> n % 64 & 1, "a member does not know of its region");
		CHECK(attach && attach->tables == region->members[i].tables &&
			      attach->tables->memory.value == region->memory.value,
		      "a member's address space has another region");
		CHECK(state->member[i] == region_word_of(vm), "a word of a state table is wrong");
	}
	CHECK(attached == region->attached, "a region's count of members is wrong");
	CHECK(!region->serial || region->key || attached,
	      "a region of the manifest has no members");
	return AV_OK;
}

static int audit_all(const char **why)
{
	unsigned memberships = 0, attachments = 0;

	for (unsigned n = 0; n < AV_REGION_NUMBERS; n++) {
		int error = regions[n].serial ? audit_region(&regions[n], why) : AV_OK;

		if (error)
			return error;
		memberships += regions[n].serial ? regions[n].attached : 0;
	}
	for (unsigned i = 0; i < vm_count; i++)
		attachments += vms[i]->mem.attach_count - flash_window_count(vms[i]);
	CHECK(memberships == attachments,
	      "a VM has a region in its address space that it is no member of");
	return region_pool_audit(why);
}

int region_audit(const char **why)
{
	int error;

	/* In the order of their numbers, and nobody else takes two. */
	for (unsigned i = 0; i < vm_count; i++)
		spin_lock(&vms[i]->lock);
	spin_lock(&region_lock);
	error = audit_all(why);
	spin_unlock(&region_lock);
	for (unsigned i = vm_count; i-- > 0;)
		spin_unlock(&vms[i]->lock);
	return error;
}
