/* SPDX-License-Identifier: MIT */
/* hypercall.h - calls of guests, by number and by immediate. abi/README.md says what each does and which errors it has. */
#pragma once
#include "core/call_decode.h"
#include "core/vm.h"

/* hvc #0: SMCCC. ELR is behind the instruction. */
void hypercall(struct vcpu *vcpu);

/* hvc #1..: the original Avisor's; x0..x30 preserved. */
void hypercall_immediate(struct vcpu *vcpu, unsigned immediate);

/* One vendor call being served. */
struct call {
	struct vcpu *vcpu;
	struct vm *caller;
	struct vm *target;      /* x1, for calls that have one */
	struct call_decoded in; /* checked */
	uint64_t results[3];    /* x1..x3 */
};

/* Not an AV_E_*: the registers are not to be written (they were replaced, or the instruction runs again). */
#define CALL_NO_RETURN 1

typedef int call_handler(struct call *call);

/* The handlers, one for each line of hypercalls.def. */
#define AV_HVC(name, number, arity, privilege) call_handler call_##name;
#include <avisor/hypercalls.def>
#undef AV_HVC

/* Write status and results to the caller's registers. For handlers that return CALL_NO_RETURN; hypercall() does it else. */
void call_answer(struct call *call, int status);
/*
 * Answer, and then give the operation lock back: once it is free, somebody else may give a caller that was ended meanwhile another
 * state. Returns CALL_NO_RETURN.
 */
int call_end_with(struct call *call, int status);

/* A name in the caller's memory, or none (address 0). AV_E_BAD_ADDRESS. */
int call_read_name(struct call *call, uint64_t address, char name[AV_NAME_SIZE]);
/* Into the caller's memory. AV_E_BAD_ADDRESS. */
int call_write(struct call *call, uint64_t address, const void *from, size_t size);
/* Copy a structure out: at most what the caller has room for; x1 says how much there is. AV_E_BAD_ADDRESS. */
int call_give(struct call *call, uint64_t address, uint64_t room, const void *from, size_t size);

/* Try for op_lock; when it is not to be had, the instruction runs again after others had their turn. */
bool call_operation_begin(struct vcpu *vcpu);
void call_operation_end(void);
