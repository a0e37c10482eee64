/* SPDX-License-Identifier: MIT */
/* pl011.c - polled PL011 output (Arm DDI 0183). Never reads input, never waits for an interrupt. */
#include "drivers/pl011.h"
#include "drivers/mmio.h"
#include "platform/qemu-virt/platform.h"

#define UARTDR 0x00
#define UARTFR 0x18
#define UARTFR_TXFF (1u << 5)

void pl011_write(const char *text, size_t size)
{
	while (size--) {
		/* Bounded: a UART that never drains must not stop EL2. */
		for (unsigned spin = 0; spin < 1000000; spin++)
			if (!(mmio_read32(PLAT_UART + UARTFR) & UARTFR_TXFF))
				break;
		mmio_write32(PLAT_UART + UARTDR, (unsigned char)*text++);
	}
}
