/* SPDX-License-Identifier: MIT */
/* irq.c - what each physical interrupt means. The virtual timer's stays active: the guest ends it through its list register. */
#include "core/irq.h"
#include "arch/sysreg.h"
#include "core/bug.h"
#include "core/pmu.h"
#include "core/sched.h"
#include "core/vcpu.h"
#include "drivers/gicv3.h"
#include "drivers/virtio_serial.h"
#include "platform/qemu-virt/platform.h"

#define INTID_SPECIAL 1020

static void virtual_timer(struct cpu *cpu)
{
	struct vcpu *vcpu = cpu->loaded;

	if (!vcpu) {
		/* Nobody's: it fired just before its vCPU left. The vCPU looks at its timer when it is loaded again. */
		gicv3_ppi_set_active(PLAT_PPI_VIRT_TIMER, false);
		return;
	}
	vcpu_vtimer_fired(vcpu);
	if (vcpu->waiting)
		sched_kick(vcpu, 0);
}

/* The list registers want a look. */
static void maintenance(struct vcpu *vcpu)
{
	if (!vcpu) {
		write_reg(ICH_HCR_EL2, 0);
		return;
	}
	spin_lock(&vcpu->vm->lock); /* `dirty` is of all its vCPUs */
	vcpu->vm->gic.dirty |= (uint8_t)(1u << vcpu->index);
	spin_unlock(&vcpu->vm->lock);
	/* The cause stays until the list registers are filled again, and with it the level: off, or this never ends. */
	write_reg(ICH_HCR_EL2, read_reg(ICH_HCR_EL2) & ~VGIC_HCR_EN);
	isb();
	if (vcpu->waiting)
		sched_kick(vcpu, 0);
}

/* All but the virtual timer's. */
static __attribute__((noinline)) void take(struct cpu *cpu, uint32_t intid)
{
	if (intid == PLAT_PPI_HYP_TIMER) {
		cpu->deadline = ~0UL;
		sysreg_write(cnthp_ctl_el2, 0);
		cpu->resched = true;
	} else if (intid == SGI_KICK) {
		cpu->resched = true;
	} else if (intid == SGI_STOP) {
		bug_stop();
	} else if (intid == PLAT_PPI_PMU) {
		if (pmu_fired(cpu->loaded))
			return; /* it stays active until the guest ends it */
	} else if (intid == PLAT_PPI_MAINTENANCE) {
		maintenance(cpu->loaded);
	} else if (intid >= 32) {
		virtio_serial_interrupt(intid);
	}
	write_reg(ICC_DIR_EL1, intid);
}

void irq_take(struct vcpu *vcpu)
{
	uint32_t intid = (uint32_t)read_reg(ICC_IAR1_EL1) & 0xffffff;

	if (intid == PLAT_PPI_VIRT_TIMER) {
		write_reg(ICC_EOIR1_EL1, intid);
		vcpu_vtimer_fired(vcpu); /* it runs: no need to wake it */
	} else if (intid < INTID_SPECIAL) {
		write_reg(ICC_EOIR1_EL1, intid);
		take(vcpu->cpu, intid);
	}
}

void irq_take_all(struct cpu *cpu)
{
	for (;;) {
		uint32_t intid = (uint32_t)read_reg(ICC_IAR1_EL1) & 0xffffff;

		if (intid >= INTID_SPECIAL)
			return;
		write_reg(ICC_EOIR1_EL1, intid);
		if (intid == PLAT_PPI_VIRT_TIMER)
			virtual_timer(cpu);
		else
			take(cpu, intid);
	}
}
