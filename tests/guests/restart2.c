/* SPDX-License-Identifier: MIT */
/* restart2.c - restart.c as another image: must never be seen with the other one's data. */
#define RESTART_NAME "restart2"
#define RESTART_PATTERN 0xc3c39876u
#include "restart.c"
