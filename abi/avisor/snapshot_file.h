/* SPDX-License-Identifier: MIT */
/*
 * snapshot_file.h - a snapshot in a file (FILE.avs): header, chunks, trailer. docs/snapshot-file.md explains it.
 *
 * All numbers are little-endian; hashes are XXH3 with seed 0. Pages that read as zeros are left out. A chunk is a struct avs_chunk
 * and `stored` bytes, which zstd unpacks to `raw` bytes. Of AVS_CHUNK_STATE: `count` struct avs_part, then their bytes one after the
 * other. Of AVS_CHUNK_PAGES: `count` struct avs_page, addresses ascending through the whole file, then the bytes of those
 * that are not the same as an earlier one.
 */
#pragma once
#include <stdint.h>

#define AVS_MAGIC "AVISNAP\x1a"
#define AVS_TRAILER_MAGIC "AVISEND\x1a"
#define AVS_FORMAT_MAJOR 1 /* another one cannot be read */
#define AVS_FORMAT_MINOR 0
#define AVS_PLATFORM "qemu-virt"

struct avs_header {
	char magic[8];
	uint16_t format_major, format_minor;
	uint32_t header_size;
	uint32_t abi_major, abi_minor;
	char platform[16];
	char version[16]; /* of the hypervisor whose state this is */
	/* the VM: another one must have the same */
	uint64_t ram_base, ram_size;
	uint32_t vcpu_count;
	uint32_t part_count;
	uint64_t state_layout; /* XXH3-64 over the struct avs_part of all parts */
	uint64_t counter_hz, clock_origin;
	uint64_t midr, ctr;
	uint64_t id_registers[64]; /* as av_snapshot_shape.id */
	/* the snapshot */
	char vm[32], name[32];
	uint64_t id;
	uint64_t exported; /* seconds since 1970 */
	uint64_t vm_ticks;
	uint32_t state; /* AV_STATE_* */
	uint32_t reserved;
	/* the file */
	uint64_t page_count;   /* that do not read as zeros */
	uint64_t unique_count; /* of them, whose bytes are in the file */
	uint64_t chunk_count;
	uint64_t file_size;
	uint64_t checksum; /* XXH3-64 of all before */
};
_Static_assert(sizeof(struct avs_header) == 768, "the header's layout is the format");

struct avs_part {
	char name[32];
	uint32_t size;
	uint32_t reserved;
};

#define AVS_SAME_NONE UINT64_MAX
struct avs_page {
	uint64_t ipa;
	uint64_t same_as; /* IPA of an earlier page with its own bytes, or AVS_SAME_NONE */
};

#define AVS_CHUNK_MAGIC 0x43535641u /* "AVSC" */
#define AVS_CHUNK_STATE 1	    /* the first, and only that */
#define AVS_CHUNK_PAGES 2
#define AVS_CHUNK_PAGE_COUNT 256
struct avs_chunk {
	uint32_t magic;
	uint32_t kind;
	uint32_t index; /* from 0 */
	uint32_t count;
	uint32_t raw, stored;
	uint64_t hash; /* XXH3-64 of this structure with hash 0, and of the stored bytes */
};

struct avs_trailer {
	char magic[8];
	struct avs_header header; /* once more: tells which field of the first was damaged */
	uint64_t whole_low, whole_high; /* XXH3-128 of all chunks, then the header */
};
