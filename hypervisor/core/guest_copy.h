/* SPDX-License-Identifier: MIT */
/*
 * guest_copy.h - the one way EL2 reads and writes a guest's memory: checked, page by page, copy-on-write aware, budget
 * charged. The VM's lock is held.
 */
#pragma once
#include "core/vm.h"
#include "dev/guest_memory.h"

/* False when any byte is not the VM's RAM (or a region with that right), or the VM is out of frames. */
bool guest_read(struct vm *vm, uint64_t ipa, void *to, size_t size);
bool guest_write(struct vm *vm, uint64_t ipa, const void *from, size_t size);

/* The same as callbacks, ctx = struct vm *. */
struct guest_memory guest_memory_of(struct vm *vm);

/* Translate a guest virtual address by the stage 1 that is loaded here (vcpu is loaded): false when it does not. */
bool guest_translate(uint64_t va, bool write, uint64_t *ipa);
