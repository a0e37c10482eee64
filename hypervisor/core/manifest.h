/* SPDX-License-Identifier: MIT */
/*
 * manifest.h - is this manifest one that can be booted from? Pure: the same file runs in EL2, in avctl and in the
 * fuzzer.
 */
#pragma once
#include <stdint.h>
#include <avisor/manifest.h>

/* The tables of a checked manifest, and room for the name of what is wrong with one. */
struct manifest_view {
	const struct av_manifest *head;
	const struct av_manifest_vm *vms;           /* head->vm_count */
	const struct av_manifest_segment *segments; /* head->segment_count */
	const struct av_manifest_region *regions;   /* head->region_count */
	const struct av_manifest_member *members;   /* head->member_count */
	char wrong[64];
};

/*
 * Check the manifest, of which max_size bytes may be read; it is 8-aligned and does not change meanwhile. Returns
 * NULL with *view filled in, or the name of the first wrong field, such as "vm[2].ram_size", which lives in *view.
 *
 * What holds after NULL: all counts, offsets and sizes are in bounds and their sums do not wrap; the segments of a
 * VM lie in its RAM and do not overlap; a region's memory is its own; a region's 2 MiB windows meet neither RAM,
 * devices nor another region of any member; names are good, unique and NUL-terminated; VM 0 is the control VM and
 * the only one. That machine RAM of head->ram_size bytes exists is the caller's to know.
 */
const char *manifest_check(const struct av_manifest *manifest, uint64_t max_size,
			   struct manifest_view *view);

/* After manifest_check(): NULL when the VMs' budgets together fit frames page frames, else the first that does not. */
const char *manifest_check_frames(struct manifest_view *view, uint64_t frames);
