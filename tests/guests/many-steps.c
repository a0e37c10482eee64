/* SPDX-License-Identifier: MIT */
/* many-steps.c - many.c, each step when the console says so: a byte is a step. */
#include "baremetal/guest.h"

#define MANY_STEP() (void)console_get()
#include "many.c"
