/* SPDX-License-Identifier: MIT */
/*
 * set.c - the table of set snapshots, and what regions held when they were taken.
 * Never touches a VM, and never a region but to copy its contents: state tables are what they are now.
 */
#include "core/set.h"
#include "arch/mem.h"
#include "core/boot.h"
#include "core/region.h"
#include "core/string.h"
#include "mm/frame.h"
#include "mm/node.h"

#define UNDO_MARK 0x80000000u /* marks of undo; those of others are numbers + 1 */

struct set_region {
	uint64_t serial;
	uint64_t pages;
	uint32_t number;
	uint32_t first; /* frame; the others follow by frame.link */
};

struct set {
	uint64_t id; /* AV_SNAPSHOT_UNDO: undo */
	struct set_facts facts;
	uint64_t members[AV_VM_MAX];
	uint64_t frames;
	uint32_t mark;  /* of undo */
	uint32_t frame; /* its own */
	uint32_t region_count;
	uint32_t reserved;
	struct set_region regions[AV_REGION_NUMBERS];
};
_Static_assert(sizeof(struct set) <= PAGE_SIZE, "a set has one frame of its own");
_Static_assert(sizeof(((struct av_set_info *)0)->members) == AV_VM_MAX * sizeof(uint64_t),
	       "one for each VM");

static struct {
	struct frame_budget budget;
	struct set *list[SET_MAX]; /* numbers ascending */
	unsigned count;
	struct set *undo;
	uint64_t next_id;
	uint32_t next_mark;
} sets;

void set_init(void)
{
	uint64_t pages = boot_manifest.head->set_size >> PAGE_SHIFT;

	if (pages && !frame_budget_init(&sets.budget, AV_VM_MAX + 4, pages))
		boot_refuse("sets: no %lu frames for them", pages);
}

void set_counts(struct av_machine_info *info)
{
	info->set_pages = sets.budget.limit;
	info->set_used = sets.budget.used;
}

struct set *set_next(uint64_t cursor)
{
	for (unsigned i = 0; i < sets.count; i++)
		if (sets.list[i]->id >= cursor)
			return sets.list[i];
	return NULL;
}

struct set *set_find(uint64_t id)
{
	struct set *set;

	if (id == AV_SNAPSHOT_UNDO)
		return sets.undo;
	if (id == AV_SNAPSHOT_LATEST)
		return sets.count ? sets.list[sets.count - 1] : NULL;
	set = set_next(id);
	return set && set->id == id ? set : NULL;
}

struct set *set_find_request(uint64_t request_id)
{
	for (unsigned i = 0; i < sets.count; i++)
		if (request_id && sets.list[i]->facts.request_id == request_id)
			return sets.list[i];
	return NULL;
}

bool set_name_taken(const char name[AV_NAME_SIZE])
{
	for (unsigned i = 0; i < sets.count; i++)
		if (name[0] && !strncmp(sets.list[i]->facts.name, name, AV_NAME_SIZE))
			return true;
	return false;
}

uint64_t set_id(const struct set *set)
{
	return set->id;
}

bool set_full(void)
{
	return sets.count == SET_MAX;
}

uint64_t set_next_id(void)
{
	return sets.next_id;
}

uint32_t set_undo_mark(const struct set *set)
{
	return set->mark;
}

uint64_t set_member(const struct set *set, uint32_t vm)
{
	return set->members[vm];
}

bool set_has_vm(uint32_t vm)
{
	for (unsigned i = 0; i < sets.count; i++)
		if (sets.list[i]->members[vm] != AV_SNAPSHOT_NONE)
			return true;
	return false;
}

void set_describe(const struct set *set, struct av_set_info *info)
{
	memset(info, 0, sizeof(*info));
	info->id = set->id;
	info->request_id = set->facts.request_id;
	info->taken_ns = set->facts.taken;
	info->frames = set->frames;
	info->region_pages = set->frames - 1;
	info->region_count = set->region_count;
	info->vm_count = vm_count;
	memcpy(info->name, set->facts.name, sizeof(info->name));
	memcpy(info->members, set->members, sizeof(info->members));
}

/* --- contents */

/* Members see it: those that are being made by a VM are not there yet. */
static bool is_there(const struct region *region)
{
	return region->serial && region->attached;
}

