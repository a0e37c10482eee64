/* SPDX-License-Identifier: MIT */
/* psci.c - PSCI for guests: power of their vCPUs and of their whole machine. Never passed on to the real firmware. */
#include "core/psci.h"
#include "core/cpu.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/operation.h"
#include "core/region.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/vcpu.h"

#define PSCI_VERSION 0x84000000u
#define PSCI_CPU_SUSPEND 0x84000001u
#define PSCI_CPU_OFF 0x84000002u
#define PSCI_CPU_ON 0x84000003u
#define PSCI_AFFINITY_INFO 0x84000004u
#define PSCI_MIGRATE_INFO_TYPE 0x84000006u
#define PSCI_SYSTEM_OFF 0x84000008u
#define PSCI_SYSTEM_RESET 0x84000009u
#define PSCI_FEATURES 0x8400000au
#define PSCI_64 0x40000000u
#define SMCCC_VERSION 0x80000000u
#define SMCCC_ARCH_FEATURES 0x80000001u

#define AFFINITY_ABOVE_0 (~0xffUL)

#define PSCI_OK 0
#define PSCI_NOT_SUPPORTED (-1)
#define PSCI_INVALID_PARAMETERS (-2)
#define PSCI_ALREADY_ON (-4)
#define PSCI_INVALID_ADDRESS (-9)

static struct vcpu *find_vcpu(struct vm *vm, uint64_t affinity)
{
	if (affinity >= vm->vcpu_count)
		return NULL;
	return &vm->vcpus[affinity];
}

/* Off in a vCPU's own eyes is not enough: until its CPU has given up its context, that would overwrite a new one. */
static bool is_on(const struct vcpu *vcpu)
{
	return vcpu->power == VCPU_ON || __atomic_load_n(&vcpu->loaded, __ATOMIC_ACQUIRE);
}

static int64_t cpu_on(struct vcpu *vcpu, uint64_t affinity, uint64_t entry, uint64_t context)
{
	struct vm *vm = vcpu->vm;
	struct vcpu *other = find_vcpu(vm, affinity);
	int64_t status = PSCI_OK;

	if (!other)
		return PSCI_INVALID_PARAMETERS;
	if (entry & 3 || !range_within(entry, 4, vm->manifest->ram_base, vm->manifest->ram_size))
		return PSCI_INVALID_ADDRESS;
	spin_lock(&vm->lock);
	if (is_on(other)) {
		status = PSCI_ALREADY_ON;
	} else {
		vcpu_reset(other, entry, context);
		vm->last_on[other->cpu->id] = 0; /* where two share a CPU each begins without translations */
		other->power = VCPU_ON;
	}
	spin_unlock(&vm->lock);
	if (!status)
		sched_kick(other, 0);
	return status;
}

static void cpu_off(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	bool any = false;

	spin_lock(&vm->lock);
	__atomic_store_n(&vcpu->power, VCPU_OFF, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < vm->vcpu_count; i++)
		any |= vm->vcpus[i].power == VCPU_ON;
	any = any || !vm_may_end(vm);
	if (!any) {
		log_vm(vm, "stopped: its last vCPU is off");
		vm_set_state(vm, AV_STATE_STOPPED);
	}
	spin_unlock(&vm->lock);
	if (!any)
		region_leave(vm);
	if (__atomic_load_n(&vm->requests, __ATOMIC_SEQ_CST))
		sched_serve(vm, 0); /* another one does what this one was asked for */
	sched_yield();
}

/* As WFI: the standby state, woken by any interrupt. */
static int64_t cpu_suspend(struct vcpu *vcpu)
{
	if (!vcpu->vm->requests && !vcpu_wakes(vcpu)) {
		vcpu->waiting = 1;
		vcpu->wait_since = counter_now();
		sched_yield();
	}
	return PSCI_OK;
}

static int64_t features_of(uint32_t function)
{
	switch (function) {
	case PSCI_VERSION:
	case PSCI_FEATURES:
	case PSCI_CPU_OFF:
	case PSCI_CPU_ON:
	case PSCI_CPU_ON | PSCI_64:
	case PSCI_CPU_SUSPEND:
	case PSCI_CPU_SUSPEND | PSCI_64:
	case PSCI_AFFINITY_INFO:
	case PSCI_AFFINITY_INFO | PSCI_64:
	case PSCI_MIGRATE_INFO_TYPE:
	case PSCI_SYSTEM_OFF:
	case PSCI_SYSTEM_RESET:
	case SMCCC_VERSION:
		return PSCI_OK;
	default:
		return PSCI_NOT_SUPPORTED;
	}
}

