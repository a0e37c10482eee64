/* SPDX-License-Identifier: MIT */
/*
 * top.c - `avctl top`: what the VMs do, on a screen, as a table, as JSON.
 * Only asks; holds the set's lock no longer than one round of questions takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "cmd/rows.h"
#include "cmd/top_until.h"
#include "tui/screen.h"
#include "tui/top_panel.h"

#define NS_PER_S 1000000000ull
#define DEFAULT_INTERVAL_NS NS_PER_S
#define SHORTEST_INTERVAL_NS 10000000ull
#define FRAME 4096u
#define BUSY_TIMEOUT "500ms" /* on a screen: longer and it would seem to hang */

struct options {
	uint64_t interval_ns, count, timeout_ns;
	enum top_sort sort;
	bool control;
	const char *condition; /* of until, or NULL */
	struct top_until until;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static void take_vm(void *to, const struct line *row)
{
	struct top_sample *sample = to;
	const char *name = line_text(row, "name"), *state = line_text(row, "state");
	struct top_vm *vm;
	uint64_t flags = 0;

	if (!name || !state || !strcmp(state, "empty") || sample->count == AV_VM_MAX)
		return;
	vm = &sample->vms[sample->count++];
	snprintf(vm->name, sizeof(vm->name), "%s", name);
	snprintf(vm->state, sizeof(vm->state), "%s", state);
	line_number(row, "flags", &flags);
	vm->control = flags & AV_VM_FLAG_CONTROL;
	line_number(row, "vcpus", &vm->vcpus);
	line_number(row, "generation", &vm->generation);
	line_number(row, "snapshots", &vm->snapshots);
	line_number(row, "ram_frames", &vm->ram_frames);
	line_number(row, "dirty_frames", &vm->dirty_frames);
	line_number(row, "frames_used", &vm->frames_used);
	line_number(row, "frames_budget", &vm->frames_budget);
}

static void forget_vms(void *to)
{
	struct top_sample *sample = to;

	memset(sample->vms, 0, sizeof(sample->vms));
	sample->count = 0;
}

static void take_stats(void *to, const struct line *row)
{
	struct top_vm *vm = to;

	line_number(row, "cpu_ns", &vm->cpu_ns);
	for (size_t i = 0; i < TOP_REASON_COUNT; i++)
		line_number(row, top_reasons[i], &vm->exits[i]);
}

static int ask(struct ctx *ctx, const char *verb, const char *vm, const struct agent_sink *sink)
{
	struct agent_request request;
	struct agent_reply reply;

	agent_begin(&request, verb);
	if (vm)
		line_add_text(&request.line, "vm", vm);
	if (agent_call(ctx->agent, &request, sink, false, &reply) != AGENT_OK)
		return ctx_agent_error(ctx, &reply, vm, NULL);
	return RC_OK;
}

static int fetch(struct ctx *ctx, struct top_sample *sample)
{
	struct agent_sink vms = {.row = take_vm, .restart = forget_vms, .to = sample};
	struct rows_machine machine;
	int code = ctx_need_agent(ctx);

	memset(sample, 0, sizeof(*sample));
	if (code == RC_OK)
		code = rows_machine(ctx, &machine);
	if (code == RC_OK)
		code = ask(ctx, "vms", NULL, &vms);
	for (size_t i = 0; code == RC_OK && i < sample->count; i++) {
		struct agent_sink stats = {.row = take_stats, .to = &sample->vms[i]};

		code = ask(ctx, "stats", sample->vms[i].name, &stats);
	}
	if (code != RC_OK) {
		ctx_release(ctx);
		return code;
	}
	sample->uptime_ns = machine.uptime_ns;
	sample->cpus = machine.cpus;
	sample->frames_total = machine.frames_total;
	sample->frames_free = machine.frames_free;
	ctx_release(ctx);
	return RC_OK;
}

/* ---- not on a screen ------------------------------------------------------------------------ */

static json_t *vm_json(const struct top_row *row)
{
	const struct top_vm *vm = row->vm;
	uint64_t shared = vm->ram_frames > vm->dirty_frames ? vm->ram_frames - vm->dirty_frames : 0;
	json_t *reasons = json_object();

	for (size_t i = 0; i < TOP_REASON_COUNT; i++)
		json_object_set_new(reasons, top_reasons[i],
				    json_integer((json_int_t)row->reason[i]));
	return json_pack("{s:s, s:s, s:I, s:f, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "name",
			 vm->name, "state", vm->state, "vcpus", (json_int_t)vm->vcpus,
			 "cpu_percent", row->cpu * 100, "exits_per_s", (json_int_t)row->exits,
			 "exits_by_reason", reasons, "unique_bytes",
			 (json_int_t)(vm->dirty_frames * FRAME), "shared_bytes",
			 (json_int_t)(shared * FRAME), "charged_bytes",
			 (json_int_t)(vm->frames_used * FRAME), "budget_bytes",
			 (json_int_t)(vm->frames_budget * FRAME), "snapshots",
			 (json_int_t)vm->snapshots, "generation", (json_int_t)vm->generation);
}

static json_t *sample_json(const struct ctx *ctx, const struct top_sample *before,
			   const struct top_sample *now, const struct top_row *rows, size_t count)
{
	json_t *vms = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(vms, vm_json(&rows[i]));
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "set", ctx->record->set->name,
			 "uptime_ms", (json_int_t)(now->uptime_ns / 1000000), "interval_ms",
			 (json_int_t)((now->uptime_ns - before->uptime_ns) / 1000000), "cpus",
			 (json_int_t)now->cpus, "memory_bytes",
			 (json_int_t)(now->frames_total * FRAME), "free_bytes",
			 (json_int_t)(now->frames_free * FRAME), "vms", vms);
}

