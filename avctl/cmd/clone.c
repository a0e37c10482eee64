/* SPDX-License-Identifier: MIT */
/*
 * clone.c - `avctl clone` and `avctl rm`: VMs made from snapshots, in the set's spare slots.
 * A clone is made by one request, so that it is there or it is not, whatever happens to this process.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <avisor/hypercall.h>
#include "cmd/clones.h"
#include "cmd/snapshot_notes.h"
#include "cmd/snapshot_pick.h"
#include "config/value.h"

/* The first empty slot that takes the VM, and what there is if none does. */
struct slots {
	const struct set_vm *vm;
	char name[AV_NAME_SIZE];
	unsigned count, empty;
	uint64_t memory, cpus; /* of the last empty one */
};

static void look_at_slot(void *to, const struct line *row)
{
	struct slots *slots = to;
	const char *slot = line_text(row, "slot"), *state = line_text(row, "state");

	if (!slot || !state)
		return;
	slots->count++;
	if (strcmp(state, "empty") != 0)
		return;
	slots->empty++;
	line_number(row, "ram_size", &slots->memory);
	line_number(row, "vcpus", &slots->cpus);
	if (!slots->name[0] && slots->memory >= slots->vm->ram_size &&
	    slots->cpus >= slots->vm->vcpu_count)
		snprintf(slots->name, sizeof(slots->name), "%s", slot);
}

static int no_slot(const struct ctx *ctx, const struct slots *slots)
{
	const char *path = ctx->record->set->path;
	char hint[512], memory[VALUE_SIZE_TEXT];

	if (!slots->count)
		return out_error(RC_FAILED,
				 out_text(hint, sizeof(hint),
					  "add a line `spare: 4` to %s, then avctl down and up",
					  path),
				 "the set has no spare slot for a clone");
	if (!slots->empty) {
		snprintf(hint, sizeof(hint), "avctl rm NAME, or more `spare:` in %s", path);
		return out_error(RC_FAILED, hint, "all %u spare slots are in use", slots->count);
	}
	snprintf(hint, sizeof(hint), "spare: {count: %u, memory: %s, cpus: %u} in %s", slots->count,
		 value_size_text(slots->vm->ram_size, memory), slots->vm->vcpu_count, path);
	return out_error(RC_FAILED, hint,
			 "%s is larger than a spare slot takes: %s of RAM, %" PRIu64 " vCPUs",
			 slots->vm->name, value_size_text(slots->memory, memory), slots->cpus);
}

static int pick_slot(struct ctx *ctx, struct slots *slots)
{
	struct agent_sink sink = {.row = look_at_slot, .to = slots};
	struct agent_request request;
	struct agent_reply reply;

	agent_begin(&request, "vms");
	if (agent_call(ctx->agent, &request, &sink, false, &reply) != AGENT_OK)
		return ctx_agent_error(ctx, &reply, NULL, NULL);
	return slots->name[0] ? RC_OK : no_slot(ctx, slots);
}

static int check_name(struct ctx *ctx, const char *name)
{
	const struct set *set = ctx->record->set;
	char slot[AV_SLOT_NAME];

	for (size_t i = 0; i < set->vm_count; i++)
		if (!strcmp(set->vms[i].name, name))
			return out_error(RC_WRONG_STATE, "avctl ps lists the VMs",
					 "there is a VM \"%s\" already", name);
	for (unsigned i = 0; i < set->spare.count; i++)
		if (!strcmp(set_slot_name(i, slot), name))
			return out_error(RC_USAGE, "choose another name",
					 "\"%s\" is the name of a spare slot", name);
	if (!strcmp(name, "control"))
		return out_error(RC_USAGE, "choose another name",
				 "\"control\" is the control VM's name");
	return RC_OK;
}

static int choose(const struct ctx *ctx, const char **choice)
{
	static const char *const names[] = {"id", "name", "latest", "boot", NULL};

	return snapshot_choose(ctx, names,
			       "a clone of what? --id N, --name NAME, --latest or --boot", choice);
}

static int build(const struct ctx *ctx, const char *choice, const struct slots *slots,
		 struct agent_request *request, char *what, size_t size)
{
	agent_begin(request, "clone");
	line_add_text(&request->line, "vm", ctx->args[0]);
	line_add_text(&request->line, "as", ctx->args[1]);
	line_add_text(&request->line, "slot", slots->name);
	if (ctx_flag(ctx, "paused"))
		line_add_number(&request->line, "paused", 1);
	return snapshot_add_choice(ctx, choice, request, what, size);
}

/* What the machine says of the VM of that name. */
struct made {
	bool found;
	char slot[AV_NAME_SIZE], id[32];
	uint64_t generation;
};

static void look_at_made(void *to, const struct line *row)
{
	struct made *made = to;
	const char *slot = line_text(row, "slot"), *id = line_text(row, "source_id");

	made->found = slot && id;
	snprintf(made->slot, sizeof(made->slot), "%s", slot ? slot : "");
	snprintf(made->id, sizeof(made->id), "%s", id ? id : "");
	line_number(row, "generation", &made->generation);
}

