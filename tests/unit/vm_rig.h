/* SPDX-License-Identifier: MIT */
/*
 * vm_rig.h - VMs on the fake machine beside a model that copies everything: page contents, state,
 * snapshots. The rig does what the run loop does: unload before a take or restore, load after it,
 * serve faults until they end.
 */
#pragma once
#include <arch/fake.h>
#include "core/snapshot.h"

#define RIG_BASE 0x40000000UL
#define RIG_PAGES 4096U /* 16 MiB */
#define RIG_RAM (RIG_PAGES * PAGE_SIZE)
#define RIG_REGION 0x70000000UL
#define RIG_REGION_PAGES 16U
#define RIG_VMS 6U
#define RIG_BUNDLE_PAGES 600U
#define RIG_MODELS 64U

struct rig_model { /* of a snapshot, or of what the VM is now */
	bool used, pinned;
	bool whole; /* goes with the other parts of its set */
	uint32_t clones;
	uint64_t id;
	uint64_t tags[RIG_PAGES];
	uint64_t committed;
	uint8_t touched[RIG_PAGES]; /* 1: counts as committed */
	uint32_t state[3];
	uint32_t vm_state;
};

struct rig_vm {
	struct vmem m;
	uint32_t number;
	uint32_t pe; /* its vCPUs: this PE, and the next one when wide */
	bool wide;
	bool rw; /* right on the region */
	uint8_t part0[1000], part1[3584], part2[64];
	struct rig_model now, boot, undo;
	struct rig_model *snapshots[RIG_MODELS];
	uint32_t model_count;
	uint64_t evictions;
	struct rig_vm *source; /* a clone: of whom, */
	uint64_t source_id;    /* and of which snapshot */
	uint64_t used_empty;   /* a spare slot: frames it holds when nobody is in it */
};

struct rig {
	struct rig_vm *vm[RIG_VMS];
	uint32_t vm_count;
	struct frame_budget shared;
	struct region_tables rw, ro;
	uint64_t region[RIG_REGION_PAGES];
	pa_t bundle;
	uint64_t random;
};

struct rig_options {
	uint64_t seed;
	uint32_t vms;
	uint32_t spares;      /* slots behind them, */
	uint64_t spare_limit; /* of so many frames */
	uint64_t limit;       /* frames a VM */
	uint32_t keep;
	bool refuse;
	bool copy_back;
};

struct rig *rig_new(const struct rig_options *options);
void rig_end(struct rig *rig);
uint64_t rig_random(struct rig *rig, uint64_t below);

/* Most tests': three VMs of 9,000 frames each. */
static inline struct rig *rig_plain(void)
{
	return rig_new(&(struct rig_options){.seed = 7, .vms = 3, .limit = 9000, .keep = 30});
}
/* One fault of the guest, and what became of it. */
static inline enum vmem_fault rig_fault(struct rig_vm *vm, uint64_t address, bool write)
{
	fake_set_pe(vm->pe);
	return vmem_fault(&vm->m, ipa(address), write, vm->wide);
}

void rig_load(struct rig_vm *vm);
void rig_unload(struct rig_vm *vm);
/* A guest access to RAM or region: serves faults. False when starved (nothing was accessed) or
 * refused. */
bool rig_access(struct rig_vm *vm, uint64_t address, bool write, uint8_t **page);
/* Guest and EL2 accesses, done on the model too; a wrong value fails the test. False: starved. */
bool rig_write(struct rig_vm *vm, uint32_t page, uint64_t tag);
bool rig_read(struct rig_vm *vm, uint32_t page);
bool rig_execute(struct rig_vm *vm, uint32_t page);
bool rig_host_write(struct rig *rig, struct rig_vm *vm, uint32_t page, uint64_t tag);
void rig_host_read(struct rig *rig, struct rig_vm *vm, uint32_t page);
void rig_set_state(struct rig_vm *vm, uint32_t value);
void rig_check_state(const struct rig_vm *vm);
/* AV_OK or the error, as the engine says; the model follows. */
int rig_take(struct rig_vm *vm, bool abort_it, uint64_t *id);
int rig_restore(struct rig_vm *vm, uint64_t id, bool keep_undo);
int rig_delete(struct rig_vm *vm, uint64_t id);
int rig_pin(struct rig_vm *vm, uint64_t id, bool pinned);
struct rig_model *rig_model(struct rig_vm *vm, uint64_t id);
/* A VM in an empty slot, from a snapshot of another; and out again, so many nodes at a time. */
int rig_clone(struct rig_vm *from, uint64_t id, struct rig_vm *slot);
void rig_remove(struct rig_vm *clone, uint32_t most);
static inline bool rig_is_empty(const struct rig_vm *vm)
{
	return !vm->m.boot;
}
void rig_drain(struct rig_vm *vm);

/* Everything of the model against everything of the VM. */
void rig_compare(struct rig_vm *vm);
void rig_audit(struct rig *rig);
