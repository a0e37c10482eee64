/* SPDX-License-Identifier: MIT */
/*
 * import.h - a snapshot of this VM made of pages and state parts that somebody else fills.
 *
 * One at a time, under preparation in vmem.import: charged to the VM, in no list, reached by no vCPU. Needs the VM's
 * lock; the VM may run. Errors are AV_E_*.
 */
#pragma once
#include <avisor/hypercall.h>
#include "core/snapshot.h"
#include "mm/vmem.h"

/* The most pages of one vmem_import_pages(): each is zeroed. */
#define IMPORT_PAGES_MAX 256

/* A record without pages, its state parts zero; what was under preparation is dropped. May evict. AV_E_NO_MEMORY. */
int vmem_import_begin(struct vmem *m);

/*
 * Pages of zeros from `start` on, at most IMPORT_PAGES_MAX of `count` and as many as AV_PAGE_RUNS runs can name: where they
 * are (pa_b), *run_count and *done say how many. May evict. AV_E_NOT_FOUND: nothing under preparation. AV_E_INVALID: not
 * pages of RAM, or there already. AV_E_NO_MEMORY: not for one page.
 */
int vmem_import_pages(struct vmem *m, uint64_t start, uint64_t count, struct av_page_run *runs,
		      uint32_t *run_count, uint64_t *done);

/*
 * It becomes a snapshot, with the next id. AV_E_NOT_FOUND; AV_E_INVALID, _EXISTS: the name; AV_E_LIMIT; AV_E_INTEGRITY: a
 * part of the state is none that this VM can have, *part says which. After an error it is still under preparation.
 */
int vmem_import_commit(struct vmem *m, const struct snapshot_facts *facts, uint64_t *id,
		       uint32_t *part);

/* True when there was something to drop. Its frames come back through vmem_reap(). */
bool vmem_import_drop(struct vmem *m);
