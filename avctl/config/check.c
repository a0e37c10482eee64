/* SPDX-License-Identifier: MIT */
/*
 * check.c - the meaning of a set file: the machine, its memory, and the conversions the other parts share.
 * Never stops at the first error: what is wrong is added to the list and checking goes on with what is left.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <avisor/hypercall.h>
#include "../bundle/budget.h"
#include "check.h"
#include "value.h"

static bool converted(struct check *check, const struct node *mapping, const char *key,
		      const char *text, const char *wrong, const char *kind, const char *hint)
{
	if (!wrong)
		return true;
	errors_add(check->errors, tree_mark(mapping, key), "%s: \"%s\" is not a %s: %s", key, text,
		   kind, wrong);
	errors_hint(check->errors, "%s", hint);
	return false;
}

bool check_number(struct check *check, const struct node *mapping, const char *key,
		  const char *text, uint64_t *out)
{
	return text && converted(check, mapping, key, text, value_number(text, out), "number",
				 "numbers are like 1, 64 or 0x40");
}

bool check_size(struct check *check, const struct node *mapping, const char *key, const char *text,
		uint64_t *out)
{
	return text &&
	       converted(check, mapping, key, text, value_size(text, out), "size or address",
			 "sizes are like 64KiB, 128MiB or 1GiB, addresses like 0x70000000");
}

bool check_duration(struct check *check, const struct node *mapping, const char *key,
		    const char *text, uint64_t *out)
{
	return text && converted(check, mapping, key, text, value_duration(text, out), "duration",
				 "durations are like 500us, 5ms, 1s or 7d");
}

bool check_bool(struct check *check, const struct node *mapping, const char *key, const char *text,
		bool *out)
{
	return text && converted(check, mapping, key, text, value_bool(text, out), "truth value",
				 "write true or false");
}

static const char *next_choice(void *context)
{
	const char *const **at = context;

	return **at ? *(*at)++ : NULL;
}

int check_choice(struct check *check, const struct node *mapping, const char *key, const char *text,
		 const char *const *choices)
{
	const char *const *at = choices;
	const char *nearest;
	char all[160] = "";
	size_t used = 0;

	if (!text)
		return -1;
	for (int i = 0; choices[i]; i++)
		if (!strcmp(choices[i], text))
			return i;
	for (size_t i = 0; choices[i] && used < sizeof(all); i++)
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "",
					 choices[i]);
	errors_add(check->errors, tree_mark(mapping, key), "%s: \"%s\" is none of %s", key, text,
		   all);
	nearest = errors_nearest(text, next_choice, &at);
	if (nearest)
		errors_hint(check->errors, "did you mean \"%s\"?", nearest);
	else
		errors_hint(check->errors, "write one of them");
	return -1;
}

bool check_name(struct check *check, const struct node *mapping, const char *what, const char *text)
{
	if (!text)
		return false;
	if (value_is_name(text))
		return true;
	errors_add(check->errors, tree_mark(mapping, "name"), "name: \"%s\" cannot name a %s", text,
		   what);
	errors_hint(check->errors, "names are 1 to 31 of a-z 0-9 . _ - and start with a letter");
	return false;
}

char *check_copy(struct check *check, const char *text)
{
	char *copy;

	if (!text)
		return NULL;
	copy = malloc(strlen(text) + 1);
	if (!copy) {
		errors_out_of_memory(check->errors);
		return NULL;
	}
	return strcpy(copy, text);
}

void *check_array(struct check *check, size_t count, size_t size)
{
	void *array = calloc(count ? count : 1, size);

	if (!array)
		errors_out_of_memory(check->errors);
	return array;
}

#define SHM_DEFAULT_MOST (UINT64_C(16) << 20)
#define SHM_MOST (UINT64_C(1) << 30)
#define SETS_MOST (UINT64_C(256) << 20)
#define SETS_PAGES 64 /* one for each set snapshot that the hypervisor keeps */

static bool is_cpu_model(const char *text)
{
	for (const char *c = text; *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		      (*c >= '0' && *c <= '9') || strchr("-_.,=+", *c)))
			return false;
	return *text && *text != '-' && strlen(text) <= 128;
}

static void check_machine(struct check *check)
{
	const struct node *node = tree_get(check->root, "machine");
	const struct raw_machine *raw = check->raw->set->machine;
	struct set *set = check->set;
	uint64_t cpus = 1;

	set->cpu_count = 1;
	if (!raw)
		return;
	if (raw->cpus && check_number(check, node, "cpus", raw->cpus, &cpus)) {
		if (cpus < 1 || cpus > AV_CPU_MAX)
			errors_add(check->errors, tree_mark(node, "cpus"),
				   "cpus: a machine has 1 to %d physical CPUs", AV_CPU_MAX);
		else
			set->cpu_count = (unsigned)cpus;
	}
	if (check_size(check, node, "memory", raw->memory, &set->memory) &&
	    (set->memory % CHECK_2M || set->memory > CHECK_IPA_LIMIT || !set->memory)) {
		errors_add(check->errors, tree_mark(node, "memory"),
			   "memory: the machine's memory is a multiple of 2MiB, at most 64GiB");
		set->memory = 0;
	}
	set->shm_size = set->memory / 64 < SHM_DEFAULT_MOST ? set->memory / 64 : SHM_DEFAULT_MOST;
	if (raw->shm && check_size(check, node, "shm", raw->shm, &set->shm_size) &&
	    set->shm_size > SHM_MOST) {
		errors_add(check->errors, tree_mark(node, "shm"), "shm: at most 1GiB");
		set->shm_size = 0;
	}
	set->shm_size = (set->shm_size + BUDGET_PAGE - 1) / BUDGET_PAGE * BUDGET_PAGE;
	if (raw->cpu && !is_cpu_model(raw->cpu)) {
		errors_add(check->errors, tree_mark(node, "cpu"), "cpu: \"%s\" is not a CPU model",
			   raw->cpu);
		errors_hint(check->errors, "for example cortex-a57, or max,pauth-impdef=on");
		return;
	}
	set->cpu_model = check_copy(check, raw->cpu ? raw->cpu : "cortex-a57");
}

