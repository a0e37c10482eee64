/* SPDX-License-Identifier: MIT */
/* vm_rig.c - the copy-everything model and the little run loop around it. Never looks into a table.
 */
#include "vm_rig.h"
#include <arch/mem.h>
#include <arch/tlb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "mm/live.h"

#define MACHINE_SIZE (160UL << 20)
#define MACHINE_BASE 0x40000000UL
#define BUNDLE_PA (MACHINE_BASE + 0x100000UL)
#define REGION_PA (MACHINE_BASE + 0x800000UL)
#define FREE_PA (MACHINE_BASE + 0x900000UL)

static void save_part(void *ctx, void *to)
{
	const struct state_part *part = ctx;

	memcpy(to, part->ctx, part->size);
}

/* parts[i].ctx of the engine is the inner part, whose ctx is the memory. */
static void load_part(void *ctx, const void *from)
{
	const struct state_part *part = ctx;

	memcpy(part->ctx, from, part->size);
}

static bool same_part(void *ctx, const void *saved)
{
	const struct state_part *part = ctx;

	return !memcmp(part->ctx, saved, part->size);
}

static struct state_part inner[RIG_VMS][3], outer[RIG_VMS][3];

static const struct state_part *parts_of(struct rig_vm *vm)
{
	struct state_part *in = inner[vm->number], *out = outer[vm->number];

	in[0] = (struct state_part){.size = sizeof(vm->part0), .ctx = vm->part0};
	in[1] = (struct state_part){.size = sizeof(vm->part1), .ctx = vm->part1};
	in[2] = (struct state_part){.size = sizeof(vm->part2), .ctx = vm->part2};
	for (uint32_t i = 0; i < 3; i++)
		out[i] = (struct state_part){"part", in[i].size, save_part, load_part,
					     &in[i], NULL,       NULL};
	out[0].same = same_part;
	return out;
}

struct rig_model *rig_model(struct rig_vm *vm, uint64_t id)
{
	if (id == AV_SNAPSHOT_BOOT)
		return &vm->boot;
	if (id == AV_SNAPSHOT_UNDO)
		return vm->undo.used ? &vm->undo : NULL;
	if (id == AV_SNAPSHOT_LATEST)
		return vm->model_count ? vm->snapshots[vm->model_count - 1] : NULL;
	for (uint32_t i = 0; i < vm->model_count; i++)
		if (vm->snapshots[i]->id == id)
			return vm->snapshots[i];
	return NULL;
}

static void model_remove(struct rig_vm *vm, uint64_t id)
{
	if (id == AV_SNAPSHOT_UNDO) {
		assert_true(vm->undo.used);
		vm->undo.used = false;
		return;
	}
	for (uint32_t i = 0; i < vm->model_count; i++) {
		if (vm->snapshots[i]->id != id)
			continue;
		free(vm->snapshots[i]);
		vm->model_count--;
		memmove(&vm->snapshots[i], &vm->snapshots[i + 1],
			(vm->model_count - i) * sizeof(vm->snapshots[0]));
		return;
	}
	fail_msg("an unknown snapshot was removed");
}

/* The engine may evict the oldest unpinned one, undo, and what goes with the other parts of its set; nothing else. */
static void evicted(void *ctx, uint64_t id)
{
	struct rig_vm *vm = ctx;

	vm->evictions++;
	if (id != AV_SNAPSHOT_UNDO && !rig_model(vm, id)->whole) {
		for (uint32_t i = 0; vm->snapshots[i]->id != id; i++)
			assert_true(vm->snapshots[i]->pinned || vm->snapshots[i]->clones);
		assert_false(rig_model(vm, id)->pinned || rig_model(vm, id)->clones);
	}
	model_remove(vm, id);
}

uint64_t rig_random(struct rig *rig, uint64_t below)
{
	rig->random ^= rig->random << 13;
	rig->random ^= rig->random >> 7;
	rig->random ^= rig->random << 17;
	return (rig->random * 0x2545f4914f6cdd1dU >> 11) % below;
}

static void fill_bundle(struct rig *rig)
{
	rig->bundle = pa(BUNDLE_PA);
	for (uint64_t i = 0; i < RIG_BUNDLE_PAGES; i++) {
		uint64_t *page = pa_ptr(pa(BUNDLE_PA + i * PAGE_SIZE));

		memset(page, 0, PAGE_SIZE);
		page[0] = page[511] = 0xb000000 + i;
	}
	memset(pa_ptr(pa(REGION_PA)), 0, RIG_REGION_PAGES * PAGE_SIZE);
}

