/* SPDX-License-Identifier: MIT */
/* call_decode.c - numbers, arity, privilege and target of hypercalls.def. Pure; host tests run it over every number. */
#include "core/call_decode.h"

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
	for (unsigned i = entry->arity; i < CALL_ARGUMENTS; i++)
		reserved |= x[1 + i];
	if (reserved)
		return AV_E_INVALID;
	out->args = &x[1];
	out->number = number;
	return find_target(entry->privilege, control, self, vm_count, x[1], &out->target);
}
