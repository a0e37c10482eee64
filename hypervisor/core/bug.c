/* SPDX-License-Identifier: MIT */
/* bug.c - the end of the hypervisor by its own fault: all CPUs stop, where and how it came to it is printed. */
#include "core/bug.h"
#include "arch/sysreg.h"
#include "core/cpu.h"
#include "core/log.h"
#include "drivers/gicv3.h"

static uint32_t reporting;

static void backtrace(uint64_t frame)
{
	char text[64];
	uint64_t top = cpu_this()->stack;

	for (unsigned depth = 0; depth < 24; depth++) {
		if (frame & 7 || frame >= top || frame < top - 16384)
			break;
		format(text, sizeof(text), "  #%u 0x%lx\n", depth, ((uint64_t *)frame)[1]);
		log_emergency(text);
		frame = ((uint64_t *)frame)[0];
	}
}

_Noreturn void bug_stop(void)
{
	for (;;)
		wfi();
}

_Noreturn void bug_report(const char *file, int line, const char *what)
{
	char text[256];

	if (!__atomic_exchange_n(&reporting, 1, __ATOMIC_ACQ_REL)) {
		for (unsigned cpu = 0; cpu < cpu_count; cpu++)
			if (cpus[cpu].online && cpu != cpu_this()->id)
				gicv3_send_sgi(cpu, SGI_STOP);
		format(text, sizeof(text),
		       "\nBUG on CPU %u at %s:%d: %s\nbacktrace (addr2line -e hypervisor.elf):\n",
		       cpu_this()->id, file, line, what);
		log_emergency(text);
		backtrace((uint64_t)__builtin_frame_address(0));
	}
	bug_stop();
}
