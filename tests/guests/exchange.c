/* SPDX-License-Identifier: MIT */
/* exchange.c - the bare-metal half of configs/rt-and-linux.yaml: sends every message of Linux's back. Sleeps when there is none. */
#include "baremetal/share.h"
#include "exchange.h"

static struct region region;
static struct shared_view view;
static struct shared_ring in, out;
static unsigned char message[EXCHANGE_MOST];

static void open_both(void)
{
	struct exchange_layout *layout = (struct exchange_layout *)region.base;

	if (shared_ring_open_consumer(&in, &view, &layout->to_rt_consumer, &layout->to_rt_producer,
				      layout->to_rt, EXCHANGE_CAPACITY, EXCHANGE_LINUX) ||
	    shared_ring_open_producer(&out, &view, &layout->to_linux_producer,
				      &layout->to_linux_consumer, layout->to_linux,
				      EXCHANGE_CAPACITY, EXCHANGE_LINUX))
		guest_panic("the rings do not open");
}

void guest_main(uint64_t dtb)
{
	uint64_t count = 0;
	uint32_t size;

	(void)dtb;
	interrupts_init();
	if (region_open(&region, EXCHANGE_REGION) != AV_OK || !share_view(&view, &region) ||
	    region.size < sizeof(struct exchange_layout))
		guest_panic("no region called link");
	open_both();
	print("exchange: ready\n");
	for (;;) {
		int status =
			shared_ring_receive(&in, message, sizeof(message), &size, SHARED_FOREVER);

		if (status == SHARED_OK)
			status = shared_ring_send(&out, message, size, SHARED_FOREVER);
		if (status == SHARED_LOST)
			open_both();
		else if (status != SHARED_OK && status != SHARED_PEER)
			guest_panic("the ring is corrupt");
		else if (status == SHARED_OK && ++count % 10000 == 0)
			print("exchange: %lu messages sent back\n", count);
		else if (status == SHARED_PEER)
			sleep_us(10000); /* Linux has not opened its side, or started anew */
	}
}
