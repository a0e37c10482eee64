/* SPDX-License-Identifier: MIT */
/* clock.h - where the virtual counter of each VM starts. */
#pragma once
#include <stdint.h>

/* A VM's virtual counter at its first instruction; set by clock_init(). */
extern uint64_t clock_origin;

/* On the boot CPU, before there are VMs. */
void clock_init(void);
