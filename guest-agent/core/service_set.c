/* SPDX-License-Identifier: MIT */
/*
 * service_set.c - the agent's verbs about snapshots of the whole set.
 * A name is looked up in the list and its number is what the call gets; must never act on a set it only guessed.
 */
#include "core/service_verbs.h"

static int64_t ask_set(struct service *service, uint64_t cursor)
{
	return service_call(service, AV_HVC_SET_INFO, cursor, service->buffer_ipa,
			    sizeof(struct av_set_info), 0, 0)
		.status;
}

static int64_t find_name(struct service *service, const char *text, uint64_t *id)
{
	const struct av_set_info *info = service->buffer;
	char name[AV_NAME_SIZE];
	uint64_t cursor = 0;
	int64_t status;

	if (!text || !*text || !service_pad_name(name, text))
		return AV_E_NOT_FOUND;
	while ((status = ask_set(service, cursor)) == AV_OK) {
		if (service_same_name(info->name, name)) {
			*id = info->id;
			return AV_OK;
		}
		cursor = info->id + 1;
	}
	return status;
}

/* Which set: exactly one of id, name, latest and undo. */
static int64_t choose(struct service *service, uint64_t *id)
{
	const struct line *line = &service->line;
	bool latest, undo, number = line_find(line, "id"), name = line_find(line, "name");
	int64_t status = service_flag(service, "latest", &latest);

	if (status == 0)
		status = service_flag(service, "undo", &undo);
	if (status != 0)
		return status;
	if (number + name + latest + undo != 1)
		return service_refuse(service,
				      "which set? exactly one of id, name, latest and undo");
	if (name)
		return find_name(service, line_text(line, "name"), id);
	*id = latest ? AV_SNAPSHOT_LATEST : AV_SNAPSHOT_UNDO;
	if (number && (!line_number(line, "id", id) || *id >= AV_SNAPSHOT_NONE))
		return service_refuse(service, "id= is not a number of a set");
	return 0;
}

int64_t service_take_all(struct service *service)
{
	struct service_result result;
	uint64_t name = 0, request = 0;
	int64_t status = service_take_wants(service, &name, &request);

	if (status != 0)
		return status;
	result = service_call(service, AV_HVC_SET_TAKE, name, request, 0, 0, 0);
	if (result.status != AV_OK)
		return service_fail_for(service, result.status, result.value[0]);
	return service_taken(service, &result);
}

int64_t service_restore_all(struct service *service)
{
	struct service_result result;
	struct line_out *out;
	uint64_t id = 0;
	bool keep, paused;
	int64_t status = service_flag(service, "keep_undo", &keep);

	if (status == 0)
		status = service_flag(service, "paused", &paused);
	if (status == 0)
		status = choose(service, &id);
	if (status != 0)
		return status;
	result = service_call(service, AV_HVC_SET_RESTORE, id,
			      (paused ? AV_RESTORE_PAUSED : 0u) | (keep ? AV_RESTORE_UNDO : 0u), 0,
			      0, 0);
	if (result.status != AV_OK)
		return service_fail_for(service, result.status, result.value[0]);
	out = service_begin(service, "ok");
	service_add_id(out, "id", result.value[0]);
	line_add_number(out, "regions_gone", result.value[1] & ~AV_RESTORE_UNDO_SKIPPED);
	if (!keep)
		line_add_text(out, "undo", "off");
	else
		line_add_text(out, "undo",
			      result.value[1] & AV_RESTORE_UNDO_SKIPPED ? "skipped" : "kept");
	line_add_number(out, "paused_ns", result.value[2]);
	return service_done(service);
}

int64_t service_delete_all(struct service *service)
{
	struct service_result result;
	uint64_t id = 0;
	int64_t status = choose(service, &id);

	if (status != 0)
		return status;
	result = service_call(service, AV_HVC_SET_DELETE, id, 0, 0, 0, 0);
	if (result.status != AV_OK)
		return service_fail_for(service, result.status, result.value[0]);
	service_add_id(service_begin(service, "ok"), "id", result.value[0]);
	return service_done(service);
}

/* The parts as "vm1:3,vm2:0", or "vm1:undo,vm2:undo". */
static void add_parts(struct service *service, struct line_out *out, const struct av_set_info *info)
{
	char text[AV_VM_MAX * (AV_NAME_SIZE + 22)];
	size_t at = 0;

	for (uint32_t i = 0; i < info->vm_count && i < AV_VM_MAX; i++) {
		const char *name = service_vm_name(service, i);
		char digits[20];
		size_t count = 0;

		if (info->members[i] == AV_SNAPSHOT_NONE || !name)
			continue;
		if (at)
			text[at++] = ',';
		for (size_t n = 0; n < AV_NAME_SIZE && name[n]; n++)
			text[at++] = name[n];
		text[at++] = ':';
		if (info->members[i] == AV_SNAPSHOT_UNDO) {
			for (const char *c = "undo"; *c; c++)
				text[at++] = *c;
			continue;
		}
		for (uint64_t id = info->members[i]; !count || id; id /= 10)
			digits[count++] = (char)('0' + id % 10);
		while (count)
			text[at++] = digits[--count];
	}
	line_add_bytes(out, "parts", text, at);
}

static void send_set(struct service *service)
{
	/* service_learn() uses the buffer, too. */
	struct av_set_info info = *(const struct av_set_info *)service->buffer;
	struct line_out *out;

	service_learn(service);
	out = service_begin(service, "row");
	service_add_id(out, "id", info.id);
	service_add_name(out, "name", info.name);
	line_add_hex(out, "request", info.request_id);
	line_add_number(out, "taken_ns", info.taken_ns);
	line_add_number(out, "regions", info.region_count);
	line_add_number(out, "region_pages", info.region_pages);
	line_add_number(out, "frames", info.frames);
	add_parts(service, out, &info);
	service_send(service);
}

int64_t service_sets(struct service *service)
{
	const struct av_set_info *info = service->buffer;
	uint64_t cursor = 0;
	int64_t status;

	while ((status = ask_set(service, cursor)) == AV_OK) {
		cursor = info->id + 1;
		send_set(service);
	}
	if (status == AV_E_NOT_FOUND)
		status = ask_set(service, AV_SNAPSHOT_UNDO);
	if (status == AV_OK)
		send_set(service);
	else if (status != AV_E_NOT_FOUND)
		return status;
	return service_ok(service);
}
