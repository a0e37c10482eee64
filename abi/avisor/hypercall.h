/* SPDX-License-Identifier: MIT */
/*
 * hypercall.h - the calls a guest makes: numbers, error codes, states and the structures that cross.
 *
 * Usable from C and, for the constants, from assembly. Every structure is little-endian, naturally aligned,
 * has no padding that is not named, and only ever grows at its end; the callee writes at most the size the
 * caller gave and returns in x1 the size it has. abi/README.md is the specification.
 */
#pragma once

#define AV_ABI_MAJOR 1
#define AV_ABI_MINOR 0

/* SMCCC function identifiers (Arm DEN0028). */
#define AV_SMCCC_BASE 0xC6000000
#define AV_SMCCC_CALL_UID 0x8600FF01
#define AV_SMCCC_REVISION 0x8600FF03
/* x0..x3 of CALL_UID, 32 bits each: a random UUID made for this project. */
#define AV_UID_0 0x6cb0a41f
#define AV_UID_1 0x4c1d7a52
#define AV_UID_2 0x91e3f0b8
#define AV_UID_3 0x2dd85c36

/* The original Avisor's immediates: `hvc #n`, all of x0..x30 preserved. */
#define AV_IMM_CHECKPOINT 1
#define AV_IMM_RESTORE 2 /* x0 = id, or -1 for the latest */
#define AV_IMM_PRINT 3	 /* x0 = guest virtual address of a NUL-terminated string */
#define AV_IMM_RESTART 4

/* x1 of calls with a target VM. */
#define AV_VM_SELF 0xFFFFFFFF

/* x0 of every call. NOT_SUPPORTED is SMCCC's -1. */
#define AV_OK 0
#define AV_E_NOT_SUPPORTED (-1) /* unknown function, or not in this build */
#define AV_E_INVALID (-2)	/* an argument is out of range, or a reserved one is not zero */
#define AV_E_DENIED (-3)	/* needs the control privilege, or the control VM is the target */
#define AV_E_NOT_FOUND (-4)	/* no such VM, snapshot, region or entry */
#define AV_E_WRONG_STATE (-5)	/* the VM's state does not allow it */
#define AV_E_NO_MEMORY (-6)	/* the VM's frame budget does not allow it; nothing changed */
#define AV_E_BAD_ADDRESS (-7)	/* a guest address is not RAM of the caller */
#define AV_E_EXISTS (-8)	/* the name is taken */
#define AV_E_PINNED (-9)	/* the snapshot is pinned, or part of a set snapshot */
#define AV_E_LIMIT (-10)	/* no room in a fixed table, or a rate limit */
#define AV_E_INTEGRITY (-11)	/* the audit found a wrong count */
#define AV_E_MISMATCH (-12)	/* the region of that key has another size */
#define AV_E_NOT_ATTACHED (-13) /* the caller is not a member of that region */
#define AV_E_EXHAUSTED (-14)	/* the machine's memory for run-time regions, or for regions in set snapshots, is used up */
#define AV_E_IN_USE (-15)	/* a clone shares the snapshot's pages, or a set snapshot has a part of the VM */

/* VM states. */
#define AV_STATE_RUNNING 0
#define AV_STATE_PAUSED 1
#define AV_STATE_STARVED 2
#define AV_STATE_CRASHED 3
#define AV_STATE_STOPPED 4
#define AV_STATE_EMPTY 5 /* of a spare slot in which no VM is: only in VM_INFO */

/* Names: [a-z][a-z0-9._-]{0,31}, NUL-padded. */
#define AV_NAME_SIZE 32

/* VM_RESTART x2, VM_START x2, SNAPSHOT_RESTORE x3, VM_CLONE x5: flags. */
#define AV_RESTORE_PAUSED 0x1 /* result state paused */
#define AV_RESTORE_UNDO 0x2   /* keep the present state as `undo` first (control privilege) */

/* SNAPSHOT_RESTORE x2, SNAPSHOT_INFO x2, SNAPSHOT_DELETE x2: ids that are not numbers of snapshots. */
#define AV_SNAPSHOT_LATEST 0xFFFFFFFFFFFFFFFF
#define AV_SNAPSHOT_BOOT 0xFFFFFFFFFFFFFFFE
#define AV_SNAPSHOT_UNDO 0xFFFFFFFFFFFFFFFD
#define AV_SNAPSHOT_NONE 0xFFFFFFFFFFFFFFFC /* "no parent", "no base" */

