/* SPDX-License-Identifier: MIT */
/*
 * service_vm.c - the agent's verbs about VMs and the machine.
 * Each is one call to the hypervisor; must never read more of the buffer than that call wrote.
 */
#include "core/service_verbs.h"

/* The physical CPU and the power state of each vCPU: cpus=0,1 power=on,off */
static void add_vcpus(struct line_out *out, const struct av_vm_info *vm)
{
	static const char *const powers[] = {"off", "on", "waiting"};
	char cpus[4 * AV_VCPU_MAX], power[8 * AV_VCPU_MAX];
	size_t cpus_size = 0, power_size = 0;

	for (unsigned int i = 0; i < vm->vcpu_count && i < AV_VCPU_MAX; i++) {
		unsigned int state = vm->vcpu_power[i] <= AV_VCPU_WAITING ? vm->vcpu_power[i] : 0;

		if (i)
			cpus[cpus_size++] = power[power_size++] = ',';
		if (vm->vcpu_cpu[i] >= 10)
			cpus[cpus_size++] = (char)('0' + vm->vcpu_cpu[i] / 10 % 10);
		cpus[cpus_size++] = (char)('0' + vm->vcpu_cpu[i] % 10);
		for (const char *c = powers[state]; *c; c++)
			power[power_size++] = *c;
	}
	line_add_bytes(out, "cpus", cpus, cpus_size);
	line_add_bytes(out, "power", power, power_size);
}

static void send_vm(struct service *service, const struct av_vm_info *vm)
{
	struct line_out *out = service_begin(service, "row");
	size_t length = 0;

	service_add_name(out, "name", vm->name);
	line_add_number(out, "index", vm->index);
	service_add_state(out, vm->state);
	line_add_number(out, "vcpus", vm->vcpu_count);
	line_add_hex(out, "ram_base", vm->ram_base);
	line_add_number(out, "ram_size", vm->ram_size);
	line_add_number(out, "generation", vm->generation);
	line_add_number(out, "snapshots", vm->snapshot_count);
	service_add_id(out, "base", vm->base_id);
	service_add_id(out, "origin", vm->origin_id);
	line_add_number(out, "frames_used", vm->frames_used);
	line_add_number(out, "frames_budget", vm->frames_budget);
	line_add_number(out, "ram_frames", vm->ram_frames);
	line_add_number(out, "dirty_frames", vm->dirty_frames);
	line_add_number(out, "uptime_ns", vm->uptime_ns);
	line_add_number(out, "restarts", vm->restart_count);
	line_add_number(out, "cpu", vm->vcpu_cpu0);
	add_vcpus(out, vm);
	line_add_hex(out, "flags", vm->flags);
	if (vm->slot[0])
		service_add_name(out, "slot", vm->slot);
	/* Not by service_vm_name(), which may use the buffer that vm is in. */
	if (vm->source_vm < service->vm_count && vm->slot[0]) {
		service_add_name(out, "source", service->vm_names[vm->source_vm]);
		service_add_id(out, "source_id", vm->source_id);
	}
	line_add_number(out, "clones", vm->clone_count);
	if (vm->state == AV_STATE_CRASHED) {
		while (length < sizeof(vm->crash_reason) && vm->crash_reason[length])
			length++;
		line_add_bytes(out, "reason", vm->crash_reason, length);
		line_add_hex(out, "pc", vm->crash_pc);
		line_add_hex(out, "esr", vm->crash_esr);
		line_add_hex(out, "far", vm->crash_far);
		line_add_hex(out, "word", vm->crash_word);
	}
	service_send(service);
}

static int64_t ask_vm(struct service *service, uint64_t vm)
{
	return service_call(service, AV_HVC_VM_INFO, vm, service->buffer_ipa,
			    sizeof(struct av_vm_info), 0, 0)
		.status;
}

int64_t service_vms(struct service *service)
{
	service_learn(service);
	for (uint64_t i = 0; i < AV_VM_MAX; i++) {
		int64_t status = ask_vm(service, i);

		if (status == AV_E_NOT_FOUND)
			break;
		if (status != AV_OK)
			return status;
		send_vm(service, service->buffer);
	}
	return service_ok(service);
}

int64_t service_vm(struct service *service)
{
	uint64_t vm;
	int64_t status = service_target(service, &vm);

	if (status == 0)
		status = ask_vm(service, vm);
	if (status != AV_OK)
		return status;
	send_vm(service, service->buffer);
	return service_ok(service);
}

