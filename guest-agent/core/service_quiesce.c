/* SPDX-License-Identifier: MIT */
/*
 * service_quiesce.c - the verbs that need the guest's own cooperation: quiesce and thaw.
 * What they mean is its home's: where there is nothing to hold still they are NOT_SUPPORTED.
 */
#include "core/service_verbs.h"

#define HOOK_MS 5000
#define HOLD_MS 10000
#define MOST_MS 600000

/* A time that may be absent. */
static int64_t limit(struct service *service, const char *key, uint64_t fallback, uint64_t *ms)
{
	*ms = fallback;
	if (!line_find(&service->line, key))
		return 0;
	if (!line_number(&service->line, key, ms) || *ms == 0 || *ms > MOST_MS)
		return service_refuse(service, "a time is not 1 to 600000 ms");
	return 0;
}

void service_report_hook(struct service *service, const char *name, const char *result,
			 uint64_t code)
{
	struct line_out *out = service_begin(service, "row");

	line_add_text(out, "hook", name);
	line_add_text(out, "result", result);
	line_add_number(out, "code", code);
	service_send(service);
}

void service_report_quiesced(struct service *service, uint64_t mounts, uint64_t hooks,
			     uint64_t failed)
{
	struct line_out *out = service_begin(service, "ok");

	line_add_number(out, "mounts", mounts);
	line_add_number(out, "hooks", hooks);
	line_add_number(out, "failed", failed);
	service_send(service);
}

int64_t service_quiesce(struct service *service)
{
	struct service_limits limits;
	int64_t status = limit(service, "hook_ms", HOOK_MS, &limits.hook_ms);

	if (status == 0)
		status = limit(service, "hold_ms", HOLD_MS, &limits.hold_ms);
	if (status == 0 && !service->ops->quiesce)
		status = AV_E_NOT_SUPPORTED;
	return status != 0 ? status : service->ops->quiesce(service->context, &limits, service);
}

int64_t service_thaw(struct service *service)
{
	struct service_thawed thawed;
	struct line_out *out;
	int64_t status = service->ops->thaw ? service->ops->thaw(service->context, &thawed)
					    : AV_E_NOT_SUPPORTED;

	if (status != AV_OK)
		return status;
	out = service_begin(service, "ok");
	line_add_number(out, "held", thawed.held);
	line_add_number(out, "mounts", thawed.mounts);
	line_add_number(out, "hooks", thawed.hooks);
	line_add_number(out, "failed", thawed.failed);
	return service_done(service);
}
