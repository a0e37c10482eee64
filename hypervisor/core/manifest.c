/* SPDX-License-Identifier: MIT */
/*
 * manifest.c - checking each field of a manifest before anybody uses it.
 * Never reads past max_size, never trusts a count before it is bounded, and stops at the first wrong field.
 */
#include <avisor/hypercall.h>
#include "core/manifest.h"
#include "core/types.h"

#define IPA_LIMIT (UINT64_C(1) << 36) /* = 1 << S2_IPA_BITS */
#define DEVICES_END UINT64_C(0x40000000)
#define SLICE_MOST UINT64_C(10000000000)
#define VM_FLAGS                                                                                \
	(AV_VM_FLAG_CONTROL | AV_VM_FLAG_CLOCK_FOLLOW | AV_VM_FLAG_PAUSED | AV_VM_FLAG_REFUSE | \
	 AV_VM_FLAG_NO_SHM | AV_VM_FLAG_FLASH | AV_VM_FLAG_SPARE | AV_VM_FLAG_COPY_BACK)

/* Put "table[index].field" together in view->wrong. */
static const char *wrong_at(struct manifest_view *view, const char *table, uint32_t index,
			    const char *field)
{
	char digits[10];
	size_t at = 0, count = 0;

	while (*table && at < sizeof(view->wrong) - 1)
		view->wrong[at++] = *table++;
	view->wrong[at++] = '[';
	do {
		digits[count++] = (char)('0' + index % 10);
		index /= 10;
	} while (index);
	while (count)
		view->wrong[at++] = digits[--count];
	view->wrong[at++] = ']';
	view->wrong[at++] = '.';
	while (*field && at < sizeof(view->wrong) - 1)
		view->wrong[at++] = *field++;
	view->wrong[at] = 0;
	return view->wrong;
}

static bool is_aligned(uint64_t value, uint64_t step)
{
	return (value & (step - 1)) == 0;
}

/* size rounded up to step; size is at most IPA_LIMIT here. */
static uint64_t round_up(uint64_t size, uint64_t step)
{
	return (size + step - 1) & ~(step - 1);
}

/* [a-z][a-z0-9._-]*, then NULs to the end, at least one. */
static bool is_name(const char name[32])
{
	size_t i = 0;

	if (name[0] < 'a' || name[0] > 'z' || name[31])
		return false;
	while (name[i]) {
		char c = name[i++];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
		      c == '-'))
			return false;
	}
	for (; i < 32; i++)
		if (name[i])
			return false;
	return true;
}

