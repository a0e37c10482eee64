/* SPDX-License-Identifier: MIT */
/*
 * pmu.c - performance counters of a vCPU. EL2 counts nothing itself, and nothing counts in EL2 or for a vCPU that is not
 * loaded. Costs nothing where no guest counts: no register is touched at a switch.
 */
#include "core/pmu.h"
#include "arch/features.h"
#include "arch/lr.h"
#include "arch/pmu.h"
#include "arch/sysreg.h"
#include "core/debug.h"
#include "core/sched.h"
#include "core/vcpu.h"
#include "drivers/gicv3.h"
#include "platform/qemu-virt/platform.h"

#define PMCR_E (1u << 0)
#define PMCR_P (1u << 1)
#define PMCR_C (1u << 2)
#define PMCR_KEPT 0x79u /* E, D, X, DP, LC */
#define PMCR_N_SHIFT 11
#define TYPE_KEPT 0xfe00ffffu
#define FILTER_KEPT 0xfc000000u
#define SELECT_CYCLES 31u
#define PMUVER_3P4 5u

static uint32_t mask_of_counters(void)
{
	return 1u << 31 | ((1u << features.pmu_counters) - 1);
}

void pmu_adopt(struct pmu_context *pmu)
{
	for (unsigned i = 0; i < PMU_COUNTERS; i++)
		pmu->type[i] &= TYPE_KEPT;
	pmu->filter &= FILTER_KEPT;
	pmu->control &= PMCR_KEPT;
	pmu->enabled &= mask_of_counters();
	pmu->interrupts &= mask_of_counters();
	pmu->overflow &= mask_of_counters();
	pmu->select &= SELECT_CYCLES;
	pmu->user &= 0xf;
}

/* Would the PE's interrupt be up? */
static bool line_of(const struct pmu_context *pmu)
{
	return pmu->control & PMCR_E && pmu->overflow & pmu->interrupts;
}

/* Does it make a difference to be in the PE? */
static bool is_live(const struct pmu_context *pmu)
{
	return pmu->user || (pmu->control & PMCR_E && (pmu->enabled || line_of(pmu)));
}

void pmu_load_used(struct vcpu *vcpu)
{
	struct vgic *gic = &vcpu->vm->gic;

	debug_load(vcpu);
	if (!is_live(&vcpu->pmu))
		return;
	vcpu->extras |= EXTRA_PMU;
	arch_pmu_load(&vcpu->pmu, features.pmu_counters);
	vgic_set_line(gic, vcpu->index, PLAT_PPI_PMU, line_of(&vcpu->pmu));
	gicv3_ppi_set_active(PLAT_PPI_PMU, vgic_hw_busy(gic, vcpu->index, PLAT_PPI_PMU));
}

void pmu_save_loaded(struct vcpu *vcpu)
{
	arch_pmu_save(&vcpu->pmu, features.pmu_counters);
}

void pmu_unload_loaded(struct vcpu *vcpu)
{
	debug_unload(vcpu);
	if (!vcpu->extras)
		return;
	vcpu->extras = 0;
	arch_pmu_stop();
	if (!line_of(&vcpu->pmu))
		vgic_set_line(&vcpu->vm->gic, vcpu->index, PLAT_PPI_PMU, false);
	gicv3_ppi_set_active(PLAT_PPI_PMU, false);
}

bool pmu_fired(struct vcpu *vcpu)
{
	uint64_t value;
	unsigned slot;

	if (!vcpu || !(vcpu->extras & EXTRA_PMU))
		return false;
	spin_lock(&vcpu->vm->lock);
	if (vgic_inject_fast(&vcpu->vm->gic, vcpu->index, PLAT_PPI_PMU, read_reg(ICH_ELRSR_EL2),
			     features.lr_count, &slot, &value))
		lr_write(slot, value);
	spin_unlock(&vcpu->vm->lock);
	if (vcpu->waiting)
		sched_kick(vcpu, 0);
	return true;
}

/* PMCR_EL0 written. Nothing counts now. */
static void control_write(struct pmu_context *pmu, uint32_t value)
{
	pmu->control = (uint16_t)(value & PMCR_KEPT);
	if (value & PMCR_C)
		pmu->cycles = 0;
	for (unsigned i = 0; value & PMCR_P && i < features.pmu_counters; i++)
		pmu->counter[i] = 0;
}

/* A register that one writes ones to, to set or to clear its bits. */
static void bits(uint32_t *word, bool read, bool set, uint64_t *value)
{
	uint32_t ones = (uint32_t)*value & mask_of_counters();

	if (read)
		*value = *word;
	else
		*word = set ? *word | ones : *word & ~ones;
}

static void word(uint32_t *at, bool read, uint32_t mask, uint64_t *value)
{
	if (read)
		*value = *at;
	else
		*at = (uint32_t)*value & mask;
}

