/* SPDX-License-Identifier: MIT */
/*
 * service_snapshot.c - the agent's verbs about snapshots.
 * A name is looked up in the list and its id is what the call gets; must never act on a snapshot it only guessed.
 */
#include "core/service_verbs.h"

/* The snapshot with the smallest id >= cursor, or one of the special ids, into the buffer. */
static int64_t ask_snapshot(struct service *service, uint64_t vm, uint64_t cursor)
{
	return service_call(service, AV_HVC_SNAPSHOT_INFO, vm, cursor, service->buffer_ipa,
			    sizeof(struct av_snapshot_info), 0)
		.status;
}

static int64_t find_name(struct service *service, uint64_t vm, const char *text, uint64_t *id)
{
	const struct av_snapshot_info *info = service->buffer;
	char name[AV_NAME_SIZE];
	uint64_t cursor = 0;
	int64_t status;

	if (!*text || !service_pad_name(name, text))
		return AV_E_NOT_FOUND;
	while ((status = ask_snapshot(service, vm, cursor)) == AV_OK) {
		if (service_same_name(info->name, name)) {
			*id = info->id;
			return AV_OK;
		}
		if (info->id >= AV_SNAPSHOT_NONE)
			break;
		cursor = info->id + 1;
	}
	return status == AV_OK ? AV_E_NOT_FOUND : status;
}

/* A flag that selects: absent, or 1. */
static int64_t add_choice(struct service *service, const char *key, uint64_t special,
			  unsigned int *count, uint64_t *id)
{
	bool chosen;
	int64_t status = service_flag(service, key, &chosen);

	if (status == 0 && chosen) {
		*id = special;
		(*count)++;
	}
	return status;
}

int64_t service_choose(struct service *service, uint64_t vm, uint64_t *id)
{
	const struct line *line = &service->line;
	const char *name = line_text(line, "name");
	unsigned int count = 0;
	int64_t status;

	status = add_choice(service, "latest", AV_SNAPSHOT_LATEST, &count, id);
	if (status == 0)
		status = add_choice(service, "boot", AV_SNAPSHOT_BOOT, &count, id);
	if (status == 0)
		status = add_choice(service, "undo", AV_SNAPSHOT_UNDO, &count, id);
	if (status != 0)
		return status;
	if (line_find(line, "id")) {
		if (!line_number(line, "id", id) || *id >= AV_SNAPSHOT_NONE)
			return service_refuse(service, "id= is not a number of a snapshot");
		count++;
	}
	if (line_find(line, "name"))
		count++;
	if (count != 1)
		return service_refuse(service,
				      "which snapshot? exactly one of id, name and the like");
	if (line_find(line, "name"))
		return name ? find_name(service, vm, name, id) : AV_E_NOT_FOUND;
	return 0;
}

int64_t service_take_wants(struct service *service, uint64_t *name_ipa, uint64_t *request)
{
	const struct line *line = &service->line;
	const char *name = line_text(line, "name");

	*request = 0;
	if (line_find(line, "request") && !line_hex(line, "request", request))
		return service_refuse(service, "request= is not a hex number");
	if (line_find(line, "name") &&
	    (!name || !*name || !service_pad_name(service->buffer, name)))
		return service_refuse(service, "name= is empty or too long");
	*name_ipa = name ? service->buffer_ipa : 0;
	return 0;
}

int64_t service_taken(struct service *service, const struct service_result *result)
{
	struct line_out *out = service_begin(service, "ok");

	line_add_number(out, "id", result->value[0]);
	if (result->value[1] & AV_TAKE_FOUND) {
		line_add_number(out, "found", 1);
	} else {
		line_add_number(out, "evicted", result->value[1]);
		line_add_number(out, "paused_ns", result->value[2]);
	}
	return service_done(service);
}

int64_t service_take(struct service *service)
{
	struct service_result result;
	uint64_t vm, name = 0, request = 0;
	int64_t status = service_target(service, &vm);

	if (status == 0)
		status = service_take_wants(service, &name, &request);
	if (status != 0)
		return status;
	result = service_call(service, AV_HVC_SNAPSHOT_TAKE, vm, name, request, 0, 0);
	return result.status == AV_OK ? service_taken(service, &result) : result.status;
}

