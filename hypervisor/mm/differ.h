/* SPDX-License-Identifier: MIT */
/*
 * differ.h - in which pages two trees of one VM differ: a snapshot's and another's, or the live
 * one's.
 *
 * Needs the VM's lock; nothing has to be stopped. One and the same frame is one and the same
 * content: sealed frames never change, and a writable one belongs to the live tree alone.
 */
#pragma once
#include <avisor/hypercall.h>
#include "mm/vmem.h"

/* The most pairs of L3 tables that one call compares: some 10,000 instructions. */
#define DIFFER_TABLES 4

/*
 * Fill runs (at most AV_PAGE_RUNS) with what differs between the trees of roots a and b, from IPA
 * *cursor on (below RAM counts as its start), ascending. Returns how many; *cursor is where to go
 * on, AV_DIFF_END when all RAM has been looked at. Tables that both share are skipped whole.
 */
uint32_t vmem_differ(const struct vmem *m, const uint64_t *a, const uint64_t *b, uint64_t *cursor,
		     struct av_page_run *runs);
