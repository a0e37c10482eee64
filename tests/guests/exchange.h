/* SPDX-License-Identifier: MIT */
/* exchange.h - where a bare-metal VM (member 0) and Linux (member 1) have their two rings in a region (exchange.c, guest-exchange.c). */
#pragma once

#include "shared/ring.h"

#define EXCHANGE_REGION "link"
#define EXCHANGE_CAPACITY 65536u
#define EXCHANGE_MOST 64 /* bytes of a message */
#define EXCHANGE_RT 0
#define EXCHANGE_LINUX 1

struct exchange_layout {
	struct shared_ring_line to_rt_producer, to_rt_consumer;
	struct shared_ring_line to_linux_producer, to_linux_consumer;
	unsigned char reserved[4096 - 4 * 64];
	unsigned char to_rt[EXCHANGE_CAPACITY];
	unsigned char to_linux[EXCHANGE_CAPACITY];
};