static void print_table(const struct top_row *rows, size_t count)
{
	static const struct column columns[] = {
		{.title = "NAME"},
		{.title = "STATE"},
		{.title = "CPU%"},
		{.title = "EXITS/S", .kind = COLUMN_NUMBER},
		{.title = "UNIQUE", .kind = COLUMN_FRAMES},
		{.title = "SHARED", .kind = COLUMN_FRAMES},
		{.title = "SNAPSHOTS", .kind = COLUMN_NUMBER},
		{.title = "GENERATION", .kind = COLUMN_NUMBER},
		{.title = "MOSTLY"},
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	char text[64];

	for (size_t i = 0; table && i < count; i++) {
		const struct top_vm *vm = rows[i].vm;
		size_t most = 0;

		table_row(table);
		table_set(table, 0, vm->name);
		table_set(table, 1, vm->state);
		table_set(table, 2, out_text(text, sizeof(text), "%.1f", rows[i].cpu * 100));
		table_set_number(table, 3, rows[i].exits);
		table_set_number(table, 4, vm->dirty_frames);
		table_set_number(
			table, 5,
			vm->ram_frames > vm->dirty_frames ? vm->ram_frames - vm->dirty_frames : 0);
		table_set_number(table, 6, vm->snapshots);
		table_set_number(table, 7, vm->generation);
		for (size_t k = 1; k < TOP_REASON_COUNT; k++)
			most = rows[i].reason[k] > rows[i].reason[most] ? k : most;
		if (rows[i].reason[most])
			table_set(table, 8,
				  out_text(text, sizeof(text), "%s %" PRIu64 "/s",
					   top_reasons[most], rows[i].reason[most]));
	}
	if (table)
		table_print(table, NULL, "vms");
	table_free(table);
}

static void print_sample(const struct ctx *ctx, const struct top_sample *before,
			 const struct top_sample *now, const struct options *options)
{
	struct top_row rows[AV_VM_MAX];
	size_t count = top_rows(before, now, options->sort, false, options->control, rows);

	if (out_style.format == OUT_JSON || out_style.format == OUT_JSONL) {
		out_json(sample_json(ctx, before, now, rows, count));
	} else if (out_style.format == OUT_NAME) {
		for (size_t i = 0; i < count; i++)
			printf("%s\n", rows[i].vm->name);
	} else {
		print_table(rows, count);
	}
}

static bool holds(const struct ctx *ctx, const struct top_sample *before,
		  const struct top_sample *now, struct options *options)
{
	struct top_row rows[AV_VM_MAX];
	size_t count = top_rows(before, now, TOP_SORT_NAME, false, true, rows);

	return top_until_holds(&options->until, ctx->record->set, rows, count);
}

static int time_is_over(const struct options *options)
{
	return out_error(RC_TIMEOUT, NULL, "top: the time is over%s",
			 options->condition ? " and the condition never held" : "");
}

/* Once, --count times, or with -o jsonl a line for each interval; with --until only the last one, but as jsonl. */
static int stream(struct ctx *ctx, struct options *options)
{
	struct sigaction action = {.sa_handler = on_interrupt}, before_int, before_term;
	struct top_sample before, now;
	bool over;
	uint64_t start = agent_now(), printed = 0, next = start;
	bool each = out_style.format == OUT_JSONL || !options->condition || options->count;
	uint64_t count = options->count;
	int code;

	if (ctx_flag(ctx, "once") ||
	    (!count && out_style.format != OUT_JSONL && !options->condition))
		count = 1;
	sigaction(SIGINT, &action, &before_int);
	sigaction(SIGTERM, &action, &before_term);
	code = fetch(ctx, &before);
	while (code == RC_OK && !interrupted) {
		struct timespec until;

		next += options->interval_ns;
		until.tv_sec = (time_t)(next / NS_PER_S);
		until.tv_nsec = (long)(next % NS_PER_S);
		if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
			continue;
		code = fetch(ctx, &now);
		if (code != RC_OK)
			break;
		over = holds(ctx, &before, &now, options);
		if (each || over)
			print_sample(ctx, &before, &now, options);
		before = now;
		if (fflush(stdout) != 0 || over || (count && ++printed >= count))
			break;
		if (options->timeout_ns && agent_now() - start >= options->timeout_ns) {
			code = time_is_over(options);
			break;
		}
	}
	sigaction(SIGINT, &before_int, NULL);
	sigaction(SIGTERM, &before_term, NULL);
	return interrupted ? RC_INTERRUPTED : code;
}

/* ---- on a screen ---------------------------------------------------------------------------- */

/* Errors must not be written over the screen. Returns what stderr was. */
static int mute(void)
{
	int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, STDERR_FILENO);
		close(null);
	}
	return kept;
}

