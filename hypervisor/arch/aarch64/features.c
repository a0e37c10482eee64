/* SPDX-License-Identifier: MIT */
/*
 * features.c - ID registers: the host's minus what is not offered (Arm ARM D17.2, ID_AA64*). A register that is
 * not in the table reads as zero, so that a newer PE cannot show a guest something EL2 does not switch.
 */
#include "arch/features.h"
#include "arch/debug.h"
#include "arch/pmu.h"
#include "arch/sysreg.h"
#include "arch/tlb.h"
#include "core/types.h"

struct features features;

/* Keep the fields under mask, then add set. */
#define ID(crm, op2, mask, set) \
	features.id[crm][op2] = (sysreg_read(S3_0_C0_C##crm##_##op2) & (mask)) | (set)

#define FIELD(shift) (0xfUL << (shift))

#define PMUVER_MAX 5UL /* PMUv3p4: PMUv3p5 has counters of 64 bits */

/* ID_AA64DFR0_EL1.PMUVer as offered; 0: none, or no PMUv3 with an event counter. */
static uint64_t pmu_version(void)
{
	uint64_t version = sysreg_read(id_aa64dfr0_el1) >> 8 & 0xf;

	if (!version || version == 0xf || !(sysreg_read(pmcr_el0) >> 11 & 0x1f))
		return 0;
	return version < PMUVER_MAX ? version : PMUVER_MAX;
}

/* ID_DFR0_EL1.PerfMon, in its place. */
static uint64_t perfmon_offered(void)
{
	uint64_t version = sysreg_read(S3_0_C0_C1_2) >> 24 & 0xf;

	if (!pmu_version() || version == 0xf)
		return 0;
	return (version < PMUVER_MAX ? version : PMUVER_MAX) << 24;
}

static void pmu_init(void)
{
	uint64_t pmcr;

	features.mdcr = MDCR_DEBUG_TRAPS | MDCR_PMU_TRAPS;
	if (!pmu_version())
		return;
	pmcr = sysreg_read(pmcr_el0);
	features.pmu_id = (uint32_t)pmcr & 0xffff0000u;
	features.pmu_counters = pmcr >> 11 & 0x1f;
	if (features.pmu_counters > PMU_COUNTERS)
		features.pmu_counters = PMU_COUNTERS;
	features.mdcr |= features.pmu_counters;
	if (pmu_version() >= 4)
		features.mdcr |= MDCR_HPMD;
}

/*
 * A field of ID_AA64DFR0_EL1 says at most `most`. No model of QEMU's has more breakpoints and watchpoints than EL2 knows; of a PE that
 * does, the breakpoints that can match contexts are among those not offered.
 */
static void debug_limit(unsigned shift, uint64_t most)
{
	uint64_t *dfr0 = &features.id[5][0];

	if ((*dfr0 >> shift & 0xf) > most)
		*dfr0 = (*dfr0 & ~FIELD(shift)) | most << shift;
}

static void id_init(void)
{
	/* AArch32 registers: EL0 may be AArch32 where the PE can. */
	ID(1, 0, ~0UL, 0);
	ID(1, 1, ~(FIELD(12) | FIELD(16) | FIELD(28)), 1UL << 28); /* ID_PFR1: no EL2, GIC 3 */
	ID(1, 2, ~FIELD(24), perfmon_offered());                   /* ID_DFR0 */
	ID(1, 4, ~0UL, 0);
	ID(1, 5, ~0UL, 0);
	ID(1, 6, ~0UL, 0);
	ID(1, 7, ~0UL, 0);
	ID(2, 0, ~0UL, 0);
	ID(2, 1, ~0UL, 0);
	ID(2, 2, ~0UL, 0);
	ID(2, 3, ~0UL, 0);
	ID(2, 4, ~0UL, 0);
	ID(2, 5, ~0UL, 0);
	ID(2, 6, ~0UL, 0);
	ID(3, 0, ~0UL, 0);
	ID(3, 1, ~0UL, 0);
	ID(3, 2, ~0UL, 0);
	/* PFR0: EL0, EL1, FP, AdvSIMD, GIC, DIT, CSV2 (no SCXTNUM), CSV3; no EL2, EL3, RAS, SVE, SEL2, MPAM, AMU, RME */
	ID(4, 0, FIELD(0) | FIELD(4) | FIELD(16) | FIELD(20) | FIELD(24) | FIELD(48) | FIELD(60),
	   0);
	if (sysreg_read(S3_0_C0_C4_0) & FIELD(56))
		features.id[4][0] |= 1UL << 56;
	/* EL1 is AArch64 only. */
	features.id[4][0] = (features.id[4][0] & ~FIELD(4)) | (1UL << 4);
	ID(4, 1, FIELD(0) | FIELD(4), 0); /* PFR1: BT, SSBS; no MTE, SME, NMI */
	/* DFR0: DebugVer, BRPs, WRPs, CTX_CMPs, PMUVer; no trace, SPE */
	ID(5, 0, FIELD(0) | FIELD(12) | FIELD(20) | FIELD(28), pmu_version() << 8);
	/* ISAR0: all; ISAR1: all but what QEMU may add later */
	ID(6, 0, ~0UL, 0);
	ID(6, 1, ~0UL, 0);
	ID(6, 2, FIELD(0) | FIELD(4) | FIELD(8) | FIELD(12), 0);
	/* MMFR0: granules, ASID size; PARange 36 bits (the stage-2 IPA size); no ECV, FGT */
	ID(7, 0,
	   FIELD(4) | FIELD(8) | FIELD(12) | FIELD(16) | FIELD(20) | FIELD(24) | FIELD(28) |
		   FIELD(44),
	   1);
	/* MMFR1: HAFDBS, HPDS, PAN, ETS; no VMIDBits, VH, LO, SpecSEI, XNX, TWED: EL2's, or not offered */
	ID(7, 1, FIELD(0) | FIELD(12) | FIELD(20) | FIELD(36), 0);
	/* MMFR2: CnP, UAO, IESB, VARange, CCIDX, ST, TTL, BBM, E0PD; no LSM/NV/FWB/IDS */
	ID(7, 2,
	   FIELD(0) | FIELD(4) | FIELD(8) | FIELD(12) | FIELD(16) | FIELD(20) | FIELD(28) |
		   FIELD(32) | FIELD(48) | FIELD(52) | FIELD(60),
	   0);
}

const char *features_init(void)
{
	uint64_t pfr0 = sysreg_read(id_aa64pfr0_el1);
	uint64_t mmfr0 = sysreg_read(id_aa64mmfr0_el1);
	uint64_t isar1 = sysreg_read(id_aa64isar1_el1);

	if (!((pfr0 >> 24) & 0xf))
		return "a GICv3 CPU interface (-M gic-version=3)";
	if (((mmfr0 >> 28) & 0xf) == 0xf)
		return "the 4 KiB granule";
	if ((mmfr0 & 0xf) < 1)
		return "physical addresses of 36 bits";
	id_init();
	pmu_init();
	debug_limit(12, DEBUG_BREAKPOINTS - 1);
	debug_limit(20, DEBUG_WATCHPOINTS - 1);
	features.pauth = (isar1 & (FIELD(4) | FIELD(8) | FIELD(24) | FIELD(28))) != 0;
	features.ras = (pfr0 & FIELD(28)) != 0;
	features.sme = (sysreg_read(S3_0_C0_C4_1) & FIELD(24)) != 0;
	features.extensions = features.pauth || features.ras || features.sme;
	features.hcr = HCR_RW | HCR_VM | HCR_SWIO | HCR_IMO | HCR_FMO | HCR_AMO | HCR_FB |
		       HCR_BSU_IS | HCR_TWI | HCR_TSC | HCR_TID1 | HCR_TID3 | HCR_TIDCP | HCR_TACR;
	if (features.pauth)
		features.hcr |= HCR_APK | HCR_API;
	return NULL;
}

void features_apply(void)
{
	/* VTCR_EL2: 36-bit IPA from level 1, 4 KiB, write-back, inner shareable; PS as the PE has it. */
	uint64_t ps = sysreg_read(id_aa64mmfr0_el1) & 0xf;

	if (ps > 5)
		ps = 5;
	sysreg_write(vtcr_el2, (1UL << 31) | (ps << 16) | (3UL << 12) | (1UL << 10) | (1UL << 8) |
				       (1UL << 6) | 28);
	sysreg_write(hcr_el2, features.hcr);
	/* CPTR_EL2: RES1 bits; TZ and TSM set (no SVE, SME), TTA (no trace), TAM; FP/SIMD is the guest's. */
	sysreg_write(cptr_el2, 0x33ffUL | (1UL << 20) | (1UL << 30));
	if (features.pmu_counters)
		arch_pmu_stop();
	/*
	 * Debug exceptions are EL1's (TDE = 0), and so never taken in EL2, whatever a guest has set: none goes to a lower Exception
	 * level than the one it comes from (Arm ARM D2.4). Nothing is watched until debug_load().
	 */
	sysreg_write(mdcr_el2, features.mdcr);
	sysreg_write(mdscr_el1, 0);
	sysreg_write(oslar_el1, 0);
	/* CNTHCTL_EL2: physical timer and counter of EL1 trap. */
	sysreg_write(cnthctl_el2, 0);
	sysreg_write(hstr_el2, 0);
	sysreg_write(vpidr_el2, sysreg_read(midr_el1));
	sysreg_write(vttbr_el2, arch_tlb_no_tables(0));
	sysreg_write(cnthp_ctl_el2, 0);
	sysreg_write(cntv_ctl_el0, 0);
	isb();
}
