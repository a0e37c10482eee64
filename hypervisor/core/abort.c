/* SPDX-License-Identifier: MIT */
/*
 * abort.c - stage-2 aborts of a guest. RAM faults go to its memory; device addresses are emulated; whatever is nowhere
 * becomes an external abort in the guest.
 */
#include "arch/sysreg.h"
#include "core/access.h"
#include "core/devices.h"
#include "core/event.h"
#include "core/flash.h"
#include "core/guest_copy.h"
#include "core/log.h"
#include "core/sched.h"
#include "core/trap.h"
#include "core/vcpu.h"
#include "platform/qemu-virt/platform.h"

#define FSC_TRANSLATION 0x04
#define FSC_PERMISSION 0x0c
#define FSC_CLASS(esr) ((esr)&0x3c)
#define ISS_S1PTW (1UL << 7)
#define ISS_FNV (1UL << 10)
#define ISS_ISV (1UL << 24)

#define unlikely(x) __builtin_expect(!!(x), 0)

/* The word at the guest's PC, or 0 when it cannot be read. VM's lock held. */
static uint32_t instruction_at_pc(struct vcpu *vcpu)
{
	uint64_t address;
	uint32_t word;

	if (!guest_translate(vcpu->pc, false, &address) ||
	    !guest_read(vcpu->vm, address, &word, sizeof(word)))
		return 0;
	return word;
}

static void base_writeback(struct vcpu *vcpu, const struct access *access)
{
	uint64_t delta = (uint64_t)(int64_t)access->offset;
	uint64_t mode = vcpu->pstate & 0x1f;

	if (!access->writeback)
		return;
	if (access->base != 31)
		vcpu->x[access->base] += delta;
	else if (mode == PSTATE_EL1H)
		sysreg_write(sp_el1, sysreg_read(sp_el1) + delta);
	else
		sysreg_write(sp_el0, sysreg_read(sp_el0) + delta);
}

static bool is_write(uint64_t esr)
{
	if (ESR_EC(esr) == EC_IABORT_LOWER)
		return esr & ISS_S1PTW && FSC_CLASS(esr) == FSC_PERMISSION;
	/* A walk that sets the access flag shows WnR of the access, not of the walk: a permission fault on one is a write. */
	if (esr & ISS_S1PTW)
		return FSC_CLASS(esr) == FSC_PERMISSION;
	return esr & ISS_WNR && !(esr & ISS_CM);
}

/* An access to be emulated whose instruction has to be looked at, or to flash. */
static void emulate_odd(struct vcpu *vcpu, uint64_t esr, uint64_t address, uint64_t far)
{
	struct access access;
	struct device_access device;

	if (esr & ISS_ISV) {
		access = access_from_syndrome(esr);
	} else {
		uint32_t word;

		spin_lock(&vcpu->vm->lock);
		word = instruction_at_pc(vcpu);
		spin_unlock(&vcpu->vm->lock);
		if (!access_decode(word, &access)) {
			vm_crash(vcpu, "device access by an instruction without syndrome", far,
				 word);
			return;
		}
	}
	device.value = 0;
	if (access.write)
		device.value = access_stored(&access, access.reg == 31 ? 0 : vcpu->x[access.reg]);
	if (flash_is_at(vcpu->vm, address)) {
		if (!flash_access(vcpu, address, &access, &device.value))
			return;
	} else {
		device = devices_mmio(vcpu, address, access.size, access.write, device.value);
		if (!device.there) {
			vcpu_inject_abort(vcpu, esr, far);
			return;
		}
	}
	if (!access.write && access.reg != 31)
		vcpu->x[access.reg] = access_extend(&access, device.value);
	base_writeback(vcpu, &access);
	vcpu_skip(vcpu);
}