/* The bundle lies at page 100: it begins and ends inside a 2 MiB chunk and covers one boundary. */
static void vm_new(struct rig *rig, uint32_t number, const struct rig_options *options)
{
	struct rig_vm *vm = calloc(1, sizeof(*vm));
	struct vmem_config config = {
		.owner = (uint8_t)(number + 1),
		.ram_base = RIG_BASE,
		.ram_size = RIG_RAM,
		.frame_limit = options->limit,
		.vmid_first = 1 + number * 3,
		.vmid_count = 3,
		.snapshot_keep = options->keep,
		.refuse = options->refuse,
		.copy_back = options->copy_back,
		.part_count = 3,
		.evicted = evicted,
		.evicted_ctx = vm,
	};
	struct snapshot_facts facts = {.state = AV_STATE_STOPPED};

	rig->vm[number] = vm;
	vm->number = number;
	vm->wide = number == 1;
	vm->pe = number < 2 ? number
			    : number + 1; /* PE 0; PEs 1 and 2; one for each of the others */
	vm->rw = number != 2;
	config.parts = parts_of(vm);
	if (number >= options->vms) {
		config.frame_limit = options->spare_limit;
		config.ram_size += number * REGION_2M_SIZE; /* room that this clone does not need */
		assert_int_equal(vmem_init_spare(&vm->m, &config), 0);
		vm->used_empty = vm->m.budget.used;
		return;
	}
	assert_int_equal(vmem_init(&vm->m, &config), 0);
	assert_int_equal(vmem_map_bundle(&vm->m, ipa(RIG_BASE + 100 * PAGE_SIZE), rig->bundle,
					 RIG_BUNDLE_PAGES),
			 0);
	assert_int_equal(vmem_attach_region(&vm->m, ipa(RIG_REGION), vm->rw ? &rig->rw : &rig->ro),
			 0);
	vmem_reserve_window(&vm->m, 64 * REGION_2M_SIZE);
	for (uint32_t i = 0; i < RIG_BUNDLE_PAGES; i++)
		vm->now.tags[100 + i] = 0xb000000 + i;
	rig_set_state(vm, number);
	assert_int_equal(snapshot_seal_boot(&vm->m, &facts), 0);
	vm->boot = vm->now;
	vm->boot.clones = 0;
	vm->boot.id = AV_SNAPSHOT_BOOT;
	vm->boot.vm_state = AV_STATE_STOPPED;
	rig_load(vm);
}

struct rig *rig_new(const struct rig_options *options)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->random = options->seed * 2 + 1;
	rig->vm_count = options->vms + options->spares;
	fake_machine(MACHINE_BASE, MACHINE_SIZE);
	frame_init(pa(MACHINE_BASE), MACHINE_SIZE, pa(FREE_PA));
	fill_bundle(rig);
	assert_true(frame_budget_init(&rig->shared, 200, 8));
	assert_int_equal(region_tables_init(&rig->rw, &rig->shared, pa(REGION_PA),
					    RIG_REGION_PAGES * PAGE_SIZE, true),
			 0);
	assert_int_equal(region_tables_init(&rig->ro, &rig->shared, pa(REGION_PA),
					    RIG_REGION_PAGES * PAGE_SIZE, false),
			 0);
	for (uint32_t i = 0; i < rig->vm_count; i++)
		vm_new(rig, i, options);
	return rig;
}

void rig_end(struct rig *rig)
{
	for (uint32_t i = 0; i < rig->vm_count; i++) {
		for (uint32_t j = 0; j < rig->vm[i]->model_count; j++)
			free(rig->vm[i]->snapshots[j]);
		free(rig->vm[i]);
	}
	free(rig);
	fake_machine_end();
}

void rig_load(struct rig_vm *vm)
{
	fake_load(vm->pe, vmem_vttbr(&vm->m));
	if (vm->wide)
		fake_load(vm->pe + 1, vmem_vttbr(&vm->m));
}

void rig_unload(struct rig_vm *vm)
{
	fake_load(vm->pe, 0);
	if (vm->wide)
		fake_load(vm->pe + 1, 0);
}

bool rig_access(struct rig_vm *vm, uint64_t address, bool write, uint8_t **page)
{
	uint32_t pe = vm->pe + (vm->wide ? (uint32_t)(address >> PAGE_SHIFT) % 2 : 0);

	fake_set_pe(pe);
	if (vm->wide) /* the other PE has seen the page as well */
		fake_guest_access(2 * vm->pe + 1 - pe, ipa(address), false, NULL);
	for (uint32_t tries = 0; tries < 4 && !fake_violations(); tries++) {
		enum fake_access result = fake_guest_access(pe, ipa(address), write, page);

		if (result == FAKE_GOOD)
			return true;
		switch (vmem_fault(&vm->m, ipa(address), write, vm->wide)) {
		case VMEM_STARVED:
		case VMEM_RO_REGION:
		case VMEM_NOT_RAM:
			return false;
		default:
			break;
		}
	}
	if (!fake_violations())
		fail_msg("a fault does not end");
	return false;
}

