/* SPDX-License-Identifier: MIT */
/*
 * exits.c - what one exit costs: the same image under Avisor and on a plain QEMU, where there is none. Under -icount a
 * nanosecond of its counter is an instruction. Prints `bench NAME TICKS LOOPS` for each, and `bench done hz=N`; an operation
 * that this machine does not have is left out. `walk64m` means something by wall clock only.
 */
#include "baremetal/guest.h"

#define LOOPS 10000u
#define NULL_CALL "0x84000000"    /* PSCI_VERSION */
#define UNKNOWN_CALL "0xc60000ff" /* in Avisor's own range, and no call */
#define TOUCHED (GUEST_RAM_BASE + 0x2000000ul)
#define WALKED (GUEST_RAM_BASE + 0x6000000ul)
#define WALKED_SIZE 0x4000000ul
#define TIMER_TICKS 200

volatile uint64_t irq_at;

static void report(const char *name, uint64_t start)
{
	uint64_t ticks = counter_read() - start;

	print("bench %s %lu %u\n", name, ticks, LOOPS);
}

/* conduit is a text for the assembler. */
#define CALL_LOOP(name, conduit, function)                                            \
	do {                                                                          \
		uint64_t start = counter_read();                                      \
                                                                                      \
		for (unsigned int i = 0; i < LOOPS; i++)                              \
			__asm__ volatile("ldr w0, =" function "\n\t" conduit " #0" :: \
						 : "x0", "x1", "x2", "x3", "memory"); \
		report(name, start);                                                  \
	} while (0)

static bool smc_works(void)
{
	uint64_t x[8] = {0x84000000};

	guest_fault_begin();
	guest_execute(GUEST_WORD_SMC(0), x);
	return !guest_fault_end(NULL);
}

static void bench_calls(void)
{
	CALL_LOOP("hvc_null", "hvc", NULL_CALL);
	CALL_LOOP("hvc_unknown", "hvc", UNKNOWN_CALL);
	if (smc_works())
		CALL_LOOP("smc_null", "smc", NULL_CALL);
}

static void bench_registers(void)
{
	uint64_t start = counter_read();

	for (unsigned int i = 0; i < LOOPS; i++)
		(void)*(volatile uint32_t *)0x08000004; /* GICD_TYPER */
	report("gicd_read", start);
	start = counter_read();
	for (unsigned int i = 0; i < LOOPS; i++)
		(void)*(volatile uint32_t *)(GUEST_UART + 0x18); /* UARTFR */
	report("uart_read", start);
	start = counter_read();
	for (unsigned int i = 0; i < LOOPS; i++)
		__asm__ volatile("mrs x0, id_aa64pfr0_el1" ::: "x0");
	report("idreg_read", start);
}

/* The first instruction of the handler reads the counter: nothing of the guest library is in the figure. */
__asm__(".section .text.exits_vectors, \"ax\"\n"
	".balign 2048\n"
	"exits_vectors:\n"
	".space 0x280\n" /* IRQ, current EL with SPx */
	"	stp	x0, x1, [sp, #-16]!\n"
	"	mrs	x0, cntvct_el0\n"
	"	adrp	x1, irq_at\n"
	"	str	x0, [x1, :lo12:irq_at]\n"
	"	msr	cntv_ctl_el0, xzr\n"
	"	mrs	x0, s3_0_c12_c12_0\n"
	"	isb\n"
	"	msr	s3_0_c12_c12_1, x0\n"
	"	ldp	x0, x1, [sp], #16\n"
	"	eret\n"
	".space 0x500\n"
	".text\n");
extern char exits_vectors[];

static void ignore(unsigned int intid, void *context)
{
	(void)intid;
	(void)context;
}

/* From the time it is due to the first instruction of the handler. */
static void bench_timer(const char *name, bool wait)
{
	uint64_t sum = 0, saved;

	interrupt_enable(GUEST_TIMER_INTID, false, ignore, NULL);
	__asm__ volatile("mrs %0, vbar_el1" : "=r"(saved));
	__asm__ volatile("msr vbar_el1, %0\n\tisb" ::"r"(exits_vectors));
	interrupts_unmask();
	for (unsigned int i = 0; i < LOOPS; i++) {
		uint64_t at = counter_read() + TIMER_TICKS;

		irq_at = 0;
		timer_set(at);
		/* Masked, or it comes between the look and the WFI, which nothing then ends: a WFI ends for a masked one, too. */
		while (!irq_at) {
			if (!wait)
				continue;
			interrupts_mask();
			if (!irq_at)
				__asm__ volatile("wfi");
			interrupts_unmask();
		}
		sum += irq_at - at;
	}
	interrupts_mask();
	__asm__ volatile("msr vbar_el1, %0\n\tisb" ::"r"(saved));
	print("bench %s %lu %u\n", name, sum, LOOPS);
}

static void bench_first_touch(void)
{
	uint64_t start = counter_read();

	for (uint64_t i = 0; i < LOOPS; i++)
		*(volatile uint64_t *)(TOUCHED + i * GUEST_PAGE_SIZE) = i;
	report("first_touch", start);
}

static void walk(void)
{
	for (uint64_t at = WALKED; at < WALKED + WALKED_SIZE; at += 4 * sizeof(uint64_t))
		__asm__ volatile("ldp x0, x1, [%0]\n\tldp x2, x3, [%0, #16]" ::"r"(at)
				 : "x0", "x1", "x2", "x3");
}

/* All of it was written once, and read once. */
static void bench_walk(void)
{
	uint64_t start;

	for (uint64_t at = WALKED; at < WALKED + WALKED_SIZE; at += GUEST_PAGE_SIZE)
		*(volatile uint64_t *)at = at;
	walk();
	start = counter_read();
	walk();
	print("bench walk64m %lu 1\n", counter_read() - start);
}

void guest_main(uint64_t dtb)
{
	(void)dtb;
	interrupts_init();
	bench_calls();
	bench_registers();
	bench_timer("timer_irq_spin", false);
	bench_timer("timer_irq_wfi", true);
	bench_first_touch();
	bench_walk();
	print("bench done hz=%lu\n", counter_hz());
	guest_stop();
}
