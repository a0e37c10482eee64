/* SPDX-License-Identifier: MIT */
/*
 * trap.c - every way out of a guest, by exception class. A guest's mistake ends in an exception of its own, an error code or
 * vm_crash(); never in BUG().
 */
#include "core/trap.h"
#include "arch/sysreg.h"
#include "core/boot.h"
#include "core/bug.h"
#include "core/hypercall.h"
#include "core/irq.h"
#include "core/log.h"
#include "core/psci.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/vcpu.h"
#include "core/watchdog.h"

typedef void trap_handler(struct vcpu *vcpu, uint64_t esr);

static void trap_unknown(struct vcpu *vcpu, uint64_t esr)
{
	(void)esr;
	vcpu->exits[AV_EXIT_OTHER]++;
	vcpu_inject_undefined(vcpu);
}

/* WFI yields the CPU; WFE is not trapped. */
static void trap_wfx(struct vcpu *vcpu, uint64_t esr)
{
	(void)esr;
	vcpu->exits[AV_EXIT_WFI]++;
	vcpu_skip(vcpu);
	watchdog_pet(vcpu);
	if (vcpu->vm->requests || vcpu_wakes(vcpu))
		return;
	vcpu->waiting = 1;
	vcpu->wait_since = counter_now();
	sched_yield();
}

static void trap_hvc(struct vcpu *vcpu, uint64_t esr)
{
	unsigned immediate = ESR_ISS(esr) & 0xffff;

	vcpu->exits[AV_EXIT_HVC]++;
	if (immediate == 0)
		hypercall(vcpu);
	else
		hypercall_immediate(vcpu, immediate);
}

/* An smc is answered as PSCI over hvc is, and never passed on. ELR is at the instruction: step over it. */
static void trap_smc(struct vcpu *vcpu, uint64_t esr)
{
	vcpu->exits[AV_EXIT_SMC]++;
	vcpu_skip(vcpu);
	if (ESR_ISS(esr) & 0xffff)
		vcpu->x[0] = (uint64_t)AV_E_NOT_SUPPORTED;
	else
		psci_smc(vcpu);
}

/* By exception class; no class is without a handler. */
static trap_handler *const handlers[64] = {
	[EC_UNKNOWN] = trap_unknown,
	[EC_WFX] = trap_wfx,
	[EC_WFX + 1 ... EC_HVC64 - 1] = trap_unknown,
	[EC_HVC64] = trap_hvc,
	[EC_SMC64] = trap_smc,
	[EC_SYSREG] = trap_sysreg,
	[EC_SYSREG + 1 ... EC_IABORT_LOWER - 1] = trap_unknown,
	[EC_IABORT_LOWER] = trap_abort,
	[EC_IABORT_LOWER + 1 ... EC_DABORT_LOWER - 1] = trap_unknown,
	[EC_DABORT_LOWER] = trap_abort,
	[EC_DABORT_LOWER + 1 ... 63] = trap_unknown,
};

void trap_sync(struct vcpu *vcpu)
{
	uint64_t esr = sysreg_read(esr_el2);

	handlers[ESR_EC(esr)](vcpu, esr);
}

/* One interrupt: when there are more, the next trap is at the guest's next instruction. */
void trap_irq(struct vcpu *vcpu)
{
	vcpu->exits[AV_EXIT_IRQ]++;
	irq_take(vcpu);
}

/* AArch32 at EL0 of a guest traps like AArch64: the registers are the same ones. */
void trap_aarch32(struct vcpu *vcpu)
{
	trap_sync(vcpu);
}

void trap_serror(struct vcpu *vcpu)
{
	vcpu->exits[AV_EXIT_OTHER]++;
	vm_crash(vcpu, "SError", 0, 0);
}

_Noreturn void own_exception(uint64_t kind, uint64_t frame, uint64_t link)
{
	char text[200];

	if (boot_missing)
		boot_refuse("this machine lacks %s", boot_missing);
	format(text, sizeof(text),
	       "\nEL2 exception (%s): ESR 0x%lx ELR 0x%lx FAR 0x%lx SPSR 0x%lx frame 0x%lx link "
	       "0x%lx\n",
	       kind ? "asynchronous" : "synchronous", sysreg_read(esr_el2), sysreg_read(elr_el2),
	       sysreg_read(far_el2), sysreg_read(spsr_el2), frame, link);
	log_emergency(text);
	BUG("exception taken from EL2");
}
