/* SPDX-License-Identifier: MIT */
/*
 * vcpu.c - a vCPU's context in and out of a PE. Between vcpu_load() and vcpu_unload() the EL1 registers, FP/SIMD, the
 * virtual timer and the list registers are the guest's; never written there on an exit that goes back to it.
 */
#include "core/vcpu.h"
#include "arch/features.h"
#include "arch/lr.h"
#include "arch/sysreg.h"
#include "arch/tlb.h"
#include "core/bug.h"
#include "core/clock.h"
#include "core/cpu.h"
#include "core/cpu_offsets.h"
#include "core/debug.h"
#include "core/pmu.h"
#include "core/sched.h"
#include "core/string.h"
#include "core/time.h"
#include "drivers/gicv3.h"
#include "platform/qemu-virt/platform.h"

_Static_assert(offsetof(struct cpu, stack) == CPU_STACK, "cpu_offsets.h");
_Static_assert(offsetof(struct vcpu, pc) == VCPU_PC, "cpu_offsets.h");
_Static_assert(offsetof(struct vcpu, pstate) == VCPU_PSTATE, "cpu_offsets.h");

#define TIMER_ENABLE 1u
#define TIMER_IMASK 2u

__attribute__((cold)) void vcpu_reset(struct vcpu *vcpu, uint64_t pc, uint64_t x0)
{
	memset(vcpu->x, 0, sizeof(vcpu->x));
	memset(&vcpu->fp, 0, sizeof(vcpu->fp));
	memset(&vcpu->el1, 0, sizeof(vcpu->el1));
	memset(&vcpu->timer, 0, sizeof(vcpu->timer));
	memset(&vcpu->pmu, 0, sizeof(vcpu->pmu));
	vcpu->x[0] = x0;
	vcpu->pc = pc;
	vcpu->pstate = PSTATE_EL1H | PSTATE_DAIF;
	vcpu->el1.sctlr = 0x30d00800; /* RES1 of SCTLR_EL1 */
	debug_reset(vcpu);
	vcpu->vmcr = 0;
	vcpu->ap0r = 0;
	vcpu->ap1r = 0;
	vcpu->waiting = 0;
}

/* offset: the VM's CNTVOFF. The counter is read only where it matters. */
static inline bool timer_due(uint64_t ctl, uint64_t cval, uint64_t offset)
{
	return (ctl & (TIMER_ENABLE | TIMER_IMASK)) == TIMER_ENABLE &&
	       cval <= counter_now() - offset;
}

/* The physical interrupt of this PE: active from when it is acknowledged until the guest or this ends it. */
static void vtimer_set_active(struct cpu *cpu, bool active)
{
	if (active || cpu->vtimer_active)
		gicv3_ppi_set_active(PLAT_PPI_VIRT_TIMER, active);
	cpu->vtimer_active = active;
}

/* The virtual timer's interrupt as the model, and the time, have it. */
static __attribute__((noinline)) void vtimer_load(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	/* The timer of before a restore may hold the line: it must not be pending again once it is not active any more. */
	if (vcpu->cpu->vtimer_active) {
		sysreg_write(cntv_ctl_el0, 0);
		isb();
	}
	if (timer_due(vcpu->timer.cntv_ctl, vcpu->timer.cntv_cval, vm->cntvoff))
		vgic_set_line(&vm->gic, vcpu->index, PLAT_PPI_VIRT_TIMER, true);
	vtimer_set_active(vcpu->cpu, vgic_hw_busy(&vm->gic, vcpu->index, PLAT_PPI_VIRT_TIMER));
}

/* CNTVOFF_EL2 is the VM's. The physical interrupt of the timer is active as the model has it. */
static inline void timers_load(struct vcpu *vcpu)
{
	const struct vgic_bank *bank = &vcpu->vm->gic.cpu[vcpu->index].state.bank;

	/* Not when it is off, not pending and not active: nothing is to be changed. */
	if (vcpu->timer.cntv_ctl & TIMER_ENABLE || vcpu->cpu->vtimer_active ||
	    (bank->line | bank->active) & 1u << PLAT_PPI_VIRT_TIMER)
		vtimer_load(vcpu);
	sysreg_write(cntv_cval_el0, vcpu->timer.cntv_cval);
	isb(); /* never enabled with another's CVAL */
	sysreg_write(cntv_ctl_el0, vcpu->timer.cntv_ctl);
}

