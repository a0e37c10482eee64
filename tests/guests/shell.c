/* SPDX-License-Identifier: MIT */
/*
 * shell.c - a guest that does on its console what a test tells it to, one command a line; `help` lists them.
 * Keeps a nonce and a counter (100 Hz, from the timer's interrupt) in RAM, and answers on its agent port. A command
 * that ends the guest says so first.
 */
#include "baremetal/guest.h"
#include "baremetal/serve.h"

#define ARGUMENT_MAX 10

struct command {
	const char *name;
	unsigned int least; /* arguments */
	void (*run)(unsigned int count, char **words);
	const char *help;
};

static uint64_t nonce;
static volatile uint64_t counter;
static uint64_t period;

static uint64_t to_number(const char *text)
{
	uint64_t value = 0;
	bool negative = *text == '-';

	if (negative)
		text++;
	if (text[0] == '0' && text[1] == 'x') {
		for (text += 2; *text; text++)
			value = value * 16 +
				(uint64_t)(*text <= '9' ? *text - '0' : (*text | 32) - 'a' + 10);
	} else {
		for (; *text >= '0' && *text <= '9'; text++)
			value = value * 10 + (uint64_t)(*text - '0');
	}
	return negative ? 0 - value : value;
}

static void tick(unsigned int intid, void *context)
{
	(void)intid;
	(void)context;
	counter++;
	timer_set(timer_deadline() + period);
}

static void run_nonce(unsigned int count, char **words)
{
	(void)count;
	(void)words;
	print("nonce=%016lx count=%lu generation=%lu\n", nonce, counter, guest_generation());
}

static void run_echo(unsigned int count, char **words)
{
	for (unsigned int i = 1; i < count; i++)
		print("%s%c", words[i], i + 1 < count ? ' ' : '\n');
}

/* One word a page, from a seed. */
static void run_touch(unsigned int count, char **words)
{
	uint64_t address = to_number(words[1]), pages = to_number(words[2]),
		 seed = to_number(words[3]);
	struct guest_fault fault;

	(void)count;
	guest_fault_begin();
	for (uint64_t i = 0; i < pages; i++)
		*(volatile uint64_t *)(address + i * GUEST_PAGE_SIZE) = guest_random(&seed);
	if (guest_fault_end(&fault))
		print("touch: %lu aborts, last far=0x%lx esr=0x%lx\n", fault.count, fault.far,
		      fault.esr);
	else
		print("touch: %lu pages\n", pages);
}

static void run_verify(unsigned int count, char **words)
{
	uint64_t address = to_number(words[1]), pages = to_number(words[2]),
		 seed = to_number(words[3]);
	uint64_t wrong = 0;

	(void)count;
	for (uint64_t i = 0; i < pages; i++)
		wrong += *(volatile uint64_t *)(address + i * GUEST_PAGE_SIZE) !=
			 guest_random(&seed);
	print("verify: %lu pages, %lu wrong %s\n", pages, wrong, wrong ? "BAD" : "ok");
}

/* The same by EL2: it writes what VM_INFO answers. */
static void run_touch_by_call(unsigned int count, char **words)
{
	uint64_t address = to_number(words[1]), pages = to_number(words[2]), wrong = 0;

	(void)count;
	for (uint64_t i = 0; i < pages; i++) {
		struct av_vm_info *info = (struct av_vm_info *)(address + i * GUEST_PAGE_SIZE);
		struct hvc_result result = hvc_VM_INFO(AV_VM_SELF, (uint64_t)info, sizeof(*info));

		wrong += result.status || result.value[0] != sizeof(*info) ||
			 info->ram_base != GUEST_RAM_BASE;
	}
	print("touch-by-call: %lu pages, %lu wrong %s\n", pages, wrong, wrong ? "BAD" : "ok");
}

static void run_hash(unsigned int count, char **words)
{
	(void)count;
	print("hash=%016lx\n",
	      guest_hash((const void *)to_number(words[1]), to_number(words[2]), 0));
}

static void run_peek(unsigned int count, char **words)
{
	struct guest_fault fault;
	uint64_t value;

	(void)count;
	guest_fault_begin();
	value = mmio_read64(to_number(words[1]));
	if (guest_fault_end(&fault))
		print("peek: abort esr=0x%lx far=0x%lx\n", fault.esr, fault.far);
	else
		print("peek: 0x%lx\n", value);
}

static void run_poke(unsigned int count, char **words)
{
	struct guest_fault fault;

	(void)count;
	guest_fault_begin();
	mmio_write64(to_number(words[1]), to_number(words[2]));
	if (guest_fault_end(&fault))
		print("poke: abort esr=0x%lx far=0x%lx\n", fault.esr, fault.far);
	else
		print("poke: done\n");
}

