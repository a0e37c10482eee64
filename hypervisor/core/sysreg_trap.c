/* SPDX-License-Identifier: MIT */
/*
 * sysreg_trap.c - system registers that EL2 keeps from guests: ID registers, SGIs, the physical timer, debug. All others that trap are
 * UNDEFINED for the guest.
 */
#include "arch/features.h"
#include "arch/sysreg.h"
#include "core/debug.h"
#include "core/pmu.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/trap.h"
#include "core/vcpu.h"

/* op0, op1, CRn, CRm, op2 as they stand in the ISS of EC 0x18 (Arm ARM D17.2.37), direction and Rt left out. */
#define REG(op0, op1, crn, crm, op2) \
	((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)
#define REG_MASK 0x3ffc1eu
#define ISS_READ 1u

#define TIMER_ENABLE 1u
#define TIMER_IMASK 2u
#define TIMER_ISTATUS 4u

static void timer_changed(struct vcpu *vcpu)
{
	spin_lock(&vcpu->vm->lock);
	vcpu_ptimer_evaluate(vcpu);
	spin_unlock(&vcpu->vm->lock);
	sched_yield(); /* the deadline is set when this CPU chooses anew */
}

/* The physical timer and counter: one clock with the virtual ones. False: not one of them. */
static bool timer_register(struct vcpu *vcpu, uint32_t reg, bool read, uint64_t *value)
{
	struct timer_context *timer = &vcpu->timer;
	uint64_t now = counter_now() - vcpu->vm->cntvoff;

	switch (reg) {
	case REG(3, 3, 14, 0, 1): /* CNTPCT_EL0 */
		*value = now;
		return read;
	case REG(3, 3, 14, 2, 0): /* CNTP_TVAL_EL0 */
		if (read)
			*value = (uint32_t)(timer->cntp_cval - now);
		else
			timer->cntp_cval = now + (uint64_t)(int64_t)(int32_t)*value;
		break;
	case REG(3, 3, 14, 2, 1): /* CNTP_CTL_EL0 */
		if (read)
			*value = timer->cntp_ctl |
				 (timer->cntp_ctl & TIMER_ENABLE && timer->cntp_cval <= now
					  ? TIMER_ISTATUS
					  : 0);
		else
			timer->cntp_ctl = *value & (TIMER_ENABLE | TIMER_IMASK);
		break;
	case REG(3, 3, 14, 2, 2): /* CNTP_CVAL_EL0 */
		if (read)
			*value = timer->cntp_cval;
		else
			timer->cntp_cval = *value;
		break;
	default:
		return false;
	}
	if (!read)
		timer_changed(vcpu);
	return true;
}

static bool sgi_register(struct vcpu *vcpu, uint32_t reg, uint64_t value)
{
	enum vgic_sgi_register which;

	switch (reg) {
	case REG(3, 0, 12, 11, 5):
		which = VGIC_SGI1R;
		break;
	case REG(3, 0, 12, 11, 6):
		which = VGIC_ASGI1R;
		break;
	case REG(3, 0, 12, 11, 7):
		which = VGIC_SGI0R;
		break;
	default:
		return false;
	}
	spin_lock(&vcpu->vm->lock);
	vgic_sgi(&vcpu->vm->gic, vcpu->index, which, value);
	vcpu_forward_kicks(vcpu);
	spin_unlock(&vcpu->vm->lock);
	return true;
}

static bool emulate(struct vcpu *vcpu, uint32_t reg, bool read, uint64_t *value)
{
	unsigned op0 = reg >> 20 & 3, op1 = reg >> 14 & 7, crn = reg >> 10 & 15,
		 crm = reg >> 1 & 15, op2 = reg >> 17 & 7;

	if (op0 == 3 && op1 == 0 && crn == 0 && crm < 8 && read) {
		*value = features.id[crm][op2];
		return true;
	}
	if (op0 == 3 && op1 == 1 && crn == 0 && crm == 0 && op2 == 7 && read) {
		*value = 0; /* AIDR_EL1 */
		return true;
	}
	if (!read && sgi_register(vcpu, reg, *value))
		return true;
	if (timer_register(vcpu, reg, read, value))
		return true;
	if (reg == REG(3, 0, 1, 0, 1)) { /* ACTLR_EL1 */
		*value = 0;
		return true;
	}
	/* ICC_DIR_EL1, trapped only while more interrupts are active than list registers */
	if (reg == REG(3, 0, 12, 11, 1) && !read) {
		spin_lock(&vcpu->vm->lock);
		vcpu_fold_interrupts(vcpu);
		vgic_deactivate(&vcpu->vm->gic, vcpu->index, (unsigned)*value & 0xffffff);
		vcpu_forward_kicks(vcpu);
		spin_unlock(&vcpu->vm->lock);
		return true;
	}
	if (op0 == 3 && (crn == 9 || crn == 14))
		return pmu_register(vcpu, (const unsigned[]){op1, crn, crm, op2}, read, value);
	if (op0 == 2 && op1 == 0)
		return debug_register(vcpu, (const unsigned[]){crn, crm, op2}, read, value);
	return false;
}

void trap_sysreg(struct vcpu *vcpu, uint64_t esr)
{
	uint32_t iss = (uint32_t)ESR_ISS(esr), reg = iss & REG_MASK;
	unsigned rt = iss >> 5 & 0x1f;
	bool read = iss & ISS_READ;
	uint64_t value = read || rt == 31 ? 0 : vcpu->x[rt];

	vcpu->exits[AV_EXIT_SYSREG]++;
	if (!emulate(vcpu, reg, read, &value)) {
		vcpu_inject_undefined(vcpu);
		return;
	}
	if (read && rt != 31)
		vcpu->x[rt] = value;
	vcpu_skip(vcpu);
}
