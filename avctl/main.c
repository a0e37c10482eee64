/* SPDX-License-Identifier: MIT */
/*
 * main.c - avctl's entry: signals, locale, one command line.
 * Does no work of its own.
 */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cmd/ctx.h"

/* Locks go with the process, QEMU does not: there is nothing to tidy up. */
static void on_interrupt(int signal_number)
{
	static const char text[] = "\navctl: interrupted\n";

	(void)signal_number;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(RC_INTERRUPTED);
	_exit(RC_INTERRUPTED);
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_interrupt};
	int result;

	setlocale(LC_CTYPE, "");
	sigaction(SIGINT, &action, NULL);
	result = command_line_run(argc - 1, argv + 1, NULL);
	out_progress(NULL);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		if (result == RC_OK)
			result = out_error(RC_FAILED, NULL, "standard output: %s", strerror(errno));
	}
	return result;
}
