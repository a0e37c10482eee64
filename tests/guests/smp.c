/* SPDX-License-Identifier: MIT */
/*
 * smp.c - several vCPUs, one command a line on the console: `sum`, `psci`, `sgi`, `again`, `pong N`, `uart N`, `many`, `own N`, `spin MS`, `move`, and
 * what goes on until a key is pressed or the VM ends: `cut`, `pages`, `storm`, `crash`, `off`, `last`. smp/ has some of them.
 * Each says at last `smp: NAME: ok` or `smp: NAME: FAILED ...`. Only vCPU 0 prints, but for `off`.
 */
#include "smp/smp.h"

#define STARTS 50
#define PATIENCE_MS 5000
#define SGI_THERE 3u
#define SGI_BACK 4u
#define GICD_ISPENDR 0x08000200ul
#define GICR_ICPENDR0 0x080b0280ul
#define SPI_FIRST 64u
#define SPI_COUNT 12u

unsigned int smp_count;
volatile bool smp_stop;

static volatile uint64_t entered, counts[GUEST_CPU_MAX];

bool smp_patient(volatile uint64_t *value, uint64_t wanted)
{
	uint64_t start = counter_read(), ticks = counter_hz() / 1000 * PATIENCE_MS;

	while (*value != wanted)
		if (counter_read() - start > ticks)
			return false;
	return true;
}

bool smp_start(unsigned int number, void (*function)(uint64_t), uint64_t argument)
{
	int64_t status = guest_cpu_on(number, function, argument);

	if (status)
		print("CPU_ON %u: %ld\n", number, status);
	return !status;
}

bool smp_join_all(void)
{
	smp_stop = true;
	for (unsigned int i = 1; i < smp_count; i++) {
		guest_sgi(SGI_THERE, i);
		if (!guest_cpu_join(i, PATIENCE_MS)) {
			print("vCPU %u does not turn itself off\n", i);
			return false;
		}
	}
	smp_stop = false;
	return true;
}

/* --- sum: the original's thread test */

static volatile uint64_t sums[2];

static void add(uint64_t half)
{
	uint64_t sum = 0;

	for (uint64_t i = half * 600; i < half * 600 + 600; i++)
		sum += i;
	sums[half] = sum;
}

static bool run_sum(uint64_t argument)
{
	(void)argument;
	sums[0] = sums[1] = 0;
	if (!smp_start(1, add, 1))
		return false;
	add(0);
	if (!guest_cpu_join(1, PATIENCE_MS))
		return false;
	print("%lu + %lu = %lu\n", sums[0], sums[1], sums[0] + sums[1]);
	return sums[0] + sums[1] == 719400;
}

/* --- again: turned off and on */

static void enter(uint64_t argument)
{
	counts[1] = argument;
	entered++;
}

static bool run_again(uint64_t argument)
{
	(void)argument;
	for (uint64_t i = 1; i <= STARTS; i++) {
		uint64_t before = entered;

		if (!smp_start(1, enter, i) || !guest_cpu_join(1, PATIENCE_MS))
			return false;
		if (entered != before + 1 || counts[1] != i || !guest_cpu_was_reset(1)) {
			print("start %lu: entered %lu, argument %lu, reset %u\n", i,
			      entered - before, counts[1], guest_cpu_was_reset(1));
			return false;
		}
		delay_us(i * 50);
	}
	return true;
}

/* --- sgi, pong, uart: woken by each other while they go to sleep */

static void count(unsigned int intid, void *context)
{
	(void)context;
	counts[guest_cpu_number()]++;
	if (intid == GUEST_UART_INTID)
		mmio_write32(GUEST_UART + 0x44, 0x20); /* ICR: TX */
}

static void out_of_patience(unsigned int intid, void *context)
{
	(void)intid;
	(void)context;
	timer_stop();
}

/* SGIs that came after it was turned off the last time. */
static void forget_sgis(void)
{
	mmio_write32(GICR_ICPENDR0 + 0x20000ul * guest_cpu_number(), 0xffff);
}

static void sleeper(uint64_t argument)
{
	(void)argument;
	interrupts_init();
	forget_sgis();
	interrupt_enable(SGI_THERE, true, count, NULL);
	entered++;
	while (!smp_stop) {
		wait_for_interrupt();
		while (interrupts_take())
			;
	}
}

