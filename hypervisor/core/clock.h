/* SPDX-License-Identifier: MIT */
/* clock.h - where the virtual counter of each VM starts. */
#pragma once
#include <stdint.h>
#include "dev/vpl031.h"

/* A VM's virtual counter at its first instruction; set by clock_init(). */
extern uint64_t clock_origin;

/* On the boot CPU, before there are VMs. */
void clock_init(void);

/* Seconds since 1970: what the board's own PL031 said at boot, and the counter since. */
uint64_t clock_wall(void);

/* The counter (physical) at which the match of this clock comes, when that is before `best`. */
uint64_t clock_match_time(const struct vpl031 *rtc, uint64_t best);
