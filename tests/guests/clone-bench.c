/* SPDX-License-Identifier: MIT */
/*
 * clone-bench.c - what VM_CLONE costs, in place of the control VM, under -icount: VM 1 is cloned into the spare slot that is
 * VM 2 and removed again. Says `bench NAME TICKS LOOPS` in the hypervisor's log and then waits for ever.
 */
#include "baremetal/guest.h"

#include <avisor/manifest.h>

#define LOOPS 64
#define NAME (GUEST_RAM_BASE + 0x3f0000)
#define SOURCE 1
#define SLOT 2

/* The stamps are next to the hvc: nothing else is in the figure. */
static uint64_t timed_clone(uint64_t id)
{
	register uint64_t x0 __asm__("x0") = AV_HVC_ID(AV_HVC_VM_CLONE);
	register uint64_t x1 __asm__("x1") = SOURCE;
	register uint64_t x2 __asm__("x2") = id;
	register uint64_t x3 __asm__("x3") = NAME;
	register uint64_t x4 __asm__("x4") = SLOT;
	register uint64_t x5 __asm__("x5") = 0;
	register uint64_t x6 __asm__("x6") = 0;
	uint64_t start, end;

	__asm__ volatile("isb\n\tmrs %[start], cntvct_el0\n\thvc #0\n\tmrs %[end], cntvct_el0"
			 : [start] "=&r"(start), [end] "=&r"(end), "+r"(x0), "+r"(x1), "+r"(x2),
			   "+r"(x3)
			 : "r"(x4), "r"(x5), "r"(x6)
			 : "memory");
	if (x0)
		guest_panic("clone-bench: refused");
	return end - start;
}

static void put(char *text, size_t *at, const char *part)
{
	while (*part)
		text[(*at)++] = *part++;
}

static void put_number(char *text, size_t *at, uint64_t value)
{
	char digits[20];
	size_t count = 0;

	do {
		digits[count++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	while (count)
		text[(*at)++] = digits[--count];
}

static void report(const char *name, uint64_t ticks, uint64_t loops)
{
	char text[96] = "";
	size_t at = 0;

	put(text, &at, "bench ");
	put(text, &at, name);
	put(text, &at, " ");
	put_number(text, &at, ticks);
	put(text, &at, " ");
	put_number(text, &at, loops);
	text[at] = '\0';
	hvc_print(text);
}

static uint64_t frames_of(uint64_t vm)
{
	struct av_vm_info *info = (struct av_vm_info *)(NAME + 64);

	hvc_VM_INFO(vm, (uint64_t)info, sizeof(*info));
	return info->frames_used;
}

void guest_main(uint64_t dtb)
{
	uint64_t sum = 0, id, empty, frames = 0;

	(void)dtb;
	interrupts_init();
	memset((void *)NAME, 0, AV_NAME_SIZE);
	memcpy((void *)NAME, "twin", 4);
	sleep_us(200000); /* VM 1 has something by then */
	id = hvc_SNAPSHOT_TAKE(SOURCE, 0, 0, 0).value[0];
	empty = frames_of(SLOT);
	for (unsigned int i = 0; i < LOOPS; i++) {
		sum += timed_clone(id);
		frames += frames_of(SLOT) - empty;
		if (hvc_VM_REMOVE(SLOT).status)
			guest_panic("clone-bench: not removed");
	}
	report("clone", sum, LOOPS);
	report("clone_frames", frames, LOOPS);
	report("hz", counter_hz(), 1);
	for (;;)
		sleep_us(100000);
}
