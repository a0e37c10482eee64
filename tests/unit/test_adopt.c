/* SPDX-License-Identifier: MIT */
/*
 * test_adopt.c - the state of a VM as a file brings it, with each bit turned over in turn and with random bytes: refused, or made
 * such that the devices and vCPUs that load it are in a state they can be in, and go on from there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "arch/features.h"
#include "arch/mem.h"
#include "core/bug.h"
#include "core/clock.h"
#include "core/flash.h"
#include "core/pmu.h"
#include "core/region.h"
#include "core/vcpu.h"
#include "core/vm_state.h"

#define VCPUS 2u
#define ORIGIN 1000u
#define RAM 0x40000000ul
#define RAM_SIZE 0x20000ul

struct features features;
uint64_t clock_origin = ORIGIN;
static struct vm vm;
static struct vcpu vcpus[VCPUS];
static uint8_t ram[RAM_SIZE];
static uint8_t good[4 + AV_VCPU_MAX][VMEM_PART_SIZE_MAX];

/* --- what stands in for the hypervisor */

_Noreturn void bug_report(const char *file, int line, const char *what)
{
	fprintf(stderr, "BUG %s:%d: %s\n", file, line, what);
	abort();
}

void *arch_copy_words(void *to, const void *from, size_t size)
{
	return memcpy(to, from, size);
}

void el1_save(struct el1_context *to)
{
	(void)to;
	fail();
}

void fp_save_and_copy(struct fp_context *fp, void *to, const void *from)
{
	(void)fp;
	(void)to;
	(void)from;
	fail();
}

void vcpu_replace(struct vcpu *vcpu, const struct vcpu *by)
{
	(void)vcpu;
	(void)by;
	fail();
}

uint64_t vm_counter(const struct vm *of)
{
	(void)of;
	return ORIGIN + 5;
}

void vm_clock_set(struct vm *of, uint64_t counter)
{
	(void)of;
	assert_in_range(counter - ORIGIN, 0, 1ul << 51);
}

void fake_lock_misused(const struct spinlock *lock)
{
	(void)lock;
	fail();
}

void arch_debug_write(uint64_t value, unsigned number)
{
	(void)value;
	(void)number;
	fail();
}

/* The PE's registers have it, and what a guest cannot set there goes: not in this test. */
void pmu_adopt(struct pmu_context *pmu)
{
	(void)pmu;
}

void flash_parts(struct vm *of, void (*add)(struct vm *, struct state_part))
{
	(void)of;
	(void)add;
}

size_t region_state_size(const struct vm *of)
{
	(void)of;
	return 8;
}

size_t region_state_used(const void *saved)
{
	(void)saved;
	return 8;
}

void region_state_save(void *ctx, void *to)
{
	(void)ctx;
	memset(to, 0, 8);
}

void region_state_load(void *ctx, const void *from)
{
	(void)ctx;
	(void)from;
}

bool region_state_adopt(void *ctx, void *saved)
{
	(void)ctx;
	(void)saved;
	return true;
}

void region_adopt(struct vm *of, const struct vm *from, const void *saved)
{
	(void)of;
	(void)from;
	(void)saved;
}

const void *snapshot_part(const struct vmem *m, const struct snapshot *record, uint32_t part)
{
	(void)m;
	(void)record;
	(void)part;
	return NULL;
}

/* --- the VM */

static bool ram_read(void *ctx, uint64_t ipa, void *to, size_t size)
{
	(void)ctx;
	if (ipa < RAM || size > RAM_SIZE || ipa - RAM > RAM_SIZE - size)
		return false;
	memcpy(to, ram + (ipa - RAM), size);
	return true;
}

static bool ram_write(void *ctx, uint64_t ipa, const void *from, size_t size)
{
	(void)ctx;
	if (ipa < RAM || size > RAM_SIZE || ipa - RAM > RAM_SIZE - size)
		return false;
	memcpy(ram + (ipa - RAM), from, size);
	return true;
}

static bool starved(void *ctx)
{
	(void)ctx;
	return false;
}

static size_t out(void *ctx, unsigned port, const uint8_t *bytes, size_t size)
{
	(void)ctx;
	assert_in_range(port, 0, VCONSOLE_PORT_COUNT - 1);
	for (size_t i = 0; i < size; i++)
		ram[0] = (uint8_t)(ram[0] ^ bytes[i]);
	return size;
}

