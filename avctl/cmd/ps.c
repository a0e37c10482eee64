/* SPDX-License-Identifier: MIT */
/*
 * ps.c - `avctl ps` and `avctl status`: what the machine and its VMs are doing.
 * Only asks; changes nothing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/rows.h"
#include "machine/paths.h"

enum {
	VM_NAME,
	VM_STATE,
	VM_VCPUS,
	VM_CPUS,
	VM_RAM,
	VM_COMMITTED,
	VM_SNAPSHOTS,
	VM_GENERATION,
	VM_UPTIME,
	VM_PC,
	VM_WORD,
	VM_REASON,
	VM_SOURCE,
	VM_SOURCE_ID,
	VM_SLOT,
	VM_FLAGS,
	VM_CPU,
	VM_POWER,
};

static const struct column vm_columns[] = {
	[VM_NAME] = {"NAME", "name", COLUMN_TEXT, "name"},
	[VM_STATE] = {"STATE", "state", COLUMN_TEXT, "state"},
	[VM_VCPUS] = {"VCPUS", "vcpus", COLUMN_NUMBER, "vcpus"},
	[VM_CPUS] = {"CPU", "cpus", COLUMN_TEXT, "cpus"},
	[VM_RAM] = {"RAM", "ram_size", COLUMN_SIZE, "ram_size"},
	[VM_COMMITTED] = {"USED", "ram_pages", COLUMN_FRAMES, "ram_frames"},
	[VM_SNAPSHOTS] = {"SNAPSHOTS", "snapshots", COLUMN_NUMBER, "snapshots"},
	[VM_GENERATION] = {"GENERATION", "generation", COLUMN_NUMBER, "generation"},
	[VM_UPTIME] = {"UPTIME", "uptime_ms", COLUMN_NS, "uptime_ns"},
	[VM_PC] = {"PC", "pc", COLUMN_ADDRESS, "pc"},
	[VM_WORD] = {"INSTRUCTION", "word", COLUMN_ADDRESS, "word"},
	[VM_REASON] = {"REASON", "reason", COLUMN_TEXT, "reason"},
	[VM_SOURCE] = {"CLONE OF", "source", COLUMN_TEXT, "source"},
	[VM_SOURCE_ID] = {"AT", "source_id", COLUMN_NUMBER, "source_id"},
	[VM_SLOT] = {NULL, "slot", COLUMN_TEXT, "slot"},
	[VM_FLAGS] = {NULL, "flags", COLUMN_NUMBER, "flags"},
	[VM_CPU] = {NULL, "cpu", COLUMN_NUMBER, "cpu"},
	[VM_POWER] = {NULL, "power", COLUMN_TEXT, "power"},
};
#define VM_COLUMN_COUNT (sizeof(vm_columns) / sizeof(vm_columns[0]))

static bool is_control(const struct table *rows, size_t row, size_t column)
{
	const char *text = table_get(rows, row, column);
	uint64_t flags = 0;

	return text && line_to_number(text, &flags) && (flags & AV_VM_FLAG_CONTROL);
}

/* The control VM, and spare slots that nobody is in. */
static bool is_hidden(const struct table *rows, size_t row)
{
	const char *state = table_get(rows, row, VM_STATE);

	return is_control(rows, row, VM_FLAGS) || (state && !strcmp(state, "empty"));
}

static json_t *set_document(const struct ctx *ctx)
{
	return json_pack("{s:s}", "set", ctx->record->set->name);
}

