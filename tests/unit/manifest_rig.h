/* SPDX-License-Identifier: MIT */
/* manifest_rig.h - a small good manifest, and a walk over all that a checked one promises. */
#pragma once
#include <stdlib.h>
#include <string.h>
#include <avisor/hypercall.h>
#include "core/manifest.h"

struct rig {
	struct av_manifest head;
	struct av_manifest_vm vms[3];
	struct av_manifest_segment segments[4];
	struct av_manifest_region regions[2];
	struct av_manifest_member members[3];
};
_Static_assert(sizeof(struct rig) == 112 + 3 * 112 + 4 * 24 + 2 * 72 + 3 * 8, "no gaps");

static inline void rig_sign(struct rig *rig)
{
	size_t size =
		rig->head.manifest_size < sizeof(*rig) ? rig->head.manifest_size : sizeof(*rig);

	rig->head.checksum = 0;
	rig->head.checksum = av_checksum(rig, size, AV_CHECKSUM_INIT);
}

static inline void rig_vm(struct av_manifest_vm *vm, const char *name, uint32_t first,
			  uint32_t count)
{
	memcpy(vm->name, name, strlen(name));
	memset(vm->vcpu_cpu, 0xff, sizeof(vm->vcpu_cpu));
	vm->vcpu_count = 1;
	vm->ram_base = 0x40000000;
	vm->ram_size = 0x1000000;
	vm->entry = 0x40200000;
	vm->frame_budget = 5000;
	vm->segment_first = first;
	vm->segment_count = count;
}

static inline void rig_region(struct av_manifest_region *region, const char *name, uint64_t ipa,
			      uint64_t offset, uint32_t first, uint32_t count)
{
	memcpy(region->name, name, strlen(name));
	region->ipa = ipa;
	region->offset = offset;
	region->size = 0x2000;
	region->member_first = first;
	region->member_count = count;
}

static inline void rig_make(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	rig->head = (struct av_manifest){.magic = AV_MANIFEST_MAGIC,
					 .abi_major = AV_ABI_MAJOR,
					 .abi_minor = AV_ABI_MINOR,
					 .manifest_size = sizeof(*rig),
					 .bundle_size = 0x20000,
					 .ram_size = 0x10000000,
					 .cpu_count = 2,
					 .vm_count = 3,
					 .segment_count = 4,
					 .region_count = 2,
					 .member_count = 3};
	memset(rig->head.entropy, 0x5c, sizeof(rig->head.entropy));
	rig_vm(&rig->vms[0], "control", 0, 1);
	rig->vms[0].flags = AV_VM_FLAG_CONTROL;
	rig_vm(&rig->vms[1], "vm1", 1, 2);
	rig->vms[1].vcpu_cpu[0] = 1;
	rig_vm(&rig->vms[2], "vm2", 3, 1);
	rig->segments[0] = (struct av_manifest_segment){0x40200000, 0x1000, 0x1800};
	rig->segments[1] = (struct av_manifest_segment){0x40200000, 0x3000, 0x1000};
	rig->segments[2] = (struct av_manifest_segment){0x40000000, 0x4000, 0x10};
	rig->segments[3] = (struct av_manifest_segment){0x40200000, 0x3000, 0x1000};
	rig_region(&rig->regions[0], "board", 0x70000000, 0x10000, 0, 2);
	rig_region(&rig->regions[1], "other", 0x70200000, 0x13000, 2, 1);
	rig->members[0] = (struct av_manifest_member){1, AV_RIGHT_READ};
	rig->members[1] = (struct av_manifest_member){2, AV_RIGHT_READ | AV_RIGHT_WRITE};
	rig->members[2] = (struct av_manifest_member){2, AV_RIGHT_READ};
	rig_sign(rig);
}

/* Abort unless what manifest_check() promises about an accepted manifest holds, computed the plain way. */
static inline void rig_walk(const struct manifest_view *view)
{
	const struct av_manifest *head = view->head;
	uint64_t bundle_end = head->bundle_size;
	uint8_t sum = 0;

#define MUST(condition) ((condition) ? (void)0 : abort())
	MUST(head->vm_count >= 1 && head->vm_count <= AV_VM_MAX && head->cpu_count <= AV_CPU_MAX);
	MUST(bundle_end % 4096 == 0 && bundle_end + 0x1000000 <= head->ram_size);
	for (uint32_t i = 0; i < head->vm_count; i++) {
		const struct av_manifest_vm *vm = &view->vms[i];
		uint64_t end = vm->ram_base + vm->ram_size;

		MUST(strnlen(vm->name, 32) < 32 && vm->name[0]);
		MUST(vm->vcpu_count >= 1 && vm->vcpu_count <= AV_VCPU_MAX);
		MUST(vm->ram_base >= 0x40000000 && end > vm->ram_base && end <= UINT64_C(1) << 36);
		MUST((vm->entry >= vm->ram_base && vm->entry < end) ||
		     (vm->flags & AV_VM_FLAG_FLASH && vm->entry < AV_FLASH_SIZE));
		for (uint32_t j = 0; j < vm->segment_count; j++) {
			const struct av_manifest_segment *segment =
				&view->segments[vm->segment_first + j];
			uint64_t pages = (segment->size + 4095) / 4096 * 4096;

			MUST(vm->segment_first + j < head->segment_count);
			if (vm->flags & AV_VM_FLAG_FLASH && segment->ipa < AV_FLASH_SIZE)
				MUST(segment->ipa % (AV_FLASH_SIZE / 2) == 0 && pages <= AV_FLASH_SIZE / 2);
			else
				MUST(segment->ipa >= vm->ram_base && segment->ipa + pages <= end);
			MUST(segment->offset >= head->manifest_size &&
			     segment->offset + pages <= bundle_end);
		}
	}
	for (uint32_t i = 0; i < head->region_count; i++) {
		const struct av_manifest_region *region = &view->regions[i];

		MUST(region->offset >= head->manifest_size &&
		     region->offset + region->size + 4096 <= bundle_end);
		MUST(region->output_size % 4096 == 0 &&
		     region->output_size * region->member_count <= region->size);
		for (uint32_t j = 0; j < region->member_count; j++) {
			const struct av_manifest_member *member =
				&view->members[region->member_first + j];
			const struct av_manifest_vm *vm;

			MUST(region->member_first + j < head->member_count);
			MUST(member->vm > 0 && member->vm < head->vm_count);
			vm = &view->vms[member->vm];
			MUST(region->ipa >= vm->ram_base + vm->ram_size ||
			     region->ipa + region->size + 4096 <= vm->ram_base);
		}
	}
	/* Touch every byte, for the sanitizer. */
	for (uint32_t i = 0; i < head->manifest_size; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)head)[i]);
	MUST(sum == sum);
#undef MUST
}
