/* SPDX-License-Identifier: MIT */
/*
 * service_clone.c - the agent's verbs that make VMs from snapshots and remove them.
 * The slot is the client's choice; its name means the VM in it from the hypervisor's answer on, never before.
 */
#include "core/service_verbs.h"

/* slot=: the index of the spare slot of that name. */
static int64_t find_slot(struct service *service, uint64_t *slot)
{
	const struct av_vm_info *vm = service->buffer;
	const char *text = line_text(&service->line, "slot");
	char name[AV_NAME_SIZE];

	if (!text || !*text || !service_pad_name(name, text))
		return service_refuse(service, "slot= is missing or too long");
	for (*slot = 0; *slot < AV_VM_MAX; (*slot)++) {
		int64_t status = service_call(service, AV_HVC_VM_INFO, *slot, service->buffer_ipa,
					      sizeof(*vm), 0, 0)
					 .status;

		if (status == AV_E_NOT_FOUND)
			break;
		if (status != AV_OK)
			return status;
		if (vm->slot[0] && service_same_name(vm->slot, name))
			return 0;
	}
	return service_refuse(service, "slot= is no spare slot");
}

int64_t service_clone(struct service *service)
{
	const char *as = line_text(&service->line, "as");
	struct service_result result;
	struct line_out *out;
	uint64_t vm, id = 0, slot = 0;
	bool paused;
	int64_t status = service_target(service, &vm);

	if (status == 0)
		status = service_flag(service, "paused", &paused);
	if (status == 0)
		status = service_choose(service, vm, &id);
	if (status == 0)
		status = find_slot(service, &slot);
	if (status != 0)
		return status;
	if (!as || !*as || !service_pad_name(service->buffer, as))
		return service_refuse(service, "as= is missing or too long");
	result = service_call(service, AV_HVC_VM_CLONE, vm, id, service->buffer_ipa, slot,
			      paused ? AV_RESTORE_PAUSED : 0);
	if (result.status != AV_OK)
		return result.status;
	__builtin_memcpy(service->vm_names[slot], service->buffer, AV_NAME_SIZE);
	out = service_begin(service, "ok");
	service_add_id(out, "id", result.value[0]);
	line_add_number(out, "generation", result.value[1]);
	line_add_number(out, "took_ns", result.value[2]);
	return service_done(service);
}

int64_t service_remove(struct service *service)
{
	const struct av_vm_info *info = service->buffer;
	uint64_t vm;
	int64_t status = service_target(service, &vm);

	if (status == 0)
		status = service_call(service, AV_HVC_VM_REMOVE, vm, 0, 0, 0, 0).status;
	if (status != AV_OK)
		return status;
	if (service_call(service, AV_HVC_VM_INFO, vm, service->buffer_ipa, sizeof(*info), 0, 0)
		    .status == AV_OK)
		__builtin_memcpy(service->vm_names[vm], info->name, AV_NAME_SIZE);
	return service_ok(service);
}
