/* SPDX-License-Identifier: MIT */
/* top_model.c - rates from two samples of counters, and their order.
 * Never shows a rate of a VM that was not there before, and none below zero. */
#include "tui/top_model.h"

#include <string.h>

#define NS_PER_S 1000000000ull

const char *const top_reasons[TOP_REASON_COUNT] = {
	"hvc", "smc", "wfi", "sysreg", "mmio", "touch", "write", "fault", "irq", "abort", "other",
};

const char *const top_sorts[TOP_SORT_COUNT + 1] = {
	"cpu", "exits", "memory", "snapshots", "name", "state", NULL,
};

static const struct top_vm *find(const struct top_sample *sample, const char *name)
{
	for (size_t i = 0; i < sample->count; i++)
		if (strcmp(sample->vms[i].name, name) == 0)
			return &sample->vms[i];
	return NULL;
}

static uint64_t per_second(uint64_t before, uint64_t now, uint64_t ns)
{
	uint64_t more = now > before ? now - before : 0;

	return (uint64_t)((double)more * (double)NS_PER_S / (double)ns + 0.5);
}

static void fill(struct top_row *row, const struct top_vm *vm, const struct top_vm *old,
		 uint64_t ns)
{
	*row = (struct top_row){.vm = vm, .known = old && ns};
	if (!row->known)
		return;
	row->cpu = vm->cpu_ns > old->cpu_ns ? (double)(vm->cpu_ns - old->cpu_ns) / (double)ns : 0;
	for (size_t i = 0; i < TOP_REASON_COUNT; i++) {
		row->reason[i] = per_second(old->exits[i], vm->exits[i], ns);
		row->exits += row->reason[i];
	}
}

/* Above zero: left comes behind right. */
static int order(const struct top_row *left, const struct top_row *right, enum top_sort sort)
{
	switch (sort) {
	case TOP_SORT_CPU:
		return (left->cpu < right->cpu) - (left->cpu > right->cpu);
	case TOP_SORT_EXITS:
		return (left->exits < right->exits) - (left->exits > right->exits);
	case TOP_SORT_MEMORY:
		return (left->vm->frames_used < right->vm->frames_used) -
		       (left->vm->frames_used > right->vm->frames_used);
	case TOP_SORT_SNAPSHOTS:
		return (left->vm->snapshots < right->vm->snapshots) -
		       (left->vm->snapshots > right->vm->snapshots);
	case TOP_SORT_STATE:
		return strcmp(left->vm->state, right->vm->state);
	default:
		return strcmp(left->vm->name, right->vm->name);
	}
}

size_t top_rows(const struct top_sample *before, const struct top_sample *now, enum top_sort sort,
		bool reverse, bool control, struct top_row *rows)
{
	uint64_t ns = now->uptime_ns > before->uptime_ns ? now->uptime_ns - before->uptime_ns : 0;
	size_t count = 0;

	for (size_t i = 0; i < now->count; i++) {
		struct top_row row;
		size_t at = count;

		if (now->vms[i].control && !control)
			continue;
		fill(&row, &now->vms[i], find(before, now->vms[i].name), ns);
		/* Insertion keeps the file's order among equals. */
		while (at && (reverse ? -order(&rows[at - 1], &row, sort)
				      : order(&rows[at - 1], &row, sort)) > 0) {
			rows[at] = rows[at - 1];
			at--;
		}
		rows[at] = row;
		count++;
	}
	return count;
}
