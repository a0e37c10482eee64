// SPDX-License-Identifier: GPL-2.0
/*
 * call.c - hypercalls for user space: those on the list, with buffers copied through a page of the kernel.
 * Never passes an address of user space's on: what the hypervisor reads or writes is memory of this file.
 */
#include <linux/arm-smccc.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/uaccess.h>

#include "avisor.h"

/* Where a call's buffer is. In and out are as the hypervisor sees it. */
enum buffer { NO_BUFFER, BUFFER_OUT, TEXT_IN, NAME_IN };

struct rule {
	u32 number;
	u8 arity;
	bool self;    /* x1 is the target, and must be AV_VM_SELF */
	u8 buffer_at; /* index in argument[]; its size, if it has one, is the next */
	u8 buffer;    /* enum buffer */
};

#define HVC(name) AV_HVC_##name
static const struct rule rules[] = {
	{HVC(VERSION), 0},
	{HVC(FEATURES), 0},
	{HVC(IDENTITY), 0},
	{HVC(VM_INFO), 3, true, 1, BUFFER_OUT},
	{HVC(VM_STATS), 3, true, 1, BUFFER_OUT},
	{HVC(SNAPSHOT_TAKE), 4, true, 1, NAME_IN},
	{HVC(SNAPSHOT_RESTORE), 3, true},
	{HVC(SNAPSHOT_DELETE), 2, true},
	{HVC(SNAPSHOT_INFO), 4, true, 2, BUFFER_OUT},
	{HVC(REGION_INFO), 3, false, 1, BUFFER_OUT},
	{HVC(PRINT), 2, false, 0, TEXT_IN},
	{HVC(MEMORY_DRAIN), 1, true},
};
#undef HVC

struct avisor_result avisor_hvc(u32 number, const u64 argument[6])
{
	struct arm_smccc_res result;

	arm_smccc_hvc(AV_HVC_ID(number), argument[0], argument[1], argument[2], argument[3],
		      argument[4], argument[5], 0, &result);
	return (struct avisor_result){(s64)result.a0, {result.a1, result.a2, result.a3}};
}

/* Is it Avisor that answers? Without a hypervisor hvc is undefined: PSCI's conduit tells. */
int avisor_present(void)
{
	struct arm_smccc_res result;

	if (arm_smccc_1_1_get_conduit() != SMCCC_CONDUIT_HVC)
		return -ENODEV;
	arm_smccc_hvc(AV_SMCCC_CALL_UID, 0, 0, 0, 0, 0, 0, 0, &result);
	if ((u32)result.a0 != AV_UID_0 || (u32)result.a1 != AV_UID_1 ||
	    (u32)result.a2 != AV_UID_2 || (u32)result.a3 != AV_UID_3)
		return -ENODEV;
	return 0;
}

static const struct rule *find(u32 number)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].number == number)
			return &rules[i];
	return NULL;
}

static int check(const struct rule *rule, const struct avisor_call *call)
{
	if (call->reserved || call->status || call->value[0] || call->value[1] || call->value[2])
		return -EINVAL;
	if (!rule)
		return -EPERM;
	for (int i = rule->arity; i < 6; i++)
		if (call->argument[i])
			return -EINVAL;
	if (rule->self && call->argument[0] != AV_VM_SELF)
		return -EPERM;
	return 0;
}

/* How many bytes of the caller's buffer there are; 0 is fine for a name that is not given. */
static int buffer_size(const struct rule *rule, const struct avisor_call *call, u64 *size)
{
	*size = 0;
	switch (rule->buffer) {
	case BUFFER_OUT:
	case TEXT_IN:
		*size = call->argument[rule->buffer_at + 1];
		return *size > 0 && *size <= PAGE_SIZE ? 0 : -EINVAL;
	case NAME_IN:
		*size = call->argument[rule->buffer_at] ? AV_NAME_SIZE : 0;
		return 0;
	default:
		return 0;
	}
}

int avisor_call(struct avisor_call *call)
{
	const struct rule *rule = find(call->number);
	struct avisor_result result;
	void __user *user = NULL;
	void *page = NULL;
	u64 argument[6], size;
	int error = check(rule, call);

	if (!error)
		error = buffer_size(rule, call, &size);
	if (error)
		return error;
	memcpy(argument, call->argument, sizeof(argument));
	if (size) {
		user = u64_to_user_ptr(argument[rule->buffer_at]);
		page = (void *)get_zeroed_page(GFP_KERNEL);
		if (!page)
			return -ENOMEM;
		argument[rule->buffer_at] = virt_to_phys(page);
		if (rule->buffer != BUFFER_OUT && copy_from_user(page, user, size))
			error = -EFAULT;
	}
	if (!error) {
		result = avisor_hvc(rule->number, argument);
		call->status = result.status;
		memcpy(call->value, result.value, sizeof(call->value));
		if (rule->buffer == BUFFER_OUT && result.status == AV_OK &&
		    copy_to_user(user, page, min_t(u64, size, result.value[0])))
			error = -EFAULT;
	}
	free_page((unsigned long)page);
	return error;
}
