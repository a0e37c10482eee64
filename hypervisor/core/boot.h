/* SPDX-License-Identifier: MIT */
/* boot.h - what holds while EL2 starts: the manifest, memory that is never given back, and how a start is refused. */
#pragma once
#include <stddef.h>
#include "core/manifest.h"

extern struct manifest_view boot_manifest;

/* Zeroed, 64-aligned, for ever. From behind the bundle; only before the frames are initialised. */
void *boot_alloc(size_t size);

/* One clear line on the UART, then the machine stands still. */
_Noreturn void boot_refuse(const char *text, ...) __attribute__((format(printf, 1, 2)));

/*
 * While not NULL, an exception taken from EL2 is no bug: the machine lacks this. Only the boot CPU
 * looks for what may not be there.
 */
extern const char *boot_missing;

/* Entered from boot.S. */
_Noreturn void hyp_main(void);
struct cpu;
_Noreturn void hyp_secondary(struct cpu *cpu);