int64_t service_restore(struct service *service)
{
	struct service_result result;
	struct line_out *out;
	uint64_t vm, id = 0;
	bool keep, paused;
	int64_t status = service_target(service, &vm);

	if (status == 0)
		status = service_flag(service, "keep_undo", &keep);
	if (status == 0)
		status = service_flag(service, "paused", &paused);
	if (status == 0)
		status = service_choose(service, vm, &id);
	if (status != 0)
		return status;
	result = service_call(service, AV_HVC_SNAPSHOT_RESTORE, vm, id,
			      (paused ? AV_RESTORE_PAUSED : 0u) | (keep ? AV_RESTORE_UNDO : 0u), 0,
			      0);
	if (result.status != AV_OK)
		return result.status;
	out = service_begin(service, "ok");
	service_add_id(out, "id", result.value[0]);
	line_add_number(out, "generation", result.value[1] & ~AV_RESTORE_UNDO_SKIPPED);
	if (!keep)
		line_add_text(out, "undo", "off");
	else
		line_add_text(out, "undo",
			      result.value[1] & AV_RESTORE_UNDO_SKIPPED ? "skipped" : "kept");
	line_add_number(out, "paused_ns", result.value[2]);
	return service_done(service);
}

static void send_snapshot(struct service *service, const struct av_snapshot_info *info)
{
	struct line_out *out = service_begin(service, "row");

	service_add_id(out, "id", info->id);
	service_add_id(out, "parent", info->parent);
	service_add_name(out, "name", info->name);
	line_add_hex(out, "request", info->request_id);
	line_add_number(out, "taken_ns", info->taken_ns);
	line_add_number(out, "vm_time_ns", info->vm_time_ns);
	line_add_number(out, "unique", info->pages_unique);
	line_add_number(out, "shared", info->pages_shared);
	line_add_number(out, "reclaimable", info->pages_reclaimable);
	line_add_number(out, "pinned", info->pinned);
	service_add_state(out, info->state);
	line_add_number(out, "base", info->is_base);
	line_add_number(out, "clones", info->clones);
	if (info->set)
		line_add_number(out, "set", info->set - 1);
	service_send(service);
}

int64_t service_snapshots(struct service *service)
{
	static const uint64_t special[] = {AV_SNAPSHOT_BOOT, AV_SNAPSHOT_UNDO};
	const struct av_snapshot_info *info = service->buffer;
	uint64_t vm, cursor = 0;
	int64_t status = service_target(service, &vm);

	if (status != 0)
		return status;
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
		status = ask_snapshot(service, vm, special[i]);
		if (status == AV_OK)
			send_snapshot(service, info);
		else if (status != AV_E_NOT_FOUND)
			return status;
	}
	while ((status = ask_snapshot(service, vm, cursor)) == AV_OK &&
	       info->id < AV_SNAPSHOT_NONE) {
		send_snapshot(service, info);
		cursor = info->id + 1;
	}
	if (status != AV_OK && status != AV_E_NOT_FOUND)
		return status;
	return service_ok(service);
}

int64_t service_delete(struct service *service)
{
	struct service_result result;
	uint64_t vm, id = 0;
	int64_t status = service_target(service, &vm);

	if (status == 0)
		status = service_choose(service, vm, &id);
	if (status != 0)
		return status;
	result = service_call(service, AV_HVC_SNAPSHOT_DELETE, vm, id, 0, 0, 0);
	if (result.status != AV_OK)
		return result.status;
	service_add_id(service_begin(service, "ok"), "id", result.value[0]);
	return service_done(service);
}

int64_t service_set(struct service *service)
{
	const struct line *line = &service->line;
	const char *new_name = line_text(line, "new_name");
	uint64_t vm, id = 0;
	bool pinned;
	int64_t status = service_target(service, &vm);

	if (status == 0)
		status = service_flag(service, "pinned", &pinned);
	if (status == 0)
		status = service_choose(service, vm, &id);
	if (status != 0)
		return status;
	if (!line_find(line, "new_name") && !line_find(line, "pinned"))
		return service_refuse(service, "nothing to set: new_name= or pinned=");
	if (line_find(line, "new_name")) {
		if (!new_name || !service_pad_name(service->buffer, new_name))
			return service_refuse(service, "new_name= is too long");
		status = service_call(service, AV_HVC_SNAPSHOT_SET, vm, id, AV_SNAPSHOT_SET_NAME,
				      service->buffer_ipa, 0)
				 .status;
		if (status != AV_OK)
			return status;
	}
	if (line_find(line, "pinned")) {
		status = service_call(service, AV_HVC_SNAPSHOT_SET, vm, id, AV_SNAPSHOT_SET_PINNED,
				      pinned, 0)
				 .status;
		if (status != AV_OK)
			return status;
	}
	service_add_id(service_begin(service, "ok"), "id", id);
	return service_done(service);
}
