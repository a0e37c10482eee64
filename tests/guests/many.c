/* SPDX-License-Identifier: MIT */
/*
 * many.c - five checkpoints, back to the second, three more, and a restore that must fail.
 * The second scene of the original: a restore deletes nothing, ids are not reused, and an id that is gone is refused
 * while the guest goes on.
 */
#include "baremetal/guest.h"

static volatile int current;

void guest_main(uint64_t dtb)
{
	(void)dtb;
	interrupts_init();
	print("many: start\n");
	if (!guest_has_hypervisor())
		guest_panic("needs the hypervisor");
	for (int i = 0; i < 5; i++) {
		current = 10 * (i + 1);
		print("ckpt #%d, current=%d\n", i, current);
		hvc_checkpoint();
	}
	print("restore(1), current=%d\n", current);
	hvc_restore(1);
	print("restore(1) refused, current=%d\n", current);
	for (uint64_t count = 0;; count++) {
		print("many: alive %lu\n", count);
		sleep_us(500000);
	}
}