#define AV_SNAPSHOT_LIVE 0xFFFFFFFFFFFFFFFB /* SNAPSHOT_DIFF, SNAPSHOT_STATE: what the VM is now */
#define AV_SNAPSHOT_IMPORT 0xFFFFFFFFFFFFFFFA /* SNAPSHOT_PLACE: what IMPORT_BEGIN began */

/* SNAPSHOT_SET x3: what to change. */
#define AV_SNAPSHOT_SET_NAME 1	/* x4 = IPA of char[32] (empty: no name), x5 = 0 */
#define AV_SNAPSHOT_SET_PINNED 2 /* x4 = 0 or 1, x5 = 0 */

/* Regions and doorbells; region.h has what members see in memory. */
#define AV_REGION_MEMBERS 24	 /* members of a region, and words of its state table */
#define AV_REGION_NUMBERS 96	 /* region numbers are below this */
#define AV_REGION_INTID(region) (128 + (region)) /* a region's SPI, the same for all its members */
#define AV_REGION_GET_RO 0x1	 /* REGION_GET x3: the caller may only read */
#define AV_MEMBER_ALL 0xFFFFFFFF /* DOORBELL_RING x2: every other member */
#define AV_DOORBELL_PEER 0x8000000000000000 /* rung by the hypervisor: a word of the state table changed */
#define AV_WAIT_FOREVER 0xFFFFFFFFFFFFFFFF  /* DOORBELL_WAIT x3 */

/* FEATURES x1: bits. */
#define AV_FEATURE_SNAPSHOT 0x1
#define AV_FEATURE_REGION 0x2
#define AV_FEATURE_DOORBELL 0x4 /* and regions at run time */
#define AV_FEATURE_SET 0x8	/* snapshots of all VMs at once */
#define AV_FEATURE_DEBUG 0x80000000 /* TEST_HOOK answers */

