/* SPDX-License-Identifier: MIT */
/* context.c - a guest's EL1 system registers in and out of the PE. Never touches an EL2 register. */
#include "arch/features.h"
#include "arch/sysreg.h"
#include "arch/vcpu_context.h"
#include <stddef.h>

/* In pairs that are neighbours in struct el1_context: one STP or LDP each. tcr is written for itself: see el1_load(). */
#define STEADY_PAIRS(X)                                     \
	X(sctlr, sctlr_el1, cpacr, cpacr_el1)               \
	X(ttbr0, ttbr0_el1, ttbr1, ttbr1_el1)               \
	X(vbar, vbar_el1, par, par_el1)                     \
	X(contextidr, contextidr_el1, tpidr_el1, tpidr_el1) \
	X(cntkctl, cntkctl_el1, csselr, csselr_el1)
#define TCR_AND_MAIR(X) X(tcr, tcr_el1, mair, mair_el1)
#define CHANGING_PAIRS(X)                 \
	X(esr, esr_el1, far, far_el1)     \
	X(elr, elr_el1, spsr, spsr_el1)   \
	X(sp_el0, sp_el0, sp_el1, sp_el1) \
	X(tpidr_el0, tpidr_el0, tpidrro_el0, tpidrro_el0) X(afsr0, afsr0_el1, afsr1, afsr1_el1)

/* FEAT_PAuth key registers: op0 3, op1 0, CRn 2. */
#define PAUTH_REGISTERS(X) \
	X(0, S3_0_C2_C1_0) \
	X(1, S3_0_C2_C1_1) \
	X(2, S3_0_C2_C1_2) \
	X(3, S3_0_C2_C1_3) \
	X(4, S3_0_C2_C2_0) \
	X(5, S3_0_C2_C2_1) \
	X(6, S3_0_C2_C2_2) X(7, S3_0_C2_C2_3) X(8, S3_0_C2_C3_0) X(9, S3_0_C2_C3_1)

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
	STEADY_PAIRS(SAVE)
	TCR_AND_MAIR(SAVE)
	CHANGING_PAIRS(SAVE)
#undef SAVE
	to->amair = sysreg_read(amair_el1);
	/* Those of extensions that are not there stay 0: vcpu_reset(), el1_no_extensions(). */
	if (features.extensions)
		extensions_save(to);
}

#define LOAD(first, first_name, second, second_name)                                               \
	__asm__ volatile("msr " #first_name ", %0\n\tmsr " #second_name ", %1" ::"r"(from->first), \
			 "r"(from->second));

/* Without those that are written seldom, or not again with another value. */
static inline void changing_load(const struct el1_context *from)
{
	CHANGING_PAIRS(LOAD)
	sysreg_write(amair_el1, from->amair);
	if (features.extensions)
		extensions_load(from);
}

void el1_load(const struct el1_context *from)
{
	STEADY_PAIRS(LOAD)
	/* QEMU drops all its TLBs, EL2's own, too, at each write of TCR_EL1, whatever is written; guests seldom have another. */
	if (sysreg_read(tcr_el1) != from->tcr)
		sysreg_write(tcr_el1, from->tcr);
	sysreg_write(mair_el1, from->mair);
	changing_load(from);
}
#undef LOAD

/* QEMU leaves its translated code at each MSR, but not at an MRS; a PE may wait for what was before a write. */
static inline bool steady_is(const struct el1_context *with)
{
	/* Each is compared when all before were equal: one branch at the end. */
#define SAME(first, first_name, second, second_name)                                          \
	"ldp x2, x3, [%0, %[" #first "]]\n\tmrs x4, " #first_name "\n\tmrs x5, " #second_name \
	"\n\tccmp x4, x2, #0, eq\n\tccmp x5, x3, #0, eq\n\t"
#define OFFSET(first, first_name, second, second_name) \
	[first] "i"(offsetof(struct el1_context, first)),
	__asm__ goto("cmp %0, %0\n\t" STEADY_PAIRS(SAME) TCR_AND_MAIR(SAME) "b.ne %l[differs]"
		     :
		     : "r"(with), STEADY_PAIRS(OFFSET) TCR_AND_MAIR(OFFSET) "m"(*with)
		     : "x2", "x3", "x4", "x5", "cc"
		     : differs);
#undef OFFSET
#undef SAME
	return true;
differs:
	return false;
}

void el1_replace(const struct el1_context *from)
{
	if (steady_is(from))
		changing_load(from);
	else
		el1_load(from);
}
