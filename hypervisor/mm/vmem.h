/* SPDX-License-Identifier: MIT */
/*
 * vmem.h - the memory of one VM: a live stage-2 tree, the trees of its snapshots, its dirty map and
 * its budget.
 *
 * Every function needs the VM's lock. Those marked [stopped] also need all its vCPUs stopped and
 * its tables loaded on no PE (arch_tlb_no_tables() instead); afterwards load vmem_vttbr() anew. Host
 * tests run all of it on arch/fake.
 *
 * Ownership: each frame, data or table, is owned by the one entry with OWN set. A table is private
 * to the live tree when the entries above it are OWN and nobody borrows from it; only private
 * tables change. See node.h for borrowing.
 */
#pragma once
#include "core/types.h"
#include "mm/frame.h"
#include "mm/stage2.h"

struct snapshot;
struct vmem;

#define VMEM_PART_MAX 32
#define VMEM_PART_SIZE_MAX 3584
#define VMEM_RUN_TIME_MAX 16 /* regions a VM may have got at run time */
#define VMEM_ATTACH_MAX (32 + VMEM_RUN_TIME_MAX)

/* A piece of VM state besides RAM. save and load may not fail and may not touch the VM's memory. */
struct state_part {
	const char *name;
	uint32_t size; /* bytes, <= VMEM_PART_SIZE_MAX; `to` and `from` are 64-aligned */
	void (*save)(void *ctx, void *to);
	void (*load)(void *ctx, const void *from);
	void *ctx;
	/*
	 * Or NULL. True: what is saved there is the present state, so that neither save nor load is
	 * needed. Such a part has a frame to itself, which snapshots share. Only for records of
	 * this VM.
	 */
	bool (*same)(void *ctx, const void *saved);
	/*
	 * Or NULL. What is saved there came from a file and may hold anything: make it a state that this VM can be given
	 * by load. False: it cannot. The VM may run.
	 */
	bool (*adopt)(void *ctx, void *saved);
};

struct vmem_config {
	uint8_t owner;     /* VM index + 1 */
	uint64_t ram_base; /* IPA, 2 MiB-aligned */
	uint64_t ram_size; /* a multiple of 2 MiB */
	uint64_t frame_limit;
	uint32_t vmid_first; /* the VM's share of VMIDs; not 0, which no guest has */
	uint32_t vmid_count;
	uint32_t snapshot_keep;         /* 0: as many as the budget allows, at most SNAPSHOT_MAX */
	bool refuse;                    /* do not evict snapshots */
	bool copy_back;                 /* restores to the base keep what is dirty every round */
	const struct state_part *parts; /* stay where they are */
	uint32_t part_count;
	/* A snapshot was evicted for memory or for the limit; AV_SNAPSHOT_UNDO for undo. Called
	 * with the lock held. */
	void (*evicted)(void *ctx, uint64_t id);
	void *evicted_ctx;
};

/* The L3 tables of one shared region, used by all members that have the same rights. */
struct region_tables {
	pa_t memory; /* 0: not in one piece; EL2 does not read it for the guest */
	uint64_t size;
	pa_t tables; /* contiguous, one per 2 MiB */
};

struct vmem_attach {
	uint64_t start;
	uint64_t size;
	const struct region_tables *tables;
	bool linked; /* some L2 entry of the live tree points to its tables */
};

/* 2 MiB of RAM. bits, count and next mean something only while epoch is the VM's. */
struct dirty_chunk {
	uint64_t bits[8];
	uint64_t *l3; /* the live tree's private table */
	uint64_t epoch;
	uint32_t next;  /* index + 1 of the next chunk with bits */
	uint32_t count; /* of bits */
};

/*
 * The same 2 MiB when pages are copied back, see keep.c: which were dirty at the end of the last round and of that
 * before, and which kept their frame at the last one. They mean something only while epoch is the VM's.
 */
struct dirty_history {
	uint64_t last[8], before[8], kept[8];
	uint64_t epoch;
	uint64_t round;
	uint32_t next; /* vmem_keep_begin()'s list */
};

