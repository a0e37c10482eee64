/* SPDX-License-Identifier: MIT */
/*
 * service_differ.c - the agent's verbs that compare: diff and state.
 * Must answer a bounded number of rows at once: whoever asks goes on from `next`.
 */
#include "core/service_verbs.h"

/* Calls of SNAPSHOT_DIFF for one line: at most so many times AV_PAGE_RUNS rows. */
#define DIFF_CALLS 32

/* "live", "none" (nothing at all), "boot", "undo" or a number. */
static int64_t which(struct service *service, const char *key, uint64_t *id)
{
	static const struct {
		const char *word;
		uint64_t id;
	} words[] = {{"live", AV_SNAPSHOT_LIVE},
		     {"none", AV_SNAPSHOT_NONE},
		     {"boot", AV_SNAPSHOT_BOOT},
		     {"undo", AV_SNAPSHOT_UNDO}};
	const char *text = line_text(&service->line, key);

	for (size_t i = 0; text && i < sizeof(words) / sizeof(words[0]); i++) {
		if (line_same(text, words[i].word)) {
			*id = words[i].id;
			return 0;
		}
	}
	if (line_number(&service->line, key, id) && *id < AV_SNAPSHOT_LIVE)
		return 0;
	return service_refuse(service, "which snapshots? a number, live, boot or undo");
}

static void send_run(struct service *service, const struct av_page_run *run)
{
	struct line_out *out = service_begin(service, "row");

	line_add_hex(out, "ipa", run->ipa);
	line_add_number(out, "count", run->count);
	line_add_hex(out, "pa_a", run->pa_a);
	line_add_hex(out, "pa_b", run->pa_b);
	service_send(service);
}

int64_t service_diff(struct service *service)
{
	const struct av_page_run *runs = service->buffer;
	uint64_t vm, a = 0, b = 0, cursor = 0;
	int64_t status = service_target(service, &vm);

	if (status == 0)
		status = which(service, "a", &a);
	if (status == 0)
		status = which(service, "b", &b);
	if (status != 0)
		return status;
	if (line_find(&service->line, "from") && !line_hex(&service->line, "from", &cursor))
		return service_refuse(service, "from= is not a hex number");
	for (unsigned int i = 0; i < DIFF_CALLS && cursor != AV_DIFF_END; i++) {
		struct service_result result = service_call(service, AV_HVC_SNAPSHOT_DIFF, vm, a, b,
							    cursor, service->buffer_ipa);

		if (result.status != AV_OK)
			return result.status;
		for (uint64_t run = 0; run < result.value[0]; run++)
			send_run(service, &runs[run]);
		cursor = result.value[1];
	}
	line_add_hex(service_begin(service, "ok"), "next", cursor);
	return service_done(service);
}

static void add_registers(struct line_out *out, const struct av_state_part *part)
{
	static const struct {
		const char *name;
		size_t offset;
	} named[] = {
#define REGISTER(name) {#name, offsetof(struct av_state_part, name)}
		REGISTER(pc),
		REGISTER(pstate),
		REGISTER(sp_el0),
		REGISTER(sp_el1),
		REGISTER(elr_el1),
		REGISTER(spsr_el1),
		REGISTER(esr_el1),
		REGISTER(far_el1),
		REGISTER(vbar_el1),
		REGISTER(sctlr_el1),
		REGISTER(tcr_el1),
		REGISTER(ttbr0_el1),
		REGISTER(ttbr1_el1),
		REGISTER(mair_el1),
		REGISTER(contextidr_el1),
		REGISTER(tpidr_el0),
		REGISTER(tpidrro_el0),
		REGISTER(tpidr_el1),
		REGISTER(cntv_ctl_el0),
		REGISTER(cntv_cval_el0),
		REGISTER(cntp_ctl_el0),
		REGISTER(cntp_cval_el0),
		REGISTER(fp_checksum),
		REGISTER(power),
	};
#undef REGISTER
	char name[4] = "x";

	for (unsigned int i = 0; i < 31; i++) {
		name[1] = (char)('0' + (i < 10 ? i : i / 10));
		name[2] = (char)(i < 10 ? '\0' : '0' + i % 10);
		line_add_hex(out, name, part->x[i]);
	}
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		line_add_hex(
			out, named[i].name,
			*(const uint64_t *)(const void *)((const char *)part + named[i].offset));
}

static void send_part(struct service *service, const struct av_state_part *part)
{
	struct line_out *out = service_begin(service, "row");

	service_add_name(out, "part", part->name);
	if (part->vcpu != UINT32_MAX)
		line_add_number(out, "vcpu", part->vcpu);
	line_add_number(out, "size", part->size);
	line_add_hex(out, "sum", part->checksum);
	if (part->value)
		line_add_number(out, "value", part->value);
	if (part->pc || part->pstate || part->vbar_el1)
		add_registers(out, part);
	service_send(service);
}

int64_t service_state(struct service *service)
{
	const struct av_state_part *part = service->buffer;
	uint64_t vm, id = 0, count = 1;
	int64_t status = service_target(service, &vm);

	if (status == 0)
		status = which(service, "id", &id);
	if (status != 0)
		return status;
	for (uint64_t i = 0; i < count; i++) {
		struct service_result result = service_call(service, AV_HVC_SNAPSHOT_STATE, vm, id,
							    i, service->buffer_ipa, sizeof(*part));

		if (result.status != AV_OK)
			return result.status;
		count = result.value[1];
		send_part(service, part);
	}
	return service_ok(service);
}