static inline void timers_unload(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	sysreg_write(cntv_ctl_el0, 0);
	isb();
	if (!vcpu->cpu->vtimer_active && !vgic_hw_busy(&vm->gic, vcpu->index, PLAT_PPI_VIRT_TIMER))
		return;
	/* A pending timer interrupt whose condition the guest has since removed is not pending any more. */
	if (!timer_due(vcpu->timer.cntv_ctl, vcpu->timer.cntv_cval, vm->cntvoff))
		vgic_set_line(&vm->gic, vcpu->index, PLAT_PPI_VIRT_TIMER, false);
	/* Left active it would keep the next VM on this PE from getting any timer interrupt. */
	vtimer_set_active(vcpu->cpu, false);
}

static void offset_load(const struct vm *vm)
{
	if (sysreg_read(cntvoff_el2) != vm->cntvoff) {
		sysreg_write(cntvoff_el2, vm->cntvoff);
		isb();
	}
}

static void interface_load(const struct vcpu *vcpu)
{
	write_reg(ICH_VMCR_EL2, vcpu->vmcr);
	write_reg(ICH_AP0R0_EL2, vcpu->ap0r);
	write_reg(ICH_AP1R0_EL2, vcpu->ap1r);
}

/* The same; under QEMU reads cost less than writes by far. */
static inline void interface_replace(const struct vcpu *vcpu)
{
	if ((read_reg(ICH_VMCR_EL2) ^ vcpu->vmcr) | (read_reg(ICH_AP0R0_EL2) ^ vcpu->ap0r) |
	    (read_reg(ICH_AP1R0_EL2) ^ vcpu->ap1r))
		interface_load(vcpu);
}

static __attribute__((noinline)) void interrupts_look(struct vcpu *vcpu)
{
	struct vgic *gic = &vcpu->vm->gic;
	uint64_t hcr;

	if (vgic_fill_none(gic, vcpu->index, &hcr))
		write_reg(ICH_HCR_EL2, hcr);
	else
		gic->dirty |= (uint8_t)(1u << vcpu->index);
}

/* The list registers are empty; what is to be in them comes before the guest is entered. VM's lock held. */
static inline void interrupts_load(struct vcpu *vcpu)
{
	struct vgic *gic = &vcpu->vm->gic;

	if (!vgic_seems_idle(gic, vcpu->index)) {
		interrupts_look(vcpu);
		return;
	}
	if (vgic_is_dirty(gic, vcpu->index))
		vgic_show_none(gic, vcpu->index);
	write_reg(ICH_HCR_EL2, VGIC_HCR_EN);
}

/*
 * vCPUs are PEs to their guest: what one has found in its own tables is not the other's, though VMID and ASID are the same
 * (TTBR0_EL1.CnP is 0). Where two of a VM share a physical CPU it holds one's at a time. VTTBR_EL2 is written, VM's lock held.
 */
static __attribute__((cold, noinline)) void own_translations(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	uint8_t *last = &vm->last_on[vcpu->cpu->id];

	if (*last == vcpu->index + 1)
		return;
	*last = (uint8_t)(vcpu->index + 1);
	vm->mem.stats.tlbi_local++;
	isb();
	arch_tlb_vm();
}

bool vcpu_load(struct vcpu *vcpu)
{
	struct cpu *cpu = cpu_this();
	struct vm *vm = vcpu->vm;

	if (AV_DEBUG)
		BUG_ON(cpu->loaded);
	/* hold() writes held and then looks at loaded: one of the two sees the other. */
	__atomic_store_n(&vcpu->loaded, true, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&vm->held, __ATOMIC_SEQ_CST)) {
		__atomic_store_n(&vcpu->loaded, false, __ATOMIC_RELEASE);
		sev();
		return false;
	}
	spin_lock(&vm->lock);
	sysreg_write(vttbr_el2, vmem_vttbr(&vm->mem));
	if (vcpu->shares)
		own_translations(vcpu);
	sysreg_write(vmpidr_el2, (1UL << 31) | vcpu->index);
	el1_load(&vcpu->el1);
	fp_load(&vcpu->fp);
	/* Without a look: who was here before is nearly always of another VM. */
	sysreg_write(cntvoff_el2, vm->cntvoff);
	timers_load(vcpu);
	pmu_load(vcpu);
	interface_load(vcpu);
	cpu->loaded = vcpu;
	interrupts_load(vcpu);
	spin_unlock(&vm->lock);
	isb();
	return true;
}