static void uart_out(void *ctx, uint8_t byte)
{
	(void)ctx;
	(void)byte;
}

static void uart_line(void *ctx, bool level)
{
	vgic_set_line(&((struct vm *)ctx)->gic, 0, 33, level);
}

static void clock_line(void *ctx, bool level)
{
	vgic_set_line(&((struct vm *)ctx)->gic, 0, 34, level);
}

static void console_line(void *ctx, bool level)
{
	vgic_set_line(&((struct vm *)ctx)->gic, 0, 79, level);
}

static const struct vconsole_ops console_ops = {.out = out, .line = console_line};

static void begin_vm(void)
{
	const struct guest_memory memory = {
		.ctx = &vm, .read = ram_read, .write = ram_write, .starved = starved};

	memset(&vm, 0, sizeof(vm));
	memset(vcpus, 0, sizeof(vcpus));
	vm.vcpus = vcpus;
	vm.vcpu_count = VCPUS;
	vgic_init(&vm.gic, VCPUS);
	vgic_set_hw(&vm.gic, 27);
	vpl031_init(&vm.rtc, &vm, clock_line);
	vpl011_init(&vm.uart, &vm, uart_out, uart_line);
	vconsole_init(&vm.console, memory, &console_ops, &vm, "org.avisor.agent");
	for (unsigned i = 0; i < VCPUS; i++) {
		vcpus[i].vm = &vm;
		vcpus[i].index = i;
		vcpus[i].pstate = 0x3c5;
		vcpus[i].power = VCPU_ON;
	}
	vm_state_parts(&vm);
	for (unsigned part = 0; part < vm.part_count; part++)
		vm.parts[part].save(vm.parts[part].ctx, good[part]);
}

/* EL1 or EL0: an exception return there stays below EL2. */
static void vcpu_is_a_guests(const struct vcpu *vcpu)
{
	uint64_t mode = vcpu->pstate & 0x1f;

	assert_true(mode == 0 || mode == 4 || mode == 5);
	assert_int_equal(vcpu->pstate >> 32, 0);
	assert_in_range(vcpu->power, 0, VCPU_ON);
	assert_in_range(vcpu->waiting, 0, VCPU_WAITS);
	assert_in_range(vcpu->two_timelines, 0, 1);
	assert_int_equal(vcpu->timer.cntv_ctl & ~3ul, 0);
	assert_int_equal(vcpu->timer.cntp_ctl & ~3ul, 0);
	assert_int_equal(vcpu->mdscr & ~0xb001u, 0);
	assert_in_range(vcpu->os_lock, 0, 1);
	assert_int_equal(vcpu->pmu.debug, !vcpu->os_lock && vcpu->mdscr & 0x8001u);
	for (unsigned i = 0; i < DEBUG_REGISTERS; i++) {
		static const uint64_t settable[] = {~0ul, 0xffe1e7, ~3ul, 0x1f1fffff};

		assert_int_equal(vm.debug[vcpu->index * DEBUG_REGISTERS + i] & ~settable[i % 4], 0);
	}
	assert_ptr_equal(vcpu->vm, &vm);
}

/* What a guest with such devices would do: the sanitizers see an index that is none. */
static void exercise(void)
{
	uint64_t lr[4], hcr = 0, value;

	for (unsigned cpu = 0; cpu < VCPUS; cpu++) {
		memset(lr, 0, sizeof(lr));
		vgic_fold(&vm.gic, cpu, lr, 4, 0);
		vgic_fill(&vm.gic, cpu, lr, 4, &hcr);
		vgic_fold(&vm.gic, cpu, lr, 4, 0);
	}
	(void)vgic_take_kick(&vm.gic);
	vgic_pulse(&vm.gic, 0, 40);
	for (unsigned i = 0; i < 40; i++)
		vpl011_mmio(&vm.uart, 0, 4, false, &value);
	vpl011_input(&vm.uart, (const uint8_t *)"0123456789abcdef0123456789abcdef", 32);
	value = 'x';
	vpl011_mmio(&vm.uart, 0, 4, true, &value);
	vpl031_evaluate(&vm.rtc, 1000);
	for (value = 0; value < 6; value++)
		vconsole_mmio(&vm.console, 0x50, 4, true, &(uint64_t){value});
	for (unsigned i = 0; i < 8 && vconsole_has_work(&vm.console); i++)
		vconsole_work(&vm.console);
	vconsole_after_restore(&vm.console);
	vconsole_host_open(&vm.console, 1, true);
	vconsole_input(&vm.console, 0, (const uint8_t *)"hello", 5);
	vconsole_input(&vm.console, 1, (const uint8_t *)"hello", 5);
}

