/* SPDX-License-Identifier: MIT */
/*
 * vgic.h - the GICv3 one VM sees: one distributor and a redistributor per vCPU, single security state
 * (GICD_CTLR.DS = ARE = 1), no LPIs, no ITS, no GICv2. The model is the only authority; list registers (LRs)
 * are a cache of it.
 *
 * The caller holds the VM's vGIC lock for every function here. The life of a vCPU:
 *
 *   before entry   if (vgic_is_dirty(v, cpu)) { vgic_fold(); n = vgic_fill(&lr, &hcr); write LRs, ICH_HCR_EL2 }
 *                  (not dirty: the LRs are right as they stand, touch nothing)
 *   maintenance    vgic_fold() with the LRs and ICH_HCR_EL2.EOIcount, then as before entry
 *   trapped MMIO   if (vgic_mmio_wants_fold()) vgic_fold(); vgic_mmio()
 *   WFI            vgic_fold(), then vgic_pending()
 *   unload, save   vgic_fold(): afterwards nothing is in LRs and the hardware's must be written as zero
 *   after any call kick = vgic_take_kick(v): these vCPUs' LRs are out of date (for the own one: vgic_is_dirty)
 *
 * A fold takes everything out of the LRs and marks the vCPU dirty when anything was in them.
 */
#pragma once

#include "core/types.h"

#define VGIC_CPU_MAX 8
#define VGIC_SPI_COUNT 256
#define VGIC_BANK_COUNT (VGIC_SPI_COUNT / 32)
#define VGIC_INTID_COUNT (32 + VGIC_SPI_COUNT)
#define VGIC_LR_MAX 16
#define VGIC_PRIORITY_MASK 0xf8u /* 5 bits are implemented */

#define VGIC_DIST_SIZE 0x10000ul
#define VGIC_REDIST_SIZE 0x20000ul /* of one vCPU: RD_base, SGI_base */

/* 32 interrupts, one bit each. */
struct vgic_bank {
	uint32_t group; /* 1: Group 1 */
	uint32_t enabled;
	uint32_t latch; /* pending by an edge or by software */
	uint32_t line;  /* level of the input */
	uint32_t active;
	uint32_t edge; /* configured edge-triggered */
};

/* What a snapshot holds of the distributor. */
struct vgic_dist_state {
	uint32_t ctlr; /* EnableGrp0, EnableGrp1 */
	uint32_t reserved;
	uint64_t
		version; /* two states of this VM with the same one are the same; 0 in one from elsewhere */
	struct vgic_bank bank[VGIC_BANK_COUNT];
	uint8_t priority[VGIC_SPI_COUNT];
	uint16_t route
		[VGIC_SPI_COUNT]; /* Aff0 or VGIC_ROUTE_NONE; above, the vCPU it is active on, if it is */
};
_Static_assert(sizeof(struct vgic_dist_state) == 976, "a memcpy of under 1 KiB");

/* What a snapshot holds of one redistributor. ICH_VMCR and ICH_APxR are the vCPU's, not ours. */
struct vgic_cpu_state {
	struct vgic_bank bank;
	uint8_t priority[32];
	uint32_t asleep; /* GICR_WAKER.ProcessorSleep */
};
_Static_assert(sizeof(struct vgic_cpu_state) == 60, "");

#define VGIC_ROUTE_MASK 0x1ffu
#define VGIC_ROUTE_NONE 0x100u /* an affinity no vCPU has */
#define VGIC_ROUTE_OWNER_SHIFT 12
#define VGIC_STATE_SIZE sizeof(struct vgic_dist_state)
#define VGIC_CPU_STATE_SIZE sizeof(struct vgic_cpu_state)

struct vgic_cpu {
	struct vgic_cpu_state state;
	uint32_t resident;   /* private INTIDs that are in an LR */
	uint32_t hw_release; /* vgic_take_hw_release() */
	uint16_t lr_used;    /* LRs as last filled; one bit or entry for each */
	uint16_t lr_pending; /* filled with the pending bit */
	uint16_t lr_hw;
	uint16_t lr_repended;    /* became pending again since the fill */
	uint16_t lr_activated;   /* ISACTIVER since the fill */
	uint16_t lr_deactivated; /* ICACTIVER or DIR since the fill */
	uint16_t lr_intid[VGIC_LR_MAX];
};

