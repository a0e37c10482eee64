/* SPDX-License-Identifier: MIT */
/* ticks25.c - ticks10.c at 25 Hz. */
#define TICK_HZ 25
#include "ticks10.c"
