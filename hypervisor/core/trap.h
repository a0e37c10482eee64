/* SPDX-License-Identifier: MIT */
/* trap.h - handlers of guest exits. Each runs with the vCPU loaded, interrupts masked, no lock held. */
#pragma once
#include "core/vm.h"

/* Entered from vectors.S, which calls sched_exit() after each. */
void trap_sync(struct vcpu *vcpu);
void trap_irq(struct vcpu *vcpu);
void trap_aarch32(struct vcpu *vcpu);
void trap_serror(struct vcpu *vcpu);
_Noreturn void own_exception(uint64_t kind, uint64_t frame, uint64_t link);

/* Stage-2 aborts: lazily backed RAM, copies on write, emulated devices, or an abort of the guest's own. */
void trap_abort(struct vcpu *vcpu, uint64_t esr);

/* MSR and MRS that trap. */
void trap_sysreg(struct vcpu *vcpu, uint64_t esr);