static int list_sets(void)
{
	static const struct column columns[] = {
		{"NAME", "name", COLUMN_TEXT, NULL},       {"STATE", "state", COLUMN_TEXT, NULL},
		{"PID", "pid", COLUMN_NUMBER, NULL},       {"VMS", "vms", COLUMN_NUMBER, NULL},
		{"STARTED", "started", COLUMN_TIME, NULL}, {"FILE", "file", COLUMN_TEXT, NULL},
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	char **sets = paths_sets();

	for (size_t i = 0; table && sets && sets[i]; i++) {
		char *folder = paths_runtime(sets[i]);
		struct record *record = record_load(folder);

		free(folder);
		table_row(table);
		table_set(table, 0, sets[i]);
		table_set(table, 1,
			  !record                ? "damaged"
			  : record_alive(record) ? "running"
						 : "dead");
		if (record) {
			table_set_number(table, 2, (uint64_t)record->pid);
			table_set_number(table, 3, record->set->vm_count);
			table_set_number(table, 4, record->started * 1000000000u);
			table_set(table, 5, record->set->path);
		}
		record_free(record);
	}
	paths_sets_free(sets);
	table_print(table, NULL, "sets");
	table_free(table);
	return RC_OK;
}

/* Of what a VM crashed, and where, and of what it is a clone: only when one did, or is. */
static size_t columns_shown(const struct table *rows, struct column *columns)
{
	bool reasons = false, clones = false;

	memcpy(columns, vm_columns, sizeof(vm_columns));
	for (size_t i = 0; i < table_row_count(rows); i++) {
		reasons = reasons || table_get(rows, i, VM_REASON);
		clones = clones || table_get(rows, i, VM_SOURCE);
	}
	if (!clones)
		columns[VM_SOURCE].title = columns[VM_SOURCE_ID].title = NULL;
	if (!reasons)
		columns[VM_REASON].title = columns[VM_PC].title = columns[VM_WORD].title = NULL;
	return VM_COLUMN_COUNT;
}

int cmd_ps(struct ctx *ctx)
{
	struct column columns[VM_COLUMN_COUNT];
	struct table *all, *shown;
	int result;

	if (ctx_flag(ctx, "sets"))
		return list_sets();
	result = ctx_need_agent(ctx);
	if (result != RC_OK)
		return result;
	all = table_new(vm_columns, VM_COLUMN_COUNT);
	result = rows_ask(ctx, "vms", NULL, all, vm_columns, VM_COLUMN_COUNT);
	if (result == RC_OK) {
		shown = table_new(columns, columns_shown(all, columns));
		for (size_t row = 0; row < table_row_count(all); row++) {
			if (is_hidden(all, row) && !ctx_flag(ctx, "all"))
				continue;
			table_row(shown);
			for (size_t i = 0; i < VM_COLUMN_COUNT; i++)
				table_set(shown, i, table_get(all, row, i));
		}
		table_print(shown, set_document(ctx), "vms");
		table_free(shown);
	}
	table_free(all);
	return result;
}

static const struct column status_columns[] = {
	{"Name", "name", COLUMN_TEXT, "name"},
	{"State", "state", COLUMN_TEXT, "state"},
	{"Reason", "reason", COLUMN_TEXT, "reason"},
	{"PC", "pc", COLUMN_ADDRESS, "pc"},
	{"ESR", "esr", COLUMN_ADDRESS, "esr"},
	{"FAR", "far", COLUMN_ADDRESS, "far"},
	{"Instruction", "word", COLUMN_ADDRESS, "word"},
	{"vCPUs", "vcpus", COLUMN_NUMBER, "vcpus"},
	{NULL, "cpu", COLUMN_NUMBER, "cpu"},
	{"Physical CPUs", "cpus", COLUMN_TEXT, "cpus"},
	{"vCPU power", "power", COLUMN_TEXT, "power"},
	{"RAM at", "ram_base", COLUMN_ADDRESS, "ram_base"},
	{"RAM", "ram_size", COLUMN_SIZE, "ram_size"},
	{"Committed pages", "ram_pages", COLUMN_NUMBER, "ram_frames"},
	{"Dirty pages", "dirty_pages", COLUMN_NUMBER, "dirty_frames"},
	{"Frames used", "frames_used", COLUMN_NUMBER, "frames_used"},
	{"Frame budget", "frames_budget", COLUMN_NUMBER, "frames_budget"},
	{"Snapshots", "snapshots", COLUMN_NUMBER, "snapshots"},
	{"Base snapshot", "base", COLUMN_TEXT, "base"},
	{"Generation", "generation", COLUMN_NUMBER, "generation"},
	{"Restarts", "restarts", COLUMN_NUMBER, "restarts"},
	{"Clone of", "source", COLUMN_TEXT, "source"},
	{"  at snapshot", "source_id", COLUMN_NUMBER, "source_id"},
	{"  in slot", "slot", COLUMN_TEXT, "slot"},
	{"Clones", "clones", COLUMN_NUMBER, "clones"},
	{"Uptime", "uptime_ms", COLUMN_NS, "uptime_ns"},
};
static const struct column stats_columns[] = {
	{"CPU time", "cpu_ms", COLUMN_NS, "cpu_ns"},
	{"Exits: hvc", "hvc", COLUMN_NUMBER, "hvc"},
	{"  smc", "smc", COLUMN_NUMBER, "smc"},
	{"  wfi", "wfi", COLUMN_NUMBER, "wfi"},
	{"  sysreg", "sysreg", COLUMN_NUMBER, "sysreg"},
	{"  mmio", "mmio", COLUMN_NUMBER, "mmio"},
	{"  first touch", "touch", COLUMN_NUMBER, "touch"},
	{"  write fault", "write", COLUMN_NUMBER, "write"},
	{"  other fault", "fault", COLUMN_NUMBER, "fault"},
	{"  irq", "irq", COLUMN_NUMBER, "irq"},
	{"  abort injected", "abort", COLUMN_NUMBER, "abort"},
	{"  other", "other", COLUMN_NUMBER, "other"},
	{"TLBI local", "tlbi_local", COLUMN_NUMBER, "tlbi_local"},
	{"TLBI broadcast", "tlbi_broadcast", COLUMN_NUMBER, "tlbi_broadcast"},
	{"Pages copied", "pages_copied", COLUMN_NUMBER, "pages_copied"},
	{"Pages zeroed", "pages_zeroed", COLUMN_NUMBER, "pages_zeroed"},
	{"Pages copied back", "pages_copied_back", COLUMN_NUMBER, "copied_back"},
	{"Pages kept", "pages_kept", COLUMN_NUMBER, "kept"},
	{"Last restore, ns", "restore_ns", COLUMN_NUMBER, "restore_ns"},
	{"Nodes copied", "nodes_copied", COLUMN_NUMBER, "nodes_copied"},
	{"Cache syncs", "cache_syncs", COLUMN_NUMBER, "cache_syncs"},
	{"Evictions", "evictions", COLUMN_NUMBER, "evictions"},
	{"Console bytes", "console_bytes", COLUMN_NUMBER, "console_bytes"},
	{"Console dropped", "console_dropped", COLUMN_NUMBER, "console_dropped"},
	{"Input dropped", "input_dropped", COLUMN_NUMBER, "input_dropped"},
	{"Unknown hvc", "unknown_hvc", COLUMN_NUMBER, "unknown_hvc"},
};
#define COUNT(columns) (sizeof(columns) / sizeof((columns)[0]))

static int status_vm(struct ctx *ctx, const char *name)
{
	struct table *vm = table_new(status_columns, COUNT(status_columns));
	struct table *stats = table_new(stats_columns, COUNT(stats_columns));
	const struct set_vm *config;
	json_t *document;
	int result = RC_OK;

	if (strcmp(name, "control") != 0)
		result = ctx_need_vm(ctx, name, &config);
	if (result == RC_OK)
		result = rows_ask(ctx, "vm", name, vm, status_columns, COUNT(status_columns));
	if (result == RC_OK)
		result = rows_ask(ctx, "stats", name, stats, stats_columns, COUNT(stats_columns));
	if (result == RC_OK && (table_row_count(vm) != 1 || table_row_count(stats) != 1))
		result = out_error(RC_FAILED, "avctl version", "the agent's answer is incomplete");
	if (result == RC_OK) {
		document = set_document(ctx);
		if (out_style.format == OUT_TABLE || out_style.format == OUT_NAME) {
			table_print_record(vm, 0, document);
			if (out_style.format == OUT_TABLE)
				table_print_record(stats, 0, NULL);
		} else {
			json_object_set_new(document, "stats", table_row_json(stats, 0));
			table_print_record(vm, 0, document);
		}
	}
	table_free(vm);
	table_free(stats);
	return result;
}

static int status_machine(struct ctx *ctx)
{
	static const struct column columns[] = {
		{"Set", "set", COLUMN_TEXT, NULL},
		{"File", "file", COLUMN_TEXT, NULL},
		{"QEMU pid", "pid", COLUMN_NUMBER, NULL},
		{"Started", "started", COLUMN_TIME, NULL},
		{"RAM file", "ram_file", COLUMN_TEXT, NULL},
		{"Logs", "log_dir", COLUMN_TEXT, NULL},
		{"Physical CPUs", "cpus", COLUMN_NUMBER, NULL},
		{"Memory", "memory", COLUMN_SIZE, NULL},
		{"Free", "frames_free", COLUMN_FRAMES, NULL},
		{"For VMs in all", "frames_total", COLUMN_FRAMES, NULL},
		{"VMs, with control", "vms", COLUMN_NUMBER, NULL},
		{"Regions", "regions", COLUMN_NUMBER, NULL},
		{"Up for", "uptime_ms", COLUMN_NS, NULL},
		{"Agent restarts", "control_restarts", COLUMN_NUMBER, NULL},
		{"Debug build", "debug", COLUMN_BOOL, NULL},
	};
	struct table *table = table_new(columns, COUNT(columns));
	const struct record *record = ctx->record;
	struct rows_machine machine;
	int result = rows_machine(ctx, &machine);

	if (result == RC_OK) {
		const uint64_t numbers[] = {machine.cpus,        record->set->memory,
					    machine.frames_free, machine.frames_total,
					    machine.vms,         machine.regions,
					    machine.uptime_ns,   machine.control_restarts,
					    machine.debug};

		table_row(table);
		table_set(table, 0, record->set->name);
		table_set(table, 1, record->set->path);
		table_set_number(table, 2, (uint64_t)record->pid);
		table_set_number(table, 3, record->started * 1000000000u);
		table_set(table, 4, record->ram_file);
		table_set(table, 5, record->log_dir);
		for (size_t i = 0; i < COUNT(numbers); i++)
			table_set_number(table, 6 + i, numbers[i]);
		table_print_record(table, 0, NULL);
	}
	table_free(table);
	return result;
}

int cmd_status(struct ctx *ctx)
{
	int result = ctx_need_agent(ctx);

	if (result != RC_OK)
		return result;
	return ctx->arg_count ? status_vm(ctx, ctx->args[0]) : status_machine(ctx);
}
