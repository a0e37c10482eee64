/* SPDX-License-Identifier: MIT */
/*
 * cpus.c - the VM's other vCPUs: started with the boot vCPU's tables and a stack of their own, turned off when their
 * function returns. Must never start a vCPU that is not yet off: its stack is in use until then.
 */
#include "baremetal/guest.h"

#define STACK_SIZE 16384
#define PSCI_OFF 1

static struct guest_cpu {
	/* Known to the assembly below, by offset: x0 there is this structure's address. */
	uint64_t stack;
	void (*function)(uint64_t);
	uint64_t argument;
	uint64_t sctlr, igrpen1; /* as they were at the first instruction */
} cpus[GUEST_CPU_MAX] __attribute__((used));
static uint8_t stacks[GUEST_CPU_MAX][STACK_SIZE] __attribute__((aligned(16)));

extern char guest_cpu_start[];
_Noreturn void guest_cpu_main(struct guest_cpu *cpu);

/* As _start does it, with the MMU off until the boot vCPU's tables are in: nothing is written before. */
__asm__(".section .text.guest_cpu_start, \"ax\"\n"
	"guest_cpu_start:\n"
	"	mov	x19, x0\n"
	"	mrs	x20, sctlr_el1\n"
	"	mrs	x21, s3_0_c12_c12_7\n" /* ICC_IGRPEN1_EL1 */
	"	msr	daifset, #0xf\n"
	"	adrp	x0, guest_level1\n"
	"	msr	ttbr0_el1, x0\n"
	"	mov	x0, #0xff\n"
	"	msr	mair_el1, x0\n"
	"	ldr	x0, =0x200803519\n"
	"	msr	tcr_el1, x0\n"
	"	isb\n"
	"	tlbi	vmalle1\n"
	"	ic	iallu\n"
	"	dsb	nsh\n"
	"	isb\n"
	"	ldr	x0, =0x30d0181d\n"
	"	msr	sctlr_el1, x0\n"
	"	isb\n"
	"	mov	x0, #(3 << 20)\n"
	"	msr	cpacr_el1, x0\n"
	"	adrp	x0, guest_vectors\n"
	"	add	x0, x0, :lo12:guest_vectors\n"
	"	msr	vbar_el1, x0\n"
	"	isb\n"
	"	ldr	x0, [x19]\n"
	"	mov	sp, x0\n"
	"	stp	x20, x21, [x19, #24]\n"
	"	mov	x29, xzr\n"
	"	mov	x30, xzr\n"
	"	mov	x0, x19\n"
	"	b	guest_cpu_main\n");

unsigned int guest_cpu_number(void)
{
	uint64_t mpidr;

	__asm__("mrs %0, mpidr_el1" : "=r"(mpidr));
	return (unsigned int)mpidr & 0xff;
}

_Noreturn void guest_cpu_main(struct guest_cpu *cpu)
{
	cpu->function(cpu->argument);
	interrupts_mask();
	psci_hvc(PSCI_CPU_OFF, 0, 0, 0);
	guest_panic("CPU_OFF returned");
}

int64_t guest_cpu_on(unsigned int number, void (*function)(uint64_t), uint64_t argument)
{
	struct guest_cpu *cpu = &cpus[number];

	if (number == guest_cpu_number() || number >= GUEST_CPU_MAX || !guest_cpu_is_off(number))
		return psci_hvc(PSCI_CPU_ON, number, (uint64_t)guest_cpu_start, 0);
	cpu->stack = (uint64_t)(stacks[number] + STACK_SIZE);
	cpu->function = function;
	cpu->argument = argument;
	__asm__ volatile("dsb ish" ::: "memory");
	return psci_hvc(PSCI_CPU_ON, number, (uint64_t)guest_cpu_start, (uint64_t)cpu);
}

bool guest_cpu_is_off(unsigned int number)
{
	return psci_hvc(PSCI_AFFINITY_INFO, number, 0, 0) == PSCI_OFF;
}

bool guest_cpu_join(unsigned int number, uint64_t milliseconds)
{
	uint64_t start = counter_read(), ticks = counter_hz() / 1000 * milliseconds;

	while (!guest_cpu_is_off(number))
		if (counter_read() - start > ticks)
			return false;
	return true;
}

bool guest_cpu_was_reset(unsigned int number)
{
	return !(cpus[number].sctlr & 1) && !(cpus[number].igrpen1 & 1);
}

void guest_sgi(unsigned int intid, unsigned int number)
{
	__asm__ volatile("dsb ishst\n\tmsr s3_0_c12_c11_5, %0\n\tisb" /* ICC_SGI1R_EL1 */
			 :
			 : "r"((uint64_t)intid << 24 | 1ul << number)
			 : "memory");
}

void guest_sgi_others(unsigned int intid)
{
	__asm__ volatile("dsb ishst\n\tmsr s3_0_c12_c11_5, %0\n\tisb"
			 :
			 : "r"((uint64_t)intid << 24 | 1ul << 40)
			 : "memory");
}
