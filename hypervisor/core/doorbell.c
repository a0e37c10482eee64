/* SPDX-License-Identifier: MIT */
/*
 * doorbell.c - flags between the members of a region: ringing, looking, masking, waiting.
 * Never loses a flag, never waits, and never touches another VM's vGIC: its own CPU moves the line.
 */
#include "core/doorbell.h"
#include "arch/sysreg.h"
#include "core/devices.h"
#include "core/hypercall.h"
#include "core/sched.h"
#include "core/vcpu.h"

static void look_at_line(struct region *region, const struct region_member *member)
{
	unsigned n = region_number(region);

	member->vm->bells[n / 64] |= UINT64_C(1) << n % 64;
}

uint64_t doorbell_ring(struct region *region, unsigned number, uint64_t flags)
{
	struct region_member *member = &region->members[number];
	uint64_t before = member->pending;

	member->pending |= flags;
	if (!(before & member->enable) && flags & member->enable) {
		look_at_line(region, member);
		sched_serve(member->vm, REQUEST_BELLS);
	}
	if (member->waiters && flags & ~before) {
		for (unsigned waiters = member->waiters; waiters; waiters &= waiters - 1)
			sched_kick(&member->vm->vcpus[__builtin_ctz(waiters)], 0);
		member->waiters = 0;
	}
	return before;
}

/* region_lock held. The control VM rings as nobody, in any region. */
static int ring_locked(const struct vm *vm, uint64_t n, uint64_t to, uint64_t flags,
		       uint64_t *before)
{
	const struct region_member *own = region_member_of(n, vm);
	struct region *region;

	if (!own &&
	    !(vm->flags & AV_VM_FLAG_CONTROL && n < AV_REGION_NUMBERS && regions[n].attached))
		return AV_E_NOT_ATTACHED;
	region = &regions[n];
	if (to == AV_MEMBER_ALL) {
		for (unsigned i = 0; i < region->member_count; i++)
			if (region->members[i].vm && &region->members[i] != own)
				doorbell_ring(region, i, flags);
		return AV_OK;
	}
	if (to >= region->member_count || !region->members[to].vm)
		return AV_E_NOT_FOUND;
	*before = doorbell_ring(region, (unsigned)to, flags);
	return AV_OK;
}

int doorbell_ring_call(struct vm *vm, uint64_t region, uint64_t member, uint64_t flags,
		       uint64_t *before)
{
	int status;

	if (flags & AV_DOORBELL_PEER)
		return AV_E_INVALID;
	spin_lock(&region_lock);
	status = ring_locked(vm, region, member, flags, before);
	spin_unlock(&region_lock);
	return status;
}

void doorbell_lines(struct vm *vm)
{
	spin_lock(&region_lock);
	for (unsigned n = region_next(vm->bells, 0); n < AV_REGION_NUMBERS;
	     n = region_next(vm->bells, n + 1)) {
		const struct region_member *member = region_member_of(n, vm);

		vm->bells[n / 64] &= ~(UINT64_C(1) << n % 64);
		vgic_set_line(&vm->gic, 0, AV_REGION_INTID(n),
			      member && member->pending & member->enable);
	}
	spin_unlock(&region_lock);
}

/* Own flags are taken away; true when the SPI's line falls, and doorbell_lines() is to be called. region_lock held. */
static bool clear(struct region *region, struct region_member *member, uint64_t ack)
{
	uint64_t before = member->pending;

	member->pending &= ~ack;
	if (!(before & member->enable) || member->pending & member->enable)
		return false;
	look_at_line(region, member);
	return true;
}

static void lower(struct vm *vm)
{
	spin_lock(&vm->lock);
	doorbell_lines(vm);
	spin_unlock(&vm->lock);
}

int doorbell_status(struct vm *vm, uint64_t region, uint64_t ack, uint64_t *before)
{
	struct region_member *member;
	bool falls = false;

	spin_lock(&region_lock);
	member = region_member_of(region, vm);
	if (member) {
		*before = member->pending;
		falls = clear(&regions[region], member, ack);
	}
	spin_unlock(&region_lock);
	if (falls)
		lower(vm);
	return member ? AV_OK : AV_E_NOT_ATTACHED;
}

