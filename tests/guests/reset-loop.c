/* SPDX-License-Identifier: MIT */
/* reset-loop.c - resets itself at once, for ever: by hvc and, every other time, by smc. */
#include "baremetal/guest.h"

void guest_main(uint64_t dtb)
{
	(void)dtb;
	print("reset-loop: generation=%lu nonce=%016lx\n", guest_generation(), guest_nonce());
	if (guest_generation() % 2)
		psci_smc(PSCI_SYSTEM_RESET, 0, 0, 0);
	else
		psci_hvc(PSCI_SYSTEM_RESET, 0, 0, 0);
	print("reset-loop: CAME BACK\n");
}