/* Below the RAM, and not the plain case. */
static __attribute__((noinline, cold)) void odd_device(struct vcpu *vcpu, uint64_t esr,
						       uint64_t address, uint64_t far)
{
	if (flash_is_at(vcpu->vm, address) &&
	    flash_fault(vcpu, address, is_write(esr), ESR_EC(esr) == EC_IABORT_LOWER)) {
		vcpu->exits[AV_EXIT_FAULT_OTHER]++;
		return;
	}
	vcpu->exits[AV_EXIT_MMIO]++;
	/* Fetching from a device, or walking a table in one: nothing sensible is there. Cache maintenance is nothing to do. */
	if (ESR_EC(esr) == EC_DABORT_LOWER && esr & ISS_CM)
		vcpu_skip(vcpu);
	else if (ESR_EC(esr) == EC_IABORT_LOWER || esr & (ISS_S1PTW | ISS_CM))
		vcpu_inject_abort(vcpu, esr, far);
	else
		emulate_odd(vcpu, esr, address, far);
}

/* Below the RAM. What drivers do is a plain load or store of a device's register. */
static void device_abort(struct vcpu *vcpu, uint64_t esr, uint64_t address, uint64_t far)
{
	const struct access access = access_from_syndrome(esr);
	struct device_access device;

	/* A fetch has no syndrome (ISV = 0). */
	if (unlikely((esr & (ISS_ISV | ISS_S1PTW | ISS_CM)) != ISS_ISV || vcpu->vm->flash)) {
		odd_device(vcpu, esr, address, far);
		return;
	}
	vcpu->exits[AV_EXIT_MMIO]++;
	if (access.write) {
		uint64_t value = access.reg == 31 ? 0 : vcpu->x[access.reg];

		device = devices_mmio(vcpu, address, access.size, true,
				      access_stored(&access, value));
	} else {
		device = devices_mmio(vcpu, address, access.size, false, 0);
		if (device.there && access.reg != 31)
			vcpu->x[access.reg] = access_extend(&access, device.value);
	}
	if (device.there)
		vcpu_skip(vcpu);
	else
		vcpu_inject_abort(vcpu, esr, far);
}

static void ram_abort(struct vcpu *vcpu, uint64_t esr, uint64_t address, uint64_t far)
{
	struct vm *vm = vcpu->vm;
	enum vmem_fault fault;

	spin_lock(&vm->lock);
	fault = vmem_fault(&vm->mem, ipa(address), is_write(esr), vm->wide);
	/* Under the lock: who frees frames looks at the state after it. */
	if (fault == VMEM_STARVED)
		vm_starve(vm, address);
	spin_unlock(&vm->lock);
	switch (fault) {
	case VMEM_TOUCHED:
		vcpu->exits[AV_EXIT_FAULT_TOUCH]++;
		return;
	case VMEM_COPIED:
	case VMEM_MADE_WRITABLE:
		vcpu->exits[AV_EXIT_FAULT_WRITE]++;
		return;
	case VMEM_LINKED:
	case VMEM_SPURIOUS:
	case VMEM_STARVED:
		vcpu->exits[AV_EXIT_FAULT_OTHER]++;
		return;
	case VMEM_RO_REGION:
	case VMEM_NOT_RAM:
		vcpu->exits[AV_EXIT_FAULT_OTHER]++;
		vcpu_inject_abort(vcpu, esr, far);
		return;
	}
}

static inline void ram_or_device(struct vcpu *vcpu, uint64_t esr, uint64_t address, uint64_t far)
{
	if (address < PLAT_RAM)
		device_abort(vcpu, esr, address, far);
	else
		ram_abort(vcpu, esr, address, far);
}

void trap_abort(struct vcpu *vcpu, uint64_t esr)
{
	uint64_t far = sysreg_read(far_el2), address;

	if (unlikely(FSC_CLASS(esr) != FSC_TRANSLATION)) {
		if (FSC_CLASS(esr) != FSC_PERMISSION) {
			vcpu->exits[AV_EXIT_FAULT_OTHER]++;
			vcpu_inject_abort(vcpu, esr, far);
			return;
		}
		/* HPFAR_EL2 is not to be had. When the address cannot be found out now, the guest tries again. */
		if (!(esr & ISS_S1PTW)) {
			if (guest_translate(far, false, &address))
				ram_or_device(vcpu, esr, address, far);
			return;
		}
	}
	address = (sysreg_read(hpfar_el2) & 0x00000ffffffffff0UL) << 8 | (far & PAGE_MASK);
	ram_or_device(vcpu, esr, address, far);
}
