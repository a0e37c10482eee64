/* SPDX-License-Identifier: MIT */
/* serve.h - puts the agent's core behind port 1 of the virtio console. */
#pragma once

#include <stdbool.h>

/*
 * In any guest: answers hello and ping on its agent port from the interrupt's handler, while the guest goes on.
 * Needs interrupts_init(); false: no virtio console.
 */
bool serve_start(void);

/* The control VM: all verbs; never returns; sleeps when idle. crash and hang are what the test hooks do. */
_Noreturn void serve_control(void (*crash)(void *context), void (*hang)(void *context));
