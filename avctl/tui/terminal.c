/* SPDX-License-Identifier: MIT */
/* terminal.c - signals and crashes while the screen is ours.
 * Handlers only set flags or write prepared bytes; nothing here calls curses. */
#include "tui/terminal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000

static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
static const int crashing[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Signal handlers have no parameter for this. */
static struct {
	int fd;
	bool open;
	struct termios settings;
	char reset[256];
	size_t reset_length;
	volatile sig_atomic_t end, stop;
	sigset_t mask_before;
	struct sigaction ending_before[COUNT(ending)], crashing_before[COUNT(crashing)],
		stop_before;
	char stack[16384]; /* for a crash by stack overflow */
} terminal;

static void on_end(int number)
{
	terminal.end = number;
}

static void on_stop(int number)
{
	(void)number;
	terminal.stop = 1;
}

static void on_crash(int number)
{
	/*
	 * SA_RESETHAND has put the default back: raising it again dies of the same signal, core and
	 * all.
	 */
	ssize_t ignored = write(terminal.fd, terminal.reset, terminal.reset_length);

	(void)ignored;
	tcsetattr(terminal.fd, TCSANOW, &terminal.settings);
	raise(number);
}

static void catch (int number, void (*handler)(int), int flags, struct sigaction *before)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	action.sa_flags = flags;
	sigemptyset(&action.sa_mask);
	sigaction(number, &action, before);
}

/* The signals that are only let in while we wait. */
static void waiting_signals(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < COUNT(ending); i++)
		sigaddset(set, ending[i]);
	sigaddset(set, SIGTSTP);
	sigaddset(set, SIGWINCH);
}

int terminal_open(int fd, const char *reset)
{
	sigset_t set;
	stack_t stack = {.ss_sp = terminal.stack, .ss_size = sizeof(terminal.stack)};

	if (tcgetattr(fd, &terminal.settings) != 0)
		return -1;
	terminal.fd = fd;
	terminal.reset_length = strnlen(reset, sizeof(terminal.reset) - 1);
	memcpy(terminal.reset, reset, terminal.reset_length);
	terminal.end = terminal.stop = 0;
	waiting_signals(&set);
	sigprocmask(SIG_BLOCK, &set, &terminal.mask_before);
	for (size_t i = 0; i < COUNT(ending); i++)
		catch (ending[i], on_end, 0, &terminal.ending_before[i]);
	catch (SIGTSTP, on_stop, 0, &terminal.stop_before);
	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < COUNT(crashing); i++)
		catch (crashing[i], on_crash, (int)(SA_RESETHAND | SA_NODEFER | SA_ONSTACK),
		       &terminal.crashing_before[i]);
	terminal.open = true;
	return 0;
}

void terminal_close(void)
{
	if (!terminal.open)
		return;
	terminal.open = false;
	/* Anything that came since is taken with our handlers still there. */
	sigprocmask(SIG_SETMASK, &terminal.mask_before, NULL);
	for (size_t i = 0; i < COUNT(ending); i++)
		sigaction(ending[i], &terminal.ending_before[i], NULL);
	sigaction(SIGTSTP, &terminal.stop_before, NULL);
	for (size_t i = 0; i < COUNT(crashing); i++)
		sigaction(crashing[i], &terminal.crashing_before[i], NULL);
}

enum terminal_event terminal_wait(int64_t timeout_ns)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	struct timespec timeout = {
		.tv_sec = (time_t)(timeout_ns / NS_PER_S),
		.tv_nsec = (long)(timeout_ns % NS_PER_S),
	};
	int n;

	if (timeout_ns < 0)
		timeout.tv_sec = 0, timeout.tv_nsec = 0;
	n = ppoll(&input, 1, &timeout, &terminal.mask_before);
	if (terminal.end)
		return TERMINAL_END;
	if (terminal.stop)
		return TERMINAL_STOP;
	if (n > 0 && (input.revents & (POLLHUP | POLLERR | POLLNVAL)))
		return TERMINAL_GONE;
	/* Interrupted by a resize: curses then has a key to say so. */
	return n != 0 ? TERMINAL_INPUT : TERMINAL_TIME;
}

int terminal_signal(void)
{
	return terminal.end;
}

void terminal_stop(void)
{
	sigset_t stop;

	terminal.stop = 0;
	catch (SIGTSTP, SIG_DFL, 0, NULL);
	raise(SIGTSTP); /* blocked so far */
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &stop, NULL); /* stops here until SIGCONT */
	sigprocmask(SIG_BLOCK, &stop, NULL);
	catch (SIGTSTP, on_stop, 0, NULL);
}
