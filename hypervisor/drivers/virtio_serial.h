/* SPDX-License-Identifier: MIT */
/*
 * virtio_serial.h - EL2's driver for QEMU's multiport virtio-serial device: the wires to the host. Ports are found by
 * name. Output goes into a ring per port, input stays in the device's buffers until somebody consumes it, so that
 * the host feels back-pressure. Nothing here waits. A port number 0 means "none" in all calls; numbers are port id + 1.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Find the device and start it. NULL, or what is missing. */
const char *virtio_serial_init(unsigned cpu);

/* Before the first guest runs: look at the device's messages. True: every claimed name has its port, no byte can miss it. */
bool virtio_serial_settled(void);

/* Called with no lock held: input has come, room is there again, or the host opened or closed its side. */
typedef void (*virtio_serial_callback)(void *ctx, bool input, bool output);
/* Name a port before the device tells of it: at most once per name. Returns the handle. LIMIT: 64 names. */
unsigned virtio_serial_claim(const char *name, const char *suffix, virtio_serial_callback callback, void *ctx);

/* Put bytes into the port's ring; returns how many fit. They may stay there until virtio_serial_flush(). */
size_t virtio_serial_write(unsigned port, const uint8_t *bytes, size_t size);
void virtio_serial_flush(unsigned port);

bool virtio_serial_has_input(unsigned port);
/* Copy the oldest input without taking it; then take it. */
size_t virtio_serial_peek(unsigned port, uint8_t *to, size_t size);
void virtio_serial_consume(unsigned port, size_t size);
/* Take all input there is. Returns how many bytes. */
size_t virtio_serial_drop(unsigned port);

bool virtio_serial_host_open(unsigned port);

void virtio_serial_interrupt(unsigned intid);
