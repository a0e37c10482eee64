/* SPDX-License-Identifier: MIT */
/*
 * guest-debug.c - what a debugger does in a Linux guest, over ptrace(): single steps, a watchpoint and a breakpoint of the CPU's.
 * The kernel programs MDSCR_EL1, DBGWVR/DBGWCR and DBGBVR/DBGBCR for it, and writes them anew at each switch of tasks.
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <asm/ptrace.h>

#include "guest-test.h"

#define STEPS 50
/* DBGWCR_EL1, DBGBCR_EL1: enabled, for EL0. */
#define WATCH_8_BYTES_STORED (1u | 2u << 1 | 2u << 3 | 0xffu << 5)
#define BREAK_4_BYTES (1u | 2u << 1 | 0xfu << 5)

/* Shared by the one who debugs and the one who is debugged. */
static volatile uint64_t *told, *watched, *rounds, *looping;
static unsigned int wrong;

static void complain(const char *what, uint64_t found, uint64_t wanted)
{
	wrong++;
	printf("debug: %s: 0x%llx, not 0x%llx\n", what, (unsigned long long)found,
	       (unsigned long long)wanted);
}

static void expect(const char *what, uint64_t found, uint64_t wanted)
{
	if (found != wanted)
		complain(what, found, wanted);
}

static __attribute__((noinline)) void visited(void)
{
	__asm__ volatile("");
}

/* Busy until it is told to go on, so that what is armed is in the PE; then through the watchpoint and the breakpoint. */
static void debugged(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	*looping = 1;
	for (uint64_t round = 1;; round++) {
		while (*told < round)
			;
		*watched = round;
		visited();
		*rounds = round;
	}
}

static int arm(pid_t pid, unsigned int kind, uint64_t address, uint32_t control)
{
	struct user_hwdebug_state state = {0};
	struct iovec io = {&state, offsetof(struct user_hwdebug_state, dbg_regs[1])};

	state.dbg_regs[0].addr = address;
	state.dbg_regs[0].ctrl = control;
	return (int)ptrace(PTRACE_SETREGSET, pid, (void *)(uintptr_t)kind, &io);
}

static uint64_t pc_of(pid_t pid)
{
	struct user_pt_regs regs = {0};
	struct iovec io = {&regs, sizeof(regs)};

	ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &io);
	return regs.pc;
}

/* It stopped by SIGTRAP, of this si_code, at this address; 0 is any. */
static void stopped(pid_t pid, const char *what, int code, uint64_t address)
{
	siginfo_t info = {0};
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
		complain(what, (uint64_t)status, 0);
		return;
	}
	expect(what, (uint64_t)WSTOPSIG(status), SIGTRAP);
	ptrace(PTRACE_GETSIGINFO, pid, NULL, &info);
	expect(what, (uint64_t)info.si_code, (uint64_t)code);
	if (address)
		expect(what, (uint64_t)(uintptr_t)info.si_addr, address);
}

/* A loop of a few instructions: each step is another of them, and after one time round it is the first again. */
static void steps(pid_t pid)
{
	uint64_t first, pc, moved = 0, again = 0;

	/* Into the loop, if it has not come there yet. */
	for (int i = 0; i < STEPS; i++) {
		ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL);
		stopped(pid, "a first step", TRAP_TRACE, 0);
	}
	first = pc = pc_of(pid);
	for (int i = 0; i < STEPS; i++) {
		uint64_t before = pc;

		ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL);
		stopped(pid, "a step", TRAP_TRACE, 0);
		pc = pc_of(pid);
		moved += pc != before;
		again += pc == first;
	}
	expect("steps that moved", moved, STEPS);
	if (!again)
		complain("times round the loop", again, 1);
}

/* The watchpoint is hit and taken away, then the breakpoint. */
static void hit(pid_t pid, uint64_t round)
{
	stopped(pid, "the watchpoint", TRAP_HWBKPT, (uint64_t)(uintptr_t)watched);
	expect("stored before the watchpoint", *watched, round - 1);
	arm(pid, NT_ARM_HW_WATCH, 0, 0);
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	stopped(pid, "the breakpoint", TRAP_HWBKPT, (uint64_t)(uintptr_t)visited);
	expect("stopped at", pc_of(pid), (uint64_t)(uintptr_t)visited);
	expect("stored after the watchpoint", *watched, round);
	arm(pid, NT_ARM_HW_BREAK, 0, 0);
}

static void arm_both(pid_t pid)
{
	if (arm(pid, NT_ARM_HW_WATCH, (uint64_t)(uintptr_t)watched, WATCH_8_BYTES_STORED) < 0 ||
	    arm(pid, NT_ARM_HW_BREAK, (uint64_t)(uintptr_t)visited, BREAK_4_BYTES) < 0)
		complain("to arm them", (uint64_t)errno, 0);
}

int debug(uint64_t count)
{
	uint64_t *shared =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t round;
	char line[16];
	int status;
	pid_t pid;

	if (shared == MAP_FAILED)
		return 1;
	told = shared;
	watched = shared + 8;
	rounds = shared + 16;
	looping = shared + 24;
	pid = fork();
	if (pid == 0)
		debugged();
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	while (!*looping)
		usleep(1000);
	kill(pid, SIGTRAP);
	waitpid(pid, &status, 0);
	for (round = 1; round <= count; round++) {
		steps(pid);
		arm_both(pid);
		*told = round;
		ptrace(PTRACE_CONT, pid, NULL, NULL);
		hit(pid, round);
		/* Back to its loop. */
		ptrace(PTRACE_CONT, pid, NULL, NULL);
		while (*rounds < round)
			usleep(1000);
		kill(pid, SIGTRAP);
		waitpid(pid, &status, 0);
	}
	/* Once more with both armed and running, for as long as nobody says go: a snapshot may be taken, and restored. */
	arm_both(pid);
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	printf("debug: armed\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		wrong++;
	*told = round;
	hit(pid, round);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	printf("debug: %llu rounds, %u wrong\n", (unsigned long long)round, wrong);
	return wrong != 0;
}
