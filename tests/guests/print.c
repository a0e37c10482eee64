/* SPDX-License-Identifier: MIT */
/*
 * print.c - strings for the hypervisor's log by hvc #3, good ones and bad ones.
 * The log must show the lines with `good` and none with `BAD`; the guest goes on after each.
 */
#include "baremetal/guest.h"

#define LONG_SIZE 0x40000

static char text_pages[3 * GUEST_PAGE_SIZE] __attribute__((aligned(4096)));

static void try(const char *what, const char *pointer)
{
	print("print: %s at %p\n", what, pointer);
	hvc_print(pointer);
	print("print: went on\n");
}

static void copy(char *to, const char *text)
{
	memcpy(to, text, strlen(text) + 1);
}

/* A VA that is not its IPA, and a string that goes over two pages that are not neighbours in RAM. */
static void good_pointers(void)
{
	char on_stack[64];
	char *window = (char *)GUEST_PAGES_VA;

	copy(on_stack, "good: Hello, Hypervisor! from the stack");
	try("string on the stack", on_stack);
	copy(on_stack, "good: Hello, Hypervisor! through another address");
	try("string by an alias",
	    (const char *)((uintptr_t)on_stack + (GUEST_ALIAS - GUEST_RAM_BASE)));
	guest_map_page(0, (uint64_t)(uintptr_t)(text_pages + 2 * GUEST_PAGE_SIZE));
	guest_map_page(1, (uint64_t)(uintptr_t)text_pages);
	copy(window + GUEST_PAGE_SIZE - 10, "good: a string over the end of a page");
	try("string over two pages", window + GUEST_PAGE_SIZE - 10);
	try("constant string", "good: a constant");
}

static void bad_pointers(void)
{
	char *window = (char *)GUEST_PAGES_VA;
	char *lengthy = (char *)(GUEST_RAM_BASE + 0x2000000);

	guest_map_page(1, 0);
	memset(window + GUEST_PAGE_SIZE - 20, 'B', 20);
	memcpy(window + GUEST_PAGE_SIZE - 20, "BAD: ", 5);
	try("string into a page that is not there", window + GUEST_PAGE_SIZE - 20);
	try("page that is not there", window + GUEST_PAGE_SIZE);
	memset(lengthy, 'B', LONG_SIZE);
	memcpy(lengthy, "BAD: ", 5);
	try("string without an end", lengthy);
	try("null", NULL);
	try("device", (const char *)GUEST_UART);
	try("address beyond RAM", (const char *)0x3fffff000ul);
	try("address beyond translation", (const char *)0x00ffff0012345678ul);
	try("kernel half", (const char *)0xffff000012345678ul);
	try("the last byte", (const char *)0xfffffffffffffffful);
}

void guest_main(uint64_t dtb)
{
	(void)dtb;
	interrupts_init();
	print("print: start\n");
	if (!guest_has_hypervisor())
		guest_panic("needs the hypervisor");
	good_pointers();
	bad_pointers();
	print("print: done\n");
	for (uint64_t count = 0;; count++) {
		print("print: alive %lu\n", count);
		sleep_us(500000);
	}
}
