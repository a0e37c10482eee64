/* SPDX-License-Identifier: MIT */
/*
 * version.c - `avctl version`, and the hidden `avctl agent`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <avisor/hypercall.h>
#include "cmd/ctx.h"

int cmd_version(struct ctx *ctx)
{
	struct agent_request request;
	struct agent_reply reply;
	const char *hypervisor = NULL, *abi = NULL;
	char own_abi[16];

	snprintf(own_abi, sizeof(own_abi), "%d.%d", AV_ABI_MAJOR, AV_ABI_MINOR);
	/* A machine is not needed; one that runs is asked. */
	ctx->missing_is_fine = true;
	if ((ctx->globals.file || ctx->globals.set || getenv("AVCTL_SET")) &&
	    ctx_find_set(ctx) == RC_OK && record_alive(ctx->record) &&
	    ctx_need_agent(ctx) == RC_OK) {
		agent_begin(&request, "hello");
		if (agent_call(ctx->agent, &request, NULL, false, &reply) == AGENT_OK) {
			hypervisor = line_text(&reply.end, "version");
			abi = line_text(&reply.end, "abi");
		}
	}
	if (out_style.format == OUT_TABLE || out_style.format == OUT_NAME) {
		printf("avctl %s (ABI %s)\n", AV_VERSION, own_abi);
		if (hypervisor)
			printf("hypervisor %s (ABI %s)\n", hypervisor, abi ? abi : "?");
	} else {
		out_json(json_pack("{s:s, s:s, s:s?, s:s?}", "avctl", AV_VERSION, "abi", own_abi,
				   "hypervisor", hypervisor, "hypervisor_abi", abi));
	}
	return RC_OK;
}

static void print_line(const struct line *line)
{
	char text[AV_LINE_MAX];
	struct line_out out;
	char *start;
	size_t size;

	line_begin(&out, text, sizeof(text), line->id, line->verb);
	for (size_t i = 0; i < line->field_count; i++)
		line_add_bytes(&out, line->fields[i].key, line->fields[i].value,
			       line->fields[i].length);
	size = line_end(&out);
	start = size ? memchr(text, ' ', size) : NULL;
	if (start)
		fwrite(start + 1, 1, size - (size_t)(start + 1 - text), stdout);
}

static void print_row(void *to, const struct line *row)
{
	(void)to;
	print_line(row);
}

int cmd_agent(struct ctx *ctx)
{
	struct agent_sink sink = {.row = print_row};
	struct agent_request request;
	struct agent_reply reply;
	int result = ctx_need_agent(ctx);

	if (result != RC_OK)
		return result;
	agent_begin(&request, ctx->args[0]);
	for (int i = 1; i < ctx->arg_count; i++) {
		char *value = strchr(ctx->args[i], '=');

		if (!value)
			return out_error(RC_USAGE, "key=value", "\"%s\" has no value",
					 ctx->args[i]);
		*value++ = '\0';
		line_add_text(&request.line, ctx->args[i], value);
	}
	if (agent_call(ctx->agent, &request, &sink, false, &reply) == AGENT_OK) {
		print_line(&reply.end);
		return RC_OK;
	}
	if (reply.status != AGENT_ERROR)
		return ctx_agent_error(ctx, &reply, NULL, NULL);
	printf("err code=%s msg=\"%s\"\n", reply.code, reply.message);
	return RC_FAILED;
}