static bool is_same_name(const char a[32], const char b[32])
{
	for (size_t i = 0; i < 32; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

/* The head up to and without its checksum: enough to know that the tables can be read. */
static const char *check_head(const struct av_manifest *head, uint64_t max_size)
{
	uint64_t tables;

	if (max_size < sizeof(*head))
		return "manifest_size";
	if (head->magic != AV_MANIFEST_MAGIC)
		return "magic";
	if (head->abi_major != AV_ABI_MAJOR)
		return "abi_major";
	if (head->abi_minor != AV_ABI_MINOR)
		return "abi_minor";
	if (head->vm_count < 1 || head->vm_count > AV_VM_MAX)
		return "vm_count";
	if (head->segment_count > AV_SEGMENT_MAX)
		return "segment_count";
	if (head->region_count > AV_REGION_MAX)
		return "region_count";
	if (head->member_count > AV_MEMBER_MAX)
		return "member_count";
	tables = head->vm_count * sizeof(struct av_manifest_vm) +
		 head->segment_count * sizeof(struct av_manifest_segment) +
		 head->region_count * sizeof(struct av_manifest_region) +
		 head->member_count * sizeof(struct av_manifest_member);
	if (head->manifest_size != sizeof(*head) + tables || head->manifest_size > max_size ||
	    head->manifest_size > AV_MANIFEST_SIZE_MAX)
		return "manifest_size";
	return NULL;
}

/* av_checksum() of the manifest with its checksum field taken as 0. */
static uint64_t checksum_of(const struct av_manifest *head)
{
	const size_t at = offsetof(struct av_manifest, checksum);
	const uint64_t zero = 0;
	const uint8_t *bytes = (const uint8_t *)head;
	uint64_t hash = av_checksum(bytes, at, AV_CHECKSUM_INIT);

	hash = av_checksum(&zero, sizeof(zero), hash);
	return av_checksum(bytes + at + sizeof(zero), head->manifest_size - at - sizeof(zero),
			   hash);
}

static const char *check_machine(const struct av_manifest *head)
{
	if (head->checksum != checksum_of(head))
		return "checksum";
	if (!is_aligned(head->ram_size, REGION_2M_SIZE) || head->ram_size > IPA_LIMIT ||
	    head->ram_size <= AV_BUNDLE_PA - AV_RAM_PA)
		return "ram_size";
	if (!is_aligned(head->bundle_size, PAGE_SIZE) || head->bundle_size < head->manifest_size ||
	    head->bundle_size > head->ram_size - (AV_BUNDLE_PA - AV_RAM_PA))
		return "bundle_size";
	if (head->cpu_count < 1 || head->cpu_count > AV_CPU_MAX)
		return "cpu_count";
	if (!is_aligned(head->shm_size, PAGE_SIZE) || head->shm_size > head->ram_size)
		return "shm_size";
	if (!is_aligned(head->set_size, PAGE_SIZE) || head->set_size > head->ram_size)
		return "set_size";
	if (head->flags)
		return "flags";
	return NULL;
}

/* True when [offset, offset + size) is whole pages of the bundle behind the manifest. */
static bool is_in_bundle(const struct av_manifest *head, uint64_t offset, uint64_t size)
{
	uint64_t start = round_up(head->manifest_size, PAGE_SIZE);

	return is_aligned(offset, PAGE_SIZE) && size && size <= head->bundle_size &&
	       start <= head->bundle_size &&
	       range_within(offset, round_up(size, PAGE_SIZE), start, head->bundle_size - start);
}

#define BANK_SIZE (AV_FLASH_SIZE / 2)

static bool is_in_flash(const struct av_manifest_vm *vm, uint64_t start, uint64_t size)
{
	return vm->flags & AV_VM_FLAG_FLASH && range_within(start, size, 0, AV_FLASH_SIZE);
}

/* Whole pages of RAM, or from the start of a flash bank. */
static bool is_place(const struct av_manifest_vm *vm, uint64_t start, uint64_t size)
{
	if (is_in_flash(vm, start, size))
		return start % BANK_SIZE == 0 && size <= BANK_SIZE;
	return is_aligned(start, PAGE_SIZE) &&
	       range_within(start, size, vm->ram_base, vm->ram_size);
}

static const char *check_segment(const struct manifest_view *view, const struct av_manifest_vm *vm,
				 uint32_t index)
{
	const struct av_manifest_segment *segment = &view->segments[index];

	if (!segment->size || segment->size > IPA_LIMIT)
		return "size";
	if (!is_place(vm, segment->ipa, round_up(segment->size, PAGE_SIZE)))
		return "ipa";
	if (!is_in_bundle(view->head, segment->offset, segment->size))
		return "offset";
	for (uint32_t i = vm->segment_first; i < index; i++)
		if (range_overlaps(segment->ipa, round_up(segment->size, PAGE_SIZE),
				   view->segments[i].ipa,
				   round_up(view->segments[i].size, PAGE_SIZE)))
			return "ipa";
	return NULL;
}

static const char *check_vcpus(const struct manifest_view *view, const struct av_manifest_vm *vm)
{
	if (vm->vcpu_count < 1 || vm->vcpu_count > AV_VCPU_MAX)
		return "vcpu_count";
	for (uint32_t i = 0; i < AV_VCPU_MAX; i++) {
		if (vm->vcpu_cpu[i] == 0xff)
			continue;
		if (i >= vm->vcpu_count || vm->vcpu_cpu[i] >= view->head->cpu_count)
			return "vcpu_cpu";
	}
	return NULL;
}

/* Nothing of a spare slot is there at boot. */
static const char *check_spare(const struct av_manifest_vm *vm)
{
	if (vm->flags != AV_VM_FLAG_SPARE)
		return "flags";
	if (vm->entry)
		return "entry";
	if (vm->x0)
		return "x0";
	return vm->segment_count ? "segment_count" : NULL;
}

/* segments is how many segments the VMs before this one have: the tables are used up in order. */
static const char *check_vm(const struct manifest_view *view, uint32_t index, uint32_t segments)
{
	const struct av_manifest_vm *vm = &view->vms[index];
	const char *wrong;

	if (!is_name(vm->name))
		return "name";
	for (uint32_t i = 0; i < index; i++)
		if (is_same_name(view->vms[i].name, vm->name))
			return "name";
	if (vm->flags & ~(uint32_t)VM_FLAGS ||
	    (index == 0) != ((vm->flags & AV_VM_FLAG_CONTROL) != 0))
		return "flags";
	wrong = check_vcpus(view, vm);
	if (wrong)
		return wrong;
	if (!is_aligned(vm->ram_base, REGION_2M_SIZE) || vm->ram_base < DEVICES_END ||
	    vm->ram_base >= IPA_LIMIT)
		return "ram_base";
	if (!is_aligned(vm->ram_size, REGION_2M_SIZE) || !vm->ram_size ||
	    vm->ram_size > IPA_LIMIT - vm->ram_base)
		return "ram_size";
	if (vm->flags & AV_VM_FLAG_FLASH && vm->ram_base != DEVICES_END)
		return "ram_base";
	wrong = vm->flags & AV_VM_FLAG_SPARE ? check_spare(vm) : NULL;
	if (wrong)
		return wrong;
	if (!is_aligned(vm->entry, 4) || (!(vm->flags & AV_VM_FLAG_SPARE) &&
					  !range_within(vm->entry, 4, vm->ram_base, vm->ram_size) &&
					  !is_in_flash(vm, vm->entry, 4)))
		return "entry";
	if (!vm->frame_budget || vm->frame_budget > view->head->ram_size / PAGE_SIZE)
		return "frame_budget";
	if (vm->slice_ns > SLICE_MOST)
		return "slice_ns";
	if (vm->snapshot_keep > AV_SNAPSHOT_MAX)
		return "snapshot_keep";
	if (vm->segment_first != segments)
		return "segment_first";
	if (vm->segment_count > view->head->segment_count - segments)
		return "segment_count";
	return vm->reserved ? "reserved" : NULL;
}

static const char *check_vms(struct manifest_view *view)
{
	uint32_t segments = 0;

	for (uint32_t i = 0; i < view->head->vm_count; i++) {
		const char *wrong = check_vm(view, i, segments);

		if (wrong)
			return wrong_at(view, "vm", i, wrong);
		for (uint32_t j = 0; j < view->vms[i].segment_count; j++) {
			wrong = check_segment(view, &view->vms[i], segments + j);
			if (wrong)
				return wrong_at(view, "segment", segments + j, wrong);
		}
		segments += view->vms[i].segment_count;
	}
	return segments == view->head->segment_count ? NULL : "segment_count";
}

/* What the members map: contents and state table. The size is checked. */
static uint64_t mapped_size(const struct av_manifest_region *region)
{
	return region->size + PAGE_SIZE;
}

/* Its windows in a member's address space. */
static uint64_t window_size(const struct av_manifest_region *region)
{
	return round_up(mapped_size(region), REGION_2M_SIZE);
}

static const char *check_member(const struct manifest_view *view,
				const struct av_manifest_region *region, uint32_t index)
{
	const struct av_manifest_member *member = &view->members[index];

	if (member->vm >= view->head->vm_count ||
	    view->vms[member->vm].flags & (AV_VM_FLAG_CONTROL | AV_VM_FLAG_SPARE))
		return "vm";
	for (uint32_t i = region->member_first; i < index; i++)
		if (view->members[i].vm == member->vm)
			return "vm";
	if (member->rights != AV_RIGHT_READ && member->rights != (AV_RIGHT_READ | AV_RIGHT_WRITE))
		return "rights";
	if (range_overlaps(region->ipa, window_size(region), view->vms[member->vm].ram_base,
			   view->vms[member->vm].ram_size))
		return "vm";
	return NULL;
}

static const char *check_region_memory(const struct manifest_view *view, uint32_t index)
{
	const struct av_manifest_region *region = &view->regions[index];

	if (!is_in_bundle(view->head, region->offset, mapped_size(region)))
		return "offset";
	for (uint32_t i = 0; i < index; i++)
		if (range_overlaps(region->offset, mapped_size(region), view->regions[i].offset,
				   mapped_size(&view->regions[i])))
			return "offset";
	for (uint32_t i = 0; i < view->head->segment_count; i++)
		if (range_overlaps(region->offset, mapped_size(region), view->segments[i].offset,
				   round_up(view->segments[i].size, PAGE_SIZE)))
			return "offset";
	return NULL;
}

static const char *check_region(const struct manifest_view *view, uint32_t index, uint32_t members)
{
	const struct av_manifest_region *region = &view->regions[index];

	if (!is_name(region->name))
		return "name";
	for (uint32_t i = 0; i < index; i++)
		if (is_same_name(view->regions[i].name, region->name))
			return "name";
	if (!is_aligned(region->size, PAGE_SIZE) || !region->size || region->size > IPA_LIMIT)
		return "size";
	if (!is_aligned(region->ipa, REGION_2M_SIZE) || region->ipa < DEVICES_END ||
	    !range_within(region->ipa, window_size(region), 0, IPA_LIMIT))
		return "ipa";
	if (region->member_first != members)
		return "member_first";
	if (!region->member_count || region->member_count > view->head->member_count - members ||
	    region->member_count > AV_REGION_MEMBERS)
		return "member_count";
	if (!is_aligned(region->output_size, PAGE_SIZE) ||
	    region->output_size > region->size / region->member_count)
		return "output_size";
	return check_region_memory(view, index);
}

/* True when both regions have a member in common; their members are checked. */
static bool share_a_vm(const struct manifest_view *view, const struct av_manifest_region *a,
		       const struct av_manifest_region *b)
{
	uint32_t vms = 0; /* AV_VM_MAX < 32 */

	for (uint32_t i = 0; i < a->member_count; i++)
		vms |= UINT32_C(1) << view->members[a->member_first + i].vm;
	for (uint32_t i = 0; i < b->member_count; i++)
		if (vms & UINT32_C(1) << view->members[b->member_first + i].vm)
			return true;
	return false;
}
_Static_assert(AV_VM_MAX < 32, "share_a_vm() has a bit for each VM");

static const char *check_regions(struct manifest_view *view)
{
	uint32_t members = 0;

	for (uint32_t i = 0; i < view->head->region_count; i++) {
		const struct av_manifest_region *region = &view->regions[i];
		const char *wrong = check_region(view, i, members);

		if (wrong)
			return wrong_at(view, "region", i, wrong);
		for (uint32_t j = 0; j < region->member_count; j++) {
			wrong = check_member(view, region, members + j);
			if (wrong)
				return wrong_at(view, "member", members + j, wrong);
		}
		for (uint32_t j = 0; j < i; j++)
			if (share_a_vm(view, region, &view->regions[j]) &&
			    range_overlaps(region->ipa, window_size(region), view->regions[j].ipa,
					   window_size(&view->regions[j])))
				return wrong_at(view, "region", i, "ipa");
		members += region->member_count;
	}
	return members == view->head->member_count ? NULL : "member_count";
}

const char *manifest_check(const struct av_manifest *manifest, uint64_t max_size,
			   struct manifest_view *view)
{
	const char *wrong = check_head(manifest, max_size);

	if (!wrong)
		wrong = check_machine(manifest);
	if (wrong)
		return wrong;
	view->head = manifest;
	view->vms = (const struct av_manifest_vm *)(manifest + 1);
	view->segments = (const struct av_manifest_segment *)(view->vms + manifest->vm_count);
	view->regions =
		(const struct av_manifest_region *)(view->segments + manifest->segment_count);
	view->members = (const struct av_manifest_member *)(view->regions + manifest->region_count);
	wrong = check_vms(view);
	if (!wrong)
		wrong = check_regions(view);
	return wrong;
}

const char *manifest_check_frames(struct manifest_view *view, uint64_t frames)
{
	if (view->head->shm_size / PAGE_SIZE > frames)
		return "shm_size";
	frames -= view->head->shm_size / PAGE_SIZE;
	if (view->head->set_size / PAGE_SIZE > frames)
		return "set_size";
	frames -= view->head->set_size / PAGE_SIZE;
	for (uint32_t i = 0; i < view->head->vm_count; i++) {
		if (view->vms[i].frame_budget > frames)
			return wrong_at(view, "vm", i, "frame_budget");
		frames -= view->vms[i].frame_budget;
	}
	return NULL;
}