/* The list registers in use, and EOIs that found none. */
static __attribute__((noinline)) void fold(struct vcpu *vcpu, uint64_t hcr)
{
	struct vgic *gic = &vcpu->vm->gic;
	unsigned used = vgic_used(gic, vcpu->index);
	uint64_t lr[LR_MAX];

	lr[0] = 0;
	for (unsigned i = 0; i < used; i++) {
		lr[i] = lr_read(i);
		lr_write(i, 0);
	}
	vgic_fold(gic, vcpu->index, lr, used, (unsigned)(hcr >> VGIC_HCR_EOICOUNT_SHIFT) & 0x1f);
	if (hcr >> VGIC_HCR_EOICOUNT_SHIFT)
		write_reg(ICH_HCR_EL2, hcr & ~(0x1fUL << VGIC_HCR_EOICOUNT_SHIFT));
	gicv3_ppis_deactivate(vgic_take_hw_release(gic, vcpu->index));
}

/*
 * A stage 2 without anything. The VMID stays: the next one is that of the next guest, and QEMU drops its TLB at
 * each change. The exclusives of before end with the exception return. An ISB is to follow.
 */
static inline void detach(void)
{
	sysreg_write(vttbr_el2, arch_tlb_no_tables(sysreg_read(vttbr_el2)));
}

/* Timer and CPU interface to memory; the PE keeps them. */
static inline void save(struct vcpu *vcpu)
{
	if (!vcpu->replaced) {
		vcpu->timer.cntv_ctl = sysreg_read(cntv_ctl_el0) & (TIMER_ENABLE | TIMER_IMASK);
		vcpu->timer.cntv_cval = sysreg_read(cntv_cval_el0);
		pmu_save(vcpu);
	}
	vcpu->vmcr = read_reg(ICH_VMCR_EL2);
	vcpu->ap0r = read_reg(ICH_AP0R0_EL2);
	vcpu->ap1r = read_reg(ICH_AP1R0_EL2);
}

void vcpu_store(struct vcpu *vcpu, bool keep)
{
	struct vm *vm = vcpu->vm;
	uint64_t hcr = read_reg(ICH_HCR_EL2);
	bool used = vm->gic.cpu[vcpu->index].lr_used; /* changes on this CPU only */

	/* Empty list registers that show the model are right afterwards, too. Who makes it dirty meanwhile kicks the vCPU. */
	vcpu->quiet = !used && !vgic_is_dirty(&vm->gic, vcpu->index);
	vcpu->in_pe = true;
	if (keep)
		save(vcpu);
	if (used || hcr >> VGIC_HCR_EOICOUNT_SHIFT) {
		spin_lock(&vm->lock);
		fold(vcpu, hcr);
		spin_unlock(&vm->lock);
	}
	detach();
	isb();
}

void vcpu_replace(struct vcpu *vcpu, const struct vcpu *by)
{
	el1_replace(&by->el1);
	copy_and_fp_load(&by->fp, vcpu, by);
	interface_replace(vcpu);
	pmu_unload(vcpu); /* what was its own; the line is the snapshot's already */
	vcpu->quiet = false;
	vcpu->replaced = true;
}

void vcpu_resume(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	vcpu->in_pe = false;
	sysreg_write(vttbr_el2, vmem_vttbr(&vm->mem));
	offset_load(vm);
	if (!vcpu->quiet) {
		spin_lock(&vm->lock); /* the VM's other vCPUs may run already */
		if (vcpu->replaced) {
			bool look = !vcpu_ptimer_unused(vcpu);

			timers_load(vcpu);
			if (look) {
				vcpu_ptimer_look(vcpu);
				sched_yield(); /* when the CPU is to look again depends on it */
			}
			pmu_load(vcpu);
		}
		vcpu->replaced = false;
		interrupts_load(vcpu);
		spin_unlock(&vm->lock);
	}
	isb();
}

