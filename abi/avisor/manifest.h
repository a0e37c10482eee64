/* SPDX-License-Identifier: MIT */
/*
 * manifest.h - what avctl hands to the hypervisor at boot: the head of the bundle.
 *
 * The bundle lies at AV_BUNDLE_PA: the manifest, then page-aligned segments and region contents. All offsets are
 * bytes from AV_BUNDLE_PA. Little-endian. EL2 checks each field before use and refuses the bundle by the name of
 * the first wrong field (manifest_check() in hypervisor/core/manifest.c). The checksum covers the manifest's
 * own bytes, never the segments.
 */
#pragma once

#define AV_BUNDLE_PA 0x41000000
#define AV_RAM_PA 0x40000000	 /* machine RAM starts here: byte 0 of the RAM file */
#define AV_HYPERVISOR_PA 0x40200000
#define AV_MANIFEST_MAGIC 0x31524f5349564100 /* "\0AVISOR1" read as little-endian */

#define AV_VM_MAX 20
#define AV_VCPU_MAX 8	 /* of one VM */
#define AV_CPU_MAX 8	 /* physical */
#define AV_REGION_MAX 32
#define AV_SEGMENT_MAX 256
#define AV_MEMBER_MAX 256
#define AV_MANIFEST_SIZE_MAX 0x10000
#define AV_SNAPSHOT_MAX 16384 /* of one VM */

/* struct av_manifest_vm.flags */
#define AV_VM_FLAG_CONTROL 0x1	     /* the control VM: exactly one, index 0 */
#define AV_VM_FLAG_CLOCK_FOLLOW 0x2  /* CNTVOFF is never written after start */
#define AV_VM_FLAG_PAUSED 0x4	     /* starts paused */
#define AV_VM_FLAG_REFUSE 0x8	     /* snapshots: when-full: refuse (default evict-oldest) */
#define AV_VM_FLAG_NO_SHM 0x10	     /* gets no regions at run time */
#define AV_VM_FLAG_FLASH 0x20	     /* flash at IPA 0: two banks of 64 MiB; one segment at the start of each may fill it */
#define AV_VM_FLAG_SPARE 0x40	     /* a spare slot: no VM yet, room for a clone of at most this RAM and so many vCPUs */
#define AV_VM_FLAG_COPY_BACK 0x80	     /* restores to the base keep the frames of pages that are dirty every round */

#define AV_FLASH_SIZE 0x08000000 /* both banks */

/* struct av_manifest_member.rights */
#define AV_RIGHT_READ 0x1
#define AV_RIGHT_WRITE 0x2 /* only together with READ */

#ifndef __ASSEMBLER__
#include <stdint.h>

/* A run of the bundle that appears in a VM's RAM, read-only and copied on write. */
struct av_manifest_segment {
	uint64_t ipa;	 /* page-aligned, within the VM's RAM or a bank's start; segments of one VM do not overlap */
	uint64_t offset; /* page-aligned; the rest of the last page is zero in the bundle */
	uint64_t size;	 /* bytes, > 0 */
};

struct av_manifest_member {
	uint32_t vm; /* index, of no spare slot */
	uint32_t rights;
};

struct av_manifest_region {
	char name[32];
	uint64_t ipa;	 /* 2 MiB-aligned, the same for all members, clear of every member's RAM and of devices */
	uint64_t offset; /* page-aligned: its memory, initial contents included, is this part of the bundle */
	uint64_t size;	 /* bytes, a multiple of 4 KiB, > 0; one page more, zero, is the state table's */
	uint64_t output_size; /* of each member's section, at the end of size: pages; 0: there are none */
	uint32_t member_first;
	uint32_t member_count;
};

struct av_manifest_vm {
	char name[32];
	uint32_t flags;
	uint32_t vcpu_count;		/* 1..AV_VCPU_MAX */
	uint8_t vcpu_cpu[AV_VCPU_MAX];	/* physical CPU of each; 0xff: the hypervisor balances; unused ones 0xff */
	uint64_t ram_base;		/* IPA, 2 MiB-aligned; a clone has its source's */
	uint64_t ram_size;		/* bytes, a multiple of 2 MiB */
	uint64_t entry;			/* 0 of a spare slot; IPA of the first instruction, within RAM or flash, 4-aligned */
	uint64_t x0;			/* passed in x0 of vCPU 0 */
	uint64_t frame_budget;		/* page frames it may ever hold: RAM + tables + snapshots */
	uint64_t slice_ns;		/* time slice, 0 = default */
	uint32_t snapshot_keep;		/* at most so many snapshots, 0 = no limit but the budget */
	uint32_t segment_first;
	uint32_t segment_count;
	uint32_t reserved;		/* 0 */
};

struct av_manifest {
	uint64_t magic;
	uint16_t abi_major;
	uint16_t abi_minor;
	uint32_t manifest_size; /* bytes: this structure and the four tables */
	uint64_t bundle_size;	/* bytes, page-aligned; frames start after it */
	uint64_t checksum;	/* av_checksum() over manifest_size bytes with this field 0 */
	uint8_t entropy[32];	/* from getrandom() */

	/* the machine */
	uint64_t ram_size; /* bytes from AV_RAM_PA, a multiple of 2 MiB */
	uint64_t shm_size; /* bytes for regions that are got at run time: pages */
	uint64_t set_size; /* bytes for what set snapshots hold besides VMs: pages */
	uint32_t cpu_count;
	uint32_t flags; /* 0 */

	/* tables, in this order right behind this structure, without gaps */
	uint32_t vm_count;
	uint32_t segment_count;
	uint32_t region_count;
	uint32_t member_count;
};

_Static_assert(sizeof(struct av_manifest_segment) == 24, "layout");
_Static_assert(sizeof(struct av_manifest_member) == 8, "layout");
_Static_assert(sizeof(struct av_manifest_region) == 72, "layout");
_Static_assert(sizeof(struct av_manifest_vm) == 112, "layout");
_Static_assert(sizeof(struct av_manifest) == 112, "layout");

/* FNV-1a, 64 bits. Detects damage, not malice. */
static inline uint64_t av_checksum(const void *data, uint64_t size, uint64_t hash)
{
	const uint8_t *byte = data;

	for (uint64_t i = 0; i < size; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3u;
	return hash;
}
#define AV_CHECKSUM_INIT 0xcbf29ce484222325u
#endif /* __ASSEMBLER__ */
