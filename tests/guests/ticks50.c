/* SPDX-License-Identifier: MIT */
/* ticks50.c - ticks10.c at 50 Hz. */
#define TICK_HZ 50
#include "ticks10.c"
