/* SPDX-License-Identifier: MIT */
/* power.c - PSCI with several vCPUs: each answer of the table in abi/README.md, and the ways in which a VM ends. */
#include "smp.h"

#define SMC32(function) ((function)&0xbfffffffu)
#define CPU_COUNT_BEYOND 8u

#define NOT_SUPPORTED (-1)
#define INVALID_PARAMETERS (-2)
#define DENIED (-3)
#define ALREADY_ON (-4)
#define INVALID_ADDRESS (-9)

static unsigned int wrong;
static volatile uint64_t spins;

static void expect(const char *what, int64_t got, int64_t wanted)
{
	if (got == wanted)
		return;
	wrong++;
	print("%s: %ld, not %ld\n", what, got, wanted);
}

static void nothing(uint64_t argument)
{
	(void)argument;
	while (!smp_stop)
		spins++;
}

static void waiting(uint64_t argument)
{
	(void)argument;
	for (;;)
		wait_for_interrupt();
}

static void spinning(uint64_t argument)
{
	(void)argument;
	for (;;)
		spins++;
}

static void expect_errors(int64_t (*call)(uint32_t, uint64_t, uint64_t, uint64_t))
{
	uint64_t here = (uint64_t)expect_errors;

	expect("CPU_ON of itself", call(PSCI_CPU_ON, 0, here, 0), ALREADY_ON);
	expect("CPU_ON of none", call(PSCI_CPU_ON, smp_count, here, 0), INVALID_PARAMETERS);
	expect("CPU_ON of Aff1", call(PSCI_CPU_ON, 0x101, here, 0), INVALID_PARAMETERS);
	expect("CPU_ON of Aff3", call(PSCI_CPU_ON, 1ul << 32 | 1, here, 0), INVALID_PARAMETERS);
	expect("CPU_ON of MPIDR with bit 31", call(PSCI_CPU_ON, 1ul << 31 | 1, here, 0),
	       INVALID_PARAMETERS);
	expect("CPU_ON at an odd address", call(PSCI_CPU_ON, 1, here + 2, 0), INVALID_ADDRESS);
	expect("CPU_ON in a device", call(PSCI_CPU_ON, 1, GUEST_UART, 0), INVALID_ADDRESS);
	expect("CPU_ON nowhere", call(PSCI_CPU_ON, 1, ~3ul, 0), INVALID_ADDRESS);
	expect("AFFINITY_INFO of itself", call(PSCI_AFFINITY_INFO, 0, 0, 0), 0);
	expect("AFFINITY_INFO of one that is off", call(PSCI_AFFINITY_INFO, 1, 0, 0), 1);
	expect("AFFINITY_INFO of none", call(PSCI_AFFINITY_INFO, smp_count, 0, 0),
	       INVALID_PARAMETERS);
	expect("AFFINITY_INFO of its cluster", call(PSCI_AFFINITY_INFO, 1, 1, 0), 0);
	expect("AFFINITY_INFO of level 3", call(PSCI_AFFINITY_INFO, 0, 3, 0), 0);
	expect("AFFINITY_INFO of another cluster", call(PSCI_AFFINITY_INFO, 0x100, 1, 0),
	       INVALID_PARAMETERS);
	expect("AFFINITY_INFO of level 4", call(PSCI_AFFINITY_INFO, 0, 4, 0), INVALID_PARAMETERS);
	expect("MIGRATE_INFO_TYPE", call(PSCI_MIGRATE_INFO_TYPE, 0, 0, 0), 2);
	expect("PSCI_VERSION", call(PSCI_VERSION, 0, 0, 0), 0x10001);
	expect("MIGRATE", call(0xc4000005, 0, 0, 0), NOT_SUPPORTED);
	expect("SYSTEM_SUSPEND", call(0xc400000e, here, 0, 0), NOT_SUPPORTED);
}

