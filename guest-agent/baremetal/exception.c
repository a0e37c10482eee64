/* SPDX-License-Identifier: MIT */
/*
 * exception.c - what was not expected is reported and ends the guest; what a test expects is skipped.
 * Must never go on silently after an exception that nobody asked for.
 */
#include "baremetal/guest.h"

bool (*guest_exception_hook)(struct guest_frame *frame);
void (*guest_panic_hook)(void);

void guest_exception(struct guest_frame *frame, uint64_t kind);

static volatile bool armed;
static volatile bool reporting;
static struct guest_fault seen;

extern uint64_t guest_level3[512];

void guest_map_page(unsigned int index, uint64_t pa)
{
	uint64_t va = GUEST_PAGES_VA + index * GUEST_PAGE_SIZE;

	*(volatile uint64_t *)&guest_level3[index] = 0;
	__asm__ volatile("dsb ishst\n\ttlbi vaae1is, %0\n\tdsb ish\n\tisb"
			 :
			 : "r"(va >> 12)
			 : "memory");
	if (pa)
		*(volatile uint64_t *)&guest_level3[index] = pa | 0x703;
	__asm__ volatile("dsb ishst\n\tisb" ::: "memory");
}

void guest_fault_begin(void)
{
	seen = (struct guest_fault){0};
	armed = true;
	__asm__ volatile("" ::: "memory");
}

bool guest_fault_end(struct guest_fault *fault)
{
	__asm__ volatile("" ::: "memory");
	armed = false;
	if (fault)
		*fault = seen;
	return seen.count > 0;
}

void guest_stop(void)
{
	for (;;) {
		interrupts_mask();
		wait_for_interrupt();
	}
}

void guest_panic(const char *reason)
{
	interrupts_mask();
	if (!reporting) {
		reporting = true;
		print("PANIC: %s\n", reason);
	}
	if (guest_panic_hook)
		guest_panic_hook();
	if (guest_has_hypervisor())
		hvc_VM_CRASH(AV_VM_SELF, 1);
	guest_stop();
}

void guest_exception(struct guest_frame *frame, uint64_t kind)
{
	unsigned int class = (frame->esr >> 26) & 0x3f;

	if (armed && kind == 4) {
		seen.count++;
		seen.esr = frame->esr;
		seen.far = frame->far;
		seen.elr = frame->elr;
		/* HVC and SVC return behind the instruction; a jump into nowhere goes back to its caller. */
		if (class == 0x20 || class == 0x21)
			frame->elr = frame->x[30];
		else if (class != 0x15 && class != 0x16)
			frame->elr += 4;
		return;
	}
	if (reporting)
		guest_stop();
	if (guest_exception_hook && guest_exception_hook(frame))
		return;
	reporting = true;
	print("\nEXCEPTION: kind=%lu esr=0x%lx elr=0x%lx far=0x%lx spsr=0x%lx\n", kind, frame->esr,
	      frame->elr, frame->far, frame->spsr);
	for (unsigned int i = 0; i < 31; i += 2)
		print(" x%02u=%016lx x%02u=%016lx\n", i, frame->x[i], i + 1,
		      i < 30 ? frame->x[i + 1] : 0);
	guest_panic("unexpected exception");
}