void vcpu_unload(struct vcpu *vcpu)
{
	struct cpu *cpu = cpu_this();
	struct vm *vm = vcpu->vm;

	BUG_ON(cpu->loaded != vcpu);
	spin_lock(&vm->lock);
	vcpu_fold_interrupts(vcpu);
	write_reg(ICH_HCR_EL2, 0);
	detach();
	save(vcpu);
	pmu_unload(vcpu);
	el1_save(&vcpu->el1);
	fp_save(&vcpu->fp);
	vcpu->in_pe = false;
	vcpu->replaced = false;
	timers_unload(vcpu);
	vcpu_forward_kicks(vcpu); /* an interrupt routed away while it was in a list register */
	cpu->loaded = NULL;
	spin_unlock(&vm->lock);
	__atomic_store_n(&vcpu->loaded, false, __ATOMIC_RELEASE);
	sev();
}

void vcpu_fold_interrupts(struct vcpu *vcpu)
{
	uint64_t hcr = read_reg(ICH_HCR_EL2);

	if (vcpu->vm->gic.cpu[vcpu->index].lr_used || hcr >> VGIC_HCR_EOICOUNT_SHIFT)
		fold(vcpu, hcr);
}

void vcpu_forward_some_kicks(struct vcpu *vcpu)
{
	unsigned kick = vgic_take_kick(&vcpu->vm->gic) & ~(1u << vcpu->index);

	for (; kick; kick &= kick - 1)
		sched_kick(&vcpu->vm->vcpus[__builtin_ctz(kick)], 0);
}

__attribute__((noinline)) void vcpu_flush_interrupts(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	uint64_t lr[LR_MAX], hcr;
	unsigned used;

	spin_lock(&vm->lock);
	vcpu_fold_interrupts(vcpu);
	used = vgic_fill(&vm->gic, vcpu->index, lr, features.lr_count, &hcr);
	for (unsigned i = 0; i < used; i++)
		lr_write(i, lr[i]);
	write_reg(ICH_HCR_EL2, hcr);
	vcpu_forward_kicks(vcpu);
	spin_unlock(&vm->lock);
}

bool vcpu_wakes_now(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	struct vgic_interface interface;
	bool wakes;

	spin_lock(&vm->lock);
	vcpu_fold_interrupts(vcpu);
	interface.vmcr = read_reg(ICH_VMCR_EL2);
	interface.ap0r = (uint32_t)read_reg(ICH_AP0R0_EL2);
	interface.ap1r = (uint32_t)read_reg(ICH_AP1R0_EL2);
	wakes = vgic_pending(&vm->gic, vcpu->index, &interface);
	vcpu_forward_kicks(vcpu);
	spin_unlock(&vm->lock);
	return wakes;
}

/* What was due by `seen` already, and woke nobody then, does not do so by getting older. */
static uint64_t earlier(uint64_t best, uint64_t ctl, uint64_t cval, uint64_t offset, uint64_t seen)
{
	uint64_t now, at;

	if ((ctl & (TIMER_ENABLE | TIMER_IMASK)) != TIMER_ENABLE)
		return best;
	/* offset may stand for a negative number: only differences mean something */
	now = counter_now();
	if (cval <= now - offset) {
		if (seen && now - offset - cval >= now - seen)
			return best;
		return 0; /* before any time the caller has read */
	}
	if (!sum_fits(now, cval - (now - offset), &at))
		at = ~0UL;
	return at < best ? at : best;
}

uint64_t vcpu_bell_time(const struct vcpu *vcpu)
{
	if (vcpu->waiting != VCPU_WAITS_BELL || vcpu->x[3] == AV_WAIT_FOREVER)
		return ~0UL;
	return earlier(~0UL, TIMER_ENABLE, vcpu->x[3], vcpu->vm->cntvoff, 0);
}

uint64_t vcpu_wake_time(const struct vcpu *vcpu)
{
	uint64_t best;

	if (!((vcpu->timer.cntv_ctl | vcpu->timer.cntp_ctl) & TIMER_ENABLE) &&
	    (vcpu->waiting != VCPU_WAITS_BELL || vcpu->x[3] == AV_WAIT_FOREVER) &&
	    (vcpu->index || vcpu->vm->rtc.state.due == ~0UL))
		return ~0UL;
	best = vcpu_bell_time(vcpu);
	best = earlier(best, vcpu->timer.cntv_ctl, vcpu->timer.cntv_cval, vcpu->vm->cntvoff,
		       vcpu->vain_at);
	best = earlier(best, vcpu->timer.cntp_ctl, vcpu->timer.cntp_cval, vcpu->vm->cntvoff,
		       vcpu->vain_at);
	return vcpu->index ? best : clock_match_time(&vcpu->vm->rtc, best);
}