static bool counts_are(const uint64_t *wanted)
{
	for (unsigned int i = 0; i < smp_count; i++) {
		if (smp_patient(&counts[i], wanted[i]))
			continue;
		print("vCPU %u took %lu interrupts, not %lu\n", i, counts[i], wanted[i]);
		return false;
	}
	return true;
}

static void sgi_range(uint64_t value)
{
	__asm__ volatile("dsb ishst\n\tmsr s3_0_c12_c11_5, %0\n\tisb" : : "r"(value) : "memory");
}

static bool run_sgi(uint64_t argument)
{
	uint64_t wanted[GUEST_CPU_MAX] = {0};
	bool good;

	(void)argument;
	entered = 0;
	for (unsigned int i = 0; i < smp_count; i++)
		counts[i] = 0;
	for (unsigned int i = 1; i < smp_count; i++)
		if (!smp_start(i, sleeper, 0))
			return false;
	if (!smp_patient(&entered, smp_count - 1))
		return false;
	guest_sgi_others(SGI_THERE);
	for (unsigned int i = 1; i < smp_count; i++)
		wanted[i] = 1;
	good = counts_are(wanted);
	for (unsigned int i = 1; good && i < smp_count; i++) {
		guest_sgi(SGI_THERE, i);
		wanted[i]++;
		good = counts_are(wanted);
	}
	/* Affinities that no vCPU has: Aff1 = 1, range 1, a bit beyond the last. */
	sgi_range((uint64_t)SGI_THERE << 24 | 1u << 16 | 0xff);
	sgi_range((uint64_t)SGI_THERE << 24 | 1ul << 44 | 0xff);
	sgi_range((uint64_t)SGI_THERE << 24 | (0xff00u & ~((1u << smp_count) - 1)));
	guest_sgi_others(SGI_THERE);
	for (unsigned int i = 1; i < smp_count; i++)
		wanted[i]++;
	good = good && counts_are(wanted);
	/* To oneself, with all the others in the list. */
	interrupt_enable(SGI_BACK, true, count, NULL);
	sgi_range((uint64_t)SGI_BACK << 24 | 1);
	wanted[0]++;
	while (interrupts_take())
		;
	good = good && counts_are(wanted);
	return smp_join_all() && good;
}

/* Each SGI is answered by one, from sleep to sleep. */
static void answer(unsigned int intid, void *context)
{
	(void)intid;
	(void)context;
	counts[1]++;
	guest_sgi(SGI_BACK, 0);
}

static void ponger(uint64_t argument)
{
	(void)argument;
	interrupts_init();
	forget_sgis();
	interrupt_enable(SGI_THERE, true, answer, NULL);
	entered++;
	while (!smp_stop) {
		wait_for_interrupt();
		while (interrupts_take())
			;
	}
}

/* Sleep until *value is wanted, with the timer only as the end of patience. */
static bool sleep_until(volatile uint64_t *value, uint64_t wanted)
{
	uint64_t limit = counter_read() + counter_hz() / 1000 * PATIENCE_MS;

	timer_set(limit);
	while (*value != wanted && counter_read() < limit) {
		wait_for_interrupt();
		while (interrupts_take())
			;
	}
	timer_stop();
	return *value == wanted;
}

static bool begin(void (*function)(uint64_t))
{
	entered = counts[0] = counts[1] = 0;
	interrupt_enable(GUEST_TIMER_INTID, false, out_of_patience, NULL);
	return smp_start(1, function, 0) && smp_patient(&entered, 1);
}

static bool run_pong(uint64_t rounds)
{
	if (!begin(ponger))
		return false;
	interrupt_enable(SGI_BACK, true, count, NULL);
	for (uint64_t i = 1; i <= rounds; i++) {
		guest_sgi(SGI_THERE, 1);
		if (!sleep_until(&counts[0], i)) {
			print("round %lu: there %lu, back %lu\n", i, counts[1], counts[0]);
			return false;
		}
		delay_us(i % 5);
	}
	return smp_join_all();
}

static volatile uint64_t uart_wanted;

/* A byte sent raises the UART's interrupt, which is vCPU 0's. */
static void sender(uint64_t argument)
{
	(void)argument;
	entered++;
	for (uint64_t done = 0; !smp_stop;) {
		if (uart_wanted == done)
			continue;
		done = uart_wanted;
		delay_us(done % 7);
		mmio_write32(GUEST_UART, '.');
	}
}

