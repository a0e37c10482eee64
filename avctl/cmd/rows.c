/* SPDX-License-Identifier: MIT */
/*
 * rows.c - asking the control agent for lists.
 * Keeps the agent's values as text: what is a number is decided by the column that prints it.
 */
#include "cmd/rows.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct table_sink {
	struct table **table;
	const struct column *columns;
	size_t count;
	size_t kept; /* rows that were there before */
};

static void add_row(void *to, const struct line *row)
{
	struct table_sink *sink = to;

	table_row(*sink->table);
	for (size_t i = 0; i < sink->count; i++) {
		const char *source = sink->columns[i].source;

		if (source)
			table_set(*sink->table, i, line_text(row, source));
	}
}

static void drop_rows(void *to)
{
	struct table_sink *sink = to;

	table_truncate(*sink->table, sink->kept);
}

int rows_ask(struct ctx *ctx, const char *verb, const char *vm, struct table *table,
	     const struct column *columns, size_t count)
{
	struct table_sink to = {&table, columns, count, table_row_count(table)};
	struct agent_sink sink = {.row = add_row, .restart = drop_rows, .to = &to};
	struct agent_request request;
	struct agent_reply reply;

	agent_begin(&request, verb);
	if (vm)
		line_add_text(&request.line, "vm", vm);
	if (agent_call(ctx->agent, &request, &sink, false, &reply) != AGENT_OK)
		return ctx_agent_error(ctx, &reply, vm, NULL);
	return RC_OK;
}

static void take_machine(void *to, const struct line *row)
{
	struct rows_machine *machine = to;

	line_number(row, "frames_total", &machine->frames_total);
	line_number(row, "frames_free", &machine->frames_free);
	line_number(row, "uptime_ns", &machine->uptime_ns);
	line_number(row, "cpus", &machine->cpus);
	line_number(row, "vms", &machine->vms);
	line_number(row, "regions", &machine->regions);
	line_number(row, "debug", &machine->debug);
	line_number(row, "control_restarts", &machine->control_restarts);
	line_number(row, "event_next", &machine->event_next);
	line_number(row, "log_next", &machine->log_next);
}

int rows_machine(struct ctx *ctx, struct rows_machine *machine)
{
	struct agent_sink sink = {.row = take_machine, .to = machine};
	struct agent_request request;
	struct agent_reply reply;
	struct timespec now;

	memset(machine, 0, sizeof(*machine));
	agent_begin(&request, "machine");
	if (agent_call(ctx->agent, &request, &sink, false, &reply) != AGENT_OK)
		return ctx_agent_error(ctx, &reply, NULL, NULL);
	clock_gettime(CLOCK_REALTIME, &now);
	machine->boot_time_ns =
		(uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - machine->uptime_ns;
	return RC_OK;
}

void rows_to_time(struct table *table, size_t column, const struct rows_machine *machine)
{
	for (size_t i = 0; i < table_row_count(table); i++) {
		const char *text = table_get(table, i, column);
		uint64_t ns;

		if (text && line_to_number(text, &ns))
			table_set_at(table, i, column, machine->boot_time_ns + ns);
	}
}
