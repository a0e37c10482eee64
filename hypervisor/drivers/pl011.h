/* SPDX-License-Identifier: MIT */
/* pl011.h - EL2's own UART: polled output only, usable from the first C line on, before the MMU is on. */
#pragma once
#include <stddef.h>

void pl011_write(const char *text, size_t size);