static bool run_uart(uint64_t rounds)
{
	bool good = true;

	uart_wanted = 0;
	if (!begin(sender))
		return false;
	interrupt_enable(GUEST_UART_INTID, false, count, NULL);
	mmio_write32(GUEST_UART + 0x44, 0x7ff);
	mmio_write32(GUEST_UART + 0x38, 0x20); /* IMSC: TX */
	for (uint64_t i = 1; good && i <= rounds; i++) {
		uart_wanted = i;
		good = sleep_until(&counts[0], i);
		if (!good)
			print("\nround %lu: interrupts %lu\n", i, counts[0]);
	}
	mmio_write32(GUEST_UART + 0x38, 0);
	print("\n");
	return smp_join_all() && good;
}

/* More pending at once than there are list registers. */
static bool run_many(uint64_t argument)
{
	volatile uint64_t *count_here = &counts[guest_cpu_number()];

	(void)argument;
	*count_here = 0;
	interrupt_enable(GUEST_TIMER_INTID, false, out_of_patience, NULL);
	for (unsigned int intid = SPI_FIRST; intid < SPI_FIRST + SPI_COUNT; intid++) {
		interrupt_enable(intid, true, count, NULL);
		mmio_write32(GICD_ISPENDR + 4 * (intid / 32), 1u << (intid % 32));
	}
	return sleep_until(count_here, SPI_COUNT);
}

/* --- spin: shares of the CPU */

static void spinner(uint64_t argument)
{
	while (!smp_stop)
		counts[argument]++;
}

static bool run_spin(uint64_t milliseconds)
{
	uint64_t end;

	for (unsigned int i = 0; i < smp_count; i++)
		counts[i] = 0;
	for (unsigned int i = 1; i < smp_count; i++)
		if (!smp_start(i, spinner, i))
			return false;
	print("spin:");
	end = counter_read() + counter_hz() / 1000 * milliseconds;
	while ((int64_t)(counter_read() - end) < 0)
		for (unsigned int i = 0; i < 1000; i++)
			counts[0]++;
	smp_stop = true;
	for (unsigned int i = 0; i < smp_count; i++)
		print(" %lu", counts[i]);
	print("\n");
	return smp_join_all();
}

/* --- move: the console goes to vCPU 1, vCPU 0 is turned off */

_Noreturn static void listen(void);

static void heir(uint64_t argument)
{
	(void)argument;
	interrupts_init();
	print("smp: move: %s\n", guest_cpu_join(0, PATIENCE_MS) ? "ok" : "FAILED");
	listen();
}

static bool run_move(uint64_t argument)
{
	(void)argument;
	if (smp_start(1, heir, 0))
		psci_hvc(PSCI_CPU_OFF, 0, 0, 0);
	return false;
}

static const struct {
	const char *name;
	bool (*run)(uint64_t argument);
} commands[] = {
	{"sum", run_sum},   {"psci", smp_psci},   {"sgi", run_sgi},     {"again", run_again},
	{"pong", run_pong}, {"uart", run_uart},   {"many", run_many},   {"spin", run_spin},
	{"cut", smp_cut},   {"pages", smp_pages}, {"storm", smp_storm}, {"crash", smp_crash},
	{"own", smp_own},   {"off", smp_off},     {"last", smp_last},   {"park", smp_park},
	{"move", run_move},
};

/* The name is up to the blank, the rest is a number. */
static void obey(char *line)
{
	uint64_t argument = 0;
	char *end = line;

	while (*end && *end != ' ')
		end++;
	for (char *c = end; *c; c++)
		if (*c >= '0' && *c <= '9')
			argument = argument * 10 + (uint64_t)(*c - '0');
	*end = '\0';
	for (unsigned int i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, line))
			continue;
		print("smp: %s: %s\n", line, commands[i].run(argument) ? "ok" : "FAILED");
		return;
	}
	print("smp: no command %s\n", line);
}

_Noreturn static void listen(void)
{
	char line[80];

	for (;;) {
		size_t length;

		console_input_start(); /* asleep meanwhile: others have the CPU */
		length = console_line(line, sizeof(line));
		interrupts_mask();
		mmio_write32(GUEST_UART + 0x38, 0); /* IMSC */
		if (length)
			obey(line);
	}
}

void guest_main(uint64_t dtb)
{
	(void)dtb;
	interrupts_init();
	for (smp_count = 1; smp_count < GUEST_CPU_MAX; smp_count++)
		if (psci_hvc(PSCI_AFFINITY_INFO, smp_count, 0, 0) < 0)
			break;
	print("smp: start, %u vCPUs, nonce %lx\n", smp_count, guest_nonce());
	listen();
}
