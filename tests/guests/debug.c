/* SPDX-License-Identifier: MIT */
/*
 * debug.c - breakpoints, watchpoints and single steps that a guest sets for itself. Says `debug: NAME: ok` or `debug: NAME: FAILED ...`
 * for each of a list, then arms some of them by chance, for ever and on each vCPU for itself, and looks which are hit: one that is
 * lost, another vCPU's or another VM's shows at once (`debug: TORN`).
 */
#include "baremetal/guest.h"

#define BREAKPOINTS 6u
#define WATCHPOINTS 4u
#define BACK_TIMES 20u
#define STEPPED 100u /* instructions of step_code */

#define MDSCR_SS (1u << 0)
#define MDSCR_KDE (1u << 13)
#define MDSCR_MDE (1u << 15)
#define SPSR_SS (1u << 21)
#define SPSR_D (1u << 9)

#define EC_SVC 0x15u
#define EC_BREAKPOINT 0x31u
#define EC_STEP 0x33u
#define EC_WATCHPOINT 0x35u

#define AT_EL1 (1u << 1)
#define BCR_ON (0xfu << 5 | AT_EL1 | 1u)
#define WCR_ON (0xffu << 5 | AT_EL1 | 1u)
#define LOADS 1u
#define STORES 2u

#define read(name)                                                  \
	({                                                          \
		uint64_t value__;                                   \
		__asm__ volatile("mrs %0, " #name : "=r"(value__)); \
		value__;                                            \
	})
#define write(name, value) \
	__asm__ volatile("msr " #name ", %0\n\tisb" : : "r"((uint64_t)(value)) : "memory")

/* What is to stop the vCPU, and what did since the last look. */
struct own {
	uint32_t control[BREAKPOINTS], watch[WATCHPOINTS];
	bool on;
	volatile uint32_t hits[BREAKPOINTS], loads[WATCHPOINTS], stores[WATCHPOINTS], strays;
	volatile uint64_t rounds;
	volatile uint64_t torn; /* what was seen instead, its highest bit set */
	uint64_t seed;
};
static struct own owns[GUEST_CPU_MAX];
static uint64_t words[WATCHPOINTS] __attribute__((aligned(64)));

/* A NOP and a RET each. */
extern const char debug_targets[], step_code[], step_end[];
__asm__(".text\n.balign 64\ndebug_targets:\n.rept 6\nnop\nret\n.endr\n");

static uint64_t steps, step_at;

/*
 * Registers as step_run() has them. Between the two SVCs are STEPPED instructions: those that EL2 emulates, in each way it
 * does, those it faults in, and a take of oneself.
 */
__asm__(".balign 64\n"
	"step_run_code:\n"
	"	svc	#1\n"
	"step_code:\n"
	"	hvc	#0\n"
	"	ldr	w9, [x19]\n"
	"	str	w9, [x19, #0x2c]\n"
	"	ldr	w9, [x20], #4\n"
	"	mrs	x9, id_aa64pfr0_el1\n"
	"	mrs	x9, mdscr_el1\n"
	"	mrs	x9, cntpct_el0\n"
	"	msr	cntp_ctl_el0, xzr\n"
	"	wfi\n"
	"	str	xzr, [x21]\n"
	"	ldr	x9, [x21]\n"
	"	mov	x0, #0x84000000\n"
	"	smc	#0\n"
	".rept 86\n"
	"	add	x9, x9, #1\n"
	".endr\n"
	"	msr	osdlr_el1, xzr\n"
	"step_end:\n"
	"	svc	#2\n"
	"	ret\n");

static void verdict(const char *name, bool good, uint64_t seen)
{
	if (good)
		print("debug: %s: ok\n", name);
	else
		print("debug: %s: FAILED, 0x%lx\n", name, seen);
}

/* DBGBVR<n>_EL1 and the like: op2 4 to 7. */
static uint64_t debug_read(unsigned int n, unsigned int op2)
{
	switch (n << 3 | op2) {
#define READ(number, which, name)     \
	case (number) << 3 | (which): \
		return read(name);
#define BREAKPOINT(X, n) X(n, 4, dbgbvr##n##_el1) X(n, 5, dbgbcr##n##_el1)
#define WATCHPOINT(X, n) X(n, 6, dbgwvr##n##_el1) X(n, 7, dbgwcr##n##_el1)
#define ALL(X)                                                                               \
	BREAKPOINT(X, 0)                                                                     \
	BREAKPOINT(X, 1)                                                                     \
	BREAKPOINT(X, 2)                                                                     \
	BREAKPOINT(X, 3)                                                                     \
	BREAKPOINT(X, 4) BREAKPOINT(X, 5) WATCHPOINT(X, 0) WATCHPOINT(X, 1) WATCHPOINT(X, 2) \
		WATCHPOINT(X, 3)
		ALL(READ)
	}
	return 0;
}

static void debug_write(unsigned int n, unsigned int op2, uint64_t value)
{
	switch (n << 3 | op2) {
#define WRITE(number, which, name)    \
	case (number) << 3 | (which): \
		write(name, value);   \
		break;
		ALL(WRITE)
	}
}

static void hit(struct own *own, struct guest_frame *frame, unsigned int class)
{
	uint64_t target = (frame->elr - (uint64_t)debug_targets) / 8;
	uint64_t word = (frame->far - (uint64_t)words) / 8;

	if (class == EC_BREAKPOINT && target < BREAKPOINTS)
		own->hits[target]++;
	else if (class == EC_WATCHPOINT && word < WATCHPOINTS && frame->esr & 1u << 6)
		own->stores[word]++;
	else if (class == EC_WATCHPOINT && word < WATCHPOINTS)
		own->loads[word]++;
	else
		own->strays++;
	frame->elr += 4;
}

static bool exception(struct guest_frame *frame)
{
	unsigned int class = frame->esr >> 26 & 0x3f;

	if (class == EC_SVC && (frame->esr & 0xffff) == 1) {
		steps = 0;
		step_at = frame->elr;
		write(mdscr_el1, MDSCR_SS | MDSCR_KDE);
		frame->spsr = (frame->spsr & ~(uint64_t)SPSR_D) | SPSR_SS;
	} else if (class == EC_SVC) {
		write(mdscr_el1, 0);
	} else if (class == EC_STEP) {
		step_at += 4;
		if (frame->elr != step_at)
			owns[0].strays++;
		steps++;
		frame->spsr |= SPSR_SS;
	} else if (class == EC_BREAKPOINT || class == EC_WATCHPOINT) {
		hit(&owns[guest_cpu_number()], frame, class);
	} else {
		return false;
	}
	return true;
}

static void ignore(unsigned int intid, void *context)
{
	(void)intid;
	(void)context;
}

/* Through step_code, with this call in it; its x1. */
static uint64_t step_run(uint64_t function, uint64_t argument)
{
	static uint64_t untouched = GUEST_RAM_BASE + (16ul << 20);

	/* What WFI waits for is there. */
	interrupt_enable(GUEST_TIMER_INTID, false, ignore, NULL);
	timer_set(counter_read());
	untouched += GUEST_PAGE_SIZE;

	register uint64_t x0 __asm__("x0") = function;
	register uint64_t x1 __asm__("x1") = argument;
	register uint64_t x2 __asm__("x2") = 0;
	register uint64_t x3 __asm__("x3") = 0;
	register uint64_t x4 __asm__("x4") = 0;
	register uint64_t x5 __asm__("x5") = 0;
	register uint64_t x6 __asm__("x6") = 0;
	register uint64_t uart __asm__("x19") = GUEST_UART;
	register uint64_t flags __asm__("x20") = GUEST_UART + 0x18;
	register uint64_t page __asm__("x21") = untouched;

	__asm__ volatile("bl step_run_code"
			 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(flags)
			 : "r"(x5), "r"(x6), "r"(uart), "r"(page)
			 : "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",
			   "x30", "memory", "cc");
	timer_stop();
	return x1;
}

static void stop(void)
{
	write(mdscr_el1, 0);
	for (unsigned int n = 0; n < BREAKPOINTS; n++)
		debug_write(n, 5, 0);
	for (unsigned int n = 0; n < WATCHPOINTS; n++)
		debug_write(n, 7, 0);
}

/* As own says, into the registers. */
static void arm(const struct own *own)
{
	for (unsigned int n = 0; n < BREAKPOINTS; n++) {
		debug_write(n, 4, (uint64_t)debug_targets + 8 * n);
		debug_write(n, 5, own->control[n]);
	}
	for (unsigned int n = 0; n < WATCHPOINTS; n++) {
		debug_write(n, 6, (uint64_t)&words[n]);
		debug_write(n, 7, own->watch[n]);
	}
	write(mdscr_el1, own->on ? MDSCR_KDE | MDSCR_MDE : 0);
}

static bool torn(struct own *own, unsigned int kind, unsigned int n, uint64_t seen)
{
	own->torn = 1ul << 63 | (uint64_t)kind << 60 | (uint64_t)n << 56 | (seen & 0xffffffff);
	return false;
}

/* Each target is called once and each word loaded and stored once: what stops is what is armed. */
static bool look(struct own *own)
{
	own->strays = 0;
	for (unsigned int n = 0; n < BREAKPOINTS; n++) {
		own->hits[n] = 0;
		((void (*)(void))(uintptr_t)(debug_targets + 8 * n))();
		if (own->hits[n] != (own->on && own->control[n]))
			return torn(own, 1, n, own->hits[n]);
		if (debug_read(n, 5) != own->control[n] ||
		    debug_read(n, 4) != (uint64_t)debug_targets + 8 * n)
			return torn(own, 2, n, debug_read(n, 5));
	}
	for (unsigned int n = 0; n < WATCHPOINTS; n++) {
		uint32_t which = own->on ? own->watch[n] >> 3 & 3 : 0;

		own->loads[n] = own->stores[n] = 0;
		mmio_write64((uint64_t)&words[n], 0);
		mmio_read64((uint64_t)&words[n]);
		if (own->loads[n] != (which & LOADS) || own->stores[n] != which >> 1)
			return torn(own, 3, n, own->loads[n] << 16 | own->stores[n]);
		if (debug_read(n, 7) != own->watch[n] || debug_read(n, 6) != (uint64_t)&words[n])
			return torn(own, 4, n, debug_read(n, 7));
	}
	return own->strays ? torn(own, 5, 0, own->strays) : true;
}

/* Something else is armed from now on. */
static void draw(struct own *own)
{
	uint64_t draws = guest_random(&own->seed);

	for (unsigned int n = 0; n < BREAKPOINTS; n++)
		own->control[n] = draws >> n & 1 ? BCR_ON : 0;
	for (unsigned int n = 0; n < WATCHPOINTS; n++) {
		uint32_t which = draws >> (8 + 2 * n) & 3;

		own->watch[n] = which ? WCR_ON | which << 3 : 0;
	}
	own->on = draws >> 32 & 3;
	arm(own);
}

static void check_registers(void)
{
	uint64_t dfr0 = read(id_aa64dfr0_el1), sum = 0;

	for (unsigned int n = 0; n < BREAKPOINTS; n++)
		sum |= debug_read(n, 4) | debug_read(n, 5) | debug_read(n, 6) | debug_read(n, 7);
	verdict("reset", !sum && !read(mdscr_el1) && read(oslsr_el1) == 10, read(oslsr_el1));
	verdict("counts",
		(dfr0 >> 12 & 0xf) == BREAKPOINTS - 1 && (dfr0 >> 20 & 0xf) == WATCHPOINTS - 1 &&
			(dfr0 >> 28 & 0xf) < BREAKPOINTS,
		dfr0);
	guest_fault_begin();
	(void)read(S2_0_C0_C6_4); /* DBGBVR6_EL1 */
	(void)read(S2_0_C0_C4_7); /* DBGWCR4_EL1 */
	guest_fault_end(&(struct guest_fault){0});
	write(dbgbvr5_el1, 0x123456789abcdefful);
	write(dbgbcr5_el1, ~0ul);
	write(dbgwvr3_el1, ~0ul);
	write(dbgwcr3_el1, ~0ul);
	verdict("bits",
		read(dbgbvr5_el1) == 0x123456789abcdefful && read(dbgbcr5_el1) == 0xffe1e7 &&
			read(dbgwvr3_el1) == ~3ul && read(dbgwcr3_el1) == 0x1f1fffff,
		read(dbgbcr5_el1));
	stop();
}

static void check_hits(struct own *own)
{
	__asm__ volatile("msr daifclr, #8");
	draw(own);
	own->on = true;
	own->control[0] = own->control[5] = BCR_ON;
	own->watch[0] = WCR_ON | STORES << 3;
	own->watch[3] = WCR_ON | LOADS << 3;
	arm(own);
	own->on = false;
	verdict("the OS lock holds", look(own), own->torn);
	write(oslar_el1, 0);
	own->on = true;
	verdict("hits", look(own) && read(oslsr_el1) == 8, own->torn);
	write(oslar_el1, 1);
	own->on = false;
	verdict("the OS lock again", look(own) && read(oslsr_el1) == 10, own->torn);
	write(oslar_el1, 0);
	__asm__ volatile("msr daifset, #8");
	verdict("PSTATE.D", look(own), own->torn);
	__asm__ volatile("msr daifclr, #8");
	own->on = true;
	verdict("hits again", look(own), own->torn);
}

static bool stepped_right(void)
{
	return steps == STEPPED && !owns[0].strays && step_at == (uint64_t)step_end;
}

static void check_steps(void)
{
	stop();
	owns[0].strays = 0;
	verdict("code", step_end - step_code == 4 * STEPPED, (uint64_t)(step_end - step_code));
	step_run(AV_SMCCC_CALL_UID, 0);
	verdict("steps", stepped_right(), steps << 32 | owns[0].strays);
	step_run(AV_SMCCC_CALL_UID, 0);
	verdict("steps again", stepped_right(), steps << 32 | owns[0].strays);
}

/* In a step that is a take: each time back the next step follows it. */
static void check_snapshot_in_step(void)
{
	uint64_t first = guest_generation(), back, id;

	id = step_run(AV_HVC_ID(AV_HVC_SNAPSHOT_TAKE), AV_VM_SELF);
	back = guest_generation() - first;
	if (stepped_right() && back < BACK_TIMES)
		hvc_SNAPSHOT_RESTORE(AV_VM_SELF, id, 0);
	verdict("a take in a step", stepped_right() && back == BACK_TIMES,
		back << 48 | steps << 32 | owns[0].strays);
}

/* What was armed before the take is there each time back, and what was after it is not. */
static void check_own_snapshots(struct own *own)
{
	uint64_t first = guest_generation(), back;
	struct hvc_result result;
	bool good;

	draw(own);
	result = hvc_SNAPSHOT_TAKE(AV_VM_SELF, 0, 0, 0);
	back = result.value[1] ? result.value[1] - first : 0;
	good = look(own);
	own->seed += back;
	for (unsigned int i = 0; i < 10; i++) {
		draw(own);
		good = look(own) && good;
	}
	if (back % 2)
		stop();
	if (good && back < BACK_TIMES)
		hvc_SNAPSHOT_RESTORE(AV_VM_SELF, result.value[0], 0);
	verdict("own snapshots", good && back == BACK_TIMES, own->torn);
}

static void go_on(uint64_t number)
{
	struct own *own = &owns[number];

	write(oslar_el1, 0);
	own->seed = guest_nonce();
	__asm__ volatile("msr daifclr, #8");
	while (!own->torn) {
		if (own->rounds++ % 16 == 0)
			draw(own);
		look(own);
	}
}

void guest_main(uint64_t dtb)
{
	struct own *own = &owns[0];
	uint64_t beat;
	bool two;

	(void)dtb;
	interrupts_init();
	guest_exception_hook = exception;
	print("debug: start\n");
	check_registers();
	check_hits(own);
	check_steps();
	check_snapshot_in_step();
	check_own_snapshots(own);
	stop();
	two = !guest_cpu_on(1, go_on, 1);
	print("debug: goes on with %d\n", two ? 2 : 1);
	own->seed = guest_nonce();
	for (beat = counter_read();;) {
		uint64_t now = counter_read();

		if (own->rounds++ % 16 == 0)
			draw(own);
		look(own);
		for (unsigned int i = 0; i < 2; i++)
			if (owns[i].torn) {
				print("debug: TORN: vCPU %u, 0x%lx\n", i, owns[i].torn);
				owns[i].torn = 0;
			}
		if (now - beat < counter_hz())
			continue;
		print("debug: rounds %lu %lu\n", owns[0].rounds, owns[1].rounds);
		beat = now;
	}
}
