/* SPDX-License-Identifier: MIT */
/*
 * top_model.h - what VMs did between two looks at their counters. Pure.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <avisor/hypercall.h>
#include <avisor/manifest.h>

/* Reasons for exits, as the agent's stats name them. */
#define TOP_REASON_COUNT 11
extern const char *const top_reasons[TOP_REASON_COUNT];

struct top_vm {
	char name[AV_NAME_SIZE];
	char state[16];
	bool control;
	uint64_t vcpus, generation, snapshots;
	uint64_t ram_frames, dirty_frames; /* committed; of these its own alone */
	uint64_t frames_used, frames_budget;
	uint64_t cpu_ns;
	uint64_t exits[TOP_REASON_COUNT];
};

struct top_sample {
	uint64_t uptime_ns; /* of the hypervisor: the time that rates count by */
	uint64_t cpus, frames_total, frames_free;
	struct top_vm vms[AV_VM_MAX];
	size_t count;
};

struct top_row {
	const struct top_vm *vm;
	bool known;     /* it was there in the sample before: what follows is known */
	double cpu;     /* of one physical CPU, 1.0 is all of it */
	uint64_t exits; /* a second */
	uint64_t reason[TOP_REASON_COUNT];
};

enum top_sort {
	TOP_SORT_CPU,
	TOP_SORT_EXITS,
	TOP_SORT_MEMORY,
	TOP_SORT_SNAPSHOTS,
	TOP_SORT_NAME,
	TOP_SORT_STATE,
	TOP_SORT_COUNT
};
extern const char *const top_sorts[TOP_SORT_COUNT + 1]; /* "cpu"...; NULL-terminated */

/*
 * The rows of now, sorted (numbers: most first), without the control VM unless asked for. before
 * may be empty. rows has room for AV_VM_MAX; returns how many there are.
 */
size_t top_rows(const struct top_sample *before, const struct top_sample *now, enum top_sort sort,
		bool reverse, bool control, struct top_row *rows);