static void expect_features(void)
{
	static const uint32_t there[] = {
		PSCI_VERSION,
		PSCI_CPU_SUSPEND,
		SMC32(PSCI_CPU_SUSPEND),
		PSCI_CPU_OFF,
		PSCI_CPU_ON,
		SMC32(PSCI_CPU_ON),
		PSCI_AFFINITY_INFO,
		SMC32(PSCI_AFFINITY_INFO),
		PSCI_SYSTEM_OFF,
		PSCI_SYSTEM_RESET,
		PSCI_FEATURES,
		PSCI_MIGRATE_INFO_TYPE,
		0x80000000, /* SMCCC_VERSION */
	};
	static const uint32_t missing[] = {
		0x84000005, 0xc4000005, 0x84000007, 0x8400000b, 0x8400000c, 0x8400000d, 0xc400000e,
		0x8400000f, 0x84000010, 0xc4000000, 0xc4000008, 0xc4000002, 0x8400ffff, 0};

	for (unsigned int i = 0; i < sizeof(there) / sizeof(there[0]); i++)
		expect("PSCI_FEATURES of one that is there",
		       psci_hvc(PSCI_FEATURES, there[i], 0, 0), 0);
	for (unsigned int i = 0; i < sizeof(missing) / sizeof(missing[0]); i++)
		expect("PSCI_FEATURES of one that is not",
		       psci_hvc(PSCI_FEATURES, missing[i], 0, 0), NOT_SUPPORTED);
}

static void ignore(unsigned int intid, void *context)
{
	(void)intid;
	(void)context;
	timer_stop();
}

/* Asleep until the timer's interrupt, in both kinds of state and with all registers kept. */
static void expect_suspend(void)
{
	static const uint32_t states[] = {0, 1, 0x10000, 0x1010000};

	interrupt_enable(GUEST_TIMER_INTID, false, ignore, NULL);
	for (unsigned int i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		uint64_t start = counter_read(), ticks = counter_hz() / 100;

		timer_set(start + ticks);
		expect("CPU_SUSPEND",
		       psci_hvc(i % 2 ? SMC32(PSCI_CPU_SUSPEND) : PSCI_CPU_SUSPEND, states[i],
				(uint64_t)expect_suspend, 5),
		       0);
		expect("CPU_SUSPEND: earlier than its timer", counter_read() - start < ticks, 0);
		while (interrupts_take())
			;
	}
}

bool smp_psci(uint64_t argument)
{
	(void)argument;
	wrong = 0;
	expect_errors(psci_hvc);
	expect_errors(psci_smc);
	expect_features();
	expect_suspend();
	for (unsigned int i = 1; i < smp_count; i++) {
		if (!smp_start(i, nothing, i))
			return false;
		expect("AFFINITY_INFO of one that is on", psci_hvc(PSCI_AFFINITY_INFO, i, 0, 0), 0);
		expect("AFFINITY_INFO, 32 bits",
		       psci_hvc(SMC32(PSCI_AFFINITY_INFO), 0xffffffff00000000 | i, 0, 0), 0);
		expect("CPU_ON of one that is on", psci_hvc(PSCI_CPU_ON, i, (uint64_t)smp_psci, 0),
		       ALREADY_ON);
	}
	if (!smp_join_all())
		return false;
	for (unsigned int i = 1; i < smp_count; i++)
		expect("AFFINITY_INFO of one turned off", psci_hvc(PSCI_AFFINITY_INFO, i, 0, 0), 1);
	return !wrong;
}

bool smp_park(uint64_t busy)
{
	for (unsigned int i = 1; i < smp_count; i++)
		if (!smp_start(i, busy ? spinning : waiting, 0))
			return false;
	return true;
}

static void crasher(uint64_t by_device)
{
	delay_us(20000);
	if (by_device)
		__asm__ volatile("ldp x0, x1, [%0]" : : "r"(GUEST_UART) : "x0", "x1", "memory");
	hvc_VM_CRASH(AV_VM_SELF, 7);
}

/* vCPU 1 ends the VM while the others spin. */
bool smp_crash(uint64_t by_device)
{
	for (unsigned int i = 2; i < smp_count; i++)
		if (!smp_start(i, spinning, 0))
			return false;
	if (smp_start(1, crasher, by_device))
		spinning(0);
	return false;
}

static void talker(uint64_t argument)
{
	(void)argument;
	for (;;) {
		print("vCPU 1 runs\n");
		delay_us(20000);
	}
}

/* vCPU 0 turns the VM off, or resets it, while vCPU 1 goes on printing. */
bool smp_off(uint64_t reset)
{
	if (!smp_start(1, talker, 0))
		return false;
	delay_us(200000);
	psci_hvc(reset ? PSCI_SYSTEM_RESET : PSCI_SYSTEM_OFF, 0, 0, 0);
	return false;
}

static void leave_late(uint64_t number)
{
	delay_us(50000 * number);
}

/* Each turns itself off, vCPU 0 first. */
bool smp_last(uint64_t argument)
{
	(void)argument;
	for (unsigned int i = 1; i < smp_count; i++)
		if (!smp_start(i, leave_late, i))
			return false;
	psci_hvc(PSCI_CPU_OFF, 0, 0, 0);
	return false;
}
