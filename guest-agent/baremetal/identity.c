/* SPDX-License-Identifier: MIT */
/* identity.c - who this guest is, as far as it can know. Must never assume that there is a hypervisor. */
#include "baremetal/guest.h"

/* Asked once by a call that plain QEMU makes undefined. */
bool guest_has_hypervisor(void)
{
	static int known = -1;

	if (known < 0) {
		struct hvc_result result = {.status = -1};

		guest_fault_begin();
		result = hvc_VERSION();
		known = !guest_fault_end(NULL) && result.status == AV_OK;
	}
	return known;
}

uint64_t guest_generation(void)
{
	return guest_has_hypervisor() ? hvc_IDENTITY().value[2] : 0;
}

uint64_t guest_random(uint64_t *seed)
{
	uint64_t value = *seed += 0x9e3779b97f4a7c15u;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
	value = (value ^ value >> 27) * 0x94d049bb133111ebu;
	return value ^ value >> 31;
}

uint64_t guest_nonce(void)
{
	static uint64_t calls;
	uint64_t seed[4] = {counter_read(), ++calls, 0, 0};
	uint64_t hash;

	if (guest_has_hypervisor()) {
		struct hvc_result identity = hvc_IDENTITY();

		seed[2] = identity.value[0];
		seed[3] = identity.value[1];
	}
	hash = guest_hash(seed, sizeof(seed), 0xcbf29ce484222325u);
	return guest_random(&hash);
}
