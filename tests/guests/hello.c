/* SPDX-License-Identifier: MIT */
/*
 * hello.c - says hello, then counts, ten times a second.
 * Its nonce lives in RAM only: a restored guest keeps it, a rebooted one has another. Never exits.
 */
#include "baremetal/guest.h"

static uint64_t nonce;

void guest_main(uint64_t dtb)
{
	interrupts_init();
	nonce = guest_nonce();
	print("hello from a guest: nonce=%016lx dtb=0x%lx\n", nonce, dtb);
	for (uint64_t count = 0;; count++) {
		print("hello nonce=%016lx count=%lu\n", nonce, count);
		sleep_us(100000);
	}
}
