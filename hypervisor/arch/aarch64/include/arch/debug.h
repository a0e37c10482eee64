/* SPDX-License-Identifier: MIT */
/* debug.h - breakpoint and watchpoint registers of this PE (Arm ARM D17.3). */
#pragma once
#include <stdint.h>

#define DEBUG_BREAKPOINTS 6
#define DEBUG_WATCHPOINTS 4
#define DEBUG_REGISTERS (4 * DEBUG_BREAKPOINTS)

#define DEBUG_MDSCR DEBUG_REGISTERS

/* number: 4 n + 0: DBGBVR<n>_EL1, 1: DBGBCR<n>_EL1, 2: DBGWVR<n>_EL1, 3: DBGWCR<n>_EL1, one that the PE has; or DEBUG_MDSCR: MDSCR_EL1. */
void arch_debug_write(uint64_t value, unsigned number);