/* A pair from a device has no syndrome: the hypervisor must give this VM up. */
static void run_crash(unsigned int count, char **words)
{
	(void)count;
	(void)words;
	print("crash: now\n");
	__asm__ volatile("ldp x0, x1, [%0]" : : "r"(GUEST_UART) : "x0", "x1", "memory");
	print("crash: CAME BACK\n");
}

static void run_jump(unsigned int count, char **words)
{
	(void)count;
	print("jump: now\n");
	((void (*)(void))to_number(words[1]))();
	print("jump: CAME BACK\n");
}

static void run_spin(unsigned int count, char **words)
{
	(void)count;
	(void)words;
	print("spin: now\n");
	interrupts_mask();
	for (;;)
		__asm__ volatile("" ::: "memory");
}

static void run_wfi(unsigned int count, char **words)
{
	(void)count;
	(void)words;
	print("wfi: now\n");
	guest_stop();
}

static void run_off(unsigned int count, char **words)
{
	(void)count;
	(void)words;
	print("off: now\n");
	psci_hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
	print("off: CAME BACK\n");
}

static void run_off_smc(unsigned int count, char **words)
{
	(void)count;
	(void)words;
	print("off-smc: now\n");
	psci_smc(PSCI_SYSTEM_OFF, 0, 0, 0);
	print("off-smc: CAME BACK\n");
}

static void run_cpu_off(unsigned int count, char **words)
{
	(void)count;
	(void)words;
	print("cpu-off: now\n");
	psci_hvc(PSCI_CPU_OFF, 0, 0, 0);
	print("cpu-off: CAME BACK\n");
}

static void run_reset(unsigned int count, char **words)
{
	(void)count;
	(void)words;
	print("reset: now\n");
	psci_hvc(PSCI_SYSTEM_RESET, 0, 0, 0);
	print("reset: CAME BACK\n");
}

static void run_psci(unsigned int count, char **words)
{
	(void)count;
	print("psci: %ld\n",
	      psci_hvc((uint32_t)to_number(words[1]), count > 2 ? to_number(words[2]) : 0,
		       count > 3 ? to_number(words[3]) : 0, count > 4 ? to_number(words[4]) : 0));
}

static void run_instruction(uint32_t word, unsigned int count, char **words)
{
	struct guest_fault fault;
	uint64_t x[8] = {0};

	for (unsigned int i = 2; i < count && i - 2 < 8; i++)
		x[i - 2] = to_number(words[i]);
	guest_fault_begin();
	guest_execute(word, x);
	if (guest_fault_end(&fault))
		print("%s: exception esr=0x%lx\n", words[0], fault.esr);
	else
		print("%s: 0x%lx 0x%lx 0x%lx 0x%lx\n", words[0], x[0], x[1], x[2], x[3]);
}

static void run_hvc(unsigned int count, char **words)
{
	run_instruction(GUEST_WORD_HVC(to_number(words[1]) & 0xffff), count, words);
}

static void run_smc(unsigned int count, char **words)
{
	run_instruction(GUEST_WORD_SMC(to_number(words[1]) & 0xffff), count, words);
}

static void run_word(unsigned int count, char **words)
{
	run_instruction((uint32_t)to_number(words[1]), count, words);
}

static void run_take(unsigned int count, char **words)
{
	struct hvc_result result = hvc_SNAPSHOT_TAKE(AV_VM_SELF, 0, 0, 0);

	(void)count;
	(void)words;
	print("take: status=%ld id=%lu generation=%lu\n", result.status, result.value[0],
	      result.value[1]);
}

static void run_restore(unsigned int count, char **words)
{
	uint64_t id = strcmp(words[1], "boot") == 0 ? AV_SNAPSHOT_BOOT : to_number(words[1]);

	(void)count;
	print("restore: status=%ld\n", hvc_SNAPSHOT_RESTORE(AV_VM_SELF, id, 0).status);
}

static void run_checkpoint(unsigned int count, char **words)
{
	(void)count;
	(void)words;
	hvc_checkpoint();
	print("checkpoint: went on, generation=%lu\n", guest_generation());
}

static void run_rewind(unsigned int count, char **words)
{
	(void)count;
	hvc_restore((int64_t)to_number(words[1]));
	print("rewind: refused\n");
}

static void run_restart(unsigned int count, char **words)
{
	(void)count;
	(void)words;
	print("restart: now\n");
	hvc_restart();
	print("restart: CAME BACK\n");
}

static void run_print(unsigned int count, char **words)
{
	char text[128] = "";
	size_t length = 0;

	for (unsigned int i = 1; i < count; i++) {
		size_t size = strlen(words[i]);

		if (length + size + 2 > sizeof(text))
			break;
		memcpy(text + length, words[i], size);
		length += size;
		text[length++] = i + 1 < count ? ' ' : '\0';
	}
	hvc_print(text);
	print("print: done\n");
}