struct vmem_stats {
	uint64_t pages_zeroed;
	uint64_t pages_copied;
	uint64_t made_writable;
	uint64_t nodes_copied;
	uint64_t cache_syncs;
	uint64_t tlbi_local;
	uint64_t tlbi_broadcast; /* wide ones, and all-VMID ones */
	uint64_t evictions;
	uint64_t pages_kept; /* copied back by restores */
};

struct part_place {
	uint16_t frame; /* in the record's frames[] */
	uint16_t offset;
};

struct vmem {
	/* what a fault needs, together */
	uint64_t ram_base;
	uint64_t ram_size;
	struct dirty_chunk *chunks;
	uint64_t epoch;
	struct frame_budget budget;
	uint32_t dirty_first;          /* chain of chunks with bits, index + 1 */
	uint64_t dirty_count;          /* writable leaves */
	uint64_t ram_count;            /* valid leaves of the live tree, bundle pages left out */
	uint64_t run, run_next, run_wanted; /* pages touched in a row: see count_run() */
	struct dirty_history *history; /* one a chunk; NULL: no page is copied back */
	uint64_t round;                /* restores to a base */
	uint64_t kept_count;           /* pages that the last of them kept */
	uint64_t rewritten;            /* pages of the image copied in groups: see image_fault() */
	struct vmem_stats stats;
	bool host_starved; /* a write of vmem_host_access() found no frame; its caller clears it */

	uint64_t chunk_count; /* there are: a spare slot may have more than RAM needs */

	uint64_t *root; /* of the live tree */
	uint32_t root_frame;
	uint32_t root_first, root_last; /* its entries that may be used: whole groups */

	uint32_t vmid, vmid_first, vmid_count;

	struct vmem_attach attach[VMEM_ATTACH_MAX];
	uint32_t attach_count;
	uint64_t window_start, window_end, window_next; /* where regions got at run time go */

	uint32_t reap_first; /* queue of dead nodes */

	/* snapshots: core/snapshot*.c */
	struct snapshot *boot;
	struct snapshot *undo;
	struct snapshot *base;   /* the one the dirty map counts from, or NULL; never undo */
	struct snapshot *import; /* under preparation, in no list: mm/import.h */
	uint64_t origin; /* id of the snapshot last taken or restored: the next one's parent */
	uint64_t next_id;
	uint32_t *index; /* ring of record frames, ids ascending */
	uint32_t index_mask;
	uint32_t index_first;
	uint32_t snapshot_count;
	uint32_t snapshot_keep;
	uint32_t clone_count; /* of all its snapshots */
	struct snapshot
		*source; /* a clone: the other VM's snapshot it was made from, which it holds */
	bool refuse;
	const struct state_part *parts;
	uint32_t part_count;
	uint32_t spill_count;  /* frames a record has besides itself */
	uint32_t shared_count; /* the first of them: one for each part that has same() */
	struct part_place places[VMEM_PART_MAX];
	void (*evicted)(void *ctx, uint64_t id);
	void *evicted_ctx;
	bool (*reclaim)(struct vmem *m); /* give up one snapshot for memory; false: there is none */
};

enum vmem_fault {
	VMEM_TOUCHED,       /* a zeroed writable frame was mapped */
	VMEM_COPIED,        /* a writable copy was mapped */
	VMEM_MADE_WRITABLE, /* nobody shares it any more */
	VMEM_LINKED,        /* a shared region's table was linked */
	VMEM_SPURIOUS,      /* allowed already, or now executable: stale entry dropped, retry */
	VMEM_RO_REGION,     /* a write to a region mapped read-only: inject an abort */
	VMEM_NOT_RAM,       /* neither RAM nor a region */
	VMEM_STARVED,       /* the budget is used up and nothing can be given up; nothing changed */
};

/* Set up an empty VM. 0, AV_E_INVALID (addresses, sizes, parts), AV_E_NO_MEMORY. *m is zeroed by
 * it. */
int vmem_init(struct vmem *m, const struct vmem_config *config);

/* Before snapshot_seal_boot(): pages of the bundle, read-only, copied on write. 0, AV_E_INVALID,
 * AV_E_NO_MEMORY. */
int vmem_map_bundle(struct vmem *m, ipa_t start, pa_t memory, uint64_t pages);

/* Boot only. The tables are charged to `budget`. 0, AV_E_INVALID, AV_E_NO_MEMORY. */
int region_tables_init(struct region_tables *tables, struct frame_budget *budget, pa_t memory,
		       uint64_t size, bool writable);
