/* SPDX-License-Identifier: MIT */
/*
 * debug.c - breakpoints, watchpoints and single steps of guests. The debug exceptions themselves go to EL1 without EL2. Must
 * never leave anything of one vCPU in the PE for the next: QEMU's TLB is slow where a watchpoint is, used or not.
 */
#include "core/debug.h"
#include "arch/features.h"
#include "arch/sysreg.h"
#include "core/string.h"
#include "core/vcpu.h"

#define MDSCR_KEPT (MDSCR_MDE | MDSCR_KDE | MDSCR_TDCC | MDSCR_SS)
#define BT_VMID (1UL << 23) /* DBGBCR<n>_EL1.BT: of VMIDs, reserved where there is no EL2 */
#define OSLM 8u             /* the OS lock is there */

static bool exists(unsigned number)
{
	return number >> 2 <= (features.id[5][0] >> (number & 2 ? 20 : 12) & 0xf);
}

/* As a guest can have it: with the bits that are there. */
static uint64_t kept(unsigned number, uint64_t value)
{
	/* Of an address those below 32; a control register has no more. */
	static const uint32_t bits[4] = {~0u, 0xffe1e7, ~3u, 0x1f1fffff};
	uint64_t high = number & 1 ? 0 : ~0UL << 32;

	return value & (high | bits[number & 3]);
}

static uint64_t *register_at(struct vcpu *vcpu, unsigned number)
{
	return &vcpu->vm->debug[vcpu->index * DEBUG_REGISTERS + number];
}

static void put(unsigned number, uint64_t value)
{
	if ((number & 3) == 1 && value & BT_VMID)
		value = 0;
	arch_debug_write(value, number);
}

void debug_reset(struct vcpu *vcpu)
{
	vcpu->mdscr = 0;
	vcpu->os_lock = 1;
	memset(register_at(vcpu, 0), 0, DEBUG_REGISTERS * sizeof(uint64_t));
	vcpu->vm->device_version = ++vcpu->vm->device_versions;
}

/* All registers as the vCPU has them, or 0. */
static void set(struct vcpu *vcpu, bool loaded)
{
	vcpu->extras ^= EXTRA_DEBUG;
	for (unsigned number = 0; number < DEBUG_REGISTERS; number++)
		if (exists(number))
			put(number, loaded ? *register_at(vcpu, number) : 0);
	arch_debug_write(loaded ? vcpu->mdscr : 0, DEBUG_MDSCR);
}

void debug_load(struct vcpu *vcpu)
{
	if (vcpu->pmu.debug && !(vcpu->extras & EXTRA_DEBUG))
		set(vcpu, true);
}

void debug_unload(struct vcpu *vcpu)
{
	if (vcpu->extras & EXTRA_DEBUG)
		set(vcpu, false);
}

void debug_adopt(uint64_t debug[AV_VCPU_MAX * DEBUG_REGISTERS])
{
	for (unsigned i = 0; i < AV_VCPU_MAX * DEBUG_REGISTERS; i++)
		debug[i] = kept(i, debug[i]);
}

void debug_adopt_vcpu(struct vcpu *vcpu)
{
	vcpu->mdscr &= MDSCR_KEPT;
	vcpu->os_lock &= 1;
	vcpu->pmu.debug = !vcpu->os_lock && vcpu->mdscr & (MDSCR_MDE | MDSCR_SS);
}

/* MDSCR_EL1 or the OS lock was written. */
static void changed(struct vcpu *vcpu)
{
	debug_adopt_vcpu(vcpu);
	if (!vcpu->pmu.debug) {
		debug_unload(vcpu);
		return;
	}
	debug_load(vcpu);
	arch_debug_write(vcpu->mdscr, DEBUG_MDSCR);
}

static void write(struct vcpu *vcpu, unsigned number, uint64_t value)
{
	struct vm *vm = vcpu->vm;

	spin_lock(&vm->lock);
	vm->device_version = ++vm->device_versions;
	spin_unlock(&vm->lock);
	value = kept(number, value);
	*register_at(vcpu, number) = value;
	if (vcpu->extras & EXTRA_DEBUG)
		put(number, value);
}

#define AT(crn, crm, op2) ((crn) << 7 | (crm) << 3 | (op2))

/* op: CRn, CRm, op2. */
bool debug_register(struct vcpu *vcpu, const unsigned op[3], bool read, uint64_t *value)
{
	unsigned number = op[1] << 2 | (op[2] & 3);

	if (!op[0] && op[2] & 4) {
		if (!exists(number))
			return false;
		if (read)
			*value = *register_at(vcpu, number);
		else
			write(vcpu, number, *value);
		return true;
	}
	switch (AT(op[0], op[1], op[2])) {
	case AT(0, 2, 2): /* MDSCR_EL1 */
		if (!read) {
			vcpu->mdscr = (uint32_t)*value;
			changed(vcpu);
		}
		*value = vcpu->mdscr;
		return true;
	case AT(1, 0, 4): /* OSLAR_EL1 */
		if (read)
			return false;
		vcpu->os_lock = (uint32_t)*value;
		changed(vcpu);
		return true;
	case AT(1, 1, 4): /* OSLSR_EL1 */
		*value = OSLM | vcpu->os_lock << 1;
		return read;
	default: /* external debug, claim tags, the double lock: nothing is there */
		*value = 0;
		return true;
	}
}
