/* SPDX-License-Identifier: MIT */
/* smp.h - what the parts of the guest `smp` share: ../smp.c reads commands, cut.c, power.c and own.c have some of them. */
#pragma once

#include "baremetal/guest.h"

extern unsigned int smp_count; /* vCPUs of this VM */
extern volatile bool smp_stop; /* all workers end soon */

bool smp_patient(volatile uint64_t *value, uint64_t wanted); /* busy, 5 s at most */
bool smp_start(unsigned int number, void (*function)(uint64_t), uint64_t argument);
bool smp_join_all(void); /* stop, wake (SGI 3) and wait for all; smp_stop is false again */

/* cut.c: until a key is pressed; false when anything was inconsistent */
bool smp_cut(uint64_t argument);
bool smp_pages(uint64_t argument);
bool smp_storm(uint64_t last_id); /* until it has taken that snapshot */

/* power.c */
bool smp_psci(uint64_t argument);
bool smp_park(uint64_t busy); /* the others wait for interrupts for ever, or spin */
bool smp_crash(uint64_t by_device);
bool smp_off(uint64_t reset);
bool smp_last(uint64_t argument);

/* own.c: so many rounds */
bool smp_own(uint64_t rounds);
