/* SPDX-License-Identifier: MIT */
/*
 * bug.h - checks of the hypervisor's own invariants. Never for anything a guest, the host or a file chose.
 * On the target bug_report() stops all CPUs and prints file:line and a backtrace on the early UART; host tests
 * provide one that aborts.
 */
#pragma once

_Noreturn void bug_report(const char *file, int line, const char *what);

/* Stand still for ever: another CPU has reported. */
_Noreturn void bug_stop(void);

#define BUG(what) bug_report(__FILE__, __LINE__, (what))
#define BUG_ON(condition)                          \
	do {                                       \
		if (__builtin_expect(!!(condition), 0)) \
			BUG(#condition);           \
	} while (0)
