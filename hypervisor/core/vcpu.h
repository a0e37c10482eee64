/* SPDX-License-Identifier: MIT */
/* vcpu.h - one vCPU's context in and out of this PE, and exceptions put into it. */
#pragma once
#include "arch/sysreg.h"
#include "core/vm.h"
#include "platform/qemu-virt/platform.h"

/* Reset state: EL1h, interrupts masked, MMU off, PC and x0 as given. Power is the caller's. */
void vcpu_reset(struct vcpu *vcpu, uint64_t pc, uint64_t x0);

/*
 * The context comes into this PE, or leaves it into memory. Only on vcpu->cpu. False: the VM has been held since the
 * caller looked, nothing was loaded. vcpu_ptimer_evaluate() is to follow a load.
 */
bool vcpu_load(struct vcpu *vcpu);
void vcpu_unload(struct vcpu *vcpu);

/*
 * An operation of a VM on itself, on the vCPU whose trap is being handled: interrupts and (to keep them) timer and CPU
 * interface go to memory, stage 2 is empty, and el1 and fp stay in the PE: vcpu->in_pe. Afterwards it goes on as it was, or as
 * vcpu_replace() made it, with the VM's new stage 2 and time; or vcpu_unload() follows.
 */
void vcpu_store(struct vcpu *vcpu, bool keep);
void vcpu_resume(struct vcpu *vcpu);

/* in_pe: el1 and fp of a snapshot's vCPU come into the PE, all before them into *vcpu. VM's lock held. */
void vcpu_replace(struct vcpu *vcpu, const struct vcpu *by);

/* Bring the list registers up to date with the vGIC model; vcpu is loaded here. Takes the VM's lock. */
void vcpu_flush_interrupts(struct vcpu *vcpu);
/* The model up to date with the list registers. VM's lock held, vcpu loaded here. */
void vcpu_fold_interrupts(struct vcpu *vcpu);
/* After vGIC calls: other vCPUs whose interrupts changed are kicked. VM's lock held. */
void vcpu_forward_some_kicks(struct vcpu *vcpu);
static inline void vcpu_forward_kicks(struct vcpu *vcpu)
{
	if (vcpu->vm->gic.kick)
		vcpu_forward_some_kicks(vcpu);
}

/* True when WFI would end now. vcpu loaded here; takes the VM's lock. */
bool vcpu_wakes_now(struct vcpu *vcpu);
/* Without the lock it may miss what another CPU is just doing to the model; but who does so kicks the vCPU after that. */
static inline bool vcpu_wakes(struct vcpu *vcpu)
{
	return !vgic_seems_idle(&vcpu->vm->gic, vcpu->index) && vcpu_wakes_now(vcpu);
}

/* The counter (physical) at which a timer of an unloaded vCPU will wake it; ~0: none. */
uint64_t vcpu_wake_time(const struct vcpu *vcpu);

/* The counter at which its DOORBELL_WAIT gives up, 0 when that is past; ~0: never, or it is in none. */
uint64_t vcpu_bell_time(const struct vcpu *vcpu);

/* Emulated physical timer: raise or lower PPI 30; with vCPU 0 the match of the real-time clock, too; VM's lock held. Returns the counter at which to look again, ~0: never. */
uint64_t vcpu_ptimer_look(struct vcpu *vcpu);
/* Nearly always neither is in use. What says so changes on this CPU only: no lock needed for that. */
static inline bool vcpu_ptimer_unused(const struct vcpu *vcpu)
{
	return !(vcpu->timer.cntp_ctl & 1) &&
	       !(vcpu->vm->gic.cpu[vcpu->index].state.bank.line & 1u << PLAT_PPI_PHYS_TIMER) &&
	       (vcpu->index || vcpu->vm->rtc.state.due == ~0UL);
}
static inline uint64_t vcpu_ptimer_evaluate(struct vcpu *vcpu)
{
	return vcpu_ptimer_unused(vcpu) ? ~0UL : vcpu_ptimer_look(vcpu);
}
/* The same by who does not hold it. */
static inline uint64_t vcpu_ptimer_evaluate_locked(struct vcpu *vcpu)
{
	uint64_t at;

	if (vcpu_ptimer_unused(vcpu))
		return ~0UL;
	spin_lock(&vcpu->vm->lock);
	at = vcpu_ptimer_look(vcpu);
	spin_unlock(&vcpu->vm->lock);
	return at;
}

/* The virtual timer fired on this PE (PPI 27 acknowledged, left active). */
void vcpu_vtimer_fired(struct vcpu *vcpu);

/* An instruction was emulated: the guest goes on behind it, where a single step that it was the one of ends. */
static inline void vcpu_skip(struct vcpu *vcpu)
{
	vcpu->pc += 4;
	vcpu->pstate &= ~PSTATE_SS;
}

/* The hvc that was made did nothing and is to be made again: a step, if any, is still to come. (Ignored where nothing is stepped.) */
static inline void vcpu_again(struct vcpu *vcpu)
{
	vcpu->pc -= 4;
	vcpu->pstate |= PSTATE_SS;
}

/* Exceptions into EL1 (Arm ARM AArch64.TakeException): vcpu loaded here. An abort is external; esr: as EL2 got it. */
void vcpu_inject_undefined(struct vcpu *vcpu);
void vcpu_inject_abort(struct vcpu *vcpu, uint64_t esr, uint64_t far);
