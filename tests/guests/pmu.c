/* SPDX-License-Identifier: MIT */
/*
 * pmu.c - the performance counters a guest has. Says `pmu: NAME: ok` or `pmu: NAME: FAILED ...` for each of a list, then counts for
 * ever: a counter that only software moves goes beside a number in RAM, so that one which is lost, doubled or another VM's shows at
 * once (`pmu: TORN`), and each second says how much of the time the cycle counter has seen.
 */
#include "baremetal/guest.h"

#define PMU_INTID 23u
#define CYCLES (1u << 31)
#define SW_INCR 0u
#define CPU_CYCLES 0x11u
#define PERIOD 2000000u
#define OVERFLOWS 5u
#define BACK_TIMES 20u
#define PATIENCE_S 10u

#define PMCR_E 1u
#define PMCR_P 2u
#define PMCR_C 4u
#define PMCR_LC 0x40u

#define read(name)                                                         \
	({                                                                 \
		uint64_t value__;                                          \
		__asm__ volatile("isb\n\tmrs %0, " #name : "=r"(value__)); \
		value__;                                                   \
	})
#define write(name, value) \
	__asm__ volatile("msr " #name ", %0\n\tisb" : : "r"((uint64_t)(value)) : "memory")

static volatile uint64_t overflows;
static volatile uint64_t moved; /* how often software moved counter 1 */

static void verdict(const char *name, bool good, uint64_t seen)
{
	if (good)
		print("pmu: %s: ok\n", name);
	else
		print("pmu: %s: FAILED, 0x%lx\n", name, seen);
}

static uint64_t spin_us(uint64_t microseconds)
{
	delay_us(microseconds);
	return read(pmccntr_el0);
}

static void check_registers(void)
{
	uint64_t version = read(id_aa64dfr0_el1) >> 8 & 0xf, control, count;

	if (!version) {
		guest_fault_begin();
		(void)read(pmcr_el0);
		print("pmu: none, %s\n", guest_fault_end(NULL) ? "UNDEFINED" : "but a register");
		guest_stop();
	}
	control = read(pmcr_el0);
	count = control >> 11 & 0x1f;
	verdict("version", version >= 1 && version < 0xf, version);
	verdict("counters", count >= 2 && !(control & PMCR_E), control);
	write(pmcntenset_el0, ~0ul);
	verdict("enable", read(pmcntenclr_el0) == (CYCLES | ((1u << count) - 1)),
		read(pmcntenset_el0));
	write(pmcntenclr_el0, ~0ul);
	write(pmintenset_el1, 5);
	write(pmintenclr_el1, 4);
	verdict("interrupt enable", read(pmintenset_el1) == 1, read(pmintenset_el1));
	write(pmintenclr_el1, ~0ul);
	write(pmselr_el0, 1);
	write(pmxevtyper_el0, CPU_CYCLES);
	verdict("type", read(pmevtyper1_el0) == CPU_CYCLES, read(pmevtyper1_el0));
	write(pmxevcntr_el0, 0x123456789ul);
	verdict("32 bits", read(pmevcntr1_el0) == 0x23456789, read(pmevcntr1_el0));
	write(pmccntr_el0, 0x123456789abul);
	verdict("64 bits", read(pmccntr_el0) == 0x123456789abul, read(pmccntr_el0));
	verdict("stands still", spin_us(1000) == 0x123456789abul, read(pmccntr_el0));
	write(pmcr_el0, PMCR_P | PMCR_C);
	verdict("cleared", !read(pmccntr_el0) && !read(pmevcntr1_el0), read(pmevcntr1_el0));
	guest_fault_begin();
	(void)read(S3_3_C14_C11_6); /* PMEVCNTR30_EL0 */
	verdict("the 31st is UNDEFINED", guest_fault_end(NULL), 0);
}

static void check_counts(void)
{
	uint64_t first, second;

	write(pmevtyper0_el0, CPU_CYCLES);
	write(pmevtyper1_el0, SW_INCR);
	write(pmcntenset_el0, CYCLES | 3);
	write(pmcr_el0, PMCR_E | PMCR_P | PMCR_C | PMCR_LC);
	first = spin_us(1000);
	second = spin_us(1000);
	verdict("cycles", first && second > first, second - first);
	verdict("event", read(pmevcntr0_el0) != 0, read(pmevcntr0_el0));
	for (unsigned int i = 0; i < 100; i++)
		write(pmswinc_el0, 2);
	verdict("software increments", read(pmevcntr1_el0) == 100, read(pmevcntr1_el0));
	write(pmcr_el0, PMCR_LC);
	first = read(pmccntr_el0);
	verdict("stopped", spin_us(1000) == first, read(pmccntr_el0));
}

static void overflow(unsigned int intid, void *context)
{
	(void)intid;
	(void)context;
	if (read(pmovsset_el0) & CYCLES)
		overflows++;
	write(pmovsclr_el0, CYCLES);
	write(pmccntr_el0, -(uint64_t)PERIOD);
}

/*
 * Armed again when a whole second brings none, and says so: QEMU's overflow timer runs beside its vCPU, and seems to lose the count
 * on a busy host now and then.
 */
static void check_interrupt(void)
{
	uint64_t start = counter_read(), seen = 0, seen_at = start;

	write(pmcntenclr_el0, 1);
	write(pmccntr_el0, -(uint64_t)PERIOD);
	write(pmintenset_el1, CYCLES);
	write(pmcr_el0, PMCR_E | PMCR_LC);
	while (overflows < OVERFLOWS && counter_read() - start < PATIENCE_S * counter_hz()) {
		if (overflows != seen) {
			seen = overflows;
			seen_at = counter_read();
		} else if (counter_read() - seen_at > counter_hz()) {
			print("pmu: armed again at 0x%lx\n", read(pmccntr_el0));
			write(pmccntr_el0, -(uint64_t)PERIOD);
			seen_at = counter_read();
		}
	}
	write(pmintenclr_el1, CYCLES);
	verdict("overflow interrupt", overflows >= OVERFLOWS, overflows);
}

static bool step(void)
{
	write(pmswinc_el0, 2);
	moved++;
	if ((uint32_t)moved == read(pmevcntr1_el0))
		return true;
	print("pmu: TORN: %lu in RAM, %lu counted\n", moved, read(pmevcntr1_el0));
	return false;
}

/* Snapshots of oneself: the counters are in the PE meanwhile. Each time back finds them as they were at the take. */
static void check_own_snapshots(void)
{
	uint64_t first = guest_generation(), taken_at = moved, cycles, back;
	struct hvc_result result = hvc_SNAPSHOT_TAKE(AV_VM_SELF, 0, 0, 0);
	bool good;

	cycles = read(pmccntr_el0);
	back = result.value[1] ? result.value[1] - first : 0;
	good = !result.status && moved == taken_at && read(pmevcntr1_el0) == (uint32_t)taken_at;
	for (unsigned int i = 0; i < 1000; i++)
		good = step() && good;
	if (read(pmccntr_el0) <= cycles || !good)
		print("pmu: status %ld, %lu then %lu moves, cycles %lu then %lu\n", result.status,
		      taken_at, moved, cycles, read(pmccntr_el0));
	else if (back < BACK_TIMES)
		hvc_SNAPSHOT_RESTORE(AV_VM_SELF, result.value[0], 0);
	verdict("own snapshots", back == BACK_TIMES, back);
}

void guest_main(uint64_t dtb)
{
	uint64_t last, beat;

	(void)dtb;
	interrupts_init();
	interrupt_enable(PMU_INTID, false, overflow, NULL);
	interrupts_unmask();
	print("pmu: start\n");
	check_registers();
	check_counts();
	check_interrupt();
	write(pmevcntr1_el0, 0);
	write(pmccntr_el0, 0);
	check_own_snapshots();
	write(pmccntr_el0, 0);
	print("pmu: counts\n");
	last = read(pmccntr_el0);
	for (beat = counter_read(); step();) {
		uint64_t now = counter_read();

		if (now - beat < counter_hz())
			continue;
		/* QEMU's PEs make a cycle of each nanosecond. */
		print("pmu: share %lu%%\n",
		      (read(pmccntr_el0) - last) / 10000000 * counter_hz() / (now - beat));
		last = read(pmccntr_el0);
		beat = now;
	}
	guest_stop();
}
