/* SPDX-License-Identifier: MIT */
/*
 * doorbell.h - 64 flags a member of a region, rung by the others. A flag stays pending until its owner clears it, so none is
 * lost however often or fast it is rung; an interrupt, a wait and a look are ways to learn of it.
 */
#pragma once
#include "core/region.h"

/* OR flags into a member's pending ones; returns those before. region_lock held. */
uint64_t doorbell_ring(struct region *region, unsigned number, uint64_t flags);

/* The calls; AV_E_*, *before as abi/README.md says. */
int doorbell_ring_call(struct vm *vm, uint64_t region, uint64_t member, uint64_t flags,
		       uint64_t *before);
int doorbell_status(struct vm *vm, uint64_t region, uint64_t ack, uint64_t *before);
int doorbell_mask(struct vcpu *vcpu, uint64_t region, uint64_t enable, uint64_t target,
		  uint64_t *before);

/*
 * What the wait of this vCPU answers, or REGION_AGAIN: it goes on, and who rings looks at the vCPU. Region, flags and the
 * counter to give up at are in x1..x3; take: flags that end it are cleared. vcpu loaded here.
 */
int doorbell_wait(struct vcpu *vcpu, bool take, uint64_t *pending);

/* DOORBELL_CALL, the first time: member x4 is rung with x5 before. */
int doorbell_call(struct vcpu *vcpu, uint64_t *pending);

/*
 * A vCPU in DOORBELL_WAIT or DOORBELL_CALL (waiting == VCPU_WAITS_BELL, PC at the hvc, its registers as they were) is looked
 * at: true when the wait is over; then the call is answered and the PC is behind it. vcpu loaded here.
 */
bool doorbell_wait_over(struct vcpu *vcpu);

/* SPI levels of the regions in vm->bells. vm->lock held. */
void doorbell_lines(struct vm *vm);