static uint64_t frames_needed(void)
{
	uint64_t frames = 1;

	for (unsigned n = 0; n < AV_REGION_NUMBERS; n++)
		frames += is_there(&regions[n]) ? regions[n].size >> PAGE_SHIFT : 0;
	return frames;
}

bool set_could_fit(void)
{
	return frames_needed() <= sets.budget.limit;
}

static void copy_out(struct set_region *to, const struct region *region)
{
	uint32_t *link = &to->first;

	*to = (struct set_region){
		.serial = region->serial,
		.pages = region->size >> PAGE_SHIFT,
		.number = region_number(region),
	};
	for (uint64_t page = 0; page < to->pages; page++) {
		uint32_t frame = frame_alloc(&sets.budget, FRAME_META);

		arch_page_copy(frame_ptr(frame),
			       pa_ptr(pa(region->memory.value + (page << PAGE_SHIFT))));
		*link = frame;
		link = &frame_at(frame)->link;
	}
	*link = 0;
}

struct set *set_make(const struct set_facts *facts, const struct set *keep)
{
	uint64_t frames = frames_needed();
	struct set *set;
	uint32_t frame;

	if (frame_available(&sets.budget) < frames && sets.undo && sets.undo != keep &&
	    frame_available(&sets.budget) + sets.undo->frames >= frames)
		set_keep_undo(NULL);
	if (frame_available(&sets.budget) < frames)
		return NULL;
	frame = frame_alloc(&sets.budget, FRAME_META);
	set = frame_ptr(frame);
	memset(set, 0, sizeof(*set));
	set->frame = frame;
	set->frames = frames;
	set->facts = *facts;
	for (unsigned i = 0; i < AV_VM_MAX; i++)
		set->members[i] = AV_SNAPSHOT_NONE;
	for (unsigned n = 0; n < AV_REGION_NUMBERS; n++)
		if (is_there(&regions[n]))
			copy_out(&set->regions[set->region_count++], &regions[n]);
	return set;
}

static bool is_still_there(const struct set_region *saved)
{
	const struct region *region = &regions[saved->number];

	return is_there(region) && region->serial == saved->serial;
}

uint64_t set_put_back(const struct set *set)
{
	uint64_t gone = 0;

	for (uint32_t i = 0; i < set->region_count; i++) {
		const struct set_region *from = &set->regions[i];
		struct region *region = &regions[from->number];
		uint64_t to = region->memory.value;

		if (!is_still_there(from)) {
			gone++;
			continue;
		}
		region_keep(region);
		for (uint32_t f = from->first; f; f = frame_at(f)->link, to += PAGE_SIZE)
			arch_page_copy(pa_ptr(pa(to)), frame_ptr(f));
	}
	return gone;
}

/* Of those that were kept none has gone meanwhile, and none has come back. */
void set_let_go(const struct set *set)
{
	for (uint32_t i = 0; i < set->region_count; i++)
		if (is_still_there(&set->regions[i]))
			region_let_go(&regions[set->regions[i].number]);
}

/* --- the table */

void set_append(struct set *set, const uint64_t members[AV_VM_MAX])
{
	set->id = sets.next_id++;
	memcpy(set->members, members, sizeof(set->members));
	sets.list[sets.count++] = set;
}

static void free_frames(struct set *set)
{
	for (uint32_t i = 0; i < set->region_count; i++) {
		uint32_t next;

		for (uint32_t f = set->regions[i].first; f; f = next) {
			next = frame_at(f)->link;
			frame_free(&sets.budget, f);
		}
	}
	frame_free(&sets.budget, set->frame);
}

void set_free(struct set *set)
{
	unsigned at = 0;

	while (at < sets.count && sets.list[at] != set)
		at++;
	if (at < sets.count) {
		sets.count--;
		for (; at < sets.count; at++)
			sets.list[at] = sets.list[at + 1];
	}
	free_frames(set);
}

void set_keep_undo(struct set *set)
{
	if (sets.undo)
		free_frames(sets.undo);
	sets.undo = set;
}

void set_add_undo(struct set *set, uint32_t vm)
{
	set->members[vm] = AV_SNAPSHOT_UNDO;
}

uint32_t set_new_mark(struct set *set)
{
	set->id = AV_SNAPSHOT_UNDO;
	set->mark = UNDO_MARK | ++sets.next_mark;
	return set->mark;
}
