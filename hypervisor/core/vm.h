/* SPDX-License-Identifier: MIT */
/*
 * vm.h - a VM, its vCPUs, and the physical CPU that runs them.
 *
 * Locks, in this order: op_lock (one operation that stops vCPUs in the whole machine; only ever tried, never waited
 * for), vm->lock (memory, devices and vGIC of one VM), region_lock (who shares what, doorbells), cpu->lock (one CPU's run
 * queues), then leaves (frames, log, events, virtio-serial).
 * A vCPU's context belongs to its physical CPU; another CPU touches it only while the VM is held and the vCPU is
 * not loaded.
 */
#pragma once
#include <avisor/hypercall.h>
#include <avisor/manifest.h>
#include "arch/debug.h"
#include "arch/lock.h"
#include "arch/vcpu_context.h"
#include "core/types.h"
#include "core/snapshot.h"
#include "dev/vconsole.h"
#include "dev/vgic.h"
#include "dev/vpl011.h"
#include "dev/vpl031.h"
#include "mm/vmem.h"

enum vcpu_power { VCPU_OFF, VCPU_ON };

/* vm->requests: work that the next of its vCPUs to enter the guest does before, whichever that is. */
#define REQUEST_INPUT 0x1    /* bytes from the host wait for its VM's devices */
#define REQUEST_OUTPUT 0x2   /* a port has room again */
#define REQUEST_DEVICE 0x4   /* a virtqueue has more work than one call does */
#define REQUEST_RESTORED 0x8 /* devices tell the guest about a restore */
#define REQUEST_BELLS 0x10   /* doorbells: SPI levels may have changed */

/* vcpu->waiting */
#define VCPU_WAITS 1      /* in WFI */
#define VCPU_WAITS_BELL 2 /* in DOORBELL_WAIT, PC at the call */

/* vcpu->extras */
#define EXTRA_PMU 1
#define EXTRA_DEBUG 2

/* What a snapshot holds of one region. */
struct region_saved {
	uint64_t serial;
	uint64_t address; /* 2 MiB-aligned; below: number, vCPU << 8, rights << 16 */
	uint64_t pending, enable;
};

struct vcpu {
	/* Known to assembly: cpu_offsets.h. */
	uint64_t x[31];
	uint64_t pc;
	uint64_t pstate;
	uint32_t mdscr;   /* MDSCR_EL1 */
	uint32_t os_lock; /* OSLSR_EL1.OSLK: as if MDSCR_EL1 were 0 */
	struct timer_context timer;
	struct pmu_context pmu;    /* in the PE instead while EXTRA_PMU */
	uint64_t vmcr, ap0r, ap1r; /* ICH_VMCR_EL2, ICH_AP0R0_EL2, ICH_AP1R0_EL2 */
	uint32_t power;            /* enum vcpu_power */
	uint32_t waiting;          /* VCPU_WAITS*, 0: not */
	uint32_t
		two_timelines; /* set in a snapshot this vCPU took of its own VM: a restore writes the generation to x2 */
	uint32_t reserved;
	/* What follows is in the PE while the vCPU is loaded, also when its VM is held: vcpu_store(). */
	struct el1_context el1;
	struct fp_context fp;
	/* Until here a snapshot carries it (vm_state.c); from here on it does not. */

	struct vm *vm;
	struct cpu *cpu;
	uint32_t index;
	bool loaded;         /* its context is in cpu's registers */
	bool queued;         /* on a run queue */
	bool kicked;         /* kicked while it was its CPU's current one; cpu->lock */
	bool in_pe;          /* its VM is held, but el1 and fp are still in cpu's registers only */
	bool replaced;       /* ... and a snapshot's: cntv in memory is what counts */
	uint8_t extras;      /* EXTRA_*: what few guests use and is in cpu's registers */
	bool quiet;          /* vcpu_store() found its list registers empty and right */
	bool shares;         /* another vCPU of its VM lives on its CPU */
	uint64_t run_since;  /* counter when it was given the CPU */
	uint64_t wake_at;    /* counter at which a timer ends its wait, as of its last unload */
	uint64_t wait_since; /* counter when it last went into WFI */
	uint64_t cpu_ticks;  /* it has had the CPU for so long */
	uint64_t burst;      /* of that, since it last took its turn behind all others */
	uint64_t
		vain_at; /* counter when it was looked at in this wait and had nothing to wake up for, or 0 */
	uint64_t exits[AV_EXIT_COUNT]; /* by reason; VM_STATS adds up */
	struct vcpu *next;             /* run queue */
	struct vcpu *sleep_next;       /* cpu->sleepers */
	bool sleeping_listed;
};

struct vm {
	struct spinlock lock;
	uint32_t index;
	uint32_t flags; /* AV_VM_FLAG_* */
	uint32_t state; /* AV_STATE_* */
	uint32_t vcpu_count;
	struct vcpu *vcpus;
	bool held;   /* an operation has its vCPUs stopped */
	bool ending; /* a vCPU of it has ended or starved it; until it runs again */
	uint8_t last_on
		[AV_CPU_MAX]; /* by physical CPU: index + 1 of the vCPU that has its translations there; for those that share */
	bool wide; /* its vCPUs live on more than one physical CPU: TLB invalidations are broadcast */
	uint32_t requests; /* REQUEST_*, set by any CPU with an atomic or */
	uint64_t slice;
	struct vmem mem;
	struct vgic gic;
	struct vpl011 uart;
	struct vpl031 rtc;
	struct vconsole console;