static void model_touch(struct rig_vm *vm, uint32_t page, bool write)
{
	bool bundle = page >= 100 && page < 100 + RIG_BUNDLE_PAGES;

	if (!vm->now.touched[page] && (write || !bundle)) {
		vm->now.touched[page] = 1;
		vm->now.committed++;
	}
}

bool rig_write(struct rig_vm *vm, uint32_t page, uint64_t tag)
{
	uint8_t *bytes;

	if (!rig_access(vm, RIG_BASE + page * PAGE_SIZE, true, &bytes))
		return false;
	assert_int_equal(((uint64_t *)(void *)bytes)[0], vm->now.tags[page]);
	((uint64_t *)(void *)bytes)[0] = tag;
	((uint64_t *)(void *)bytes)[511] = tag;
	model_touch(vm, page, true);
	vm->now.tags[page] = tag;
	return true;
}

bool rig_read(struct rig_vm *vm, uint32_t page)
{
	uint8_t *bytes;

	if (!rig_access(vm, RIG_BASE + page * PAGE_SIZE, false, &bytes))
		return false;
	assert_int_equal(((uint64_t *)(void *)bytes)[0], vm->now.tags[page]);
	assert_int_equal(((uint64_t *)(void *)bytes)[511], vm->now.tags[page]);
	model_touch(vm, page, false);
	return true;
}

bool rig_execute(struct rig_vm *vm, uint32_t page)
{
	ipa_t address = ipa(RIG_BASE + page * PAGE_SIZE);

	fake_set_pe(vm->pe);
	for (uint32_t tries = 0; tries < 4 && !fake_violations(); tries++) {
		if (fake_guest_fetch(vm->pe, address) == FAKE_GOOD) {
			model_touch(vm, page, false);
			return true;
		}
		if (vmem_fault(&vm->m, address, false, vm->wide) == VMEM_STARVED)
			return false;
	}
	if (!fake_violations())
		fail_msg("a fetch does not end");
	return false;
}

bool rig_host_write(struct rig *rig, struct rig_vm *vm, uint32_t page, uint64_t tag)
{
	uint64_t *words;

	fake_set_pe((uint32_t)rig_random(rig, FAKE_PE_COUNT));
	words = vmem_host_access(&vm->m, ipa(RIG_BASE + page * PAGE_SIZE + 8 * (tag & 511)), true);
	if (!words)
		return false;
	assert_int_equal(words[0], vm->now.tags[page]);
	words[0] = words[511] = tag;
	model_touch(vm, page, true);
	vm->now.tags[page] = tag;
	return true;
}

void rig_host_read(struct rig *rig, struct rig_vm *vm, uint32_t page)
{
	const uint64_t *words;

	fake_set_pe((uint32_t)rig_random(rig, FAKE_PE_COUNT));
	words = vmem_host_access(&vm->m, ipa(RIG_BASE + page * PAGE_SIZE), false);
	assert_non_null(words);
	assert_int_equal(words[0], vm->now.tags[page]);
	assert_int_equal(words[511], vm->now.tags[page]);
}

void rig_set_state(struct rig_vm *vm, uint32_t value)
{
	uint32_t v[3] = {value, value * 3 + 1, value * 7 + 2};

	memset(vm->part0, (int)(v[0] & 0xff), sizeof(vm->part0));
	memcpy(vm->part0, &v[0], 4);
	memset(vm->part1, (int)(v[1] & 0xff), sizeof(vm->part1));
	memcpy(vm->part1, &v[1], 4);
	memcpy(vm->part2, &v[2], 4);
	memcpy(vm->now.state, v, sizeof(v));
}

void rig_check_state(const struct rig_vm *vm)
{
	const uint32_t *v = vm->now.state;

	assert_memory_equal(vm->part0, &v[0], 4);
	assert_int_equal(vm->part0[999], v[0] & 0xff);
	assert_memory_equal(vm->part1, &v[1], 4);
	assert_int_equal(vm->part1[3583], v[1] & 0xff);
	assert_memory_equal(vm->part2, &v[2], 4);
}

