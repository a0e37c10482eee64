/* SPDX-License-Identifier: MIT */
/*
 * fake.h - the fake machine as its tests see it: RAM, processing elements, and TLBs that remember.
 *
 * A TLB entry is what a PE may have kept of one descriptor it read: the walk step (which table) or
 * the leaf. It stays until an invalidation that covers it. What is wrong is reported at the moment
 * it is wrong:
 * - a valid descriptor becomes a different valid one (other address, or table against page) while a
 * VM that can reach it is loaded, or while an old copy of it is still cached for a loaded VMID
 * (break-before-make);
 * - a loaded VMID has a cached descriptor that differs from the one in memory, other than in what
 * may be stale: the ignored bits, and read-only or XN where it is not so any more;
 * - a guest executes a page that EL2 has filled and not made fit for it since.
 */
#pragma once
#include "core/types.h"

#define FAKE_PE_COUNT 8

enum fake_access {
	FAKE_GOOD,
	FAKE_TRANSLATION_FAULT,
	FAKE_PERMISSION_FAULT,
};

/* What a test may leave out, to see that it is noticed. */
enum fake_skip {
	FAKE_SKIP_NONE,
	FAKE_SKIP_LEAF = 1,       /* arch_tlb_leaves() does nothing */
	FAKE_SKIP_TABLE = 2,      /* arch_tlb_table() does nothing */
	FAKE_SKIP_ALL = 4,        /* arch_tlb_all() does nothing */
	FAKE_SKIP_BREAK = 8,      /* the zero before a new descriptor is not written */
	FAKE_LOCAL_ONLY = 16,     /* wide is ignored */
	FAKE_LEAF_FOR_TABLE = 32, /* arch_tlb_table() does what arch_tlb_leaves() does */
	FAKE_SKIP_EXEC = 64       /* arch_exec_sync() does nothing */
};

/* RAM of `size` bytes at `base`, filled with rubbish; empties the TLBs. Frees what was there
 * before. */
void fake_machine(uint64_t base, uint64_t size);
void fake_machine_end(void);

/* The PE that executes EL2 code now. */
void fake_set_pe(uint32_t pe);
/* VTTBR_EL2 of a PE: VMID in 63:48, root; 0: no VM. Checks what it has cached for this VMID. */
void fake_load(uint32_t pe, uint64_t vttbr);
/* No PE walks from this root any more, whatever the VMID, until it is loaded with a new one. */
void fake_vm_gone(uint64_t vttbr);
/* A guest access on this PE, through what it has cached. *page (may be NULL): the host page.
 * Prefetches a little. */
enum fake_access fake_guest_access(uint32_t pe, ipa_t address, bool write, uint8_t **page);
/* An instruction fetch. */
enum fake_access fake_guest_fetch(uint32_t pe, ipa_t address);
/* Compare all that is cached for loaded VMIDs. */
void fake_check(void);

void fake_skip(uint32_t what);
/* Violations so far, and the first one's text; fake_expect(true) keeps them from ending the test.
 */
uint64_t fake_violations(void);
const char *fake_first_violation(void);
void fake_expect_violations(bool expected);

extern uint64_t fake_exec_syncs, fake_tlb_all_count;
