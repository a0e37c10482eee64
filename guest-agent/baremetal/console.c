/* SPDX-License-Identifier: MIT */
/* console.c - the PL011. Output is polled and may be called from a handler; must never wait for input there. */
#include "baremetal/guest.h"

#define UART_DR 0x00
#define UART_FR 0x18
#define UART_FR_RXFE 0x10
#define UART_FR_TXFF 0x20
#define UART_CR 0x30
#define UART_IMSC 0x38
#define UART_ICR 0x44
#define UART_INT_RX 0x10
#define UART_INT_RT 0x40

#define INPUT_SIZE 1024u

static struct {
	volatile uint32_t head, tail;
	char bytes[INPUT_SIZE];
	bool interrupts;
} input;

void console_put(char c)
{
	if (c == '\n')
		console_put('\r');
	while (mmio_read32(GUEST_UART + UART_FR) & UART_FR_TXFF)
		;
	mmio_write32(GUEST_UART + UART_DR, (unsigned char)c);
}

void console_write(const char *data, size_t size)
{
	while (size--)
		console_put(*data++);
}

static void input_drain(void)
{
	while (!(mmio_read32(GUEST_UART + UART_FR) & UART_FR_RXFE)) {
		char c = (char)mmio_read32(GUEST_UART + UART_DR);

		if (input.head - input.tail < INPUT_SIZE)
			input.bytes[input.head++ % INPUT_SIZE] = c;
	}
}

/* Clear first: a byte that comes behind the last look raises the interrupt again, and QEMU's PL011 raises it for no further one. */
static void input_interrupt(unsigned int intid, void *context)
{
	(void)intid;
	(void)context;
	mmio_write32(GUEST_UART + UART_ICR, UART_INT_RX | UART_INT_RT);
	input_drain();
}

void console_input_start(void)
{
	mmio_write32(GUEST_UART + UART_CR, 0x301);
	interrupt_enable(GUEST_UART_INTID, false, input_interrupt, NULL);
	mmio_write32(GUEST_UART + UART_IMSC, UART_INT_RX | UART_INT_RT);
	input.interrupts = true;
}

int console_poll(void)
{
	if (!input.interrupts)
		input_drain();
	if (input.head == input.tail)
		return -1;
	return (unsigned char)input.bytes[input.tail++ % INPUT_SIZE];
}

char console_get(void)
{
	int c;

	while ((c = console_poll()) < 0) {
		if (!input.interrupts)
			continue;
		interrupts_mask();
		if (input.head == input.tail)
			wait_for_interrupt();
		interrupts_unmask();
	}
	return (char)c;
}

size_t console_line(char *line, size_t size)
{
	size_t length = 0;

	for (;;) {
		char c = console_get();

		if (c == '\r' || c == '\n') {
			console_put('\n');
			line[length] = '\0';
			return length;
		}
		if ((c == '\b' || c == 127) && length > 0) {
			length--;
			console_write("\b \b", 3);
		} else if (c >= ' ' && c <= '~' && length + 1 < size) {
			line[length++] = c;
			console_put(c);
		}
	}
}