struct vgic {
	struct vgic_dist_state dist;
	uint64_t versions; /* the highest ever given to dist.version */
	uint64_t quiet;    /* a dist.version in which no SPI is pending or active */
	uint32_t resident[VGIC_BANK_COUNT]; /* SPIs that are in some vCPU's LR */
	uint32_t hw;                        /* PPIs injected with HW = 1, pINTID = INTID */
	uint8_t cpu_count;
	uint8_t dirty; /* bit: this vCPU's LRs no longer show the model */
	uint8_t kick;  /* bit: became dirty since vgic_take_kick() */
	struct vgic_cpu cpu[VGIC_CPU_MAX];
};

/* The vCPU's side of the virtual CPU interface, as saved or as read from ICH_VMCR_EL2, ICH_AP0R0, ICH_AP1R0. */
struct vgic_interface {
	uint64_t vmcr;
	uint32_t ap0r;
	uint32_t ap1r;
};

/* --- vgic_model.c: inputs */

/* Reset state, nothing connected, cpu_count 1..VGIC_CPU_MAX. vCPU n has affinity 0.0.0.n. */
void vgic_init(struct vgic *v, unsigned cpu_count);
/* PPI intid (16..31) of every vCPU is the physical PPI of the same number: its LRs have HW = 1. */
void vgic_set_hw(struct vgic *v, unsigned intid);

/*
 * The level of an input line; cpu matters for PPIs only. An edge-configured interrupt becomes pending when its
 * line rises. For a HW PPI: level true when the physical one was acknowledged at EL2 (and left active); the model
 * lowers it when the guest took the interrupt, and ignores it while active; false when the timer's condition was found gone at an unload.
 */
void vgic_set_line(struct vgic *v, unsigned cpu, unsigned intid, bool level);
/* Pending once, whatever its configuration: as if software had written ISPENDR. */
void vgic_pulse(struct vgic *v, unsigned cpu, unsigned intid);
/* ICC_SGI1R_EL1, ICC_ASGI1R_EL1, ICC_SGI0R_EL1 written by vCPU cpu. */
enum vgic_sgi_register { VGIC_SGI1R, VGIC_ASGI1R, VGIC_SGI0R };
void vgic_sgi(struct vgic *v, unsigned cpu, enum vgic_sgi_register which, uint64_t value);
/* ICC_DIR_EL1 written by vCPU cpu and trapped (ICH_HCR_EL2.TDIR), in split EOI mode. */
void vgic_deactivate(struct vgic *v, unsigned cpu, unsigned intid);

/*
 * Would an interrupt be signalled to this vCPU now? Decides if WFI ends. Only after a fold: what is in LRs is
 * not seen. PSTATE.{I,F} do not matter, as on hardware.
 */
bool vgic_pending(const struct vgic *v, unsigned cpu, const struct vgic_interface *interface);

/*
 * Pending or active in the model (so: after a fold): the physical PPI must be active while this vCPU is
 * loaded, and inactive if not. Write GICR_ISACTIVER0 or ICACTIVER0 by it at a load.
 */
bool vgic_hw_busy(const struct vgic *v, unsigned cpu, unsigned intid);
/* PPIs whose physical interrupt is to be deactivated now (the guest wrote ICACTIVER). Clears the answer. */
uint32_t vgic_take_hw_release(struct vgic *v, unsigned cpu);

static inline bool vgic_is_dirty(const struct vgic *v, unsigned cpu)
{
	return v->dirty >> cpu & 1;
}

/* The vCPUs that became dirty since the last call. */
static inline unsigned vgic_take_kick(struct vgic *v)
{
	unsigned kick = v->kick;

	v->kick = 0;
	return kick;
}

/* --- vgic_lr.c: list registers */

#define VGIC_LR_STATE_SHIFT 62
#define VGIC_LR_PENDING (UINT64_C(1) << 62)
#define VGIC_LR_ACTIVE (UINT64_C(1) << 63)
#define VGIC_LR_HW (UINT64_C(1) << 61)
#define VGIC_LR_GROUP1 (UINT64_C(1) << 60)
#define VGIC_LR_PRIORITY_SHIFT 48
#define VGIC_LR_PINTID_SHIFT 32
#define VGIC_LR_EOI (UINT64_C(1) << 41) /* maintenance interrupt at EOI; HW = 0 only */

#define VGIC_HCR_EN (UINT64_C(1) << 0)
#define VGIC_HCR_LRENPIE (UINT64_C(1) << 2)
#define VGIC_HCR_NPIE (UINT64_C(1) << 3)
#define VGIC_HCR_TDIR (UINT64_C(1) << 14)
#define VGIC_HCR_EOICOUNT_SHIFT 27

