/* SPDX-License-Identifier: MIT */
/*
 * service_rig.h - a hypervisor for the agent's core: a table of three VMs and a list of the calls it got.
 * Included by one test only.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/service.h"

#define CALL_MAX 128

struct call {
	uint32_t number;
	uint64_t args[6];
};

static struct {
	struct service service;
	uint64_t buffer[SERVICE_BUFFER_SIZE / 8];
	struct call calls[CALL_MAX];
	unsigned int call_count;
	char output[1 << 17];
	size_t output_size;
	unsigned int flush_count, crash_count, hang_count;
	struct service_result next; /* of calls without a structure */
	uint64_t snapshots[8];
	unsigned int snapshot_count;
	bool has_undo;
	int64_t refuse; /* status of all calls but the info ones */
} rig;

#define BUFFER_IPA 0x40300000u

static const char *const vm_names[] = {"control", "vm1", "a-name-of-exactly-32-characters."};

static struct service_result vm_info(uint64_t vm)
{
	struct av_vm_info info = {.index = (uint32_t)vm,
				  .state = (uint32_t)vm * 3 / 2,
				  .vcpu_count = 1,
				  .ram_base = 0x40000000,
				  .ram_size = 1 << 27,
				  .base_id = AV_SNAPSHOT_BOOT};

	if (vm == AV_VM_SELF)
		vm = 1;
	if (vm >= 3)
		return (struct service_result){AV_E_NOT_FOUND, {0}};
	memcpy(info.name, vm_names[vm], strlen(vm_names[vm]));
	if (info.state == AV_STATE_CRASHED) {
		memset(info.crash_reason, '"', sizeof(info.crash_reason));
		info.crash_pc = 0x1234;
	}
	if (vm == 2) {
		memcpy(info.slot, "slot1", 5);
		info.source_vm = 1;
		info.source_id = 3;
	}
	info.generation = 6;
	memcpy(rig.buffer, &info, sizeof(info));
	return (struct service_result){AV_OK, {sizeof(info), 0, 0}};
}

static struct service_result snapshot_info(uint64_t cursor)
{
	struct av_snapshot_info info = {
		.id = cursor, .parent = AV_SNAPSHOT_NONE, .request_id = 0xabc};
	bool found = cursor == AV_SNAPSHOT_BOOT || (cursor == AV_SNAPSHOT_UNDO && rig.has_undo);

	for (unsigned int i = 0; i < rig.snapshot_count && !found && cursor < AV_SNAPSHOT_NONE;
	     i++) {
		if (rig.snapshots[i] < cursor)
			continue;
		info.id = rig.snapshots[i];
		snprintf(info.name, sizeof(info.name), "snap%llu", (unsigned long long)info.id);
		found = true;
	}
	if (!found)
		return (struct service_result){AV_E_NOT_FOUND, {0}};
	memcpy(rig.buffer, &info, sizeof(info));
	return (struct service_result){AV_OK, {sizeof(info), 0, 0}};
}

static struct service_result events(uint64_t first)
{
	struct av_event event = {.time_ns = 5, .kind = AV_EVENT_CRASH, .vm = 1, .a = 0xdead};
	uint64_t count = first < 70 ? 70 - first : 0;

	count = count < 64 ? count : 64;
	for (uint64_t i = 0; i < count; i++) {
		event.sequence = first + i;
		memset(event.text, 'x', sizeof(event.text));
		memcpy(rig.buffer + i * sizeof(event) / 8, &event, sizeof(event));
	}
	return (struct service_result){AV_OK, {count, first + count, first == 3 ? 2 : 0}};
}

/* A log of 20,000 bytes of which the first 1,000 are lost, all of them worst to quote. */
static struct service_result log_read(uint64_t at, uint64_t size)
{
	uint64_t first = at < 1000 ? 1000 : at, count = first < 20000 ? 20000 - first : 0;

	count = count < size ? count : size;
	memset(rig.buffer, 1, (size_t)count);
	return (struct service_result){AV_OK, {count, first, 0}};
}

