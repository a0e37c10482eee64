/* SPDX-License-Identifier: MIT */
/* ro-writer.c - writes to a region it may only read: must get an abort, must find nothing changed, and lives. */
#include "baremetal/guest.h"

void guest_main(uint64_t dtb)
{
	volatile uint32_t *region = (volatile uint32_t *)GUEST_REGION;
	struct guest_fault fault;
	uint32_t before, after;

	(void)dtb;
	interrupts_init();
	print("ro-writer: start\n");
	for (uint64_t count = 0;; count++) {
		before = region[0];
		guest_fault_begin();
		region[0] = ~before;
		if (guest_fault_end(&fault))
			print("ro-writer: write refused esr=0x%lx far=0x%lx\n", fault.esr,
			      fault.far);
		else
			print("ro-writer: WRITE WENT THROUGH\n");
		after = region[0];
		print("ro-writer: alive %lu %s\n", count,
		      before == after ? "unchanged" : "CHANGED");
		sleep_us(250000);
	}
}