/*
 * Registers of the calls that take no buffer. In: what is not said is 0. Out: x1..x3, what is not said is 0.
 *
 * VERSION              out x1 = AV_ABI_MAJOR << 16 | AV_ABI_MINOR
 * FEATURES             out x1 = AV_FEATURE_*
 * IDENTITY             out x1, x2 = the 128-bit identity, x3 = generation
 * VM_PAUSE RESUME STOP in x1 = target; out x1 = the state it is in now
 * VM_RESTART VM_START  in x1 = target, x2 = AV_RESTORE_PAUSED or 0; out (another VM) x1 = generation, x2 = state
 * VM_CRASH             in x1 = target, x2 = any number, shown in the reason
 * VM_CLONE             in x1 = target, x2 = id, x3 = IPA of char[32], the new VM's name, x4 = index of a spare slot,
 *                      x5 = AV_RESTORE_PAUSED or 0; out x1 = the id, x2 = the new VM's generation, x3 = ns it took
 * VM_REMOVE            in x1 = target, a clone; out x1 = its index, of a spare slot again
 * SNAPSHOT_TAKE        in x1 = target, x2 = IPA of char[32] name or 0, x3 = request id or 0, x4 = 0;
 *                      out of itself: x1 = id, x2 = 0, and after a restore the same with x2 = generation;
 *                      out of another VM: x1 = id, x2 = snapshots evicted, or AV_TAKE_FOUND when one carries that
 *                      request id already (nothing was taken), x3 = ns the VM was held
 * SNAPSHOT_RESTORE     in x1 = target, x2 = id, x3 = AV_RESTORE_*;
 *                      out (another VM) x1 = the id restored, x2 = generation, with AV_RESTORE_UNDO_SKIPPED when
 *                      undo was asked for and could not be paid, x3 = ns the VM was held
 * SNAPSHOT_DELETE      in x1 = target, x2 = id; out x1 = id
 * SNAPSHOT_SET         in x1 = target, x2 = id, x3 = AV_SNAPSHOT_SET_*, x4, x5; out x1 = id
 * SNAPSHOT_DIFF        in x1 = target, x2, x3 = two ids, or AV_SNAPSHOT_LIVE; x4 = cursor, 0 at first; x5 = buffer for
 *                      AV_PAGE_RUNS struct av_page_run; out x1 = how many were written, x2 = the next cursor, AV_DIFF_END at
 *                      the end
 * SNAPSHOT_STATE       in x1 = target, x2 = id, or AV_SNAPSHOT_LIVE; x3 = number of the part, x4 = buffer for a
 *                      struct av_state_part, x5 = its size; out x1 = size of the structure, x2 = how many parts there are
 * SET_TAKE             in x1 = IPA of char[32] name or 0, x2 = request id or 0; out x1 = id, x2 = snapshots evicted, or
 *                      AV_TAKE_FOUND, x3 = ns all were held; with an error x1 = the VM that refused, or AV_VM_NONE
 * SET_RESTORE          in x1 = id, AV_SNAPSHOT_LATEST or _UNDO, x2 = AV_RESTORE_*; out x1 = id, x2 = regions that are gone
 *                      since, with AV_RESTORE_UNDO_SKIPPED, x3 = ns all were held; with an error x1 as for SET_TAKE
 * SET_DELETE           in x1 = id, or AV_SNAPSHOT_UNDO; out x1 = id; with an error x1 as for SET_TAKE
 * REGION_GET           in x1 = key, x2 = bytes, x3 = AV_REGION_GET_*;
 *                      out x1 = IPA, x2 = region number, x3 = own member number
 * REGION_DETACH        in x1 = region
 * DOORBELL_RING        in x1 = region, x2 = member or AV_MEMBER_ALL, x3 = flags;
 *                      out x1 = what was pending there before, 0 for ALL
 * DOORBELL_STATUS      in x1 = region, x2 = flags to clear; out x1 = what was pending before
 * DOORBELL_MASK        in x1 = region, x2 = flags that raise the SPI, x3 = vCPU it goes to; out x1 = the flags before
 * DOORBELL_WAIT        in x1 = region, x2 = flags, x3 = CNTVCT to give up at; out x1 = what is pending
 * DOORBELL_CALL        in x1 to x3 as DOORBELL_WAIT, x4 = member, x5 = flags to ring it first, 0: none; out x1 = what was
 *                      pending, of which those of x2 are cleared
 * PRINT                in x1 = IPA, x2 = bytes
 * SNAPSHOT_SHAPE       in x1 = target, x2 = buffer for a struct av_snapshot_shape, x3 = its size; out x1 = size of the structure
 * SNAPSHOT_PLACE       in x1 = target, x2 = id or AV_SNAPSHOT_IMPORT, x3 = number of the part, x4 = buffer for a
 *                      struct av_part_place, x5 = its size; out x1 = size of the structure, x2 = how many parts there are
 * IMPORT_BEGIN         in x1 = target
 * IMPORT_PAGES         in x1 = target, x2 = IPA, x3 = pages, x4 = buffer for AV_PAGE_RUNS struct av_page_run;
 *                      out x1 = how many were written, x2 = how many pages they are
 * IMPORT_COMMIT        in x1 = target, x2 = IPA of a struct av_import, x3 = its size; out x1 = id; of INTEGRITY the part
 * IMPORT_ABORT         out x1 = 1 when there was something to drop
 * MEMORY_DRAIN         in x1 = target
 * AUDIT                in x1 = target; out x1 = frames counted
 * TEST_HOOK            in x1 = AV_HOOK_*, x2 = 0; AGENT_CRASH only answers AV_OK: the agent does the rest
 */
#define AV_TAKE_FOUND 0x8000000000000000
#define AV_VM_NONE 0xFFFFFFFF
#define AV_RESTORE_UNDO_SKIPPED 0x8000000000000000

/* TEST_HOOK x1: what to do to the caller (debug builds only). */
#define AV_HOOK_NONE 0
#define AV_HOOK_BUG 1	    /* BUG() in EL2: all CPUs stop */
#define AV_HOOK_AGENT_CRASH 2 /* armed by the agent: it jumps to a bad address at its next command */

#ifndef __ASSEMBLER__
#include <stdint.h>

enum av_hvc {
#define AV_HVC(name, number, arity, privilege) AV_HVC_##name = (number),
#include <avisor/hypercalls.def>
#undef AV_HVC
};
#define AV_HVC_ID(number) (AV_SMCCC_BASE | (uint32_t)(number))

