/* SPDX-License-Identifier: MIT */
/*
 * events.c - `avctl events`: the hypervisor's ring of events, once or followed.
 * Follows with short connections: nobody else is kept from the agent. Says when the ring was too
 * short.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <avisor/hypercall.h>
#include "cmd/rows.h"

#define FOLLOW_NS 100000000
#define EVENT_TEXT_MAX (sizeof(((struct av_event *)0)->text) - 1)

/* What a VM that is crashed now says of it in full: an event holds only the first words. */
struct crash {
	char vm[AV_NAME_SIZE + 1];
	char reason[128];
	uint64_t pc;
};

struct events {
	struct ctx *ctx;
	const char *vm;    /* only of that one, or NULL */
	const char *until; /* kind, or NULL */
	uint64_t boot_time_ns;
	struct crash crashes[AV_VM_MAX];
	size_t crash_count;
	json_t *list; /* -o json: all of them; else printed at once */
	size_t rows;
	bool until_seen;
};

static const char *state_name(const char *text)
{
	static const char *const names[] = {"running", "paused",  "starved",
					    "crashed", "stopped", "empty"};
	uint64_t state;

	return text && line_to_number(text, &state) && state < 5 ? names[state] : "?";
}

static void take_crash(void *to, const struct line *row)
{
	struct events *events = to;
	const char *vm = line_text(row, "name"), *reason = line_text(row, "reason");
	struct crash *crash = &events->crashes[events->crash_count];

	if (!vm || !reason || events->crash_count == AV_VM_MAX)
		return;
	snprintf(crash->vm, sizeof(crash->vm), "%s", vm);
	snprintf(crash->reason, sizeof(crash->reason), "%s", reason);
	if (line_number(row, "pc", &crash->pc))
		events->crash_count++;
}

static void forget_crashes(void *to)
{
	((struct events *)to)->crash_count = 0;
}

static int ask_crashes(struct events *events)
{
	struct agent_sink sink = {.row = take_crash, .restart = forget_crashes, .to = events};
	struct agent_request request;
	struct agent_reply reply;

	events->crash_count = 0;
	agent_begin(&request, "vms");
	if (agent_call(events->ctx->agent, &request, &sink, false, &reply) != AGENT_OK)
		return ctx_agent_error(events->ctx, &reply, NULL, NULL);
	return RC_OK;
}

/* The text of an event; that of a crash whole, or with dots where the event's room ended. */
static const char *words_of(const struct events *events, const char *kind, const struct line *row,
			    char *text, size_t size)
{
	const char *words = line_text(row, "text"), *vm = line_text(row, "vm");
	uint64_t pc = 0;

	if (!words || strcmp(kind, "crash") != 0 || strlen(words) < EVENT_TEXT_MAX)
		return words ? words : "";
	line_number(row, "a", &pc);
	for (size_t i = 0; vm && i < events->crash_count; i++) {
		const struct crash *crash = &events->crashes[i];

		if (!strcmp(crash->vm, vm) && crash->pc == pc &&
		    !strncmp(crash->reason, words, strlen(words)))
			return crash->reason;
	}
	return out_text(text, size, "%s...", words);
}

/* What an event says, in words. */
static void details(const char *kind, const struct line *row, const char *words, char *text,
		    size_t size)
{
	const char *a = line_text(row, "a"), *b = line_text(row, "b");
	uint64_t pc = 0, esr = 0;
	size_t length;

	line_number(row, "a", &pc);
	line_number(row, "b", &esr);
	a = a ? a : "?";
	b = b ? b : "?";
	if (!strcmp(kind, "state"))
		snprintf(text, size, "%s -> %s %s", state_name(a), state_name(b), words);
	else if (!strcmp(kind, "restore"))
		snprintf(text, size, "@%s generation %s %s", a, b, words);
	else if (!strcmp(kind, "take") || !strcmp(kind, "delete") || !strcmp(kind, "evict"))
		snprintf(text, size, "@%s %s", a, words);
	else if (!strcmp(kind, "crash"))
		snprintf(text, size, "%s pc=0x%" PRIx64 " esr=0x%" PRIx64, words, pc, esr);
	else if (!strcmp(kind, "restart"))
		snprintf(text, size, "generation %s %s", b, words);
	else if (!strcmp(a, "0") && !strcmp(b, "0"))
		snprintf(text, size, "%s", words);
	else
		snprintf(text, size, "a=%s b=%s %s", a, b, words);
	for (length = strlen(text); length && text[length - 1] == ' '; length--)
		text[length - 1] = '\0';
}

static json_t *event_json(const struct line *row, uint64_t seq, uint64_t ns, const char *kind,
			  const char *vm, const char *words)
{
	static const char *const keys[] = {"a", "b"};
	char time[64];
	struct tm when;
	time_t seconds = (time_t)(ns / 1000000000u);
	json_t *event;

	gmtime_r(&seconds, &when);
	strftime(time, sizeof(time) - 16, "%Y-%m-%dT%H:%M:%S", &when);
	snprintf(time + strlen(time), 16, ".%03uZ", (unsigned)(ns / 1000000 % 1000));
	event = json_pack("{s:I, s:s, s:s, s:s?, s:s?}", "seq", (json_int_t)seq, "time", time,
			  "kind", kind, "vm", vm, "text", *words ? words : NULL);
	for (size_t i = 0; i < 2; i++) {
		const char *text = line_text(row, keys[i]);
		uint64_t number;
		char hex[32];

		if (text && line_to_number(text, &number) && !strcmp(kind, "crash"))
			json_object_set_new(
				event, keys[i],
				json_string(out_text(hex, sizeof(hex), "0x%" PRIx64, number)));
		else if (text && line_to_number(text, &number))
			json_object_set_new(event, keys[i], json_integer((json_int_t)number));
		else if (text)
			json_object_set_new(event, keys[i], json_string(text));
	}
	return event;
}

