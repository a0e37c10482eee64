/* SPDX-License-Identifier: MIT */
/* sysreg.h - system registers by name, barriers, and the bits EL2 sets (Arm ARM D17). */
#pragma once
#include <stdint.h>

#define sysreg_read(name)                                              \
	({                                                             \
		uint64_t value__;                                      \
		__asm__ volatile("mrs %0, " #name : "=r"(value__));    \
		value__;                                               \
	})
#define sysreg_write(name, value) \
	__asm__ volatile("msr " #name ", %0" ::"r"((uint64_t)(value)) : "memory")

#define isb() __asm__ volatile("isb" ::: "memory")
#define dsb(kind) __asm__ volatile("dsb " #kind ::: "memory")
#define dmb(kind) __asm__ volatile("dmb " #kind ::: "memory")
#define wfi() __asm__ volatile("wfi" ::: "memory")
#define wfe() __asm__ volatile("wfe" ::: "memory")
#define sev() __asm__ volatile("sev" ::: "memory")

/* GICv3 CPU interface and virtualization control registers by encoding (GIC architecture IHI 0069 ch. 12). */
#define ICC_IAR1_EL1 S3_0_C12_C12_0
#define ICC_EOIR1_EL1 S3_0_C12_C12_1
#define ICC_PMR_EL1 S3_0_C4_C6_0
#define ICC_BPR1_EL1 S3_0_C12_C12_3
#define ICC_CTLR_EL1 S3_0_C12_C12_4
#define ICC_SRE_EL2 S3_4_C12_C9_5
#define ICC_SRE_EL1 S3_0_C12_C12_5
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define ICC_DIR_EL1 S3_0_C12_C11_1
#define ICC_SGI1R_EL1 S3_0_C12_C11_5
#define ICH_AP0R0_EL2 S3_4_C12_C8_0
#define ICH_AP1R0_EL2 S3_4_C12_C9_0
#define ICH_HCR_EL2 S3_4_C12_C11_0
#define ICH_VTR_EL2 S3_4_C12_C11_1
#define ICH_MISR_EL2 S3_4_C12_C11_2
#define ICH_ELRSR_EL2 S3_4_C12_C11_5
#define ICH_VMCR_EL2 S3_4_C12_C11_7
#define ICH_LR0_EL2 S3_4_C12_C12_0
#define ICH_LR1_EL2 S3_4_C12_C12_1
#define ICH_LR2_EL2 S3_4_C12_C12_2
#define ICH_LR3_EL2 S3_4_C12_C12_3

#define read_reg(encoding) read_reg_(encoding)
#define read_reg_(encoding) sysreg_read(encoding)
#define write_reg(encoding, value) write_reg_(encoding, value)
#define write_reg_(encoding, value) sysreg_write(encoding, value)

/* HCR_EL2 */
#define HCR_VM (1UL << 0)
#define HCR_SWIO (1UL << 1)
#define HCR_FMO (1UL << 3)
#define HCR_IMO (1UL << 4)
#define HCR_AMO (1UL << 5)
#define HCR_VSE (1UL << 8)
#define HCR_BSU_IS (1UL << 10)
#define HCR_FB (1UL << 9)
#define HCR_TWI (1UL << 13)
#define HCR_TID1 (1UL << 16)
#define HCR_TID3 (1UL << 18)
#define HCR_TSC (1UL << 19)
#define HCR_TIDCP (1UL << 20)
#define HCR_TACR (1UL << 21)
#define HCR_RW (1UL << 31)
#define HCR_APK (1UL << 40)
#define HCR_API (1UL << 41)

/* MDCR_EL2 */
#define MDCR_HPMN 0x1fUL
#define MDCR_PMU_TRAPS (3UL << 5)   /* TPMCR, TPM */
#define MDCR_DEBUG_TRAPS (7UL << 9) /* TDA, TDOSA, TDRA */
#define MDCR_HPMD (1UL << 17)

/* MDSCR_EL1 */
#define MDSCR_SS (1u << 0)
#define MDSCR_TDCC (1u << 12)
#define MDSCR_KDE (1u << 13)
#define MDSCR_MDE (1u << 15)

/* Exception classes of ESR_ELx */
#define EC_UNKNOWN 0x00
#define EC_WFX 0x01
#define EC_FP 0x07
#define EC_ILLEGAL 0x0e
#define EC_HVC64 0x16
#define EC_SMC64 0x17
#define EC_SYSREG 0x18
#define EC_SVE 0x19
#define EC_IABORT_LOWER 0x20
#define EC_IABORT_SAME 0x21
#define EC_DABORT_LOWER 0x24
#define EC_DABORT_SAME 0x25
#define EC_BRK64 0x3c

#define ISS_WNR (1UL << 6) /* data abort: a write */
#define ISS_CM (1UL << 8)  /* data abort: cache maintenance or address translation */
#define ESR_EC(esr) ((unsigned)((esr) >> 26) & 0x3f)
#define ESR_IL (1UL << 25)
#define ESR_ISS(esr) ((esr) & 0x1ffffff)

/* PSTATE */
#define PSTATE_EL1H 5UL
#define PSTATE_SS (1UL << 21) /* of a single step: the instruction is still to come */
#define PSTATE_DAIF (0xfUL << 6)
