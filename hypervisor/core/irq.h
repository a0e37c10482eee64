/* SPDX-License-Identifier: MIT */
/* irq.h - physical interrupts of this CPU: acknowledge, act, complete. */
#pragma once
#include "core/cpu.h"

/* Take all that are pending, none left: from a trap, or from idling with interrupts masked. */
void irq_take_all(struct cpu *cpu);
