/* SPDX-License-Identifier: MIT */
/*
 * terminal.h - gives the terminal back as it was, however this process ends.
 */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Remember the settings of the terminal on fd and take over signals: INT, TERM and HUP end
 * terminal_wait(), TSTP makes it ask for a stop; a crash writes reset (copied, up to 255 bytes) and
 * puts the settings back first.
 * 0, or -1 with errno.
 */
int terminal_open(int fd, const char *reset);

/* Give signals back. Does not touch the screen: whoever opened it ends it before. */
void terminal_close(void);

/* What happened while waiting. */
enum terminal_event { TERMINAL_TIME, TERMINAL_INPUT, TERMINAL_STOP, TERMINAL_END, TERMINAL_GONE };

/* Wait for input, a signal, or timeout_ns. Signals are only taken here, so none is lost. */
enum terminal_event terminal_wait(int64_t timeout_ns);

/* The signal that made TERMINAL_END. */
int terminal_signal(void);

/*
 * Stop this process as Ctrl-Z asks; returns when it is continued. The screen must be ended before.
 */
void terminal_stop(void);
