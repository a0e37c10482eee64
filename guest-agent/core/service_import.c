/* SPDX-License-Identifier: MIT */
/*
 * service_import.c - the agent's verbs for snapshots in files: what shape a VM has, where state lies, and an import.
 * Carries no contents: those go through the RAM file. An import ends with the connection that began it.
 */
#include "core/service_verbs.h"

/* Calls of IMPORT_PAGES for one line: at most so many times AV_PAGE_RUNS rows. */
#define PAGES_CALLS 32

int64_t service_shape(struct service *service)
{
	const struct av_snapshot_shape *shape = service->buffer;
	char key[4] = "id";
	struct line_out *out;
	uint64_t vm;
	int64_t status = service_target(service, &vm);

	if (status == 0)
		status = service_call(service, AV_HVC_SNAPSHOT_SHAPE, vm, service->buffer_ipa,
				      sizeof(*shape), 0, 0)
				 .status;
	if (status != 0)
		return status;
	for (unsigned int crm = 0; crm < 8; crm++) {
		out = service_begin(service, "row");
		line_add_number(out, "crm", crm);
		for (unsigned int op2 = 0; op2 < 8; op2++) {
			key[2] = (char)('0' + op2);
			line_add_hex(out, key, shape->id[crm][op2]);
		}
		service_send(service);
	}
	out = service_begin(service, "ok");
	line_add_hex(out, "ram_base", shape->ram_base);
	line_add_number(out, "ram_size", shape->ram_size);
	line_add_number(out, "vcpus", shape->vcpu_count);
	line_add_hex(out, "flags", shape->flags);
	line_add_number(out, "parts", shape->part_count);
	line_add_number(out, "counter_hz", shape->counter_hz);
	line_add_hex(out, "clock_origin", shape->clock_origin);
	line_add_hex(out, "midr", shape->midr);
	line_add_hex(out, "ctr", shape->ctr);
	return service_done(service);
}

/* "import", "boot", "undo" or a number. */
static int64_t which(struct service *service, uint64_t *id)
{
	const char *text = line_text(&service->line, "id");

	if (text && line_same(text, "import"))
		*id = AV_SNAPSHOT_IMPORT;
	else if (text && line_same(text, "boot"))
		*id = AV_SNAPSHOT_BOOT;
	else if (text && line_same(text, "undo"))
		*id = AV_SNAPSHOT_UNDO;
	else if (!line_number(&service->line, "id", id) || *id >= AV_SNAPSHOT_IMPORT)
		return service_refuse(service, "id= is neither a number nor import, boot, undo");
	return 0;
}

int64_t service_places(struct service *service)
{
	const struct av_part_place *place = service->buffer;
	uint64_t vm, id = 0, count = 1;
	int64_t status = service_target(service, &vm);

	if (status == 0)
		status = which(service, &id);
	if (status != 0)
		return status;
	for (uint64_t i = 0; i < count; i++) {
		struct service_result result = service_call(service, AV_HVC_SNAPSHOT_PLACE, vm, id,
							    i, service->buffer_ipa, sizeof(*place));
		struct line_out *out;

		if (result.status != AV_OK)
			return result.status;
		count = result.value[1];
		out = service_begin(service, "row");
		service_add_name(out, "part", place->name);
		line_add_number(out, "size", place->size);
		line_add_hex(out, "pa", place->pa);
		service_send(service);
	}
	return service_ok(service);
}

int64_t service_import_begin(struct service *service)
{
	uint64_t vm;
	int64_t status = service_target(service, &vm);

	if (status == 0)
		status = service_call(service, AV_HVC_IMPORT_BEGIN, vm, 0, 0, 0, 0).status;
	return status == 0 ? service_ok(service) : status;
}

int64_t service_import_pages(struct service *service)
{
	const struct av_page_run *runs = service->buffer;
	uint64_t vm, ipa = 0, count = 0, done = 0;
	int64_t status = service_target(service, &vm);

	if (status != 0)
		return status;
	if (!line_hex(&service->line, "ipa", &ipa) || !line_number(&service->line, "count", &count))
		return service_refuse(service, "ipa= and count= say which pages");
	for (unsigned int i = 0; i < PAGES_CALLS && done < count; i++) {
		struct service_result result =
			service_call(service, AV_HVC_IMPORT_PAGES, vm, ipa + done * 4096,
				     count - done, service->buffer_ipa, 0);

		if (result.status != AV_OK)
			return result.status;
		for (uint64_t run = 0; run < result.value[0]; run++) {
			struct line_out *out = service_begin(service, "row");

			line_add_hex(out, "ipa", runs[run].ipa);
			line_add_number(out, "count", runs[run].count);
			line_add_hex(out, "pa", runs[run].pa_b);
			service_send(service);
		}
		done += result.value[1];
	}
	line_add_number(service_begin(service, "ok"), "done", done);
	return service_done(service);
}

int64_t service_import_commit(struct service *service)
{
	struct av_import *import = service->buffer;
	const char *name = line_text(&service->line, "name");
	uint64_t vm, ticks = 0, state = 0;
	struct service_result result;
	int64_t status = service_target(service, &vm);

	if (status != 0)
		return status;
	if (!line_number(&service->line, "vm_ticks", &ticks) ||
	    !line_number(&service->line, "state", &state) || state > UINT32_MAX)
		return service_refuse(service, "vm_ticks= and state= are numbers");
	if (line_find(&service->line, "name") &&
	    (!name || !*name || !service_pad_name(import->name, name)))
		return service_refuse(service, "name= is empty or too long");
	if (!name)
		service_pad_name(import->name, "");
	import->vm_ticks = ticks;
	import->state = (uint32_t)state;
	import->reserved = 0;
	result = service_call(service, AV_HVC_IMPORT_COMMIT, vm, service->buffer_ipa,
			      sizeof(*import), 0, 0);
	if (result.status != AV_OK)
		return result.status;
	line_add_number(service_begin(service, "ok"), "id", result.value[0]);
	return service_done(service);
}

int64_t service_import_abort(struct service *service)
{
	struct service_result result = service_call(service, AV_HVC_IMPORT_ABORT, 0, 0, 0, 0, 0);

	if (result.status != AV_OK)
		return result.status;
	line_add_number(service_begin(service, "ok"), "dropped", result.value[0]);
	return service_done(service);
}