static void unmute(int kept)
{
	if (kept < 0)
		return;
	dup2(kept, STDERR_FILENO);
	close(kept);
}

static void look(struct ctx *ctx, struct top_panel *panel)
{
	struct top_sample sample;
	int kept = mute();
	int code = fetch(ctx, &sample);

	unmute(kept);
	panel->gone = code != RC_OK && !record_alive(ctx->record);
	if (code == RC_OK)
		top_panel_sample(panel, &sample);
	else
		snprintf(panel->message, sizeof(panel->message),
			 "no answer: the machine or its lock is busy");
}

static void show(const struct top_panel *panel, struct grid *base, struct grid *overlay)
{
	int width, height;
	bool help;

	screen_size(&width, &height);
	if (grid_resize(base, width, height) != 0)
		return;
	top_panel_draw(panel, base);
	help = panel->help && top_panel_help(overlay, width, height) == 0;
	screen_show(base, help ? overlay : NULL);
}

/* All keys that wait. True: end. */
static bool keys(struct ctx *ctx, struct top_panel *panel)
{
	int key;

	while ((key = screen_key()) != SCREEN_NO_KEY) {
		switch (top_panel_key(panel, key)) {
		case TOP_QUIT:
			return true;
		case TOP_LOOK:
			look(ctx, panel);
			break;
		case TOP_STAY:
			break;
		}
	}
	return false;
}

