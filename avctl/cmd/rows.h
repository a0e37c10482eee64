/* SPDX-License-Identifier: MIT */
/*
 * rows.h - from an agent's rows to a table.
 */
#pragma once
#include "cmd/ctx.h"
#include "out/table.h"

/* Send "VERB [vm=VM]" and append each row of the answer to the table by the columns' sources. */
int rows_ask(struct ctx *ctx, const char *verb, const char *vm, struct table *table,
	     const struct column *columns, size_t count);

/*
 * What `machine` says: uptime of the hypervisor, and so when it started by the host's clock (ns
 * since 1970).
 */
struct rows_machine {
	uint64_t frames_total, frames_free, uptime_ns, boot_time_ns, cpus, vms, regions, debug,
		control_restarts;
	uint64_t event_next, log_next;
};
int rows_machine(struct ctx *ctx, struct rows_machine *machine);

/* Snapshot times count from the hypervisor's start: turn that column into times of day. */
void rows_to_time(struct table *table, size_t column, const struct rows_machine *machine);
