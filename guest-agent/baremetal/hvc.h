/* SPDX-License-Identifier: MIT */
/*
 * hvc.h - the calls to the hypervisor and to PSCI.
 *
 * hvc_NAME() is made for every call of hypercalls.def, with as many arguments as the call has.
 */
#pragma once

#include <stdint.h>

#include <avisor/hypercall.h>

struct hvc_result {
	int64_t status;
	uint64_t value[3]; /* x1..x3 */
};

struct hvc_result hvc_call(uint32_t function, uint64_t x1, uint64_t x2, uint64_t x3, uint64_t x4,
			   uint64_t x5, uint64_t x6);

#define HVC_ARITY_0(name)                                                    \
	static inline struct hvc_result hvc_##name(void)                     \
	{                                                                    \
		return hvc_call(AV_HVC_ID(AV_HVC_##name), 0, 0, 0, 0, 0, 0); \
	}
#define HVC_ARITY_1(name)                                                     \
	static inline struct hvc_result hvc_##name(uint64_t x1)               \
	{                                                                     \
		return hvc_call(AV_HVC_ID(AV_HVC_##name), x1, 0, 0, 0, 0, 0); \
	}
#define HVC_ARITY_2(name)                                                      \
	static inline struct hvc_result hvc_##name(uint64_t x1, uint64_t x2)   \
	{                                                                      \
		return hvc_call(AV_HVC_ID(AV_HVC_##name), x1, x2, 0, 0, 0, 0); \
	}
#define HVC_ARITY_3(name)                                                                 \
	static inline struct hvc_result hvc_##name(uint64_t x1, uint64_t x2, uint64_t x3) \
	{                                                                                 \
		return hvc_call(AV_HVC_ID(AV_HVC_##name), x1, x2, x3, 0, 0, 0);           \
	}
#define HVC_ARITY_4(name)                                                                 \
	static inline struct hvc_result hvc_##name(uint64_t x1, uint64_t x2, uint64_t x3, \
						   uint64_t x4)                           \
	{                                                                                 \
		return hvc_call(AV_HVC_ID(AV_HVC_##name), x1, x2, x3, x4, 0, 0);          \
	}
#define HVC_ARITY_5(name)                                                                 \
	static inline struct hvc_result hvc_##name(uint64_t x1, uint64_t x2, uint64_t x3, \
						   uint64_t x4, uint64_t x5)              \
	{                                                                                 \
		return hvc_call(AV_HVC_ID(AV_HVC_##name), x1, x2, x3, x4, x5, 0);         \
	}
#define AV_HVC(name, number, arity, privilege) HVC_ARITY_##arity(name)
#include <avisor/hypercalls.def>
#undef AV_HVC

/* The original's: bare, with no register given up, as its guests have them. */
static inline void hvc_checkpoint(void)
{
	__asm__ volatile("hvc #1" : : : "memory", "cc");
}

static inline void hvc_restore(int64_t id)
{
	register int64_t x0 __asm__("x0") = id;

	__asm__ volatile("hvc #2" : : "r"(x0) : "memory", "cc");
}

static inline void hvc_print(const char *text)
{
	register const char *x0 __asm__("x0") = text;

	__asm__ volatile("hvc #3" : : "r"(x0) : "memory", "cc");
}

static inline void hvc_restart(void)
{
	__asm__ volatile("hvc #4" : : : "memory", "cc");
}

#define PSCI_VERSION 0x84000000
#define PSCI_CPU_SUSPEND 0xc4000001
#define PSCI_CPU_OFF 0x84000002
#define PSCI_CPU_ON 0xc4000003
#define PSCI_AFFINITY_INFO 0xc4000004
#define PSCI_MIGRATE_INFO_TYPE 0x84000006
#define PSCI_SYSTEM_OFF 0x84000008
#define PSCI_SYSTEM_RESET 0x84000009
#define PSCI_FEATURES 0x8400000a

int64_t psci_hvc(uint32_t function, uint64_t x1, uint64_t x2, uint64_t x3);
int64_t psci_smc(uint32_t function, uint64_t x1, uint64_t x2, uint64_t x3);
