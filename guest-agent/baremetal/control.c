/* SPDX-License-Identifier: MIT */
/*
 * control.c - the control VM: the agent that avctl talks to, and nothing else.
 * Holds no state that matters: the hypervisor may restart it at any instruction. When it crashes it must not
 * sleep, so that the hypervisor's watchdog finds it even if the call does not.
 */
#include "baremetal/guest.h"
#include "baremetal/serve.h"

static void crashed(void)
{
	if (guest_has_hypervisor())
		hvc_VM_CRASH(AV_VM_SELF, 0);
	for (;;)
		__asm__ volatile("" ::: "memory");
}

/* The test hook: a jump to where nothing is. */
static void crash(void *context)
{
	(void)context;
	__asm__ volatile("br %0" : : "r"(0x0000badbad000000ul) : "memory");
}

/* The test hook: what only the watchdog can end. */
static void hang(void *context)
{
	(void)context;
	for (;;)
		__asm__ volatile("" ::: "memory");
}

void guest_main(uint64_t dtb)
{
	(void)dtb;
	guest_panic_hook = crashed;
	interrupts_init();
	serve_control(crash, hang);
}
