/* SPDX-License-Identifier: MIT */
/*
 * check_region.c - the meaning of `shm:`: addresses, members, fields, and who is in whose way.
 * Never moves a region that has an address; one without gets the first that is free for all.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <avisor/hypercall.h>
#include "check.h"
#include "value.h"

static const char *const rights[] = {"ro", "rw", NULL};

static uint64_t window_up(uint64_t value)
{
	return (value + CHECK_2M - 1) & ~(CHECK_2M - 1);
}

/* The address space it takes: contents, the page of the state table, to the end of the 2 MiB. */
static uint64_t window_of(const struct set_region *region)
{
	return region->size ? window_up(region->size + 4096) : 0;
}

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a_size && b_size && a < b + b_size && b < a + a_size;
}

static bool share_a_vm(const struct set_region *a, const struct set_region *b)
{
	for (size_t i = 0; i < a->member_count; i++)
		for (size_t j = 0; j < b->member_count; j++)
			if (a->members[i].vm == b->members[j].vm)
				return true;
	return false;
}

struct vm_names {
	const struct set *set;
	size_t index;
};

static const char *next_vm(void *context)
{
	struct vm_names *at = context;

	while (at->index < at->set->vm_count) {
		const char *name = at->set->vms[at->index++].name;

		if (name)
			return name;
	}
	return NULL;
}

static void report_stranger(struct check *check, const struct node_child *member)
{
	struct vm_names at = {check->set, 0};
	const char *nearest = errors_nearest(member->key, next_vm, &at);

	errors_add(check->errors, member->key_mark, "members: there is no VM \"%s\"", member->key);
	if (nearest)
		errors_hint(check->errors, "did you mean \"%s\"?", nearest);
	else
		errors_hint(check->errors, "a member is the name of a VM of this set");
}

/* True when the file has a VM of that name, right in all else or not. */
static bool is_vm_named(const struct check *check, const char *name)
{
	for (uint64_t i = 0; i < check->raw->set->vm_count; i++)
		if (check->raw->set->vms[i].name && !strcmp(check->raw->set->vms[i].name, name))
			return true;
	return false;
}

static void check_member(struct check *check, struct set_region *region, const struct node *members,
			 const struct node_child *member, const char *right)
{
	int choice = check_choice(check, members, member->key, right, rights);

	for (size_t i = 0; i < check->set->vm_count; i++) {
		if (!check->set->vms[i].name || strcmp(check->set->vms[i].name, member->key))
			continue;
		region->members[region->member_count].vm = (unsigned)i;
		region->members[region->member_count].write = choice == 1;
		region->member_count++;
		return;
	}
	if (!is_vm_named(check, member->key))
		report_stranger(check, member);
}

static void check_members(struct check *check, struct set_region *region, const struct node *node,
			  const struct raw_region *raw)
{
	const struct node *members = tree_get(node, "members");

	if (!members)
		return;
	region->members = check_array(check, members->count, sizeof(*region->members));
	if (!region->members)
		return;
	if (members->count > AV_REGION_MEMBERS)
		errors_add(check->errors, members->mark, "members: at most %d", AV_REGION_MEMBERS);
	if (!members->count) {
		errors_add(check->errors, members->mark, "members: the region has none");
		errors_hint(check->errors, "for example: members: {vm1: ro, vm2: rw}");
	}
	for (const struct node_child *member = members->first; member; member = member->next) {
		size_t i = 0;

		while (i < check->raw->member_name_count &&
		       strcmp(check->raw->member_names[i], member->key))
			i++;
		if (i < check->raw->member_name_count && raw->members)
			check_member(check, region, members, member, raw->members[i]);
	}
}

static void check_init(struct check *check, struct set_region *region, const struct node *node,
		       const struct raw_region *raw)
{
	size_t length = raw->init ? strlen(raw->init) : 0;

	if (!length)
		return;
	if (region->size && length > region->size) {
		errors_add(check->errors, tree_mark(node, "init"),
			   "init: %zu bytes are more than the region's %" PRIu64, length,
			   region->size);
		return;
	}
	region->init = check_copy(check, raw->init);
	region->init_size = length;
}

static void check_region_size(struct check *check, struct set_region *region,
			      const struct node *node, const char *text)
{
	uint64_t size = 0;

	if (!check_size(check, node, "size", text, &size))
		return;
	if (!size || size > CHECK_REGION_MOST) {
		errors_add(check->errors, tree_mark(node, "size"),
			   "size: a region has 1 byte to 1GiB");
		return;
	}
	region->size = (size + 4095) & ~UINT64_C(4095);
}

/* The sections follow what all share; each member has one, also who may only read. */
static void check_output(struct check *check, struct set_region *region, const struct node *node,
			 const char *text)
{
	uint64_t size = 0;

	if (check_size(check, node, "output", text, &size) && region->size) {
		uint64_t section = (size + 4095) & ~UINT64_C(4095);

		if (!size || size > CHECK_REGION_MOST ||
		    region->size + region->member_count * section > CHECK_REGION_MOST) {
			errors_add(check->errors, tree_mark(node, "output"),
				   "output: a section has 1 byte or more, and the region at most "
				   "1GiB");
			return;
		}
		region->output_size = section;
		region->size += region->member_count * section;
	}
	if (region->size)
		check->bundle_size += region->size + 4096;
}