/* machine.sets; without it four times all the regions, and a page for each set there can be. The regions are known. */
static void check_sets(struct check *check)
{
	const struct node *node = tree_get(check->root, "machine");
	const struct raw_machine *raw = check->raw->set->machine;
	struct set *set = check->set;

	set->sets_size = SETS_PAGES * BUDGET_PAGE;
	for (size_t i = 0; i < set->region_count; i++)
		set->sets_size += 4 * set->regions[i].size;
	if (set->sets_size > set->memory / 32)
		set->sets_size = set->memory / 32;
	if (set->sets_size > SETS_MOST)
		set->sets_size = SETS_MOST;
	if (raw && raw->sets && check_size(check, node, "sets", raw->sets, &set->sets_size) &&
	    set->sets_size > SETS_MOST) {
		errors_add(check->errors, tree_mark(node, "sets"), "sets: at most 256MiB");
		set->sets_size = 0;
	}
	set->sets_size = (set->sets_size + BUDGET_PAGE - 1) / BUDGET_PAGE * BUDGET_PAGE;
}

/* Bytes of machine RAM for so many frames and the bundle, rounded up to what a person would write. */
static uint64_t memory_needed(uint64_t frames, uint64_t bundle_size)
{
	uint64_t step = 64 * UINT64_C(0x100000);
	uint64_t memory = step;

	while (memory < CHECK_IPA_LIMIT && budget_available(memory, bundle_size, 0) < frames)
		memory += step;
	return memory;
}

/*
 * Give each VM without `snapshots: {memory:}`, and each spare slot without a budget, an equal share of the frames that are left, and refuse a machine
 * that is too small. VMs whose own memory is wrong are left out.
 */
static void check_memory(struct check *check)
{
	struct set *set = check->set;
	const struct node *machine = tree_get(check->root, "machine");
	uint64_t available, needed = BUDGET_CONTROL_FRAMES + budget_regions(set), shares = 0, share;
	char have[VALUE_SIZE_TEXT], want[VALUE_SIZE_TEXT];

	if (!set->memory)
		return;
	available = budget_available(set->memory, check->bundle_size, 0);
	needed += (set->shm_size + set->sets_size) / BUDGET_PAGE + set->spare.count * budget_spare_base(set);
	if (set->spare.budget == UINT64_MAX)
		shares += set->spare.count;
	else
		needed += set->spare.count * (set->spare.budget / BUDGET_PAGE);
	for (size_t i = 0; i < set->vm_count; i++) {
		if (!set->vms[i].ram_size)
			continue;
		needed += budget_base(set, i);
		if (set->vms[i].snapshot_memory == UINT64_MAX)
			shares++;
		else
			needed += set->vms[i].snapshot_memory / BUDGET_PAGE;
	}
	if (needed + shares * (BUDGET_SNAPSHOT_LEAST / BUDGET_PAGE) > available) {
		needed += shares * (BUDGET_SNAPSHOT_LEAST / BUDGET_PAGE);
		errors_add(check->errors, tree_mark(machine, "memory"),
			   "memory: %s is too little for this set: its VMs, snapshots, regions and "
			   "images and the "
			   "hypervisor need %s",
			   value_size_text(set->memory, have),
			   value_size_text(memory_needed(needed, check->bundle_size), want));
		errors_hint(check->errors, "memory: %s, or less memory for the VMs", want);
		return;
	}
	share = shares ? (available - needed) / shares * BUDGET_PAGE : 0;
	for (size_t i = 0; i < set->vm_count; i++)
		if (set->vms[i].snapshot_memory == UINT64_MAX)
			set->vms[i].snapshot_memory = share;
	if (set->spare.budget == UINT64_MAX)
		set->spare.budget = share;
}

/* The set's name: as given, else the file's without its suffix. */
static void check_set_name(struct check *check)
{
	const char *given = check->raw->set->name;
	const char *base = strrchr(check->set->path, '/');
	char name[AV_NAME_SIZE];
	size_t length;

	if (given) {
		if (check_name(check, check->root, "set", given))
			check->set->name = check_copy(check, given);
		return;
	}
	base = base ? base + 1 : check->set->path;
	length = strcspn(base, ".");
	if (length < sizeof(name)) {
		memcpy(name, base, length);
		name[length] = 0;
	}
	if (length >= sizeof(name) || !value_is_name(name)) {
		errors_add(check->errors, check->root->mark,
			   "the set needs a name: the file's own cannot be one");
		errors_hint(check->errors, "add a line like \"name: demo\"");
		return;
	}
	check->set->name = check_copy(check, name);
}

void check_set(struct check *check)
{
	uint64_t version = 0;

	if (check_number(check, check->root, "version", check->raw->set->version, &version) &&
	    version != 1) {
		errors_add(check->errors, tree_mark(check->root, "version"),
			   "version: %" PRIu64 " is not known here", version);
		errors_hint(check->errors, "version: 1");
	}
	check_set_name(check);
	check_machine(check);
	check->bundle_size = AV_MANIFEST_SIZE_MAX + BUDGET_CONTROL_BUNDLE;
	check_vms(check);
	if (!errors_is_out_of_memory(check->errors))
		check_regions(check);
	if (!errors_is_out_of_memory(check->errors))
		check_spare(check);
	if (!errors_is_out_of_memory(check->errors)) {
		check_sets(check);
		check_memory(check);
	}
}
