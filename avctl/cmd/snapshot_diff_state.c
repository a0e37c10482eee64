/* SPDX-License-Identifier: MIT */
/*
 * snapshot_diff_state.c - the registers and devices of `snapshot diff`.
 * A device's state is compared by its checksum alone: what is in it is the hypervisor's own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/snapshot_diff.h"

/* What a part's row has besides the registers. */
static bool is_register(const char *key)
{
	static const char *const others[] = {"part", "vcpu", "size", "sum", "value"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (!strcmp(key, others[i]))
			return false;
	}
	return true;
}

static void take_part(void *to, const struct line *row)
{
	json_t *part = json_object();

	for (size_t i = 0; i < row->field_count; i++)
		json_object_set_new(part, row->fields[i].key, json_string(row->fields[i].value));
	json_array_append_new(to, part);
}

static void drop_parts(void *to)
{
	json_array_clear(to);
}

static int ask(struct diff *diff, const char *id, json_t *parts)
{
	struct agent_sink sink = {.row = take_part, .restart = drop_parts, .to = parts};
	struct agent_request request;
	struct agent_reply reply;

	agent_begin(&request, "state");
	line_add_text(&request.line, "vm", diff->vm);
	line_add_text(&request.line, "id", id);
	if (agent_call(diff->ctx->agent, &request, &sink, false, &reply) != AGENT_OK)
		return ctx_agent_error(diff->ctx, &reply, diff->vm, "one of the snapshots");
	return RC_OK;
}

static const char *text_of(const json_t *part, const char *key)
{
	const char *text = json_string_value(json_object_get(part, key));

	return text ? text : "";
}

/* FP registers are one line: their checksums say only that they differ. */
static void compare_registers(struct diff *diff, json_t *a, const json_t *b)
{
	const char *key;
	json_t *value;

	json_object_foreach(a, key, value)
	{
		bool fp = !strcmp(key, "fp_checksum");

		if (!is_register(key) || !strcmp(json_string_value(value), text_of(b, key)))
			continue;
		json_array_append_new(diff->registers,
				      json_pack("{s:i, s:s, s:s?, s:s?}", "vcpu",
						atoi(text_of(a, "vcpu")), "name",
						fp ? "q0-q31" : key, "a",
						fp ? NULL : json_string_value(value), "b",
						fp ? NULL : text_of(b, key)));
	}
}

static void compare_parts(struct diff *diff, json_t *a, json_t *b)
{
	for (size_t i = 0; i < json_array_size(a); i++) {
		json_t *part = json_array_get(a, i), *other = json_array_get(b, i);
		const char *name = text_of(part, "part");
		size_t before = json_array_size(diff->registers);
		json_t *device;

		if (!strcmp(text_of(part, "sum"), text_of(other, "sum")))
			continue;
		compare_registers(diff, part, other);
		/* A vCPU has more than the registers that are told. */
		if (!strcmp(name, "vcpu") && json_array_size(diff->registers) > before)
			continue;
		device = json_pack("{s:s}", "name", name);
		if (json_object_get(part, "vcpu"))
			json_object_set_new(device, "vcpu",
					    json_integer(atoi(text_of(part, "vcpu"))));
		json_array_append_new(diff->devices, device);
	}
}

int diff_state(struct diff *diff)
{
	json_t *a = json_array(), *b = json_array();
	int result = ask(diff, diff->ids[0], a);

	if (result == RC_OK)
		result = ask(diff, diff->ids[1], b);
	if (result == RC_OK && json_array_size(a) != json_array_size(b))
		result = out_error(RC_FAILED, "avctl version", "the agent's answer is incomplete");
	if (result == RC_OK)
		compare_parts(diff, a, b);
	json_decref(a);
	json_decref(b);
	return result;
}