/* RAM of its members that reaches into the region. */
static void check_against_ram(struct check *check, const struct set_region *region,
			      const struct node *node)
{
	for (size_t i = 0; i < region->member_count; i++) {
		const struct set_vm *vm = &check->set->vms[region->members[i].vm];

		if (!overlap(region->address, window_of(region), vm->ram_base, vm->ram_size))
			continue;
		errors_add(check->errors, tree_mark(node, "address"),
			   "region \"%s\" 0x%" PRIx64 "-0x%" PRIx64
			   " lies in the RAM of \"%s\" 0x%" PRIx64 "-0x%" PRIx64
			   " (line %u, column %u)",
			   region->name ? region->name : "?", region->address,
			   region->address + region->size - 1, vm->name, vm->ram_base,
			   vm->ram_base + vm->ram_size - 1, vm->mark.line, vm->mark.column);
		errors_hint(check->errors,
			    "leave out address: and avctl puts it above the RAM of its members, or "
			    "give \"%s\" less memory",
			    vm->name);
	}
}

static void check_address(struct check *check, struct set_region *region, const struct node *node,
			  const char *text)
{
	uint64_t address = 0;

	if (!check_size(check, node, "address", text, &address))
		return;
	if (address % CHECK_2M) {
		errors_add(check->errors, tree_mark(node, "address"),
			   "address: 0x%" PRIx64 " is not a multiple of 2MiB", address);
		errors_hint(check->errors, "address: 0x%" PRIx64, address / CHECK_2M * CHECK_2M);
		return;
	}
	if (address < AV_RAM_PA) {
		errors_add(check->errors, tree_mark(node, "address"),
			   "address: below 0x%x are devices", AV_RAM_PA);
		errors_hint(check->errors, "address: 0x%" PRIx64 ", or leave it out",
			    CHECK_SHM_FIRST);
		return;
	}
	if (address > CHECK_IPA_LIMIT - window_up(CHECK_REGION_MOST + 4096)) {
		errors_add(check->errors, tree_mark(node, "address"),
			   "address: 0x%" PRIx64 " is beyond what a VM can reach", address);
		return;
	}
	region->address = address;
	check_against_ram(check, region, node);
}

static void check_overlaps(struct check *check, size_t index, const struct node *node)
{
	const struct set_region *region = &check->set->regions[index];

	for (size_t i = 0; i < index; i++) {
		const struct set_region *other = &check->set->regions[i];

		if (!region->address || !other->address || !share_a_vm(region, other) ||
		    !overlap(region->address, window_of(region), other->address, window_of(other)))
			continue;
		errors_add(check->errors, tree_mark(node, "address"),
			   "region \"%s\" 0x%" PRIx64 "-0x%" PRIx64
			   " overlaps region \"%s\" 0x%" PRIx64 "-0x%" PRIx64
			   " (line %u, column %u)",
			   region->name ? region->name : "?", region->address,
			   region->address + region->size - 1, other->name ? other->name : "?",
			   other->address, other->address + other->size - 1, other->mark.line,
			   other->mark.column);
		errors_hint(check->errors,
			    "address: 0x%" PRIx64
			    " is free of it, or leave it out: avctl finds one",
			    other->address + window_of(other));
	}
}

/* The first window, from 0x70000000 and above the members' RAM, that no other region has. */
static void find_address(struct check *check, struct set_region *region, const struct node *node)
{
	const struct set *set = check->set;
	uint64_t address = CHECK_SHM_FIRST;
	bool moved = true;

	for (size_t i = 0; i < region->member_count; i++) {
		const struct set_vm *vm = &set->vms[region->members[i].vm];

		if (window_up(vm->ram_base + vm->ram_size) > address)
			address = window_up(vm->ram_base + vm->ram_size);
	}
	while (moved) {
		moved = false;
		for (size_t i = 0; i < set->region_count; i++) {
			const struct set_region *other = &set->regions[i];

			if (!other->address ||
			    !overlap(address, window_of(region), other->address, window_of(other)))
				continue;
			address = other->address + window_of(other);
			moved = true;
		}
	}
	if (address + window_of(region) > CHECK_IPA_LIMIT) {
		errors_add(check->errors, node->mark,
			   "there is no free address for the region above its members' RAM");
		return;
	}
	region->address = address;
}

static void check_region(struct check *check, size_t index)
{
	const struct node *node = tree_item(tree_get(check->root, "shm"), index);
	const struct raw_region *raw = &check->raw->set->shm[index];
	struct set_region *region = &check->set->regions[index];

	region->mark = node->mark;
	if (check_name(check, node, "region", raw->name)) {
		for (size_t i = 0; i < index; i++) {
			if (!check->set->regions[i].name ||
			    strcmp(check->set->regions[i].name, raw->name))
				continue;
			errors_add(check->errors, tree_mark(node, "name"),
				   "name: two regions are called \"%s\"", raw->name);
			errors_hint(check->errors, "the other one is at line %u, column %u",
				    check->set->regions[i].mark.line,
				    check->set->regions[i].mark.column);
			break;
		}
		region->name = check_copy(check, raw->name);
	}
	check_region_size(check, region, node, raw->size);
	check_members(check, region, node, raw);
	check_init(check, region, node, raw);
	check_output(check, region, node, raw->output);
	check_fields(check, region, tree_get(node, "fields"));
	check_address(check, region, node, raw->address);
	check_overlaps(check, index, node);
}

void check_regions(struct check *check)
{
	const struct node *list = tree_get(check->root, "shm");
	size_t count = check->raw->set->shm_count;

	check->set->regions = check_array(check, count, sizeof(*check->set->regions));
	if (!check->set->regions)
		return;
	check->set->region_count = count;
	if (count > AV_REGION_MAX)
		errors_add(check->errors, list->mark, "shm: %zu regions are too many: at most %d",
			   count, AV_REGION_MAX);
	for (size_t i = 0; i < count && !errors_is_out_of_memory(check->errors); i++)
		check_region(check, i);
	for (size_t i = 0; i < count && !errors_is_out_of_memory(check->errors); i++)
		if (!check->raw->set->shm[i].address && check->set->regions[i].size)
			find_address(check, &check->set->regions[i], tree_item(list, i));
}
