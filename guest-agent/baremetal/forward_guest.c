/* SPDX-License-Identifier: MIT */
/* forward_guest.c - what a session with `avctl serve` needs of a bare-metal guest. Must never take the guest's timer. */
#include "baremetal/forward.h"
#include "baremetal/guest.h"

/* A server that is awake answers within this many looks; one that sleeps is not worth more of them. */
#define LOOKS_AWAKE 200u
#define NAP_US 100u
#define NAP_LONGEST_US 2000u

static uint32_t region_number = AV_REGION_NUMBERS;

/*
 * The others on this CPU have their turn; after a while in vain all have, as nobody rings for an answer: a sleep on the region's
 * doorbell with no flag to wait for, which needs neither timer nor interrupt.
 */
static void give_way(unsigned int looks)
{
	uint64_t nap = NAP_US;

	if (looks < LOOKS_AWAKE) {
		hvc_VM_YIELD();
		return;
	}
	nap += looks - LOOKS_AWAKE < 100 ? (looks - LOOKS_AWAKE) * 20 : NAP_LONGEST_US - NAP_US;
	if (hvc_DOORBELL_WAIT(region_number, 0, counter_read() + counter_hz() / 1000000 * nap)
		    .status != AV_OK)
		hvc_VM_YIELD();
}

bool forward_here(struct forward_place *place)
{
	struct av_vm_info info;

	if (!guest_has_hypervisor() ||
	    hvc_VM_INFO(AV_VM_SELF, (uint64_t)(uintptr_t)&info, sizeof(info)).status != AV_OK)
		return false;
	*place = (struct forward_place){
		.generation = guest_generation,
		.counter = counter_read,
		.hz = counter_hz,
		.pause = give_way,
		.vm = info.index,
	};
	return true;
}

bool forward_find(const char *name, void **region, uint64_t *size)
{
	struct av_region_info info;

	for (uint64_t i = 0; i < AV_REGION_NUMBERS; i++) {
		if (hvc_REGION_INFO(i, (uint64_t)(uintptr_t)&info, sizeof(info)).status != AV_OK)
			continue;
		if (strcmp(info.name, name) == 0) {
			*region = (void *)(uintptr_t)info.ipa;
			*size = info.size;
			region_number = info.index;
			return true;
		}
	}
	return false;
}