static int64_t affinity_info(struct vcpu *vcpu, uint64_t affinity, uint64_t level)
{
	struct vcpu *other = find_vcpu(vcpu->vm, affinity);

	/* All are in one cluster, and the caller is on in it. What is below the level does not count: it may be anything. */
	if (level >= 1 && level <= 3)
		return affinity & AFFINITY_ABOVE_0 ? PSCI_INVALID_PARAMETERS : 0;
	if (!other || level)
		return PSCI_INVALID_PARAMETERS;
	return is_on(other) ? 0 : 1;
}

static void system_reset(struct vcpu *vcpu)
{
	if (vcpu->vm->flags & AV_VM_FLAG_CONTROL) {
		vm_crash(vcpu, "SYSTEM_RESET", 0, 0);
		return;
	}
	if (!call_operation_begin(vcpu))
		return;
	operation_reset(vcpu->vm);
	call_operation_end();
}

static void psci(struct vcpu *vcpu)
{
	uint64_t *x = vcpu->x;
	uint32_t function = (uint32_t)x[0];
	/* SMC32 arguments are 32 bits wide. */
	uint64_t mask = function & PSCI_64 ? ~0UL : 0xffffffffUL;
	int64_t status = PSCI_NOT_SUPPORTED;

	switch (function) {
	case PSCI_VERSION:
		status = 0x10001;
		break;
	case SMCCC_VERSION:
		status = 0x10001;
		break;
	case SMCCC_ARCH_FEATURES:
		status = (uint32_t)x[1] == SMCCC_VERSION || (uint32_t)x[1] == SMCCC_ARCH_FEATURES
				 ? PSCI_OK
				 : PSCI_NOT_SUPPORTED;
		break;
	case PSCI_FEATURES:
		status = features_of((uint32_t)x[1]);
		break;
	case PSCI_CPU_ON:
	case PSCI_CPU_ON | PSCI_64:
		status = cpu_on(vcpu, x[1] & mask, x[2] & mask, x[3] & mask);
		break;
	case PSCI_CPU_OFF:
		cpu_off(vcpu);
		return;
	case PSCI_CPU_SUSPEND:
	case PSCI_CPU_SUSPEND | PSCI_64:
		status = cpu_suspend(vcpu);
		break;
	case PSCI_AFFINITY_INFO:
	case PSCI_AFFINITY_INFO | PSCI_64:
		status = affinity_info(vcpu, x[1] & mask, x[2] & mask);
		break;
	case PSCI_MIGRATE_INFO_TYPE:
		status = 2; /* no trusted OS */
		break;
	case PSCI_SYSTEM_OFF:
		sched_yield();
		if (!vm_may_end(vcpu->vm)) {
			vcpu_again(vcpu); /* if it runs again, it does so then */
			return;
		}
		log_vm(vcpu->vm, "SYSTEM_OFF");
		vm_set_state(vcpu->vm, AV_STATE_STOPPED);
		region_leave(vcpu->vm);
		return;
	case PSCI_SYSTEM_RESET:
		system_reset(vcpu);
		return;
	default:
		break;
	}
	x[0] = (uint64_t)status;
}

void psci_hvc(struct vcpu *vcpu)
{
	psci(vcpu);
}

void psci_smc(struct vcpu *vcpu)
{
	psci(vcpu);
}

void secondary_entry(void);

int64_t psci_start_cpu(uint64_t mpidr, struct cpu *cpu)
{
	register uint64_t x0 __asm__("x0") = PSCI_CPU_ON | PSCI_64;
	register uint64_t x1 __asm__("x1") = mpidr;
	register uint64_t x2 __asm__("x2") = (uint64_t)secondary_entry;
	register uint64_t x3 __asm__("x3") = (uint64_t)cpu;

	__asm__ volatile("smc #0"
			 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"x4", "x5", "x6", "x7", "x8",
			   "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory");
	return (int64_t)x0;
}