static void take_event(void *to, const struct line *row)
{
	struct events *events = to;
	const char *kind = line_text(row, "kind"), *vm = line_text(row, "vm");
	uint64_t seq = 0, ns = 0;
	const char *words;
	char clock[32], text[256], dotted[64];
	time_t seconds;
	struct tm when;

	events->rows++;
	if (!kind || (events->vm && (!vm || strcmp(vm, events->vm) != 0)))
		return;
	line_number(row, "seq", &seq);
	line_number(row, "time_ns", &ns);
	ns += events->boot_time_ns;
	if (events->until && !strcmp(kind, events->until))
		events->until_seen = true;
	words = words_of(events, kind, row, dotted, sizeof(dotted));
	if (events->list) {
		json_array_append_new(events->list, event_json(row, seq, ns, kind, vm, words));
	} else if (out_style.format == OUT_NAME) {
		printf("%" PRIu64 "\n", seq);
	} else if (out_style.format != OUT_TABLE) {
		out_json(event_json(row, seq, ns, kind, vm, words));
	} else {
		seconds = (time_t)(ns / 1000000000u);
		localtime_r(&seconds, &when);
		strftime(clock, sizeof(clock), "%H:%M:%S", &when);
		details(kind, row, words, text, sizeof(text));
		printf("%6" PRIu64 "  %s.%03u  %-10s %-*s%s", seq, clock,
		       (unsigned)(ns / 1000000 % 1000), vm ? vm : "-", *text ? 16 : 0, kind,
		       *text ? " " : "");
		out_escaped(stdout, text, strlen(text));
		putchar('\n');
	}
}

/* All events from *since on; *since moves behind the last. */
static int ask(struct events *events, uint64_t *since)
{
	struct ctx *ctx = events->ctx;
	struct agent_sink sink = {.row = take_event, .to = events};
	struct agent_request request;
	struct agent_reply reply;
	uint64_t lost;

	do {
		events->rows = 0;
		lost = 0;
		agent_begin(&request, "events");
		line_add_number(&request.line, "since", *since);
		/* Printed rows cannot be taken back: ask once, the next round asks again. */
		if (agent_call(ctx->agent, &request, &sink, true, &reply) != AGENT_OK)
			return reply.status == AGENT_ERROR
				       ? ctx_agent_error(ctx, &reply, NULL, NULL)
				       : -1;
		line_number(&reply.end, "lost", &lost);
		line_number(&reply.end, "next", since);
		if (lost)
			out_note("%" PRIu64 " older events are gone", lost);
	} while (events->rows >= 64);
	fflush(stdout);
	return RC_OK;
}

static int one_round(struct events *events, uint64_t *since)
{
	struct ctx *ctx = events->ctx;
	struct rows_machine machine;
	int result = ctx_need_agent(ctx);

	if (result == RC_OK && events->boot_time_ns == 0) {
		result = rows_machine(ctx, &machine);
		events->boot_time_ns = machine.boot_time_ns;
	}
	if (result == RC_OK)
		result = ask_crashes(events);
	if (result == RC_OK)
		result = ask(events, since);
	ctx_release(ctx);
	return result;
}

int cmd_events(struct ctx *ctx)
{
	struct events events = {
		.ctx = ctx, .vm = ctx_arg(ctx, 0), .until = ctx_option(ctx, "until")};
	bool follow = ctx_flag(ctx, "follow");
	const struct set_vm *vm;
	uint64_t since = 0, timeout, deadline;
	int result = ctx_need_record(ctx);

	if (result == RC_OK && events.vm && strcmp(events.vm, "control") != 0)
		result = ctx_need_vm(ctx, events.vm, &vm);
	if (result == RC_OK)
		result = ctx_number_option(ctx, "since", &since);
	if (result == RC_OK)
		result = ctx_timeout(ctx, INT64_MAX, &timeout);
	if (result != RC_OK)
		return result;
	deadline = agent_now() + timeout;
	if (out_style.format == OUT_JSON && !follow)
		events.list = json_array();
	if (out_style.format == OUT_JSON && follow)
		out_style.format = OUT_JSONL;
	for (;;) {
		result = one_round(&events, &since);
		if (result ==
		    -1) /* the answer was lost on the way: again, unless it is all there is */
			result = record_alive(ctx->record) ? RC_OK : ctx_need_record(ctx);
		else if (result == RC_OK && !follow)
			break;
		if (result != RC_OK || events.until_seen)
			break;
		if (agent_now() >= deadline) {
			result = events.until || !follow ? out_error(RC_TIMEOUT, "avctl events",
								     "no such event in time")
							 : RC_OK;
			break;
		}
		nanosleep(&(struct timespec){.tv_nsec = FOLLOW_NS}, NULL);
	}
	if (events.list && result == RC_OK)
		out_json(json_pack("{s:s, s:I, s:O}", "set", ctx->record->set->name, "next",
				   (json_int_t)since, "events", events.list));
	json_decref(events.list);
	return result;
}
