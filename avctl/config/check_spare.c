/* SPDX-License-Identifier: MIT */
/*
 * check_spare.c - the meaning of `spare:`: slots for clones, how large a VM each one takes.
 * Called when the VMs are known. Never gives memory that check_memory() does not count.
 */
#include <inttypes.h>
#include <string.h>
#include "../bundle/budget.h"
#include "check.h"
#include "value.h"

/* A scalar is the count alone. */
static const char *text_of(const struct node *spare, const char *key)
{
	const struct node *value = spare->kind == NODE_SCALAR ? NULL : tree_get(spare, key);

	return value && value->kind == NODE_SCALAR ? value->text : NULL;
}

static void check_count(struct check *check, const struct node *spare)
{
	size_t most =
		check->set->vm_count < AV_VM_MAX - 1 ? AV_VM_MAX - 1 - check->set->vm_count : 0;
	bool scalar = spare->kind == NODE_SCALAR;
	const char *key = scalar ? "spare" : "count";
	const struct node *in = scalar ? check->root : spare;
	uint64_t count = 0;

	if (!check_number(check, in, key, scalar ? spare->text : text_of(spare, key), &count))
		return;
	if (count > most) {
		errors_add(check->errors, tree_mark(in, key),
			   "%s: %" PRIu64 " spare slots are too many: VMs and slots are at most %d",
			   key, count, AV_VM_MAX - 1);
		errors_hint(check->errors, "%s: %zu", key, most);
		return;
	}
	check->set->spare.count = (unsigned)count;
}

static void check_size_of(struct check *check, const struct node *spare)
{
	struct set_spare *out = &check->set->spare;
	uint64_t memory = 0, cpus = 0;

	for (size_t i = 0; i < check->set->vm_count; i++) {
		const struct set_vm *vm = &check->set->vms[i];

		if (out->memory < vm->ram_size)
			out->memory = vm->ram_size;
		if (out->cpus < vm->vcpu_count)
			out->cpus = vm->vcpu_count;
	}
	if (check_size(check, spare, "memory", text_of(spare, "memory"), &memory)) {
		if (!memory || memory % CHECK_2M || memory > CHECK_IPA_LIMIT - AV_RAM_PA)
			errors_add(check->errors, tree_mark(spare, "memory"),
				   "memory: a clone's RAM is a multiple of 2MiB, at most 63GiB");
		else
			out->memory = memory;
	}
	if (check_number(check, spare, "cpus", text_of(spare, "cpus"), &cpus)) {
		if (cpus < 1 || cpus > AV_VCPU_MAX)
			errors_add(check->errors, tree_mark(spare, "cpus"),
				   "cpus: a clone has 1 to %d vCPUs", AV_VCPU_MAX);
		else
			out->cpus = (unsigned)cpus;
	}
}

static void check_budget(struct check *check, const struct node *spare)
{
	uint64_t budget;

	check->set->spare.budget = UINT64_MAX; /* a share, see check_memory() */
	if (!check_size(check, spare, "budget", text_of(spare, "budget"), &budget))
		return;
	if (budget > CHECK_IPA_LIMIT) {
		errors_add(check->errors, tree_mark(spare, "budget"),
			   "budget: more than any machine has");
		budget = 0;
	}
	check->set->spare.budget = (budget + BUDGET_PAGE - 1) & ~(BUDGET_PAGE - 1);
}

/* A VM may not be called what a slot is. */
static void check_names(struct check *check)
{
	char slot[AV_SLOT_NAME];

	for (size_t i = 0; i < check->set->vm_count; i++) {
		const struct set_vm *vm = &check->set->vms[i];

		for (unsigned n = 0; vm->name && n < check->set->spare.count; n++) {
			if (strcmp(vm->name, set_slot_name(n, slot)))
				continue;
			errors_add(check->errors, vm->mark,
				   "name: \"%s\" is the name of a spare slot", slot);
			errors_hint(check->errors, "choose another name");
		}
	}
}

void check_spare(struct check *check)
{
	const struct node *spare = tree_get(check->root, "spare");

	if (!spare)
		return;
	check_count(check, spare);
	check_size_of(check, spare);
	check_budget(check, spare);
	check_names(check);
	if (!check->set->spare.count)
		check->set->spare = (struct set_spare){0};
}
