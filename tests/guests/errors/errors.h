/* SPDX-License-Identifier: MIT */
/* errors.h - what the parts of errors.c share: places in RAM, VMs of the set of errors.bats, and how to say what was found. */
#pragma once
#include "baremetal/guest.h"

#define BUFFER (GUEST_RAM_BASE + 0x3f0000)
#define NOWHERE 0x3000000000ul
#define NAME BUFFER
#define PAGES (GUEST_RAM_BASE + 0x400000)
#define PAGE_COUNT 992
#define TARGET 1
#define LARGE 3 /* a VM that fits no spare slot */
#define SLOT 4
#define SECOND_SLOT 5

/* The call answered so; anything else than wanted is told as WRONG. */
void expect(const char *call, int64_t found, int64_t wanted);

/* A name to NAME. */
void put_name(const char *name);

int64_t clone(uint64_t vm, uint64_t id, uint64_t name, uint64_t slot, uint64_t flags);

/* sets.c: in place of the control VM. */
void check_sets(void);