/* The same in frames the caller has, region_tables_count(size) of them in a row: read-only at first. */
void region_tables_fill(struct region_tables *tables, pa_t at, pa_t memory, uint64_t size);
uint64_t region_tables_count(uint64_t size);
/* These pages may be written; before anybody is attached. */
void region_tables_allow(struct region_tables *tables, uint64_t offset, uint64_t size);
/* The leaf of the page at this offset. */
uint64_t region_tables_leaf(const struct region_tables *tables, uint64_t offset);
/*
 * Window 2 MiB-aligned, clear of RAM and other windows; linked lazily, by faults. 0, AV_E_INVALID,
 * AV_E_LIMIT (too many; or after snapshot_seal_boot() in a GiB beyond those RAM, the regions of
 * boot and the reserved window lie in).
 */
int vmem_attach_region(struct vmem *m, ipa_t start, const struct region_tables *tables);
/* On return no PE reaches the region through this VM any more; the VM may run. False: it was not attached. */
bool vmem_detach_region(struct vmem *m, ipa_t start);
/* Before snapshot_seal_boot(), after the regions of boot: at least so much address space, for vmem_find_window(). */
void vmem_reserve_window(struct vmem *m, uint64_t least);
/* A free address for a region of this size, or 0. Not the one given up last while there are others. */
uint64_t vmem_find_window(struct vmem *m, uint64_t size);

/*
 * The live tree forgets the window that starts there, on all PEs, until the next fault in it. The caller keeps
 * faults there from vmem_fault() for as long as the guest is not to see it.
 */
void vmem_unlink(struct vmem *m, ipa_t start);

/*
 * A stage-2 fault at an address, of data or of an instruction fetch. Pages are XN until their first
 * fetch: an instruction abort with a permission fault comes here with write = false, and the page
 * is made fit to be executed. write: WnR, or S1PTW with a permission fault. wide: the VM's vCPUs
 * live on several PEs. On this PE VTTBR must be this VM's (the TLBIs mean its VMID).
 */
enum vmem_fault vmem_fault(struct vmem *m, ipa_t address, bool write, bool wide);

/*
 * The page EL2 may read or write for the guest at this address, on the same copy-on-write path; any
 * PE, whatever VTTBR is loaded. NULL: not RAM nor an attached region with that right, or starved:
 * then host_starved is set.
 * Never write through a pointer got for reading (it may be a shared page of zeros). Good until the
 * lock is released or the next call here.
 */
void *vmem_host_access(struct vmem *m, ipa_t address, bool write);

/* VMID in 63:48, root in 47:1: what VTTBR_EL2 must hold to run this VM. Changes at each take and
 * restore. */
uint64_t vmem_vttbr(const struct vmem *m);

/* Free or merge at most `nodes` dead nodes (<= 512 entries each), trim the free list. True when
 * more is left. */
bool vmem_reap(struct vmem *m, uint32_t nodes);

/*
 * Drain the reaper. With `stopped` ([stopped]) kept pages that were not written go, and with no dirty page the
 * private tables that are left over, too: the VM then holds exactly what its snapshots and the boot image need, so that counts
 * can be compared.
 */
void vmem_drain(struct vmem *m, bool stopped);

/* Recount and compare every invariant of DESIGN 8 for one VM: 0, or AV_E_INTEGRITY and *why says
 * which. */
int vmem_audit(struct vmem *m, const char **why);

/*
 * A spare slot, empty: it has the maps for config's RAM, and no RAM. snapshot_clone() makes a VM of it. As vmem_init(); false
 * also when frame_limit does not do for a clone's boot snapshot.
 */
int vmem_init_spare(struct vmem *m, const struct vmem_config *config);

/* m is now of that many state parts: where each lies in a record. False: they do not fit. No snapshot may be there. */
bool vmem_place_parts(struct vmem *m, uint32_t part_count);

/*
 * The least frame_limit that runs a VM of this size with all its RAM touched and no snapshot but
 * boot. record_frames: 1 + spill frames of a record; keep as in the config.
 */
uint64_t vmem_frames_min(uint64_t ram_size, uint32_t record_frames, uint32_t keep);
