/* SPDX-License-Identifier: MIT */
/*
 * serve_log.c - lines, or JSON lines, about a server and its clients.
 * Must never let a guest write to a terminal what is not text, nor more lines than a reader can take.
 */
#include "serve/serve_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "out/out.h"
#include "serve/confine.h"

/* In a tenth of a second. */
#define LINES_MAX 500

static const char *error_name(int64_t result)
{
	switch (result) {
#define SERVE_ERROR_NAME(name, number, text) \
	case -(number):                      \
		return #name;
		AV_FORWARD_ERRORS(SERVE_ERROR_NAME)
#undef SERVE_ERROR_NAME
	default:
		return NULL;
	}
}

static bool is_json(void)
{
	return out_style.format == OUT_JSON || out_style.format == OUT_JSONL;
}

static void say_json(json_t *document)
{
	json_dumpf(document, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(document);
}

static const char *vm_name(const struct serve_log *log, unsigned int vm)
{
	return vm >= 1 && vm <= log->set->vm_count ? log->set->vms[vm - 1].name : "?";
}

void serve_log_begin(struct serve_log *log, const struct set *set, const char *region,
		     uint64_t served, const struct server *server, const char *root, bool verbose)
{
	json_t *vms = json_array();

	*log = (struct serve_log){
		.set = set, .region = region, .server = server, .verbose = verbose};
	for (unsigned int i = 1; i <= set->vm_count; i++)
		if (served >> i & 1)
			json_array_append_new(vms, json_string(vm_name(log, i)));
	if (is_json()) {
		say_json(json_pack("{s:s, s:s, s:s, s:s, s:s, s:O, s:b, s:i, s:i}", "schema",
				   "avctl/1", "event", "serving", "set", set->name, "region",
				   region, "root", root, "vms", vms, "read_only", server->read_only,
				   "slots", AV_FORWARD_SLOTS, "buffer", (int)server->buffer_size));
	} else {
		printf("serving %s%s through region %s to", root,
		       server->read_only ? " (read-only)" : "", region);
		for (size_t i = 0; i < json_array_size(vms); i++)
			printf("%s %s", i ? "," : "", json_string_value(json_array_get(vms, i)));
		putchar('\n');
	}
	json_decref(vms);
	fflush(stdout);
}

static json_t *call_json(const struct serve_log *log, const struct server_note *note)
{
	const struct request *request = note->request;
	json_t *json =
		json_pack("{s:s, s:s, s:i, s:s}", "event", "call", "vm", vm_name(log, note->vm),
			  "slot", (int)note->slot, "call", files_call_name(request->call));

	if (*note->text) {
		/* A name on the host may be any bytes. */
		json_t *path = json_string(note->text);

		json_object_set_new(json, "path", path ? path : json_string("?"));
	} else if (request->handle) {
		json_object_set_new(json, "handle", json_integer(request->handle));
	}
	if (request->call == AV_FORWARD_READ || request->call == AV_FORWARD_WRITE)
		json_object_set_new(json, "length", json_integer((json_int_t)request->length));
	json_object_set_new(json, "result", json_integer((json_int_t)note->result));
	if (note->result < 0 && error_name(note->result))
		json_object_set_new(json, "error", json_string(error_name(note->result)));
	return json;
}

static void say_call(const struct serve_log *log, const struct server_note *note)
{
	const struct request *request = note->request;

	printf("%s[%u] %s", vm_name(log, note->vm), note->slot, files_call_name(request->call));
	if (*note->text) {
		printf(" \"");
		out_escaped(stdout, note->text, strlen(note->text));
		putchar('"');
	} else if (request->handle) {
		printf(" #%" PRIu32, request->handle);
	}
	if (request->call == AV_FORWARD_READ || request->call == AV_FORWARD_WRITE)
		printf(" %" PRIu64, request->length);
	if (request->call == AV_FORWARD_OPEN && note->result > 0)
		printf(" -> #%" PRId64 "\n", note->result);
	else if (note->result < 0 && error_name(note->result))
		printf(" -> %s\n", error_name(note->result));
	else
		printf(" -> %" PRId64 "\n", note->result);
}

void serve_log_note(struct serve_log *log, const struct server_note *note)
{
	if (note->event == SERVER_CALLED && !log->verbose)
		return;
	if (log->lines >= LINES_MAX) {
		log->left_out++;
		return;
	}
	log->lines++;
	if (note->event == SERVER_CALLED) {
		if (is_json())
			say_json(call_json(log, note));
		else
			say_call(log, note);
	} else if (is_json()) {
		say_json(json_pack("{s:s, s:s, s:i, s:s}", "event",
				   note->event == SERVER_CAME ? "client" : "client-gone", "vm",
				   vm_name(log, note->vm), "slot", (int)note->slot, "why",
				   note->text));
	} else if (note->event == SERVER_CAME) {
		printf("%s is client %u\n", vm_name(log, note->vm), note->slot);
	} else {
		printf("%s is client %u no more: %s\n", vm_name(log, note->vm), note->slot,
		       note->text);
	}
}

void serve_log_flush(struct serve_log *log)
{
	if (log->left_out != log->left_out_at) {
		out_note("%" PRIu64 " lines were too many, and left out",
			 log->left_out - log->left_out_at);
		log->left_out_at = log->left_out;
	}
	if (log->lines)
		fflush(stdout);
	log->lines = 0;
}

void serve_log_end(struct serve_log *log)
{
	if (is_json())
		say_json(json_pack("{s:s, s:I, s:I}", "event", "ended", "calls",
				   (json_int_t)log->server->calls, "refused",
				   (json_int_t)log->server->refused));
	else
		printf("served %" PRIu64 " calls\n", log->server->calls);
	fflush(stdout);
}