/* VM_INFO: x1 = target, or AV_VM_SELF; x2 = buffer IPA, x3 = its size. VM indices run from 0 without holes. */
struct av_vm_info {
	char name[AV_NAME_SIZE];
	uint32_t index;
	uint32_t state;		 /* AV_STATE_* */
	uint32_t vcpu_count;
	uint32_t flags;		 /* AV_VM_FLAG_* of manifest.h */
	uint64_t ram_base;	 /* IPA */
	uint64_t ram_size;	 /* bytes */
	uint64_t generation;	 /* how often it was restored or restarted */
	uint64_t snapshot_count; /* without boot and undo */
	uint64_t base_id;	 /* snapshot the dirty pages count from, AV_SNAPSHOT_BOOT/NONE */
	uint64_t frames_used;	 /* page frames charged to it: RAM, tables, snapshots */
	uint64_t frames_budget;
	uint64_t ram_frames;	 /* committed pages: leaves of the live tree that are not invalid, bundle pages left out */
	uint64_t dirty_frames;	 /* writable leaves: what a restore to the base throws away */
	uint64_t uptime_ns;	 /* time it has spent running, by its own counter since its boot or restore chain */
	uint64_t restart_count;
	uint64_t crash_pc;	 /* state crashed: PC of the vCPU that did it */
	uint64_t crash_esr;
	uint64_t crash_far;
	uint32_t crash_word;	 /* the instruction word, 0 when unknown */
	uint32_t vcpu_cpu0;	 /* physical CPU of vCPU 0 */
	char crash_reason[64];	 /* printable, NUL-terminated */
	uint8_t vcpu_cpu[8];	 /* physical CPU of each vCPU; those that are not there 0xff */
	uint8_t vcpu_power[8];	 /* AV_VCPU_* of each vCPU; those that are not there 0 */
	uint64_t origin_id;	 /* snapshot last taken or restored, the next one's parent; it may be gone. AV_SNAPSHOT_BOOT */
	char slot[AV_NAME_SIZE]; /* a clone, or an empty slot: the slot's name, which its host ports have */
	uint64_t source_id;	 /* a clone: the snapshot it was made from, of VM source_vm; else AV_SNAPSHOT_NONE */
	uint32_t source_vm;	 /* its index; else AV_VM_SELF */
	uint32_t clone_count;	 /* of its snapshots */
};

#define AV_VCPU_OFF 0	  /* not started yet, or turned off (PSCI) */
#define AV_VCPU_ON 1
#define AV_VCPU_WAITING 2 /* on, in WFI or suspended */

/* VM_STATS: exits by reason since the VM was created; an index is enum av_exit. */
enum av_exit {
	AV_EXIT_HVC,
	AV_EXIT_SMC,
	AV_EXIT_WFI,
	AV_EXIT_SYSREG,
	AV_EXIT_MMIO,
	AV_EXIT_FAULT_TOUCH, /* first touch of a page */
	AV_EXIT_FAULT_WRITE, /* copy, or made writable */
	AV_EXIT_FAULT_OTHER,
	AV_EXIT_IRQ,
	AV_EXIT_INJECTED_ABORT,
	AV_EXIT_OTHER,
	AV_EXIT_COUNT
};
struct av_vm_stats {
	uint64_t exits[16];		/* by enum av_exit; the rest 0 */
	uint64_t cpu_ns;		/* time on a physical CPU */
	uint64_t tlbi_local;
	uint64_t tlbi_broadcast;
	uint64_t pages_copied;
	uint64_t pages_zeroed;
	uint64_t nodes_copied;
	uint64_t cache_syncs;
	uint64_t evictions;
	uint64_t console_bytes;
	uint64_t console_dropped;	/* over the output cap */
	uint64_t input_dropped;		/* host bytes dropped at a restore */
	uint64_t unknown_hvc;
	uint64_t pages_copied_back; /* by restores, AV_VM_FLAG_COPY_BACK */
	uint64_t pages_kept;	    /* by the last one */
	uint64_t restore_ns;	    /* what EL2 needed for its last restore, restart or start (not as one of a set); 0: none yet */
};

