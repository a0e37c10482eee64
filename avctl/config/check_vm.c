/* SPDX-License-Identifier: MIT */
/*
 * check_vm.c - the meaning of `vms:`: names, memory, CPUs, images.
 * Never opens anything but the images and initrds that the set names, and those only for reading.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../bundle/budget.h"
#include "../bundle/place.h"
#include "check.h"
#include "value.h"

#define BOOTARGS_MAX 2047
#define SLICE_LEAST UINT64_C(100000)
#define EXPIRE_LEAST UINT64_C(1000000000)
#define SLICE_MOST UINT64_C(1000000000)

static const char *const clocks[] = {"continue", "follow", NULL};
static const char *const starts[] = {"running", "paused", NULL};
static const char *const policies[] = {"evict-oldest", "refuse", NULL};

static void check_vm_name(struct check *check, size_t index, const struct node *node,
			  const char *name)
{
	const struct set *set = check->set;

	if (!check_name(check, node, "VM", name))
		return;
	if (!strcmp(name, "control")) {
		errors_add(check->errors, tree_mark(node, "name"),
			   "name: \"control\" is the control VM's, which avctl adds");
		errors_hint(check->errors, "choose another name");
		return;
	}
	for (size_t i = 0; i < index; i++) {
		if (!set->vms[i].name || strcmp(set->vms[i].name, name))
			continue;
		errors_add(check->errors, tree_mark(node, "name"),
			   "name: two VMs are called \"%s\"", name);
		errors_hint(check->errors, "the other one is at line %u, column %u",
			    set->vms[i].mark.line, set->vms[i].mark.column);
		return;
	}
	check->set->vms[index].name = check_copy(check, name);
}

static void check_vm_memory(struct check *check, size_t index, const struct node *node,
			    const char *text)
{
	struct set_vm *vm = &check->set->vms[index];
	uint64_t size = 0;

	vm->ram_base = AV_RAM_PA;
	if (!check_size(check, node, "memory", text, &size))
		return;
	if (size && size % CHECK_2M == 0 && size <= CHECK_IPA_LIMIT - vm->ram_base) {
		vm->ram_size = size;
		return;
	}
	errors_add(check->errors, tree_mark(node, "memory"),
		   "memory: a VM's RAM is a multiple of 2MiB, at most 63GiB");
	if (size && size < CHECK_IPA_LIMIT - vm->ram_base - CHECK_2M) {
		char down[VALUE_SIZE_TEXT], up[VALUE_SIZE_TEXT];

		errors_hint(check->errors, "memory: %s%s%s",
			    size > CHECK_2M ? value_size_text(size / CHECK_2M * CHECK_2M, down)
					    : "",
			    size > CHECK_2M ? " or " : "",
			    value_size_text((size / CHECK_2M + 1) * CHECK_2M, up));
	}
}

static void check_vm_cpu(struct check *check, struct set_vm *vm, const struct node *value,
			 unsigned at)
{
	uint64_t cpu = 0;
	const char *wrong = value_number(value->text, &cpu);

	if (wrong) {
		errors_add(check->errors, value->mark, "cpu: \"%s\" is not a number: %s",
			   value->text, wrong);
		errors_hint(check->errors, "the machine's CPUs are 0 to %u",
			    check->set->cpu_count - 1);
	} else if (cpu >= check->set->cpu_count) {
		errors_add(check->errors, value->mark,
			   "cpu: there is no physical CPU %" PRIu64 ": machine.cpus is %u", cpu,
			   check->set->cpu_count);
		errors_hint(check->errors, "the machine's CPUs are 0 to %u",
			    check->set->cpu_count - 1);
	} else {
		vm->vcpu_cpu[at] = (int)cpu;
	}
}

static void check_vm_cpus(struct check *check, struct set_vm *vm, const struct node *node,
			  const struct raw_vm *raw)
{
	const struct node *cpu = tree_get(node, "cpu");
	uint64_t cpus = 1;
	unsigned at = 0;
	bool good = true;

	vm->vcpu_count = 1;
	for (unsigned i = 0; i < AV_VCPU_MAX; i++)
		vm->vcpu_cpu[i] = -1;
	if (!check_number(check, node, "cpus", raw->cpus, &cpus)) {
		good = !raw->cpus;
	} else if (cpus < 1 || cpus > AV_VCPU_MAX) {
		errors_add(check->errors, tree_mark(node, "cpus"),
			   "cpus: %" PRIu64 " is not possible: a VM has 1 to %d vCPUs", cpus,
			   AV_VCPU_MAX);
		errors_hint(check->errors, "cpus: %d", cpus ? AV_VCPU_MAX : 1);
		good = false;
	} else {
		vm->vcpu_count = (unsigned)cpus;
	}
	if (!cpu)
		return;
	if (cpu->kind == NODE_SCALAR) {
		check_vm_cpu(check, vm, cpu, 0);
		for (unsigned i = 1; i < vm->vcpu_count; i++)
			vm->vcpu_cpu[i] = vm->vcpu_cpu[0];
		return;
	}
	for (const struct node_child *item = cpu->first; item; item = item->next) {
		if (at < vm->vcpu_count)
			check_vm_cpu(check, vm, item->node, at);
		at++;
	}
	if (good && at != vm->vcpu_count) {
		errors_add(check->errors, cpu->mark, "cpu: %u physical CPU%s for %u vCPU%s", at,
			   at == 1 ? "" : "s", vm->vcpu_count, vm->vcpu_count == 1 ? "" : "s");
		errors_hint(check->errors,
			    "give one for each vCPU, or a number alone: all of them live there");
	}
}

static void check_snapshots(struct check *check, struct set_vm *vm, const struct node *vm_node,
			    const struct raw_snapshots *raw)
{
	const struct node *node = tree_get(vm_node, "snapshots");
	uint64_t keep = 0;

	vm->snapshot_memory = UINT64_MAX; /* a share, see check_memory() */
	if (!raw)
		return;
	if (check_number(check, node, "keep", raw->keep, &keep)) {
		if (keep > AV_SNAPSHOT_MAX)
			errors_add(check->errors, tree_mark(node, "keep"),
				   "keep: at most %d snapshots", AV_SNAPSHOT_MAX);
		else
			vm->snapshot_keep = (unsigned)keep;
	}
	if (check_size(check, node, "memory", raw->memory, &vm->snapshot_memory)) {
		if (vm->snapshot_memory > CHECK_IPA_LIMIT) {
			errors_add(check->errors, tree_mark(node, "memory"),
				   "memory: more than any machine has");
			vm->snapshot_memory = 0;
		}
		vm->snapshot_memory = (vm->snapshot_memory + BUDGET_PAGE - 1) & ~(BUDGET_PAGE - 1);
	}
	if (check_duration(check, node, "expire", raw->expire, &vm->snapshot_expire) &&
	    vm->snapshot_expire < EXPIRE_LEAST)
		errors_add(check->errors, tree_mark(node, "expire"), "expire: at least 1s");
	check_bool(check, node, "copy-back", raw->copy_back, &vm->snapshot_copy_back);
	vm->snapshot_refuse = check_choice(check, node, "when-full", raw->when_full, policies) == 1;
}