/* PMEVCNTR<n>_EL0, PMEVTYPER<n>_EL0; 31 is the cycle counter's for the latter. */
static bool event_counter(struct pmu_context *pmu, unsigned number, bool read, uint64_t *value)
{
	if (number >= features.pmu_counters)
		return false;
	if (read)
		*value = pmu->counter[number];
	else
		pmu->counter[number] = (uint32_t)*value;
	return true;
}

static bool event_type(struct pmu_context *pmu, unsigned number, bool read, uint64_t *value)
{
	if (number == SELECT_CYCLES)
		word(&pmu->filter, read, FILTER_KEPT, value);
	else if (number < features.pmu_counters)
		word(&pmu->type[number], read, TYPE_KEPT, value);
	else
		return false;
	return true;
}

/* PMX*_EL0 with a selection that names no counter: reads as zero, as on QEMU. */
static bool selected(bool there, bool read, uint64_t *value)
{
	if (!there && read)
		*value = 0;
	return true;
}

#define AT(crm, op2) ((crm) << 3 | (op2))

/* CRn 9, op1 3. */
static bool control_register(struct pmu_context *pmu, unsigned at, bool read, uint64_t *value)
{
	switch (at) {
	case AT(12, 0): /* PMCR_EL0 */
		if (read)
			*value = features.pmu_id | features.pmu_counters << PMCR_N_SHIFT |
				 pmu->control;
		else
			control_write(pmu, (uint32_t)*value);
		return true;
	case AT(12, 1): /* PMCNTENSET_EL0, PMCNTENCLR_EL0 */
	case AT(12, 2):
		bits(&pmu->enabled, read, at == AT(12, 1), value);
		return true;
	case AT(12, 3): /* PMOVSCLR_EL0, PMOVSSET_EL0 */
	case AT(14, 3):
		bits(&pmu->overflow, read, at == AT(14, 3), value);
		return true;
	case AT(12, 4): /* PMSWINC_EL0: nothing counts */
		return !read;
	case AT(12, 5): /* PMSELR_EL0 */
		word(&pmu->select, read, 0x1f, value);
		return true;
	case AT(12, 6): /* PMCEID0_EL0 */
		*value = sysreg_read(pmceid0_el0);
		return read;
	case AT(12, 7): /* PMCEID1_EL0 */
		*value = sysreg_read(pmceid1_el0);
		return read;
	case AT(13, 0): /* PMCCNTR_EL0 */
		if (read)
			*value = pmu->cycles;
		else
			pmu->cycles = *value;
		return true;
	case AT(13, 1): /* PMXEVTYPER_EL0 */
		return selected(event_type(pmu, pmu->select, read, value), read, value);
	case AT(13, 2): /* PMXEVCNTR_EL0 */
		return selected(event_counter(pmu, pmu->select, read, value), read, value);
	case AT(14, 0): /* PMUSERENR_EL0 */
		word(&pmu->user, read, 0xf, value);
		return true;
	default:
		return false;
	}
}

/* op1, CRn, CRm, op2 */
static bool access(struct pmu_context *pmu, const unsigned op[4], bool read, uint64_t *value)
{
	unsigned number = (op[2] & 3) << 3 | op[3];

	if (op[0] == 3 && op[1] == 9)
		return control_register(pmu, AT(op[2], op[3]), read, value);
	if (op[0] == 3 && op[1] == 14 && op[2] >= 12)
		return event_type(pmu, number, read, value);
	if (op[0] == 3 && op[1] == 14 && op[2] >= 8)
		return event_counter(pmu, number, read, value);
	if (op[0] == 0 && op[1] == 9 && op[2] == 14 && (op[3] == 1 || op[3] == 2)) {
		bits(&pmu->interrupts, read, op[3] == 1,
		     value); /* PMINTENSET_EL1, PMINTENCLR_EL1 */
		return true;
	}
	if (op[0] == 0 && op[1] == 9 && op[2] == 14 && op[3] == 6) { /* PMMIR_EL1 */
		*value = 0;
		return read && (features.id[5][0] >> 8 & 0xf) >= PMUVER_3P4;
	}
	return false;
}

bool pmu_register(struct vcpu *vcpu, const unsigned op[4], bool read, uint64_t *value)
{
	bool from_el0 = !(vcpu->pstate & 0xc);

	/* A trap from EL0 is that of PMUSERENR_EL0, which it may read: of the others EL1 hears first. */
	if (!features.pmu_counters || (from_el0 && !read) || !access(&vcpu->pmu, op, read, value))
		return false;
	if (read || !is_live(&vcpu->pmu))
		return true;
	spin_lock(&vcpu->vm->lock);
	vcpu_fold_interrupts(vcpu);
	pmu_load(vcpu);
	vcpu_forward_kicks(vcpu);
	spin_unlock(&vcpu->vm->lock);
	return true;
}