static void say_made(const struct ctx *ctx, const struct slots *slots, const char *id,
		     uint64_t generation, uint64_t took_ns)
{
	const char *name = ctx->args[1];
	char time[32];

	if (out_style.format == OUT_NAME) {
		puts(name);
	} else if (out_style.format == OUT_TABLE) {
		printf("%s from %s@%s (generation %" PRIu64, name, ctx->args[0], id, generation);
		if (took_ns)
			printf(", took %s", out_duration(time, took_ns));
		puts(")");
	} else {
		out_json(json_pack("{s:s, s:s, s:o, s:s, s:I, s:f}", "vm", name, "source",
				   ctx->args[0], "source_id", snapshot_id_json(id), "slot",
				   slots->name, "generation", (json_int_t)generation, "took_ms",
				   (double)took_ns / 1e6));
	}
}

/* The request may have been carried out although its answer was lost: then there is a VM of that name in that slot. */
static int look_whether_made(struct ctx *ctx, const struct slots *slots,
			     const struct agent_reply *failure, const char *what)
{
	struct made made = {0};
	struct agent_sink sink = {.row = look_at_made, .to = &made};
	struct agent_request request;
	struct agent_reply reply;

	if (failure->status == AGENT_ERROR && !failure->repeated) {
		clones_cancel_log(ctx->record->log_dir);
		return ctx_agent_error(ctx, failure, ctx->args[0], what);
	}
	agent_begin(&request, "vm");
	line_add_text(&request.line, "vm", ctx->args[1]);
	if (agent_call(ctx->agent, &request, &sink, false, &reply) != AGENT_OK || !made.found ||
	    strcmp(made.slot, slots->name))
		return ctx_agent_error(ctx, failure, ctx->args[0], what);
	say_made(ctx, slots, made.id, made.generation, 0);
	return RC_OK;
}

static int prepare(struct ctx *ctx, const char **choice, struct slots *slots)
{
	const char *name = ctx->args[1];
	int result = choose(ctx, choice);

	if (result == RC_OK && !value_is_name(name))
		result = out_error(RC_USAGE,
				   "names are 1 to 31 of a-z 0-9 . _ - and start with a letter",
				   "\"%s\" cannot name a VM", name);
	if (result == RC_OK)
		result = ctx_need_record(ctx);
	if (result == RC_OK)
		result = ctx_need_agent(ctx);
	if (result == RC_OK)
		result = clones_learn(ctx);
	if (result == RC_OK)
		result = ctx_need_vm(ctx, ctx->args[0], &slots->vm);
	if (result == RC_OK)
		result = check_name(ctx, name);
	return result == RC_OK ? pick_slot(ctx, slots) : result;
}

int cmd_clone(struct ctx *ctx)
{
	struct slots slots = {0};
	struct agent_request request;
	struct agent_reply reply;
	const char *choice = NULL, *id;
	uint64_t generation = 0, took_ns = 0;
	char what[64];
	int result = prepare(ctx, &choice, &slots);

	if (result == RC_OK)
		result = build(ctx, choice, &slots, &request, what, sizeof(what));
	if (result == RC_OK && !clones_begin_log(ctx->record->log_dir, ctx->args[1], slots.name))
		result =
			out_error(RC_FAILED, NULL, "%s: %s", ctx->record->log_dir, strerror(errno));
	if (result != RC_OK)
		return result;
	/* Its snapshots get numbers from 0: nothing is known of them. */
	result = notes_forget(ctx->record, ctx->args[1]);
	if (result != RC_OK)
		return result;
	if (agent_call(ctx->agent, &request, NULL, false, &reply) != AGENT_OK)
		return look_whether_made(ctx, &slots, &reply, what);
	id = line_text(&reply.end, "id");
	line_number(&reply.end, "generation", &generation);
	line_number(&reply.end, "took_ns", &took_ns);
	say_made(ctx, &slots, id ? id : "?", generation, took_ns);
	return RC_OK;
}

static int remove_one(struct ctx *ctx, const char *name)
{
	struct agent_request request;
	struct agent_reply reply;

	agent_begin(&request, "remove");
	line_add_text(&request.line, "vm", name);
	if (agent_call(ctx->agent, &request, NULL, false, &reply) != AGENT_OK &&
	    !(reply.status == AGENT_ERROR && reply.repeated && !strcmp(reply.code, "NOT_FOUND")))
		return ctx_agent_error(ctx, &reply, name, NULL);
	if (out_style.format == OUT_NAME)
		puts(name);
	else if (out_style.format == OUT_TABLE)
		printf("%s removed\n", name);
	else
		out_json(json_pack("{s:s, s:s}", "vm", name, "result", "removed"));
	return RC_OK;
}

int cmd_rm(struct ctx *ctx)
{
	const struct set_vm *vm;
	int failed = 0, last = RC_OK, result = ctx_need_agent(ctx);

	for (int i = 0; i < ctx->arg_count && result == RC_OK; i++) {
		result = ctx_need_vm(ctx, ctx->args[i], &vm);
		if (result == RC_OK && !vm->slot)
			result =
				out_error(RC_WRONG_STATE, "avctl stop ends it; avctl down ends all",
					  "%s is a VM of the YAML file: only clones can be removed",
					  vm->name);
	}
	if (result != RC_OK)
		return result;
	for (int i = 0; i < ctx->arg_count; i++) {
		result = remove_one(ctx, ctx->args[i]);
		if (result != RC_OK) {
			last = result;
			failed++;
		}
	}
	if (failed && failed < ctx->arg_count)
		return out_error(RC_PARTLY, NULL, "%d of %d failed", failed, ctx->arg_count);
	return last;
}