static void run_info(unsigned int count, char **words)
{
	static struct av_vm_info info;
	struct hvc_result result = hvc_VM_INFO(count > 1 ? to_number(words[1]) : AV_VM_SELF,
					       (uint64_t)(uintptr_t)&info, sizeof(info));

	print("info: status=%ld size=%lu name=%s index=%u state=%u generation=%lu dirty=%lu\n",
	      result.status, result.value[0], info.name, info.index, info.state, info.generation,
	      info.dirty_frames);
}

static void run_flood(unsigned int count, char **words)
{
	uint64_t lines = to_number(words[1]);

	(void)count;
	for (uint64_t i = 0; i < lines; i++)
		print("flood %08lu "
		      "..............................................................\n",
		      i);
	print("flood: done\n");
}

static void run_time(unsigned int count, char **words)
{
	(void)count;
	(void)words;
	print("time: counter=%lu hz=%lu\n", counter_read(), counter_hz());
}

static void run_help(unsigned int count, char **words);

static const struct command commands[] = {
	{"nonce", 0, run_nonce, "nonce, counter, generation"},
	{"count", 0, run_nonce, "the same"},
	{"echo", 0, run_echo, "TEXT"},
	{"touch", 3, run_touch, "ADDRESS PAGES SEED: write a word a page"},
	{"touch-by-call", 2, run_touch_by_call, "ADDRESS PAGES: have VM_INFO write to each"},
	{"verify", 3, run_verify, "ADDRESS PAGES SEED: are they there?"},
	{"hash", 2, run_hash, "ADDRESS SIZE"},
	{"peek", 1, run_peek, "ADDRESS"},
	{"poke", 2, run_poke, "ADDRESS VALUE"},
	{"crash", 0, run_crash, "an access the hypervisor cannot emulate"},
	{"jump", 1, run_jump, "ADDRESS"},
	{"spin", 0, run_spin, "for ever, interrupts masked"},
	{"wfi", 0, run_wfi, "for ever, interrupts masked"},
	{"off", 0, run_off, "SYSTEM_OFF by hvc"},
	{"off-smc", 0, run_off_smc, "SYSTEM_OFF by smc"},
	{"cpu-off", 0, run_cpu_off, "CPU_OFF"},
	{"reset", 0, run_reset, "SYSTEM_RESET"},
	{"psci", 1, run_psci, "FUNCTION X1 X2 X3"},
	{"hvc", 1, run_hvc, "IMMEDIATE X0...X7"},
	{"smc", 1, run_smc, "IMMEDIATE X0...X7"},
	{"word", 1, run_word, "INSTRUCTION X0...X7"},
	{"take", 0, run_take, "SNAPSHOT_TAKE of itself"},
	{"restore", 1, run_restore, "ID|boot|-1: SNAPSHOT_RESTORE"},
	{"checkpoint", 0, run_checkpoint, "hvc #1"},
	{"rewind", 1, run_rewind, "ID|-1: hvc #2"},
	{"restart", 0, run_restart, "hvc #4"},
	{"print", 1, run_print, "TEXT: hvc #3"},
	{"info", 0, run_info, "[VM]: VM_INFO"},
	{"flood", 1, run_flood, "LINES"},
	{"time", 0, run_time, "the virtual counter"},
	{"help", 0, run_help, ""},
};

static void run_help(unsigned int count, char **words)
{
	(void)count;
	(void)words;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		print("%-10s %s\n", commands[i].name, commands[i].help);
}

static void run_line(char *line)
{
	char *words[ARGUMENT_MAX];
	unsigned int count = 0;

	while (count < ARGUMENT_MAX) {
		while (*line == ' ')
			*line++ = '\0';
		if (!*line)
			break;
		words[count++] = line;
		while (*line && *line != ' ')
			line++;
	}
	if (count == 0)
		return;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, words[0]) != 0)
			continue;
		if (count - 1 < commands[i].least)
			print("%s: %s\n", words[0], commands[i].help);
		else
			commands[i].run(count, words);
		return;
	}
	print("%s: unknown, try help\n", words[0]);
}

void guest_main(uint64_t dtb)
{
	char line[128];

	(void)dtb;
	interrupts_init();
	nonce = guest_nonce();
	period = counter_hz() / 100;
	interrupt_enable(GUEST_TIMER_INTID, false, tick, NULL);
	timer_set(counter_read() + period);
	console_input_start();
	print("shell: start nonce=%016lx agent=%d\n", nonce, serve_start());
	interrupts_unmask();
	for (;;) {
		print("> ");
		console_line(line, sizeof(line));
		run_line(line);
	}
}
