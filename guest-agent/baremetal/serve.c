/* SPDX-License-Identifier: MIT */
/*
 * serve.c - the agent's core on bare metal.
 * The control VM's loop runs with interrupts masked and takes them itself: no exception, no copy, one hvc a command.
 * It must never spin while there is nothing to do: it outranks all other VMs.
 */
#include "baremetal/serve.h"
#include "baremetal/guest.h"
#include "baremetal/vcon.h"
#include "core/service.h"

#ifndef AV_VERSION
#define AV_VERSION "unknown"
#endif

static struct service service;
static char buffer[SERVICE_BUFFER_SIZE] __attribute__((aligned(4096)));

static struct service_result hypercall(void *context, uint32_t number, const uint64_t args[6])
{
	struct hvc_result result =
		hvc_call(AV_HVC_ID(number), args[0], args[1], args[2], args[3], args[4], args[5]);

	(void)context;
	return (struct service_result){result.status,
				       {result.value[0], result.value[1], result.value[2]}};
}

/* Where there is no hypervisor, hvc is undefined: a plain agent says so in its hello. */
static struct service_result no_hypercall(void *context, uint32_t number, const uint64_t args[6])
{
	(void)context;
	(void)number;
	(void)args;
	return (struct service_result){AV_E_NOT_SUPPORTED, {0}};
}

static void write(void *context, const char *data, size_t size)
{
	(void)context;
	vcon_write(VCON_AGENT, data, size);
}

static void flush(void *context)
{
	(void)context;
	vcon_flush(VCON_AGENT);
}

static void on_open(void *context, unsigned int port)
{
	(void)context;
	if (port == VCON_AGENT)
		service_open(&service);
}

static void on_close(void *context, unsigned int port)
{
	(void)context;
	if (port == VCON_AGENT)
		service_close(&service);
}

static void on_input(void *context, unsigned int port, const char *data, size_t size)
{
	(void)context;
	if (port == VCON_AGENT)
		service_input(&service, data, size);
}

static const struct vcon_ops vcon_operations = {on_open, on_close, on_input};

static struct service_ops operations = {.hypercall = hypercall, .write = write, .flush = flush};

static bool start(bool privileged)
{
	if (!guest_has_hypervisor())
		operations.hypercall = no_hypercall;
	service.ops = &operations;
	service.version = AV_VERSION;
	service.privileged = privileged;
	service.buffer = buffer;
	service.buffer_ipa = (uint64_t)(uintptr_t)buffer;
	return vcon_init(&vcon_operations, NULL, privileged);
}

static void poll_from_interrupt(void)
{
	vcon_poll();
}

bool serve_start(void)
{
	vcon_interrupt_hook = poll_from_interrupt;
	return start(false);
}

void serve_control(void (*crash)(void *context), void (*hang)(void *context))
{
	operations.crash = crash;
	operations.hang = hang;
	interrupts_mask();
	if (!start(true))
		guest_panic("no virtio console");
	for (;;) {
		while (vcon_poll() || vcon_pending())
			;
		wait_for_interrupt();
		while (interrupts_take())
			;
	}
}
