/* SPDX-License-Identifier: MIT */
/*
 * flash.h - the flash of a VM with `flash:`: two banks from IPA 0. A bank that shows its array is read through stage 2;
 * every write, and every read of a bank that shows something else, is a command to dev/vflash.c. Needs the VM's lock.
 */
#pragma once
#include "core/vm.h"
#include "dev/vflash.h"

struct access;

/* Bytes that boot_alloc() will be asked for, for a VM with these flags. */
size_t flash_room(uint32_t flags);

/* A VM's flash, erased; before its memory is there, after it. */
void flash_create(struct vm *vm);
void flash_map(struct vm *vm);

/* Before the boot snapshot: these pages of the bundle are in it, from offset on. */
void flash_image(struct vm *vm, uint64_t offset, pa_t memory, uint64_t pages);

/* True when vm has something at this IPA that is its flash. */
static inline bool flash_is_at(const struct vm *vm, uint64_t address)
{
	return vm->flash && address < VFLASH_BANK_COUNT * VFLASH_BANK_SIZE;
}

/* The windows in its address space that are no region's. */
static inline unsigned flash_window_count(const struct vm *vm)
{
	return vm->flash ? VFLASH_BANK_COUNT : 0;
}

/* A stage-2 fault there. True: served, the guest tries again; false: it is an access to be emulated. */
bool flash_fault(struct vcpu *vcpu, uint64_t address, bool write, bool fetch);

/* One access. False: the VM starves for want of a frame, and the guest tries again when it is fed. */
bool flash_access(struct vcpu *vcpu, uint64_t address, const struct access *access,
		  uint64_t *value);

/* Its parts of a snapshot. */
void flash_parts(struct vm *vm, void (*add)(struct vm *vm, struct state_part part));