/* This part as given, the others as they were. True: it was not refused. */
static bool try(unsigned part, const uint8_t *bytes)
{
	static uint8_t copy[VMEM_PART_SIZE_MAX] __attribute__((aligned(64)));
	const struct state_part *p = &vm.parts[part];

	memcpy(copy, bytes, p->size);
	if (!p->adopt(p->ctx, copy))
		return false;
	for (unsigned i = 0; i < vm.part_count; i++)
		if (i != part)
			vm.parts[i].load(vm.parts[i].ctx, good[i]);
	p->load(p->ctx, copy);
	for (unsigned i = 0; i < VCPUS; i++)
		vcpu_is_a_guests(&vcpus[i]);
	for (unsigned i = 0; i < VGIC_SPI_COUNT; i++)
		assert_int_equal(vm.gic.dist.priority[i] & ~VGIC_PRIORITY_MASK & 0xff, 0);
	assert_true(vm.uart.state.rx_head < VPL011_FIFO_SIZE &&
		    vm.uart.state.rx_count <= VPL011_FIFO_SIZE);
	exercise();
	return true;
}

static void each_bit_turned_over_is_refused_or_harmless(void **state)
{
	(void)state;
	begin_vm();
	assert_int_equal(vm.part_count, 2 + VCPUS);
	for (unsigned part = 0; part < vm.part_count; part++) {
		uint8_t bytes[VMEM_PART_SIZE_MAX];
		unsigned refused = 0;

		memcpy(bytes, good[part], sizeof(bytes));
		assert_true(try(part, bytes));
		for (size_t bit = 0; bit < vm.parts[part].size * 8ul; bit++) {
			bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1u << bit % 8);
			refused += !try(part, bytes);
			bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1u << bit % 8);
		}
		/* Of a vCPU: its upper half of PSTATE at least, the reserved words, what the clock cannot be. */
		assert_true(refused >= (part < 2 ? 0u : 200u));
	}
}

static void random_state_is_refused_or_harmless(void **state)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : 2026;
	unsigned count = getenv("SOAK") ? 200000 : 2000;

	(void)state;
	printf("seed %u\n", seed);
	srand(seed);
	begin_vm();
	for (unsigned i = 0; i < count; i++) {
		unsigned part = (unsigned)rand() % vm.part_count;
		uint8_t bytes[VMEM_PART_SIZE_MAX];

		memcpy(bytes, good[part], sizeof(bytes));
		for (unsigned n = (unsigned)rand() % 64; n--;)
			bytes[(unsigned)rand() % vm.parts[part].size] = (uint8_t)(rand() >> 8);
		try(part, bytes);
	}
}

static void what_would_return_into_el2_is_refused(void **state)
{
	uint8_t bytes[VMEM_PART_SIZE_MAX];
	unsigned found = 0;

	(void)state;
	begin_vm();
	memcpy(bytes, good[2], sizeof(bytes));
	/* Wherever PSTATE lies: EL2h, EL2t, EL3h, and EL0 in AArch32 where the PE has none. */
	for (size_t at = 0; at + 8 <= vm.parts[2].size; at += 8) {
		static const uint64_t bad[] = {0x3c9, 0x3c8, 0x3cd, 0x1d0, 1ul << 32};
		uint64_t word;

		memcpy(&word, bytes + at, sizeof(word));
		if (word != 0x3c5)
			continue;
		found++;
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			memcpy(bytes + at, &bad[i], sizeof(word));
			assert_false(try(2, bytes));
			memcpy(bytes + at, &word, sizeof(word));
		}
	}
	assert_int_equal(found, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_bit_turned_over_is_refused_or_harmless),
		cmocka_unit_test(random_state_is_refused_or_harmless),
		cmocka_unit_test(what_would_return_into_el2_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
