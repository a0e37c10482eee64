/* SPDX-License-Identifier: MIT */
/* context.c - a guest's EL1 system registers in and out of the PE. Never touches an EL2 register. */
#include "arch/features.h"
#include "arch/sysreg.h"
#include "arch/vcpu_context.h"
#include <stddef.h>

/* In pairs that are neighbours in struct el1_context: one STP or LDP each. All but tcr and mair. */
#define EL1_PAIRS(X)                                                                            \
	X(sctlr, sctlr_el1, cpacr, cpacr_el1)                                                   \
	X(ttbr0, ttbr0_el1, ttbr1, ttbr1_el1)                                                   \
	X(amair, amair_el1, vbar, vbar_el1)                                                     \
	X(esr, esr_el1, far, far_el1)                                                           \
	X(afsr0, afsr0_el1, afsr1, afsr1_el1) X(par, par_el1, contextidr, contextidr_el1)       \
		X(tpidr_el0, tpidr_el0, tpidrro_el0, tpidrro_el0)                               \
			X(tpidr_el1, tpidr_el1, sp_el0, sp_el0) X(sp_el1, sp_el1, elr, elr_el1) \
				X(spsr, spsr_el1, cntkctl, cntkctl_el1)

/* FEAT_PAuth key registers: op0 3, op1 0, CRn 2. */
#define PAUTH_REGISTERS(X)                                                          \
	X(0, S3_0_C2_C1_0)                                                          \
	X(1, S3_0_C2_C1_1)                                                          \
	X(2, S3_0_C2_C1_2)                                                          \
	X(3, S3_0_C2_C1_3) X(4, S3_0_C2_C2_0) X(5, S3_0_C2_C2_1) X(6, S3_0_C2_C2_2) \
		X(7, S3_0_C2_C2_3) X(8, S3_0_C2_C3_0) X(9, S3_0_C2_C3_1)

/* What a guest reaches although its ID registers do not offer it: no trap is there for these two (Arm ARM D17.2). */
#define TPIDR2_EL0 S3_3_C13_C0_5
#define VDISR_EL2 S3_4_C12_C1_1 /* DISR_EL1 at EL1 is this one while HCR_EL2.AMO is set */

static void extensions_save(struct el1_context *to)
{
	if (features.sme)
		to->tpidr2 = read_reg(TPIDR2_EL0);
	if (features.ras)
		to->vdisr = read_reg(VDISR_EL2);
	if (features.pauth) {
#define SAVE(i, name) to->pauth[i] = sysreg_read(name);
		PAUTH_REGISTERS(SAVE)
#undef SAVE
	}
}

static void extensions_load(const struct el1_context *from)
{
	if (features.sme)
		write_reg(TPIDR2_EL0, from->tpidr2);
	if (features.ras)
		write_reg(VDISR_EL2, from->vdisr);
	if (features.pauth) {
#define LOAD(i, name) sysreg_write(name, from->pauth[i]);
		PAUTH_REGISTERS(LOAD)
#undef LOAD
	}
}

void el1_save(struct el1_context *to)
{
#define SAVE(first, first_name, second, second_name)                                \
	{                                                                           \
		uint64_t a = sysreg_read(first_name), b = sysreg_read(second_name); \
		_Static_assert(offsetof(struct el1_context, second) ==              \
				       offsetof(struct el1_context, first) + 8,     \
			       "a pair");                                           \
		to->first = a;                                                      \
		to->second = b;                                                     \
	}
	EL1_PAIRS(SAVE)
	SAVE(tcr, tcr_el1, mair, mair_el1)
#undef SAVE
	to->csselr = sysreg_read(csselr_el1);
	/* Those of extensions that are not there stay 0, as vcpu_reset() has made them. */
	if (features.extensions)
		extensions_save(to);
}

void el1_load(const struct el1_context *from)
{
#define LOAD(first, first_name, second, second_name)                                               \
	__asm__ volatile("msr " #first_name ", %0\n\tmsr " #second_name ", %1" ::"r"(from->first), \
			 "r"(from->second));
	EL1_PAIRS(LOAD)
#undef LOAD
	/* QEMU drops all its TLBs, EL2's own, too, at each write of TCR_EL1, whatever is written; guests seldom have another. */
	if (sysreg_read(tcr_el1) != from->tcr)
		sysreg_write(tcr_el1, from->tcr);
	sysreg_write(mair_el1, from->mair);
	sysreg_write(csselr_el1, from->csselr);
	if (features.extensions)
		extensions_load(from);
}
