/* SPDX-License-Identifier: MIT */
/* ports.c - host ports by name: NAME.console, NAME.hvc0, NAME.agent; the control VM has `control` alone. */
#include "core/ports.h"
#include "core/sched.h"
#include "drivers/virtio_serial.h"

static void arrived(void *ctx, bool input, bool output)
{
	struct vm *vm = ctx;

	if (input)
		__atomic_store_n(&vm->input_waits, true, __ATOMIC_RELEASE);
	sched_serve(vm, (input ? REQUEST_INPUT : 0) | (output ? REQUEST_OUTPUT : 0));
}

void ports_claim(struct vm *vm)
{
	if (vm->flags & AV_VM_FLAG_CONTROL) {
		vm->port_agent = virtio_serial_claim("control", "", arrived, vm);
		return;
	}
	vm->port_console = virtio_serial_claim(vm->name, ".console", arrived, vm);
	vm->port_hvc0 = virtio_serial_claim(vm->name, ".hvc0", arrived, vm);
	vm->port_agent = virtio_serial_claim(vm->name, ".agent", arrived, vm);
}
