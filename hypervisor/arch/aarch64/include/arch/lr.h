/* SPDX-License-Identifier: MIT */
/* lr.h - the list registers of this PE by number (ICH_LR<n>_EL2). */
#pragma once
#include <stdint.h>

#define LR_MAX 16

uint64_t lr_read(unsigned n);
void lr_write(unsigned n, uint64_t value);
