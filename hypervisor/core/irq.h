/* SPDX-License-Identifier: MIT */
/* irq.h - physical interrupts of this CPU: acknowledge, act, complete. */
#pragma once
#include "core/cpu.h"

/* A trap's: take one, if there is one. vcpu runs here. */
void irq_take(struct vcpu *vcpu);

/* Take all that are pending, none left: from idling, with interrupts masked. */
void irq_take_all(struct cpu *cpu);
