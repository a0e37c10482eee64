/* SPDX-License-Identifier: MIT */
/* gicv3.h - the machine's GICv3 as EL2 drives it: EOImode 1, group 1, one priority (Arm IHI 0069). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define SGI_KICK 1 /* look at your requests, run queues and held VMs */
#define SGI_STOP 2 /* a CPU hit BUG(): stand still */

/* The distributor: once, on the boot CPU. NULL, or what is missing. */
const char *gicv3_init(void);

/* This CPU's redistributor and CPU interface. NULL, or what is missing. */
const char *gicv3_cpu_init(unsigned cpu);

void gicv3_enable_spi(unsigned intid, unsigned cpu);
void gicv3_send_sgi(unsigned cpu, unsigned sgi);

/* The physical active state of a PPI of this CPU. */
void gicv3_ppi_set_active(unsigned intid, bool active);
void gicv3_ppis_end(uint32_t mask);
static inline void gicv3_ppis_deactivate(uint32_t mask)
{
	if (mask)
		gicv3_ppis_end(mask);
}
