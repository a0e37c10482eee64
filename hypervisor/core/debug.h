/* SPDX-License-Identifier: MIT */
/*
 * debug.h - breakpoints, watchpoints and single steps of a vCPU (Arm ARM D2). Each access traps, so that memory has the truth:
 * mdscr and os_lock of the vCPU, the others in its VM. They are in the PE, too, while they can make a difference.
 */
#pragma once
#include "core/vm.h"

/* Registers with op0 2, op1 0, of the vCPU that is loaded here. False: not one of them. */
bool debug_register(struct vcpu *vcpu, const unsigned op[3], bool read, uint64_t *value);

/* As at power on: nothing is watched, and the OS lock is held. VM's lock held, or nobody else is there yet. */
void debug_reset(struct vcpu *vcpu);

/* Into this PE, if pmu.debug says so. */
void debug_load(struct vcpu *vcpu);

/* Out of this PE: nothing is watched or stepped from now on. */
void debug_unload(struct vcpu *vcpu);

/* What came from a file may hold anything: only what a guest can set stays. */
void debug_adopt(uint64_t debug[AV_VCPU_MAX * DEBUG_REGISTERS]);
void debug_adopt_vcpu(struct vcpu *vcpu);