static uint64_t ptimer(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	uint64_t ctl = vcpu->timer.cntp_ctl;
	bool due;

	if (!(ctl & TIMER_ENABLE) &&
	    !(vm->gic.cpu[vcpu->index].state.bank.line & 1u << PLAT_PPI_PHYS_TIMER))
		return ~0UL;
	due = timer_due(ctl, vcpu->timer.cntp_cval, vm->cntvoff);
	vgic_set_line(&vm->gic, vcpu->index, PLAT_PPI_PHYS_TIMER, due);
	return due ? ~0UL : earlier(~0UL, ctl, vcpu->timer.cntp_cval, vm->cntvoff, 0);
}

uint64_t vcpu_ptimer_look(struct vcpu *vcpu)
{
	struct vpl031 *rtc = &vcpu->vm->rtc;
	uint64_t next = ptimer(vcpu);

	if (vcpu->index || rtc->state.due == ~0UL)
		return next;
	if (vpl031_evaluate(rtc, clock_wall()) == ~0UL)
		vcpu->vm->device_version = ++vcpu->vm->device_versions;
	vcpu_forward_kicks(vcpu); /* its interrupt may be another vCPU's */
	return clock_match_time(rtc, next);
}

void vcpu_vtimer_fired(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	uint64_t value;
	unsigned slot;

	vcpu->cpu->vtimer_active = true;
	spin_lock(&vm->lock);
	if (vgic_inject_fast(&vm->gic, vcpu->index, PLAT_PPI_VIRT_TIMER, read_reg(ICH_ELRSR_EL2),
			     features.lr_count, &slot, &value))
		lr_write(slot, value);
	spin_unlock(&vm->lock);
}

/* Where an exception of a guest goes, and its PSTATE then. */
static void enter_el1(struct vcpu *vcpu, unsigned offset_kind, uint64_t esr)
{
	uint64_t old = vcpu->pstate, mode = old & 0x1f, pstate, vector;

	if (mode == PSTATE_EL1H)
		vector = 0x200;
	else if (mode == 4) /* EL1t */
		vector = 0x000;
	else if (!(mode & 0x10)) /* EL0, AArch64 */
		vector = 0x400;
	else
		vector = 0x600;
	sysreg_write(esr_el1, esr);
	sysreg_write(elr_el1, vcpu->pc);
	sysreg_write(spsr_el1, old);
	/* NZCV, DIT and PAN are kept; PAN is set when SCTLR_EL1.SPAN is 0. */
	pstate = (old & (0xfUL << 28 | 1UL << 24 | 1UL << 22)) | PSTATE_DAIF | PSTATE_EL1H;
	if (((features.id[7][1] >> 20) & 0xf) && !(sysreg_read(sctlr_el1) & (1UL << 23)))
		pstate |= 1UL << 22;
	if (sysreg_read(sctlr_el1) & (1UL << 44))
		pstate |= 1UL << 12; /* SSBS as SCTLR_EL1.DSSBS */
	vcpu->pstate = pstate;
	vcpu->pc = sysreg_read(vbar_el1) + vector + offset_kind;
}

__attribute__((cold)) void vcpu_inject_undefined(struct vcpu *vcpu)
{
	enter_el1(vcpu, 0, (uint64_t)EC_UNKNOWN << 26 | ESR_IL);
}

__attribute__((cold)) void vcpu_inject_abort(struct vcpu *vcpu, uint64_t esr, uint64_t far)
{
	bool from_el0 = !(vcpu->pstate & 0xc) || (vcpu->pstate & 0x10);
	uint64_t ec = ESR_EC(esr);
	/* A synchronous external abort, not on a walk; of data: a write, or maintenance, as EL2 got it. */
	uint64_t iss = 0x10 | (ec == EC_DABORT_LOWER ? esr & (ISS_WNR | ISS_CM) : 0);

	if (!from_el0)
		ec++;
	vcpu->exits[AV_EXIT_INJECTED_ABORT]++;
	sysreg_write(far_el1, far);
	enter_el1(vcpu, 0, ec << 26 | ESR_IL | iss);
}
