/* SPDX-License-Identifier: MIT */
/*
 * region_get.c - regions that VMs get by key while they run: made at the first get, gone with the last member.
 * Never shows a page that has not been zeroed, never takes memory from anywhere but the pool, and never works on more
 * than a slice at a time.
 */
#include "core/boot.h"
#include "core/doorbell.h"
#include "core/event.h"
#include "core/log.h"
#include "core/region.h"
#include "core/sched.h"
#include "core/string.h"
#include "arch/mem.h"
#include "mm/frame.h"

#define SLICE_PAGES 32

static struct {
	struct frame_budget budget;
	uint32_t first; /* frame */
	uint64_t pages;
} pool;

void region_pool_init(uint64_t size)
{
	pool.pages = size >> PAGE_SHIFT;
	if (!pool.pages)
		return;
	if (frame_budget_init(&pool.budget, AV_VM_MAX + 3, pool.pages))
		pool.first = frame_alloc_run(&pool.budget, pool.pages, FRAME_META);
	if (!pool.first)
		boot_refuse("regions: no %lu frames for those at run time", pool.pages);
}

uint64_t region_pool_used(void)
{
	uint64_t pages = 0;

	for (unsigned n = 0; n < AV_REGION_NUMBERS; n++)
		pages += regions[n].serial ? regions[n].pool_pages : 0;
	return pages;
}

/* The first run of free pages: behind one of the regions, or at 0. False: there is none. */
static bool find_run(uint64_t pages, uint64_t *first)
{
	uint64_t at = 0;

	for (unsigned n = 0; n < AV_REGION_NUMBERS; n++) {
		const struct region *region = &regions[n];

		if (pages > pool.pages || at > pool.pages - pages)
			return false;
		if (!region->serial ||
		    !range_overlaps(at, pages, region->pool_first, region->pool_pages))
			continue;
		at = region->pool_first + region->pool_pages;
		n = ~0u; /* those before may be in the way now; `at` only grows */
	}
	*first = at;
	return pages <= pool.pages && at <= pool.pages - pages;
}

static pa_t pool_pa(uint64_t page)
{
	return frame_pa(pool.first + (uint32_t)page);
}

static struct region *find_key(uint64_t key)
{
	for (unsigned n = AV_REGION_MAX; n < AV_REGION_NUMBERS; n++)
		if (regions[n].serial && regions[n].key == key)
			return &regions[n];
	return NULL;
}

static int make(const struct vm *vm, uint64_t key, uint64_t size, struct region **made)
{
	uint64_t tables = 2 * region_tables_count(size + AV_REGION_STATE_SIZE), first;
	uint64_t pages = (size + AV_REGION_STATE_SIZE) / PAGE_SIZE + tables;

	for (unsigned n = AV_REGION_MAX; n < AV_REGION_NUMBERS; n++) {
		struct region *region = &regions[n];

		if (region->serial)
			continue;
		if (!find_run(pages, &first))
			return AV_E_EXHAUSTED;
		region->pool_first = first;
		region->pool_pages = pages;
		region->zeroed = 0;
		region->maker = vm->index;
		memset(region->name, 0, sizeof(region->name));
		format(region->name, sizeof(region->name), "key-%lx", key);
		region_make(region, key, size, pool_pa(first), vm_count);
		*made = region;
		return AV_OK;
	}
	return AV_E_LIMIT;
}

/* Another slice of it is zero; true when all is, and the tables are there. */
static bool prepared(struct region *region)
{
	uint64_t bytes = region->size + AV_REGION_STATE_SIZE,
		 end = region->zeroed + SLICE_PAGES * PAGE_SIZE;
	uint64_t table = region->pool_first + bytes / PAGE_SIZE;

	if (region->zeroed == bytes)
		return true;
	for (; region->zeroed < bytes && region->zeroed < end; region->zeroed += PAGE_SIZE)
		arch_page_zero(pa_ptr(pa(region->memory.value + region->zeroed)));
	if (region->zeroed < bytes)
		return false;
	for (unsigned i = 0; i < 2; i++, table += region_tables_count(bytes))
		region_tables_fill(&region->tables[i], pool_pa(table), region->memory, bytes);
	region_tables_allow(&region->tables[1], 0, region->size);
	region_open_state(region);
	return true;
}

static void release(struct region *region)
{
	region->serial = 0;
	region->key = 0;
	region->pool_pages = 0;
}

void region_keep(struct region *region)
{
	spin_lock(&region_lock);
	region->attached++;
	spin_unlock(&region_lock);
}

void region_let_go(struct region *region)
{
	spin_lock(&region_lock);
	if (!--region->attached)
		release(region);
	spin_unlock(&region_lock);
}

void region_drop_unmade(struct vm *vm)
{
	if (!vm->region_unmade)
		return;
	vm->region_unmade = false;
	for (unsigned n = AV_REGION_MAX; n < AV_REGION_NUMBERS; n++)
		if (regions[n].serial && !regions[n].attached && regions[n].maker == vm->index)
			release(&regions[n]);
}

int region_join(struct vm *vm, struct region *region, uint64_t address, uint32_t rights)
{
	const struct region_tables *tables = &region->tables[rights & AV_RIGHT_WRITE ? 1 : 0];
	int error = vmem_attach_region(&vm->mem, ipa(address), tables);

	if (error)
		return error;
	region_add_member(region, vm->index, vm, tables, address, rights);
	event_add(AV_EVENT_ATTACH, vm->index, region_number(region), region->serial, region->name);
	return AV_OK;
}