static void check_vm(struct check *check, size_t index)
{
	const struct node *node = tree_item(tree_get(check->root, "vms"), index);
	const struct raw_vm *raw = &check->raw->set->vms[index];
	struct set_vm *vm = &check->set->vms[index];
	bool shm;

	vm->mark = node ? node->mark : check->root->mark;
	check_vm_name(check, index, node, raw->name);
	check_vm_memory(check, index, node, raw->memory);
	check_vm_cpus(check, vm, node, raw);
	check_vm_files(check, index, node, raw);
	check_snapshots(check, vm, node, raw->snapshots);
	vm->clock_follow = check_choice(check, node, "clock", raw->clock, clocks) == 1;
	vm->start_paused = check_choice(check, node, "start", raw->start, starts) == 1;
	if (check_bool(check, node, "shm", raw->shm, &shm))
		vm->no_shm = !shm;
	if (check_duration(check, node, "slice", raw->slice, &vm->slice_ns) &&
	    (vm->slice_ns < SLICE_LEAST || vm->slice_ns > SLICE_MOST))
		errors_add(check->errors, tree_mark(node, "slice"),
			   "slice: a time slice is 100us to 1s");
	if (raw->bootargs && strlen(raw->bootargs) > BOOTARGS_MAX)
		errors_add(check->errors, tree_mark(node, "bootargs"), "bootargs: at most %d bytes",
			   BOOTARGS_MAX);
	vm->bootargs = check_copy(check, raw->bootargs);
}

void check_vms(struct check *check)
{
	const struct node *list = tree_get(check->root, "vms");
	size_t count = check->raw->set->vm_count;

	check->set->vms = check_array(check, count, sizeof(*check->set->vms));
	if (!check->set->vms)
		return;
	check->set->vm_count = count;
	if (list && !count) {
		errors_add(check->errors, list->mark, "vms: the set has no VM");
		errors_hint(check->errors, "add one: - {name: vm1, image: vm1.elf, memory: 64MiB}");
	}
	if (count > AV_VM_MAX - 1) {
		errors_add(check->errors, list->mark, "vms: %zu VMs are too many: at most %d",
			   count, AV_VM_MAX - 1);
		errors_hint(check->errors, "the control VM, which avctl adds, is one more");
	}
	for (size_t i = 0; i < count && !errors_is_out_of_memory(check->errors); i++)
		check_vm(check, i);
}