__attribute__((cold)) int doorbell_mask(struct vcpu *vcpu, uint64_t region, uint64_t enable,
					uint64_t target, uint64_t *before)
{
	struct vm *vm = vcpu->vm;
	struct region_member *member;

	spin_lock(&vm->lock);
	spin_lock(&region_lock);
	member = region_member_of(region, vm);
	if (member && target < vm->vcpu_count) {
		*before = member->enable;
		member->enable = enable;
		member->vcpu = (uint8_t)target;
		look_at_line(&regions[region], member);
	}
	spin_unlock(&region_lock);
	if (member && target < vm->vcpu_count) {
		devices_route(vcpu, AV_REGION_INTID((unsigned)region), target);
		doorbell_lines(vm);
		vcpu_forward_kicks(vcpu);
	}
	spin_unlock(&vm->lock);
	return !member ? AV_E_NOT_ATTACHED : target < vm->vcpu_count ? AV_OK : AV_E_INVALID;
}

/* What is pending for this member, or that it has to be waited for. region_lock held. */
static int look(struct vcpu *vcpu, struct region_member *member, bool take, uint64_t *pending,
		bool *falls)
{
	uint64_t flags = vcpu->x[2];

	*pending = member->pending;
	if (!(*pending & flags)) {
		/* Before the lock is given up: the next ring finds it. */
		member->waiters |= (uint8_t)(1u << vcpu->index);
		return REGION_AGAIN;
	}
	member->waiters &= (uint8_t) ~(1u << vcpu->index);
	if (take)
		*falls = clear(&regions[vcpu->x[1]], member, flags);
	return AV_OK;
}

/* After that: whether there is something else that ends the wait. */
static inline int go_on(struct vcpu *vcpu, int status, bool falls)
{
	uint64_t deadline = vcpu->x[3];

	if (falls)
		lower(vcpu->vm);
	if (status != REGION_AGAIN)
		return status;
	if ((deadline != AV_WAIT_FOREVER && vm_counter(vcpu->vm) >= deadline) ||
	    vcpu->vm->requests || vcpu_wakes(vcpu))
		return AV_OK;
	return REGION_AGAIN;
}

int doorbell_wait(struct vcpu *vcpu, bool take, uint64_t *pending)
{
	struct region_member *member;
	int status = AV_E_NOT_ATTACHED;
	bool falls = false;

	spin_lock(&region_lock);
	member = region_member_of(vcpu->x[1], vcpu->vm);
	if (member)
		status = look(vcpu, member, take, pending, &falls);
	spin_unlock(&region_lock);
	return go_on(vcpu, status, falls);
}

int doorbell_call(struct vcpu *vcpu, uint64_t *pending)
{
	uint64_t to = vcpu->x[4], flags = vcpu->x[5];
	struct region_member *member;
	struct region *region;
	int status = AV_E_NOT_ATTACHED;
	bool falls = false;

	if (flags & AV_DOORBELL_PEER)
		return AV_E_INVALID;
	spin_lock(&region_lock);
	member = region_member_of(vcpu->x[1], vcpu->vm);
	if (member) {
		region = &regions[vcpu->x[1]];
		if (flags && (to >= region->member_count || !region->members[to].vm)) {
			status = AV_E_NOT_FOUND;
		} else {
			if (flags)
				doorbell_ring(region, (unsigned)to, flags);
			status = look(vcpu, member, true, pending, &falls);
		}
	}
	spin_unlock(&region_lock);
	return go_on(vcpu, status, falls);
}

bool doorbell_wait_over(struct vcpu *vcpu)
{
	bool take = (uint32_t)vcpu->x[0] == AV_HVC_ID(AV_HVC_DOORBELL_CALL);
	uint64_t pending = 0;
	int status = doorbell_wait(vcpu, take, &pending);

	if (status == REGION_AGAIN)
		return false;
	vcpu->x[0] = (uint64_t)(int64_t)status;
	vcpu->x[1] = status ? 0 : pending;
	vcpu->x[2] = vcpu->x[3] = 0;
	vcpu->pc += 4;
	return true;
}
