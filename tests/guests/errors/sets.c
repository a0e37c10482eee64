/* SPDX-License-Identifier: MIT */
/*
 * sets.c - the errors of calls about snapshots of the whole set. VM 2 runs errors.c as an ordinary VM, VM 3 abi.c: both have done with
 * snapshots first.
 */
#include "errors.h"

static int64_t take_set(uint64_t name)
{
	return hvc_SET_TAKE(name, 0).status;
}

static void pin_part(uint64_t pinned)
{
	struct av_set_info *set = (struct av_set_info *)BUFFER;

	hvc_SET_INFO(AV_SNAPSHOT_LATEST, BUFFER, sizeof(*set));
	hvc_SNAPSHOT_SET(TARGET, set->members[TARGET], AV_SNAPSHOT_SET_PINNED, pinned, 0);
}

static void clone_part(void)
{
	const struct av_set_info *set = (const struct av_set_info *)BUFFER;
	uint64_t part;

	hvc_SET_INFO(AV_SNAPSHOT_LATEST, BUFFER, sizeof(*set));
	part = set->members[TARGET]; /* the name takes its place */
	put_name("part");
	expect("clone of a part", clone(TARGET, part, NAME, SLOT, 0), AV_OK);
}

static void wait_for_others(void)
{
	struct av_vm_info *vm = (struct av_vm_info *)BUFFER;

	do {
		sleep_us(10000);
		hvc_VM_INFO(2, BUFFER, sizeof(*vm));
	} while (vm->state != AV_STATE_STOPPED);
	do {
		sleep_us(10000);
		hvc_VM_INFO(3, BUFFER, sizeof(*vm));
	} while (!vm->generation);
}

/* VM 2, which refuses, left no room; then it has room, but not for another one; then all is as it was. */
void check_sets(void)
{
	wait_for_others();
	while (hvc_SET_DELETE(AV_SNAPSHOT_LATEST).status == AV_OK)
		;
	expect("SET_TAKE", take_set(NOWHERE), AV_E_BAD_ADDRESS);
	expect("SET_INFO", hvc_SET_INFO(0, BUFFER, 8).status, AV_E_NOT_FOUND);
	expect("SET_RESTORE", hvc_SET_RESTORE(AV_SNAPSHOT_LATEST, 0).status, AV_E_NOT_FOUND);
	expect("SET_RESTORE", hvc_SET_RESTORE(AV_SNAPSHOT_UNDO, 0).status, AV_E_NOT_FOUND);
	expect("SET_RESTORE", hvc_SET_RESTORE(0, 4).status, AV_E_INVALID);
	expect("SET_DELETE", hvc_SET_DELETE(0).status, AV_E_NOT_FOUND);
	put_name("No Name");
	expect("SET_TAKE", take_set(NAME), AV_E_INVALID);
	expect("SET_TAKE", take_set(0), AV_E_NO_MEMORY);
	hvc_SNAPSHOT_SET(2, 0, AV_SNAPSHOT_SET_PINNED, 0, 0);
	while (hvc_SNAPSHOT_DELETE(2, AV_SNAPSHOT_LATEST).status == AV_OK)
		;
	hvc_MEMORY_DRAIN(2);
	put_name("whole");
	expect("set taken", take_set(NAME), AV_OK);
	expect("SET_TAKE", take_set(NAME), AV_E_EXISTS);
	expect("SET_TAKE", take_set(0), AV_E_EXHAUSTED);
	while (hvc_SNAPSHOT_TAKE(2, 0, 0, 0).status == AV_OK)
		;
	expect("SET_TAKE", take_set(0), AV_E_LIMIT);
	expect("SET_INFO", hvc_SET_INFO(0, NOWHERE, 8).status, AV_E_BAD_ADDRESS);
	pin_part(1);
	expect("SET_DELETE", hvc_SET_DELETE(AV_SNAPSHOT_LATEST).status, AV_E_PINNED);
	pin_part(0);
	clone_part();
	expect("SET_DELETE", hvc_SET_DELETE(AV_SNAPSHOT_LATEST).status, AV_E_IN_USE);
	hvc_VM_REMOVE(SLOT);
	expect("set deleted", hvc_SET_DELETE(AV_SNAPSHOT_LATEST).status, AV_OK);
}