/* MACHINE_INFO: x1 = buffer IPA, x2 = its size. */
struct av_machine_info {
	uint64_t frames_total; /* page frames the frame allocator owns */
	uint64_t frames_free;  /* not in use by anybody, per-VM caches included */
	uint64_t counter_hz;
	uint64_t uptime_ns;
	uint32_t cpu_count;
	uint32_t vm_count;
	uint32_t region_count;
	uint32_t debug_build;
	uint64_t control_restarts;
	uint64_t event_next;   /* sequence number the next event will get */
	uint64_t log_next;     /* byte offset the next log byte will get */
	uint64_t shm_pages;    /* for regions got at run time */
	uint64_t shm_used;     /* of them, what regions and their tables have */
	uint64_t set_pages;    /* for regions' contents in set snapshots */
	uint64_t set_used;
};

/*
 * SNAPSHOT_INFO: x1 = target, x2 = cursor, x3 = buffer IPA, x4 = its size.
 * cursor = the smallest id wanted: the answer is the snapshot with the smallest id >= cursor, NOT_FOUND at the end;
 * AV_SNAPSHOT_BOOT / UNDO / LATEST name those.
 */
struct av_snapshot_info {
	uint64_t id;
	uint64_t parent; /* AV_SNAPSHOT_NONE, or _BOOT; informative: the parent may be gone */
	uint64_t request_id;
	uint64_t taken_ns;	/* hypervisor uptime when it was taken */
	uint64_t vm_time_ns;	/* the guest's own virtual counter, as time */
	uint64_t pages_unique;	/* RAM frames only this snapshot's nodes own and no other tree reaches */
	uint64_t pages_shared;	/* other RAM pages it reaches */
	uint64_t pages_reclaimable; /* frames, tables included, that come back when it is deleted now */
	uint32_t pinned;
	uint32_t state;		/* AV_STATE_* recorded */
	uint32_t is_base;
	uint32_t clones; /* VMs made from it: until they are removed it stays */
	char name[AV_NAME_SIZE];
	uint32_t set; /* 0, or the number of the set snapshot that it is part of + 1 */
	uint32_t reserved;
};

/* SET_INFO: x1 = cursor as for SNAPSHOT_INFO, AV_SNAPSHOT_UNDO or _LATEST; x2 = buffer IPA, x3 = its size. */
struct av_set_info {
	uint64_t id; /* or AV_SNAPSHOT_UNDO */
	uint64_t request_id;
	uint64_t taken_ns;     /* hypervisor uptime when it was taken */
	uint64_t region_pages; /* of regions' contents */
	uint64_t frames;       /* it has, of `machine: {sets: ...}` */
	uint32_t region_count;
	uint32_t vm_count; /* of members that are used: by VM index */
	char name[AV_NAME_SIZE];
	uint64_t members[20]; /* the snapshot of each VM; AV_SNAPSHOT_NONE: it is not in the set */
};

/* SNAPSHOT_DIFF: pages in a row that A and B have different frames for. Their contents may be the same all the same. */
struct av_page_run {
	uint64_t ipa;
	uint64_t pa_a; /* of the first one, the others follow it; 0: A has none there, it would read zeros */
	uint64_t pa_b;
	uint32_t count;
	uint32_t kind; /* AV_PAGE_* */
};
#define AV_PAGE_RUNS 32
#define AV_DIFF_END 0xFFFFFFFFFFFFFFFF
#define AV_PAGE_BOTH 1	 /* both have a page */
#define AV_PAGE_ONLY_A 2
#define AV_PAGE_ONLY_B 3

/* SNAPSHOT_STATE: a piece of the state besides RAM. */
struct av_state_part {
	char name[AV_NAME_SIZE]; /* "devices", "flash", "regions", "vcpu" */
	uint32_t vcpu;		 /* whose it is; 0xFFFFFFFF: the VM's */
	uint32_t size;
	uint64_t checksum; /* of its bytes: equal parts have equal ones */
	uint64_t value;	   /* of "vcpu": the VM's counter */
	/* Of "vcpu", else all 0. */
	uint64_t x[31];
	uint64_t pc, pstate;
	uint64_t sp_el0, sp_el1, elr_el1, spsr_el1, esr_el1, far_el1, vbar_el1;
	uint64_t sctlr_el1, tcr_el1, ttbr0_el1, ttbr1_el1, mair_el1, contextidr_el1;
	uint64_t tpidr_el0, tpidrro_el0, tpidr_el1;
	uint64_t cntv_ctl_el0, cntv_cval_el0, cntp_ctl_el0, cntp_cval_el0;
	uint64_t fp_checksum; /* of q0-q31, FPSR, FPCR */
	uint64_t power;	      /* AV_VCPU_OFF or AV_VCPU_ON */
};

