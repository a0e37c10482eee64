/* SPDX-License-Identifier: MIT */
/*
 * oracle.c - does to its RAM what a page of shared memory tells it, on the vCPU that is told to: writes words, and runs
 * code that it has written. tests/system/oracle.py, who tells, knows from that what must be where.
 *
 * What was asked and what is done stand in the region alone, which no restore rewinds: a guest that was taken back
 * looks there and goes on with whatever is asked next.
 */
#include "baremetal/guest.h"

#define ORDERS_MAX 64u

enum { ORDER_WRITE = 1, ORDER_EXECUTE = 2, ORDER_READ = 3 };

struct order {
	uint64_t kind;
	uint64_t address; /* of a page */
	uint64_t value;  /* what goes into its first and its last word; the immediate of the code */
	uint64_t result; /* what was there, or what the code returned */
};

/* One page a vCPU, eight for each VM in their order. */
struct desk {
	uint64_t request; /* counted by who asks */
	uint64_t done;
	uint64_t count;
	uint64_t ready; /* how often it has come to the desk */
	struct order orders[ORDERS_MAX];
};
_Static_assert(sizeof(struct desk) <= GUEST_PAGE_SIZE, "oracle.py");

static uint64_t region;

/* mov w0, #value; ret: the page's first two words become code, which runs. */
static uint64_t execute(uint64_t address, uint64_t value)
{
	volatile uint32_t *code = (volatile uint32_t *)address;
	register uint64_t x0 __asm__("x0") = 0;
	register uint64_t entry __asm__("x9") = address;

	code[0] = 0x52800000u | (uint32_t)(value & 0xffff) << 5;
	code[1] = 0xd65f03c0u;
	__asm__ volatile("dc cvau, %1\n\tdsb ish\n\tic ivau, %1\n\tdsb ish\n\tisb\n\tblr %1"
			 : "+r"(x0)
			 : "r"(entry)
			 : "x30", "memory", "cc");
	return x0;
}

static void follow(volatile struct order *order)
{
	volatile uint64_t *page = (volatile uint64_t *)order->address;

	switch (order->kind) {
	case ORDER_WRITE:
		order->result = page[0];
		page[0] = order->value;
		page[GUEST_PAGE_SIZE / 8 - 1] = order->value;
		break;
	case ORDER_EXECUTE:
		order->result = execute(order->address, order->value);
		break;
	default:
		order->result = page[0];
	}
}

static void serve(uint64_t number)
{
	volatile struct desk *desk = (volatile struct desk *)(region + number * GUEST_PAGE_SIZE);

	desk->ready++;
	for (;;) {
		while (__atomic_load_n(&desk->request, __ATOMIC_ACQUIRE) == desk->done)
			hvc_VM_YIELD();
		for (uint64_t i = 0; i < desk->count && i < ORDERS_MAX; i++)
			follow(&desk->orders[i]);
		__atomic_store_n(&desk->done, desk->request, __ATOMIC_RELEASE);
	}
}

void guest_main(uint64_t dtb)
{
	struct av_vm_info info;
	struct av_region_info about;

	(void)dtb;
	if (hvc_VM_INFO(AV_VM_SELF, (uint64_t)&info, sizeof(info)).status ||
	    hvc_REGION_INFO(0, (uint64_t)&about, sizeof(about)).status)
		guest_panic("oracle: no region");
	region = about.ipa + (info.index - 1) * GUEST_CPU_MAX * GUEST_PAGE_SIZE;
	for (unsigned int cpu = 1; cpu < info.vcpu_count; cpu++)
		if (guest_cpu_on(cpu, serve, cpu))
			guest_panic("oracle: a vCPU does not start");
	serve(0);
}
