/* SPDX-License-Identifier: MIT */
/* agent.h - inside avisor-agentd: the parts of it. All in one thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/service.h"

void agent_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t agent_ms(void); /* monotonic */

/* device.c: /dev/avisor. -1 while the module is not loaded; then every call is AV_E_NOT_SUPPORTED. */
struct service_result device_hypercall(void *context, uint32_t number, const uint64_t args[6]);

/* quiesce.c: hooks and file systems. */
void quiesce_folder(const char *hooks);
int64_t quiesce_begin(void *context, const struct service_limits *limits, struct service *report);
int64_t quiesce_end(void *context, struct service_thawed *thawed);
uint64_t quiesce_deadline(
	void); /* when it must end by itself, in agent_ms(); 0: nothing is quiesced */
void quiesce_restored(
	void); /* after a restore: `restored` hooks, and an end to what the snapshot was taken in */
void quiesce_thaw_all(void); /* whoever froze it */

/* restored.c: what a restore has made wrong. */
void restored_identity(const struct service_result *identity);
bool restored_clock(void); /* one step; true while it wants another one in some milliseconds */
