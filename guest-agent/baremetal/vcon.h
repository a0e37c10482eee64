/* SPDX-License-Identifier: MIT */
/*
 * vcon.h - driver of the virtio console in slot 31: port 0 a console, port 1 the agent's.
 *
 * Interrupts only say that there is something: vcon_poll() does the work and calls back. Call everything with
 * interrupts masked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define VCON_CONSOLE 0
#define VCON_AGENT 1
#define VCON_PORT_COUNT 2

struct vcon_ops {
	void (*open)(void *context, unsigned int port); /* the host has opened its end */
	void (*close)(void *context,
		      unsigned int port); /* before each open but the first, and when it leaves */
	void (*input)(void *context, unsigned int port, const char *data, size_t size);
};

/* False: there is no such device. may_sleep: vcon_write() may WFI while the host does not read; else it drops. */
bool vcon_init(const struct vcon_ops *ops, void *context, bool may_sleep);

/* Deliver what has come; false when there was nothing. */
bool vcon_poll(void);

/* Something may have come: set by the interrupt, cleared by vcon_poll(). */
bool vcon_pending(void);

/* Called by the interrupt's handler, when set (for a guest that serves its agent from there). */
extern void (*vcon_interrupt_hook)(void);

/* Buffered: goes out with vcon_flush(), or when 4 KiB have come together. Dropped while the host's end is closed. */
void vcon_write(unsigned int port, const char *data, size_t size);
void vcon_flush(unsigned int port);
bool vcon_is_open(unsigned int port);
