/* SPDX-License-Identifier: MIT */
/*
 * hypercall.c - hvc #0: from registers to handler and back; hvc #1..#4: the original Avisor's. Everything is checked before
 * anything changes: number, arity, privilege and target by call_decode(), the rest by the handler.
 */
#include "core/hypercall.h"
#include "core/guest_copy.h"
#include "core/log.h"
#include "core/operation.h"
#include "core/psci.h"
#include "core/sched.h"
#include "core/string.h"
#include "core/time.h"
#include "core/vcpu.h"

static call_handler *const handlers[256] = {
#define AV_HVC(name, number, arity, privilege) [number] = call_##name,
#include <avisor/hypercalls.def>
#undef AV_HVC
};

/* Until when guests that want the lock let the control VM go first: it is the one that can end what they do. */
static uint64_t control_first_until;
#define CONTROL_FIRST_NS 20000000u

/* The control VM wants it, or somebody has it. */
static __attribute__((noinline)) bool begin_in_turn(struct vcpu *vcpu, uint64_t until)
{
	bool control = vcpu->vm->flags & AV_VM_FLAG_CONTROL;

	if ((control || !until || counter_now() >= until) && spin_trylock(&op_lock)) {
		if (control)
			__atomic_store_n(&control_first_until, 0, __ATOMIC_RELAXED);
		return true;
	}
	if (control)
		__atomic_store_n(&control_first_until,
				 counter_now() + ns_to_ticks(CONTROL_FIRST_NS), __ATOMIC_RELAXED);
	vcpu_again(vcpu);
	sched_yield();
	return false;
}

bool call_operation_begin(struct vcpu *vcpu)
{
	uint64_t until = __atomic_load_n(&control_first_until, __ATOMIC_RELAXED);

	return (!until && spin_trylock(&op_lock)) || begin_in_turn(vcpu, until);
}

void call_operation_end(void)
{
	spin_unlock(&op_lock);
}

void call_answer(struct call *call, int status)
{
	call->vcpu->x[0] = (uint64_t)(int64_t)status;
	for (unsigned i = 0; i < 3; i++)
		call->vcpu->x[1 + i] = call->results[i];
}

int call_end_with(struct call *call, int status)
{
	call_answer(call, status);
	call_operation_end();
	return CALL_NO_RETURN;
}

/* An empty slot is no VM, but one may ask what it is; and the removal of its last VM may be going on. */
static bool is_nobody(const struct vm *vm, uint32_t number)
{
	if (vm->state != AV_STATE_EMPTY || number == AV_HVC_VM_INFO)
		return false;
	return number != AV_HVC_VM_REMOVE || !vm->mem.source;
}

/* Only answers are written by calls, so the call can be made again: before it, the VM starves. */
static __attribute__((noinline)) void starve(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	vcpu_again(vcpu);
	spin_lock(&vm->lock);
	vm->mem.host_starved = false;
	vm_starve(vm, 0);
	spin_unlock(&vm->lock);
}

static void vendor_call(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	struct call call;
	int status;

	call.vcpu = vcpu;
	call.caller = vm;
	call.results[0] = call.results[1] = call.results[2] = 0;
	status =
		call_decode(vcpu->x, vm->flags & AV_VM_FLAG_CONTROL, vm->index, vm_count, &call.in);
	if (!status) {
		if (call.in.target == vm->index)
			call.target = vm; /* what guests do */
		else
			call.target =
				call.in.target == CALL_TARGET_NONE ? NULL : vms[call.in.target];
		if (call.target != vm && call.target && is_nobody(call.target, call.in.number))
			status = AV_E_NOT_FOUND;
		else
			status = handlers[call.in.number](&call);
		if (__builtin_expect(status == AV_E_BAD_ADDRESS && vm->mem.host_starved, 0)) {
			starve(vcpu);
			return;
		}
	}
	if (status != CALL_NO_RETURN)
		call_answer(&call, status);
}