int rig_take(struct rig_vm *vm, bool abort_it, uint64_t *id)
{
	struct snapshot_facts facts = {.state = vm->now.state[0] % 5};
	struct snapshot *prepared;
	struct rig_model *model;
	int status = snapshot_take_prepare(&vm->m, &facts, &prepared);

	if (status)
		return status;
	if (abort_it) {
		snapshot_take_abort(&vm->m, prepared);
		return AV_OK;
	}
	rig_unload(vm);
	*id = snapshot_take_commit(&vm->m, prepared);
	rig_load(vm);
	assert_true(vm->model_count < RIG_MODELS);
	model = malloc(sizeof(*model));
	*model = vm->now;
	model->id = *id;
	model->pinned = false;
	model->clones = 0;
	model->vm_state = facts.state;
	if (vm->model_count)
		assert_true(*id > vm->snapshots[vm->model_count - 1]->id);
	vm->snapshots[vm->model_count++] = model;
	return AV_OK;
}

int rig_restore(struct rig_vm *vm, uint64_t id, bool keep_undo)
{
	struct snapshot_facts facts = {.state = vm->now.state[0] % 5};
	struct rig_model *present = NULL;
	struct snapshot_restore plan;
	int status = snapshot_restore_prepare(&vm->m, id, keep_undo, &facts, &plan);

	if (status) {
		assert_null(rig_model(vm, id));
		return status;
	}
	assert_non_null(rig_model(vm, id));
	if (keep_undo) {
		present = malloc(sizeof(*present));
		*present = vm->now;
		present->vm_state = facts.state;
	}
	rig_unload(vm);
	assert_int_equal(plan.target->state, rig_model(vm, id)->vm_state);
	snapshot_restore_commit(&vm->m, &plan);
	rig_load(vm);
	vm->now = *rig_model(vm, id);
	rig_check_state(vm);
	if (keep_undo && !plan.undo_skipped) {
		vm->undo = *present;
		vm->undo.used = true;
		vm->undo.pinned = false;
		vm->undo.clones = 0;
	} else if (keep_undo) {
		vm->undo.used = vm->m.undo != NULL;
	}
	free(present);
	return AV_OK;
}

int rig_delete(struct rig_vm *vm, uint64_t id)
{
	const struct rig_model *model = rig_model(vm, id);
	int status = snapshot_delete(&vm->m, id);

	if (id == AV_SNAPSHOT_BOOT)
		assert_int_equal(status, AV_E_PINNED);
	else if (!model)
		assert_int_equal(status, AV_E_NOT_FOUND);
	else
		assert_int_equal(status, model->pinned   ? AV_E_PINNED
					 : model->clones ? AV_E_IN_USE
							 : AV_OK);
	if (!status)
		model_remove(vm, id == AV_SNAPSHOT_LATEST ? model->id : id);
	return status;
}

int rig_pin(struct rig_vm *vm, uint64_t id, bool pinned)
{
	struct rig_model *model = rig_model(vm, id);
	int status = snapshot_pin(&vm->m, id, pinned);

	if (!status)
		model->pinned = pinned;
	return status;
}

void rig_drain(struct rig_vm *vm)
{
	while (vmem_reap(&vm->m, 8))
		;
}

/*
 * Pages that a restore kept where the snapshot has none, and those of the image that were copied with the one before: they
 * count, though the guest has not touched them.
 */
static uint64_t untouched(struct rig_vm *vm)
{
	uint64_t count = 0;
	struct vmem_walk walk;

	for (uint32_t i = 0; i < RIG_PAGES; i++) {
		bool image = i > 100 && i < 100 + RIG_BUNDLE_PAGES;

		if (vm->now.touched[i] || !(vm->m.history || image))
			continue;
		vmem_walk(&vm->m, RIG_BASE + i * PAGE_SIZE, &walk);
		count += walk.l3 && (walk.l3[i % 512] & (S2_VALID | S2_BUNDLE)) == S2_VALID;
	}
	return count;
}

void rig_compare(struct rig_vm *vm)
{
	if (rig_is_empty(vm))
		return;
	for (uint32_t i = 0; i < RIG_PAGES; i++) {
		const uint64_t *words =
			vmem_host_access(&vm->m, ipa(RIG_BASE + i * PAGE_SIZE), false);

		if (words[0] != vm->now.tags[i] || words[511] != vm->now.tags[i])
			fail_msg("VM %u page %u: %llx, model %llx", vm->number, i,
				 (unsigned long long)words[0], (unsigned long long)vm->now.tags[i]);
	}
	assert_int_equal(vm->m.ram_count, vm->now.committed + untouched(vm));
	assert_int_equal(vm->m.snapshot_count, vm->model_count);
	assert_int_equal(vm->m.undo != NULL, vm->undo.used);
	rig_check_state(vm);
}

void rig_audit(struct rig *rig)
{
	const char *why = "";

	if (frame_audit(&why))
		fail_msg("frame audit: %s", why);
	for (uint32_t i = 0; i < rig->vm_count; i++)
		if (vmem_audit(&rig->vm[i]->m, &why))
			fail_msg("VM %u audit: %s", i, why);
}
