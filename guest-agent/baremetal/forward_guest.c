/* SPDX-License-Identifier: MIT */
/* forward_guest.c - what a session with `avctl serve` needs of a bare-metal guest. Must never take the guest's timer. */
#include "baremetal/forward.h"
#include "baremetal/guest.h"

/* The others on this CPU have their turn. */
static void give_way(void)
{
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
			return true;
		}
	}
	return false;
}
