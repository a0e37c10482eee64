/* SPDX-License-Identifier: MIT */
/* event.h - what happened to VMs, with sequence numbers that never repeat; a reader sees what it missed. */
#pragma once
#include <avisor/hypercall.h>

void event_add(enum av_event_kind kind, uint32_t vm, uint64_t a, uint64_t b, const char *text);

/* Up to count events from sequence on. Returns how many; *next to ask for, *lost: missing before *next. */
unsigned event_read(uint64_t sequence, struct av_event *to, unsigned count, uint64_t *next,
		    uint64_t *lost);
uint64_t event_next(void);
