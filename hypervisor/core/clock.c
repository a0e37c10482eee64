/* SPDX-License-Identifier: MIT */
/*
 * clock.c - chooses where the virtual counters start. QEMU before 8.2 adds CVAL and CNTVOFF without looking for an
 * overflow: a guest that asks for a time near the end of the counter makes QEMU's main loop run one timer for ever,
 * and the whole machine stands still. A guest's CVAL does not trap without FEAT_ECV. With a counter that is ahead of
 * the physical one, so that CNTVOFF is negative, no sum is wrong. Later QEMUs look for the overflow, but never fire a
 * timer under a negative CNTVOFF. So one is tried, and the counters start at 0 where that does not work.
 * Must never depend on how long the host lets QEMU wait.
 */
#include "core/clock.h"
#include <stdbool.h>
#include "arch/sysreg.h"
#include "core/time.h"
#include "drivers/mmio.h"
#include "platform/qemu-virt/platform.h"

/* More than a machine's uptime: 2 years at 62.5 MHz. Below bit 56, which a counter need not have. */
#define ORIGIN (1UL << 52)

#define ENABLE_MASKED 3u
#define ISTATUS 4u

uint64_t clock_origin;
static uint64_t wall_start, wall_counter;

/*
 * The virtual timer is due before the hypervisor's own: when that one has fired, it has fired, or never will.
 * False, too, when the CPU was held up for so long that nothing can be said.
 */
static bool negative_offset_works(uint64_t delay)
{
	uint64_t at, own;
	bool works = false;

	sysreg_write(cntvoff_el2, 0 - ORIGIN);
	at = counter_now() + delay;
	own = at + delay;
	sysreg_write(cntv_cval_el0, at + ORIGIN);
	sysreg_write(cntv_ctl_el0, ENABLE_MASKED);
	sysreg_write(cnthp_cval_el2, own);
	sysreg_write(cnthp_ctl_el2, ENABLE_MASKED);
	if (counter_now() < own) {
		while (!(sysreg_read(cnthp_ctl_el2) & ISTATUS) && counter_now() < own + counter_hz)
			;
		works = sysreg_read(cntv_ctl_el0) & ISTATUS;
	}
	sysreg_write(cnthp_ctl_el2, 0);
	sysreg_write(cntv_ctl_el0, 0);
	sysreg_write(cntvoff_el2, 0);
	isb();
	return works;
}

uint64_t clock_wall(void)
{
	return wall_start + (counter_now() - wall_counter) / counter_hz;
}

uint64_t clock_match_time(const struct vpl031 *rtc, uint64_t best)
{
	uint64_t due = rtc->state.due, at;

	if (due == ~0UL)
		return best;
	at = due > wall_start ? wall_counter + (due - wall_start) * counter_hz : 0;
	return at < best ? at : best;
}

void clock_init(void)
{
	wall_start = mmio_read32(PLAT_RTC);
	wall_counter = counter_now();
	for (uint64_t us = 20; us <= 1280 && !clock_origin; us *= 4)
		if (negative_offset_works(ns_to_ticks(us * 1000)))
			clock_origin = ORIGIN;
}
