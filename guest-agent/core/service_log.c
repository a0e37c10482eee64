/* SPDX-License-Identifier: MIT */
/*
 * service_log.c - the agent's verbs about regions, events and the hypervisor's log.
 * Everything is bounded: must never answer with more rows than abi/avisor/agent.h says.
 */
#include "core/service_verbs.h"

#define EVENT_ROW_MAX 64
#define LOG_ROW_MAX 8
#define LOG_ROW_SIZE 1024

/* NAME:ro,NAME:rw into text; returns the length. */
static size_t list_members(struct service *service, const struct av_region_info *region, char *text,
			   size_t size)
{
	const size_t count_max = sizeof(region->members) / sizeof(region->members[0]);
	size_t length = 0;

	for (size_t i = 0; i < region->member_count && i < count_max; i++) {
		const char *name = service->vm_names[region->members[i].vm % AV_VM_MAX];
		bool writes = (region->members[i].rights & AV_RIGHT_WRITE) != 0;

		if (region->members[i].vm >= service->vm_count || size - length < AV_NAME_SIZE + 4)
			continue;
		if (length > 0)
			text[length++] = ',';
		for (size_t at = 0; at < AV_NAME_SIZE && name[at]; at++)
			text[length++] = name[at];
		text[length++] = ':';
		text[length++] = 'r';
		text[length++] = writes ? 'w' : 'o';
	}
	return length;
}

/* The member numbers, in the order of the names: 0,1,5 */
static size_t list_numbers(const struct av_region_info *region, char *text)
{
	size_t length = 0;

	for (size_t i = 0; i < region->member_count && i < AV_REGION_MEMBERS; i++) {
		unsigned int number = region->numbers[i] % 100;

		if (length > 0)
			text[length++] = ',';
		if (number >= 10)
			text[length++] = (char)('0' + number / 10);
		text[length++] = (char)('0' + number % 10);
	}
	return length;
}

int64_t service_regions(struct service *service)
{
	const struct av_region_info *region = service->buffer;
	char members[(AV_NAME_SIZE + 4) * 24];

	/* Before the region's facts come into the same buffer. */
	service_learn(service);
	for (uint64_t i = 0; i < AV_REGION_NUMBERS; i++) {
		struct line_out *out;
		int64_t status = service_call(service, AV_HVC_REGION_INFO, i, service->buffer_ipa,
					      sizeof(*region), 0, 0)
					 .status;

		if (status == AV_E_NOT_FOUND)
			continue;
		if (status != AV_OK)
			return status;
		out = service_begin(service, "row");
		service_add_name(out, "name", region->name);
		line_add_hex(out, "ipa", region->ipa);
		line_add_number(out, "size", region->size);
		line_add_hex(out, "pa", region->pa);
		line_add_bytes(out, "members", members,
			       list_members(service, region, members, sizeof(members)));
		line_add_bytes(out, "numbers", members, list_numbers(region, members));
		line_add_number(out, "number", region->index);
		line_add_number(out, "common", region->common_size);
		line_add_number(out, "output", region->output_size);
		line_add_hex(out, "key", region->key);
		line_add_number(out, "serial", region->serial);
		line_add_number(out, "intid", region->intid);
		service_send(service);
	}
	return service_ok(service);
}

static void send_event(struct service *service, const struct av_event *event)
{
	static const char *const kinds[] = {
#define AV_EVENT_KIND(name, number, word) [number] = word,
#include <avisor/events.def>
#undef AV_EVENT_KIND
	};
	const char *kind = NULL, *vm = service_vm_name(service, event->vm);
	struct line_out *out = service_begin(service, "row");
	size_t length = 0;

	if (event->kind < sizeof(kinds) / sizeof(kinds[0]))
		kind = kinds[event->kind];
	line_add_number(out, "seq", event->sequence);
	line_add_number(out, "time_ns", event->time_ns);
	if (kind)
		line_add_text(out, "kind", kind);
	else
		line_add_number(out, "kind", event->kind);
	if (vm)
		service_add_name(out, "vm", vm);
	else
		line_add_text(out, "vm", "-");
	service_add_id(out, "a", event->a);
	service_add_id(out, "b", event->b);
	while (length < sizeof(event->text) && event->text[length])
		length++;
	line_add_bytes(out, "text", event->text, length);
	service_send(service);
}

static int64_t since(struct service *service, uint64_t *value)
{
	if (!line_number(&service->line, "since", value))
		return service_refuse(service, "since= is missing or not a number");
	return 0;
}

int64_t service_events(struct service *service)
{
	const struct av_event *events = service->buffer;
	struct service_result result;
	struct line_out *out;
	uint64_t first;
	int64_t status = since(service, &first);

	if (status != 0)
		return status;
	service_learn(service);
	result = service_call(service, AV_HVC_EVENT_READ, first, service->buffer_ipa,
			      EVENT_ROW_MAX * sizeof(*events), 0, 0);
	if (result.status != AV_OK)
		return result.status;
	for (uint64_t i = 0; i < result.value[0] && i < EVENT_ROW_MAX; i++)
		send_event(service, &events[i]);
	out = service_begin(service, "ok");
	line_add_number(out, "next", result.value[1]);
	line_add_number(out, "lost", result.value[2]);
	return service_done(service);
}
_Static_assert(EVENT_ROW_MAX * sizeof(struct av_event) <= SERVICE_BUFFER_SIZE,
	       "the buffer holds 64 events");

int64_t service_log(struct service *service)
{
	uint64_t next, lost = 0;
	struct line_out *out;
	int64_t status = since(service, &next);

	if (status != 0)
		return status;
	for (unsigned int row = 0; row < LOG_ROW_MAX; row++) {
		struct service_result result = service_call(
			service, AV_HVC_LOG_READ, next, service->buffer_ipa, LOG_ROW_SIZE, 0, 0);

		if (result.status != AV_OK)
			return result.status;
		if (result.value[0] == 0 || result.value[0] > LOG_ROW_SIZE)
			break;
		if (result.value[1] > next)
			lost += result.value[1] - next;
		out = service_begin(service, "row");
		line_add_number(out, "at", result.value[1]);
		next = result.value[1] +
		       line_add_bytes_fit(out, "data", service->buffer, (size_t)result.value[0]);
		service_send(service);
	}
	out = service_begin(service, "ok");
	line_add_number(out, "next", next);
	line_add_number(out, "lost", lost);
	return service_done(service);
}