/* How many of its regions it got at run time. */
static unsigned run_time_count(const struct vm *vm)
{
	unsigned count = 0;

	for (unsigned n = region_next(vm->regions, AV_REGION_MAX); n < AV_REGION_NUMBERS;
	     n = region_next(vm->regions, n + 1))
		count++;
	return count;
}

static int get_locked(struct vm *vm, uint64_t key, uint64_t size, uint32_t rights,
		      struct region_place *place)
{
	struct region *region = find_key(key);
	uint64_t address;
	int error;

	if (region && region->size != size)
		return AV_E_MISMATCH;
	if (region && region_member_of(region_number(region), vm))
		return AV_E_EXISTS;
	if (run_time_count(vm) == VMEM_RUN_TIME_MAX)
		return AV_E_LIMIT;
	if (!region) {
		error = make(vm, key, size, &region);
		if (error)
			return error;
	}
	region->maker = vm->index;
	vm->region_unmade = true;
	if (!prepared(region))
		return REGION_AGAIN;
	address = vmem_find_window(&vm->mem, size + AV_REGION_STATE_SIZE);
	error = address ? region_join(vm, region, address, rights) : AV_E_LIMIT;
	region_drop_unmade(vm);
	if (error)
		return error;
	*place =
		(struct region_place){address, region_number(region), region->number_of[vm->index]};
	return AV_OK;
}

int region_get(struct vm *vm, uint64_t key, uint64_t size, uint64_t flags,
	       struct region_place *place)
{
	uint32_t rights = AV_RIGHT_READ | (flags & AV_REGION_GET_RO ? 0 : AV_RIGHT_WRITE);
	int status = REGION_AGAIN;

	if (!key || !size || flags & ~(uint64_t)AV_REGION_GET_RO ||
	    size > UINT64_C(1) << S2_IPA_BITS)
		return AV_E_INVALID;
	if (vm->flags & (AV_VM_FLAG_CONTROL | AV_VM_FLAG_NO_SHM))
		return AV_E_DENIED;
	size = (size + PAGE_MASK) & ~PAGE_MASK;
	spin_lock(&vm->lock);
	spin_lock(&region_lock);
	/* Another of its vCPUs may have ended the VM, which then has left all regions. */
	if (vm->state == AV_STATE_RUNNING)
		status = get_locked(vm, key, size, rights, place);
	spin_unlock(&region_lock);
	spin_unlock(&vm->lock);
	return status;
}

void region_give_up(struct vm *vm, struct region *region)
{
	unsigned n = region_number(region), number = region->number_of[vm->index];
	struct region_member *member = &region->members[number];

	/* Out of reach first: when nobody is left the memory is anybody's. */
	vmem_detach_region(&vm->mem, ipa(member->address));
	spin_lock(&region_lock);
	event_add(AV_EVENT_DETACH, vm->index, n, region->serial, region->name);
	for (unsigned waiters = member->waiters; waiters; waiters &= waiters - 1)
		sched_kick(&vm->vcpus[__builtin_ctz(waiters)], 0);
	memset(member, 0, sizeof(*member));
	region->number_of[vm->index] = REGION_NOBODY;
	vm->regions[n / 64] &= ~(UINT64_C(1) << n % 64);
	vm->bells[n / 64] |= UINT64_C(1) << n % 64; /* its line goes down */
	region_publish(region, number);
	if (!--region->attached)
		release(region);
	spin_unlock(&region_lock);
	doorbell_lines(vm);
}

int region_detach(struct vm *vm, uint64_t number)
{
	int status = AV_OK;

	spin_lock(&vm->lock);
	if (!region_member_of(number, vm))
		status = AV_E_NOT_ATTACHED;
	else if (!regions[number].key)
		status = AV_E_INVALID;
	else
		region_give_up(vm, &regions[number]);
	spin_unlock(&vm->lock);
	return status;
}

void region_leave(struct vm *vm)
{
	spin_lock(&vm->lock);
	for (unsigned n = region_next(vm->regions, AV_REGION_MAX); n < AV_REGION_NUMBERS;
	     n = region_next(vm->regions, n + 1))
		region_give_up(vm, &regions[n]);
	spin_lock(&region_lock);
	region_drop_unmade(vm);
	spin_unlock(&region_lock);
	spin_unlock(&vm->lock);
}

int region_pool_audit(const char **why)
{
	for (unsigned n = AV_REGION_MAX; n < AV_REGION_NUMBERS; n++) {
		const struct region *a = &regions[n];

		if (!a->serial)
			continue;
		*why = "a region at run time lies outside the pool, or has no key";
		if (!a->key || !a->pool_pages ||
		    !range_within(a->pool_first, a->pool_pages, 0, pool.pages) ||
		    a->memory.value != pool_pa(a->pool_first).value)
			return AV_E_INTEGRITY;
		*why = "two regions at run time have one page, or one key";
		for (unsigned i = AV_REGION_MAX; i < n; i++)
			if (regions[i].serial &&
			    (regions[i].key == a->key ||
			     range_overlaps(a->pool_first, a->pool_pages, regions[i].pool_first,
					    regions[i].pool_pages)))
				return AV_E_INTEGRITY;
		*why = "a region at run time is kept though nobody is attached";
		if (!a->attached && a->maker >= vm_count)
			return AV_E_INTEGRITY;
	}
	return AV_OK;
}