static int interactive(struct ctx *ctx, struct options *options)
{
	struct grid base = {0}, overlay = {0};
	struct top_panel panel;
	uint64_t next = 0, start = agent_now();
	bool over = false;
	int code = RC_OK;

	top_panel_init(&panel, ctx->record->set->name, options->interval_ns);
	panel.sort = options->sort;
	panel.control = options->control;
	ctx->globals.timeout = BUSY_TIMEOUT;
	while (!over) {
		uint64_t now = agent_now();

		if (now >= next && !panel.paused && !panel.gone)
			look(ctx, &panel);
		if (now >= next)
			next = now + top_panel_interval(&panel);
		show(&panel, &base, &overlay);
		if (holds(ctx, &panel.before, &panel.now, options))
			break;
		if (options->timeout_ns && now - start >= options->timeout_ns) {
			code = RC_TIMEOUT;
			break;
		}
		now = agent_now();
		switch (terminal_wait(next > now ? (int64_t)(next - now) : 0)) {
		case TERMINAL_END:
			code = RC_INTERRUPTED;
			over = true;
			break;
		case TERMINAL_GONE:
			code = RC_FAILED;
			over = true;
			break;
		case TERMINAL_STOP:
			screen_suspend();
			break;
		case TERMINAL_INPUT:
			over = keys(ctx, &panel);
			break;
		case TERMINAL_TIME:
			break;
		}
	}
	screen_close();
	grid_free(&base);
	grid_free(&overlay);
	if (code == RC_TIMEOUT)
		time_is_over(options);
	return code;
}

static int read_options(const struct ctx *ctx, struct options *options)
{
	const char *interval = ctx_option(ctx, "interval"), *sort = ctx_option(ctx, "sort");
	int code;

	memset(options, 0, sizeof(*options));
	options->interval_ns = DEFAULT_INTERVAL_NS;
	options->control = ctx_flag(ctx, "all");
	if (interval && (!ctx_duration(interval, &options->interval_ns) ||
			 options->interval_ns < SHORTEST_INTERVAL_NS))
		return out_error(RC_USAGE, "--interval 500ms, 2s; at least 10ms",
				 "\"%s\" is not an interval", interval);
	while (sort && options->sort < TOP_SORT_COUNT && strcmp(top_sorts[options->sort], sort))
		options->sort = (enum top_sort)(options->sort + 1);
	if (options->sort == TOP_SORT_COUNT)
		return out_error(RC_USAGE, "--sort cpu, exits, memory, snapshots, name or state",
				 "\"%s\" is nothing to sort by", sort);
	options->condition = ctx_option(ctx, "until");
	code = ctx_number_option(ctx, "count", &options->count);
	if (code == RC_OK && ctx->globals.timeout)
		code = ctx_timeout(ctx, 0, &options->timeout_ns);
	return code;
}

int cmd_top(struct ctx *ctx)
{
	bool plain = ctx_flag(ctx, "once") || ctx->globals.output || !isatty(STDIN_FILENO) ||
		     !isatty(STDOUT_FILENO);
	struct screen_options screen = {.color = out_colored(STDOUT_FILENO)};
	struct options options;
	int code = read_options(ctx, &options);

	if (code == RC_OK)
		code = ctx_need_record(ctx);
	if (code != RC_OK)
		return code;
	code = top_until_parse(&options.until, ctx->record->set, options.condition);
	setlocale(LC_CTYPE, "");
	screen.ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	if (code == RC_OK && !plain && screen_open(&screen) == 0)
		code = interactive(ctx, &options);
	else if (code == RC_OK)
		code = stream(ctx, &options);
	top_until_free(&options.until);
	return code;
}