void hypercall(struct vcpu *vcpu)
{
	uint32_t function = (uint32_t)vcpu->x[0];

	if ((function & 0xffff0000) == AV_SMCCC_BASE) {
		vendor_call(vcpu);
		return;
	}
	switch (function) {
	case AV_SMCCC_CALL_UID:
		vcpu->x[0] = AV_UID_0;
		vcpu->x[1] = AV_UID_1;
		vcpu->x[2] = AV_UID_2;
		vcpu->x[3] = AV_UID_3;
		return;
	case AV_SMCCC_REVISION:
		vcpu->x[0] = AV_ABI_MAJOR;
		vcpu->x[1] = AV_ABI_MINOR;
		return;
	default:
		psci_hvc(vcpu);
	}
}

/* --- the original Avisor's immediates */

static void original_checkpoint(struct vcpu *vcpu)
{
	struct snapshot_facts facts;
	struct operation_result result = {0};
	int error;

	if (!call_operation_begin(vcpu))
		return;
	facts.request_id = 0;
	facts.name[0] = '\0';
	error = operation_take(vcpu->vm, &facts, NULL, &result);
	call_operation_end();
	if (error)
		log_vm(vcpu->vm, "checkpoint failed: error %d", error);
	else
		log_vm(vcpu->vm, "checkpoint: ID=%lu", result.id);
}

static void original_restore(struct vcpu *vcpu)
{
	struct operation_result result = {0};
	uint64_t id = vcpu->x[0];
	int error = AV_E_NOT_FOUND;

	if (!call_operation_begin(vcpu))
		return;
	/* -1 is the latest; the other names of abi/ are not numbers of snapshots here. */
	if (id == AV_SNAPSHOT_LATEST || id < AV_SNAPSHOT_NONE)
		error = operation_restore(vcpu->vm, id, 0, &result);
	call_operation_end();
	if (error == AV_E_NOT_FOUND)
		log_vm(vcpu->vm, "restore: invalid snapshot id %ld", (long)id);
	else
		log_vm(vcpu->vm, "restore: ID=%lu", result.id);
}

__attribute__((cold)) static void original_print(struct vcpu *vcpu)
{
	char text[512];
	uint64_t va = vcpu->x[0], address = 0;
	const char *refused = "no end within 512 bytes";

	spin_lock(&vcpu->vm->lock);
	for (size_t i = 0; i < sizeof(text); i++, va++, address++) {
		if ((i == 0 || !(va & PAGE_MASK)) && !guest_translate(va, false, &address)) {
			refused = i ? "it runs into a page that is not there" : "bad pointer";
			break;
		}
		if (!guest_read(vcpu->vm, address, &text[i], 1)) {
			refused = i ? "it runs into a page that is not there" : "bad pointer";
			break;
		}
		if (!text[i]) {
			refused = NULL;
			break;
		}
		if (text[i] < 0x20 || text[i] > 0x7e)
			text[i] = '.';
	}
	spin_unlock(&vcpu->vm->lock);
	if (refused)
		log_vm(vcpu->vm, "print refused: %s (0x%lx)", refused, vcpu->x[0]);
	else
		log_vm(vcpu->vm, "print: %s", text);
}

static void original_restart(struct vcpu *vcpu)
{
	struct operation_result result = {0};

	if (!call_operation_begin(vcpu))
		return;
	operation_restart(vcpu->vm, 0, &result);
	call_operation_end();
}

void hypercall_immediate(struct vcpu *vcpu, unsigned immediate)
{
	struct vm *vm = vcpu->vm;

	if (vm->flags & AV_VM_FLAG_CONTROL && immediate <= AV_IMM_RESTART &&
	    immediate != AV_IMM_PRINT)
		return; /* the control VM has no snapshots */
	switch (immediate) {
	case AV_IMM_CHECKPOINT:
		original_checkpoint(vcpu);
		break;
	case AV_IMM_RESTORE:
		original_restore(vcpu);
		break;
	case AV_IMM_PRINT:
		original_print(vcpu);
		break;
	case AV_IMM_RESTART:
		original_restart(vcpu);
		break;
	default:
		if (!vm->stats.unknown_hvc++)
			log_vm(vm, "unknown hvc #%u: ignored (logged once)", immediate);
	}
}