	char name[AV_NAME_SIZE];

	/* time: virtual counter = physical counter - cntvoff; stopped_at is the virtual counter while it stands still */
	uint64_t cntvoff;
	uint64_t stopped_at;
	bool clock_stopped;

	uint64_t generation;
	uint64_t restore_ticks; /* what the last restore of it alone took */
	uint64_t restart_count;
	uint64_t reset_times[10]; /* physical counter of the last SYSTEM_RESETs */
	unsigned reset_next;

	/* What it crashed of, and what the state in `undo` had crashed of. */
	struct crash {
		char reason[64];
		uint64_t pc, esr, far;
		uint32_t word;
	} crash, undo_crash;

	struct flash *flash; /* NULL: none */

	const struct av_manifest_vm *manifest; /* a clone: its source's */
	const struct av_manifest_vm *slot; /* of a spare slot, a clone in it or none; else NULL */
	struct vm *source;        /* a clone: whose snapshot it was made from (mem.source) */
	struct av_vm_stats stats; /* exits and cpu_ns: of the vCPUs */
	struct log_limit {
		uint64_t window;
		unsigned lines, dropped;
	} log_limit;

	/* shared regions: by number; region_lock */
	uint64_t regions[2];                        /* attached to */
	uint64_t bells[2];                          /* whose SPI may have another level */
	struct region_member *fixed[AV_REGION_MAX]; /* in the manifest's; for good */
	uint32_t fixed_count;
	bool region_unmade;   /* it is making one: its REGION_GET has not returned yet */
	uint32_t saved_count; /* of the snapshot loaded last, until region_restored() */
	struct region_saved saved[VMEM_ATTACH_MAX];

	/* DBGBVR0_EL1 and so on of vCPU 0, then of the next: arch/debug.h */
	uint64_t debug[AV_VCPU_MAX * DEBUG_REGISTERS];

	uint64_t
		device_version; /* of the state of uart, clock, console and debug registers: the same number, the same state */
	uint64_t device_versions; /* the highest ever given */
	bool input_waits; /* host bytes may wait at a port: set by the port, cleared when all were consumed */
	/* host side of its ports: numbers of the virtio-serial driver, 0 = none */
	unsigned port_console, port_hvc0, port_agent;
	/* console output cap */
	uint64_t output_window;
	uint64_t output_bytes;

	struct state_part parts[4 + AV_VCPU_MAX];
	unsigned part_count;
};

extern struct vm *vms[AV_VM_MAX + 1];
extern unsigned vm_count;
extern struct spinlock op_lock;

/* Make the VM of manifest entry index: memory, devices, vCPUs; or a spare slot. BUG on what the manifest check rules out. */
void vm_create(unsigned index);

/* Regions attached and state complete: what is there becomes `boot`, and the VM starts (or stays paused). A slot stays empty. */
void vm_seal(struct vm *vm);

/* Its vCPUs have their physical CPUs: wide, and which of them share one. */
void vm_placed(struct vm *vm);

/* Events and the log name VMs by this when there is none. */
#define VM_NONE 0xFFFFFFFF

/* vCPU 0's virtual counter now, standing still when the VM's clock does. */
uint64_t vm_counter(const struct vm *vm);

/* As time since its first instruction: ticks. */
uint64_t vm_uptime(const struct vm *vm);
void vm_clock_stop(struct vm *vm);
void vm_clock_start(struct vm *vm);
void vm_clock_set(struct vm *vm, uint64_t counter);

/* A new identity and generation: after each restore and restart. */
void vm_new_identity(struct vm *vm);

/*
 * A vCPU is about to end or starve its VM, which runs; any CPU, no lock needed. False: another vCPU has done so already, and
 * what this one did does not count.
 */
bool vm_may_end(struct vm *vm);

/* The budget is used up and address (IPA, 0: EL2's own write) cannot be served: state, event and log. VM's lock held. */
void vm_starve(struct vm *vm, uint64_t address);

/* Change state, with the event. The VM's vCPUs are stopped, or the caller runs on the only one. */
void vm_set_state(struct vm *vm, uint32_t state);

/*
 * The guest of vcpu did what ends it: state crashed, reason and registers kept; it stays listed and restorable.
 * The caller goes on to the scheduler, which will not run the VM again.
 */
void vm_crash(struct vcpu *vcpu, const char *reason, uint64_t far, uint32_t word);
/* The same from outside, in any state. vm_hold(): all its vCPUs are stopped. */
void vm_crash_held(struct vm *vm, const char *reason);

/*
 * Stop all vCPUs of vm and take their contexts off the CPUs, or put them back. The caller holds op_lock. Time stands still between.
 * Other CPUs are waited for with a bound; BUG past it.
 */
void vm_hold(struct vm *vm);
/* The same when all state will be replaced: the context of the caller's own vCPU need not be saved. */
void vm_hold_to_replace(struct vm *vm);
void vm_release(struct vm *vm);