/* SNAPSHOT_SHAPE: what two VMs must have in common so that one can go on from the other's snapshot. */
struct av_snapshot_shape {
	uint64_t ram_base, ram_size;
	uint32_t vcpu_count;
	uint32_t flags; /* AV_VM_FLAG_FLASH, or 0 */
	uint32_t part_count;
	uint32_t reserved;
	uint64_t counter_hz;
	uint64_t clock_origin; /* where the VMs' counters start */
	uint64_t midr, ctr;
	uint64_t id[8][8]; /* ID registers of op0 = 3, op1 = 0, CRn = 0 as guests read them: [CRm][op2] */
};

/* SNAPSHOT_PLACE: where a part of a snapshot's state lies. */
struct av_part_place {
	char name[AV_NAME_SIZE];
	uint64_t pa;
	uint32_t size;
	uint32_t reserved;
};

/* IMPORT_COMMIT: what the snapshot is to say of itself. */
struct av_import {
	char name[AV_NAME_SIZE]; /* empty: none */
	uint64_t vm_ticks;	 /* the guest's time, by its counter */
	uint32_t state;		 /* AV_STATE_* recorded */
	uint32_t reserved;
};

/* REGION_INFO: x1 = index, x2 = buffer IPA, x3 = its size. A VM that is not a member gets NOT_FOUND, unless control. */
struct av_region_member {
	uint32_t vm;
	uint32_t rights; /* AV_RIGHT_* of manifest.h */
};
#define AV_REGION_RUN_TIME 0x1 /* got by key */
struct av_region_info {
	char name[AV_NAME_SIZE]; /* of a run-time region: "key-" and the key in hex */
	uint64_t ipa;		 /* the caller's; for control the one all have, 0 when each has its own */
	uint64_t size;		 /* bytes the members share, sections included; the state table is right behind */
	uint64_t pa;		 /* 0 unless control */
	uint32_t index;		 /* the region's number */
	uint32_t member_count;
	struct av_region_member members[AV_REGION_MEMBERS];
	uint8_t numbers[AV_REGION_MEMBERS]; /* member number of each */
	uint64_t state_ipa;		    /* of the state table, as ipa */
	uint64_t serial;		    /* no two regions of a machine's life have the same */
	uint64_t key;			    /* 0: from the YAML file */
	uint64_t common_size;		    /* bytes everybody with the right may write; then sections */
	uint64_t output_size;		    /* bytes of each member's section, 0: there are none */
	uint32_t flags;			    /* AV_REGION_* */
	uint32_t intid;			    /* of the doorbell's SPI */
	uint32_t own_number;		    /* the caller's member number, AV_MEMBER_ALL: none */
	uint32_t reserved;
	uint64_t ipas[AV_REGION_MEMBERS]; /* where each member has it; 0 unless control */
};

/*
 * EVENT_READ: x1 = first sequence number wanted, x2 = buffer IPA, x3 = its size in bytes (a multiple of the event).
 * Returns x1 = how many were written, x2 = the sequence number to ask for next, x3 = how many before that
 * are gone (each VM's last 256 are kept).
 */
enum av_event_kind {
#define AV_EVENT_KIND(name, number, word) AV_EVENT_##name = (number),
#include <avisor/events.def>
#undef AV_EVENT_KIND
};
struct av_event {
	uint64_t sequence;
	uint64_t time_ns; /* hypervisor uptime */
	uint32_t kind;
	uint32_t vm;
	uint64_t a, b;
	char text[24];
};

/* LOG_READ: x1 = byte offset wanted, x2 = buffer IPA, x3 = its size. Returns x1 = bytes written, x2 = offset of the first. */
#endif /* __ASSEMBLER__ */
