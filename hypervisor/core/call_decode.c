/* SPDX-License-Identifier: MIT */
/* call_decode.c - numbers, arity, privilege and target of hypercalls.def. Pure; host tests run it over every number. */
#include "core/call_decode.h"

_Static_assert(CALL_ARGUMENTS == 6, "call_decode()");

enum privilege { SELF, ANY, CALLER, CONTROL, OTHER };

struct entry {
	_Alignas(4) uint8_t known;
	uint8_t arity;
	uint8_t privilege;
};

static const struct entry entries[256] = {
#define AV_HVC(name, number, arity_, privilege_) \
	[number] = {.known = 1, .arity = (arity_), .privilege = (privilege_)},
#include <avisor/hypercalls.def>
#undef AV_HVC
};

static int find_target(unsigned privilege, bool control, uint32_t self, uint32_t vm_count,
		       uint64_t wanted, uint32_t *target)
{
	if (privilege == SELF && wanted == AV_VM_SELF) { /* what guests do */
		*target = self;
		return AV_OK;
	}
	*target = CALL_TARGET_NONE;
	if (privilege == ANY || privilege == CALLER)
		return AV_OK;
	if (privilege == CONTROL)
		return control ? AV_OK : AV_E_DENIED;
	if (wanted == AV_VM_SELF)
		wanted = self;
	if (!control && (privilege == OTHER || wanted != self))
		return AV_E_DENIED;
	if (wanted >= vm_count)
		return AV_E_NOT_FOUND;
	*target = (uint32_t)wanted;
	return AV_OK;
}

int call_decode(const uint64_t x[1 + CALL_ARGUMENTS], bool control, uint32_t self,
		uint32_t vm_count, struct call_decoded *out)
{
	uint32_t number = (uint32_t)x[0] & 0xffff;
	const struct entry *entry;
	uint64_t reserved = 0;

	if (number >= ARRAY_SIZE(entries) || !entries[number].known)
		return AV_E_NOT_SUPPORTED;
	entry = &entries[number];
	switch (entry->arity) { /* no loop: part of every call */
	case 0:
		reserved |= x[1];
		__attribute__((fallthrough));
	case 1:
		reserved |= x[2];
		__attribute__((fallthrough));
	case 2:
		reserved |= x[3];
		__attribute__((fallthrough));
	case 3:
		reserved |= x[4];
		__attribute__((fallthrough));
	case 4:
		reserved |= x[5];
		__attribute__((fallthrough));
	case 5:
		reserved |= x[6];
		__attribute__((fallthrough));
	default:
		break;
	}
	if (reserved)
		return AV_E_INVALID;
	out->args = &x[1];
	out->number = number;
	return find_target(entry->privilege, control, self, vm_count, x[1], &out->target);
}