/*
 * Put the best interrupts into lr[0..lr_count), unused ones 0, and clear dirty. *hcr is the whole ICH_HCR_EL2:
 * En, NPIE when more are pending than fit, LRENPIE and TDIR when active ones do not fit. Returns how many LRs
 * are used: they are the first ones. Nothing may be in LRs (fold first).
 */
unsigned vgic_fill(struct vgic *v, unsigned cpu, uint64_t lr[], unsigned lr_count, uint64_t *hcr);
/*
 * Take back what the guest did. lr[0..lr_count) as read from hardware; eoi_count is ICH_HCR_EL2.EOIcount (bits
 * 31:27): write that field back as 0. LRs above the used count need not be read: vgic_used().
 */
void vgic_fold(struct vgic *v, unsigned cpu, const uint64_t lr[], unsigned lr_count,
	       unsigned eoi_count);
/* How many LRs, from the first, are in use: 0 = a fold needs to read none. */
static inline unsigned vgic_used(const struct vgic *v, unsigned cpu)
{
	uint32_t used = v->cpu[cpu].lr_used;

	return used ? 32 - (unsigned)__builtin_clz(used) : 0;
}
/*
 * A short cut for vgic_fill() when nothing is pending or active anywhere, and so no LR in use: true, *hcr as it would be,
 * dirty cleared. Nothing may be in LRs.
 */
bool vgic_fill_none(struct vgic *v, unsigned cpu, uint64_t *hcr);
/*
 * Nothing pending or active in the model, and nothing in this vCPU's LRs: no interrupt will be signalled to it. False may mean
 * that it has to be looked at.
 */
static inline bool vgic_seems_idle(const struct vgic *v, unsigned cpu)
{
	const struct vgic_cpu *c = &v->cpu[cpu];

	return !c->lr_used && !(c->state.bank.latch | c->state.bank.line | c->state.bank.active) &&
	       v->quiet == v->dist.version;
}
/* vgic_fill_none() where vgic_seems_idle(): the empty LRs show the model; ICH_HCR_EL2 is VGIC_HCR_EN. */
static inline void vgic_show_none(struct vgic *v, unsigned cpu)
{
	v->dirty = (uint8_t)(v->dirty & ~(1u << cpu));
	v->kick = (uint8_t)(v->kick & ~(1u << cpu));
}
/*
 * vgic_set_line(v, cpu, intid, true) for an interrupt of the vCPU that is loaded here, and when that is all there is
 * to do: true, and the caller writes *value to LR *slot (no fold, nothing else changes). empty is ICH_ELRSR_EL2.
 * False: the line is raised and the vCPU is dirty (or the interrupt is not deliverable now).
 */
bool vgic_inject_fast(struct vgic *v, unsigned cpu, unsigned intid, uint64_t empty,
		      unsigned lr_count, unsigned *slot, uint64_t *value);

/* --- vgic_mmio.c: registers */

enum vgic_frame { VGIC_DIST, VGIC_REDIST };

/* True when the access reads or changes what LRs hold: fold this vCPU first. */
bool vgic_mmio_wants_fold(enum vgic_frame frame, uint64_t offset, bool write);
/*
 * One access by vCPU cpu. offset from the distributor, or from the first redistributor. size 1, 2, 4 or 8. Reads set
 * *value. False: nothing is there (beyond the last redistributor): external abort. All else is RAZ/WI at worst.
 */
bool vgic_mmio(struct vgic *v, unsigned cpu, enum vgic_frame frame, uint64_t offset, unsigned size,
	       bool write, uint64_t *value);

/* --- vgic_state.c: snapshots. Only after a fold of every vCPU. A load makes all vCPUs dirty. Reset is a load of the
 * state as saved after vgic_init(). A loaded state may hold anything: it is made safe. */
void vgic_save(const struct vgic *v, struct vgic_dist_state *to);
void vgic_load(struct vgic *v, const struct vgic_dist_state *from);
/* The state of another VM's distributor, with so many vCPUs here; their own parts follow. */
void vgic_adopt(struct vgic *v, const struct vgic_dist_state *from, unsigned cpu_count);
/* These SPIs, whole banks of 32, have nothing on their lines any more. */
void vgic_lower_lines(struct vgic *v, unsigned intid, unsigned count);
void vgic_cpu_save(const struct vgic *v, unsigned cpu, struct vgic_cpu_state *to);
void vgic_cpu_load(struct vgic *v, unsigned cpu, const struct vgic_cpu_state *from);