static struct service_result hypercall(void *context, uint32_t number, const uint64_t args[6])
{
	struct av_machine_info machine = {
		.vm_count = 3, .control_restarts = 4, .counter_hz = 62500000};
	struct av_region_info region = {.ipa = 0x70000000, .size = 65536, .member_count = 24};

	(void)context;
	assert_true(rig.call_count < CALL_MAX);
	rig.calls[rig.call_count].number = number;
	memcpy(rig.calls[rig.call_count++].args, args, sizeof(rig.calls[0].args));
	switch (number) {
	case AV_HVC_VM_INFO:
		assert_int_equal(args[1], BUFFER_IPA);
		assert_int_equal(args[2], sizeof(struct av_vm_info));
		return vm_info(args[0]);
	case AV_HVC_MACHINE_INFO:
		memcpy(rig.buffer, &machine, sizeof(machine));
		return (struct service_result){AV_OK, {sizeof(machine), 0, 0}};
	case AV_HVC_FEATURES:
		return (struct service_result){AV_OK,
					       {AV_FEATURE_SNAPSHOT | AV_FEATURE_DEBUG, 0, 0}};
	case AV_HVC_SNAPSHOT_INFO:
		return snapshot_info(args[1]);
	case AV_HVC_EVENT_READ:
		return events(args[0]);
	case AV_HVC_LOG_READ:
		return log_read(args[0], args[2]);
	case AV_HVC_REGION_INFO:
		if (args[0] >= 2)
			return (struct service_result){AV_E_NOT_FOUND, {0}};
		memset(region.name, 'r', sizeof(region.name));
		for (unsigned int i = 0; i < 24; i++)
			region.members[i] = (struct av_region_member){i % 4, 1 + 2 * (i % 2)};
		memcpy(rig.buffer, &region, sizeof(region));
		return (struct service_result){AV_OK, {sizeof(region), 0, 0}};
	default:
		if (rig.refuse)
			return (struct service_result){rig.refuse, {0}};
		return rig.next;
	}
}

static void write_line(void *context, const char *data, size_t size)
{
	(void)context;
	assert_true(size > 0 && size <= AV_LINE_MAX);
	assert_true(data[size - 1] == '\n');
	assert_true(rig.output_size + size < sizeof(rig.output));
	memcpy(rig.output + rig.output_size, data, size);
	rig.output_size += size;
	rig.output[rig.output_size] = '\0';
}

static void flush(void *context)
{
	(void)context;
	rig.flush_count++;
}

static void crash(void *context)
{
	(void)context;
	rig.crash_count++;
}

static void hang(void *context)
{
	(void)context;
	rig.hang_count++;
}

static const struct service_ops ops = {
	.hypercall = hypercall,
	.write = write_line,
	.flush = flush,
	.crash = crash,
	.hang = hang,
};

static void forget(void)
{
	rig.call_count = 0;
	rig.output_size = 0;
	rig.output[0] = '\0';
	rig.flush_count = 0;
}

static int set_up(void **state)
{
	(void)state;
	memset(&rig, 0, sizeof(rig));
	rig.service.ops = &ops;
	rig.service.version = "9.9";
	rig.service.privileged = true;
	rig.service.buffer = rig.buffer;
	rig.service.buffer_ipa = BUFFER_IPA;
	service_open(&rig.service);
	return 0;
}

static const char *ask(const char *text)
{
	forget();
	service_input(&rig.service, text, strlen(text));
	return rig.output;
}

static void expect_call(unsigned int index, uint32_t number, uint64_t x1, uint64_t x2, uint64_t x3)
{
	assert_true(index < rig.call_count);
	assert_int_equal(rig.calls[index].number, number);
	assert_true(rig.calls[index].args[0] == x1);
	assert_true(rig.calls[index].args[1] == x2);
	assert_true(rig.calls[index].args[2] == x3);
	assert_true(rig.calls[index].args[5] == 0);
}
