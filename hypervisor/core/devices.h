/* SPDX-License-Identifier: MIT */
/*
 * devices.h - the wiring between a VM's devices, its vGIC, and the host's ports. All of it runs on the CPU of the VM's
 * vCPU, so that a device never changes under a running guest.
 */
#pragma once
#include "core/vm.h"

/* As if the guest of vcpu had written GICD_IROUTER of this SPI. vcpu loaded here, VM's lock held. */
void devices_route(struct vcpu *vcpu, unsigned intid, uint64_t target);

void devices_init(struct vm *vm);

/* REQUEST_* of a vCPU that is loaded here. */
void devices_serve(struct vcpu *vcpu);

/* An access to emulated device space: size bytes, value is what is written. In registers there and back. */
struct device_access {
	bool there;     /* false: nothing is, an abort */
	uint64_t value; /* what was read */
};
struct device_access devices_mmio(struct vcpu *vcpu, uint64_t address, unsigned size, bool write,
				  uint64_t value);

/* Let console bytes go to the host now. */
void devices_flush_output(struct vm *vm);

/* A bounded piece of background work; true when there is more. */
bool devices_housekeeping(void);

/* Bytes from the host that vm has not consumed are dropped and counted (a restore). */
void devices_drop_input(struct vm *vm);

/* One line of printable text for the VM's console cap: the guest wrote these. */
void devices_console_out(struct vm *vm, unsigned port, const uint8_t *bytes, size_t size);