int64_t service_stats(struct service *service)
{
	static const char *const exits[AV_EXIT_COUNT] = {
		[AV_EXIT_HVC] = "hvc",           [AV_EXIT_SMC] = "smc",
		[AV_EXIT_WFI] = "wfi",           [AV_EXIT_SYSREG] = "sysreg",
		[AV_EXIT_MMIO] = "mmio",         [AV_EXIT_FAULT_TOUCH] = "touch",
		[AV_EXIT_FAULT_WRITE] = "write", [AV_EXIT_FAULT_OTHER] = "fault",
		[AV_EXIT_IRQ] = "irq",           [AV_EXIT_INJECTED_ABORT] = "abort",
		[AV_EXIT_OTHER] = "other",
	};
	const struct av_vm_stats *stats = service->buffer;
	struct line_out *out;
	uint64_t vm;
	int64_t status = service_target(service, &vm);

	if (status == 0)
		status = service_call(service, AV_HVC_VM_STATS, vm, service->buffer_ipa,
				      sizeof(*stats), 0, 0)
				 .status;
	if (status != AV_OK)
		return status;
	out = service_begin(service, "row");
	for (size_t i = 0; i < AV_EXIT_COUNT; i++)
		line_add_number(out, exits[i], stats->exits[i]);
	line_add_number(out, "cpu_ns", stats->cpu_ns);
	line_add_number(out, "tlbi_local", stats->tlbi_local);
	line_add_number(out, "tlbi_broadcast", stats->tlbi_broadcast);
	line_add_number(out, "pages_copied", stats->pages_copied);
	line_add_number(out, "pages_zeroed", stats->pages_zeroed);
	line_add_number(out, "nodes_copied", stats->nodes_copied);
	line_add_number(out, "cache_syncs", stats->cache_syncs);
	line_add_number(out, "evictions", stats->evictions);
	line_add_number(out, "console_bytes", stats->console_bytes);
	line_add_number(out, "console_dropped", stats->console_dropped);
	line_add_number(out, "input_dropped", stats->input_dropped);
	line_add_number(out, "unknown_hvc", stats->unknown_hvc);
	line_add_number(out, "copied_back", stats->pages_copied_back);
	line_add_number(out, "kept", stats->pages_kept);
	line_add_number(out, "restore_ns", stats->restore_ns);
	service_send(service);
	return service_ok(service);
}

int64_t service_machine(struct service *service)
{
	const struct av_machine_info *machine = service->buffer;
	struct line_out *out;
	int64_t status = service_call(service, AV_HVC_MACHINE_INFO, service->buffer_ipa,
				      sizeof(*machine), 0, 0, 0)
				 .status;

	if (status != AV_OK)
		return status;
	out = service_begin(service, "row");
	line_add_number(out, "frames_total", machine->frames_total);
	line_add_number(out, "frames_free", machine->frames_free);
	line_add_number(out, "counter_hz", machine->counter_hz);
	line_add_number(out, "uptime_ns", machine->uptime_ns);
	line_add_number(out, "cpus", machine->cpu_count);
	line_add_number(out, "vms", machine->vm_count);
	line_add_number(out, "regions", machine->region_count);
	line_add_number(out, "debug", machine->debug_build);
	line_add_number(out, "control_restarts", machine->control_restarts);
	line_add_number(out, "event_next", machine->event_next);
	line_add_number(out, "log_next", machine->log_next);
	line_add_number(out, "shm_pages", machine->shm_pages);
	line_add_number(out, "shm_used", machine->shm_used);
	line_add_number(out, "set_pages", machine->set_pages);
	line_add_number(out, "set_used", machine->set_used);
	service_send(service);
	return service_ok(service);
}

static int64_t change_state(struct service *service, uint32_t number)
{
	struct service_result result;
	uint64_t vm;
	int64_t status = service_target(service, &vm);

	if (status != 0)
		return status;
	result = service_call(service, number, vm, 0, 0, 0, 0);
	if (result.status != AV_OK)
		return result.status;
	service_add_state(service_begin(service, "ok"), result.value[0]);
	return service_done(service);
}

int64_t service_pause(struct service *service)
{
	return change_state(service, AV_HVC_VM_PAUSE);
}

int64_t service_resume(struct service *service)
{
	return change_state(service, AV_HVC_VM_RESUME);
}

int64_t service_stop(struct service *service)
{
	return change_state(service, AV_HVC_VM_STOP);
}

static int64_t boot(struct service *service, uint32_t number)
{
	struct service_result result;
	struct line_out *out;
	uint64_t vm;
	bool paused;
	int64_t status = service_target(service, &vm);

	if (status == 0)
		status = service_flag(service, "paused", &paused);
	if (status != 0)
		return status;
	result = service_call(service, number, vm, paused ? AV_RESTORE_PAUSED : 0, 0, 0, 0);
	if (result.status != AV_OK)
		return result.status;
	out = service_begin(service, "ok");
	service_add_state(out, result.value[1]);
	line_add_number(out, "generation", result.value[0]);
	return service_done(service);
}

int64_t service_start(struct service *service)
{
	return boot(service, AV_HVC_VM_START);
}

int64_t service_restart(struct service *service)
{
	return boot(service, AV_HVC_VM_RESTART);
}

int64_t service_drain(struct service *service)
{
	uint64_t vm;
	int64_t status = service_target(service, &vm);

	if (status == 0)
		status = service_call(service, AV_HVC_MEMORY_DRAIN, vm, 0, 0, 0, 0).status;
	return status != AV_OK ? status : service_ok(service);
}

int64_t service_audit(struct service *service)
{
	struct service_result result;
	uint64_t vm;
	int64_t status = service_target(service, &vm);

	if (status != 0)
		return status;
	result = service_call(service, AV_HVC_AUDIT, vm, 0, 0, 0, 0);
	if (result.status != AV_OK)
		return result.status;
	line_add_number(service_begin(service, "ok"), "frames", result.value[0]);
	return service_done(service);
}
