/* SPDX-License-Identifier: MIT */
/*
 * abi.c - does each hypercall answer as abi/ says, also when it is asked wrongly?
 * Runs as an ordinary VM: what needs the control privilege must be DENIED. Prints a line for each wrong answer and
 * at the end `abi: done, N wrong`. Takes two snapshots and restores one of them.
 */
#include "baremetal/guest.h"

#define BUFFER (GUEST_RAM_BASE + 0x3000000)
#define NOWHERE 0x3000000000ul

enum privilege { SELF, ANY, CALLER, CONTROL, OTHER };

static const struct {
	const char *name;
	uint32_t number;
	unsigned int arity;
	enum privilege privilege;
} calls[] = {
#define AV_HVC(name, number, arity, privilege) {#name, number, arity, privilege},
#include <avisor/hypercalls.def>
#undef AV_HVC
};
#define CALL_COUNT (sizeof(calls) / sizeof(calls[0]))

static unsigned int wrong;

static void expect(const char *what, int64_t found, int64_t wanted)
{
	if (found == wanted)
		return;
	wrong++;
	print("abi: WRONG %s: %ld instead of %ld\n", what, found, wanted);
}

static struct hvc_result raw(uint32_t number, uint64_t x1, unsigned int dirty)
{
	uint64_t x[7] = {0, x1, 0, 0, 0, 0, 0};

	if (dirty)
		x[dirty] = 1;
	return hvc_call(AV_HVC_ID(number), x[1], x[2], x[3], x[4], x[5], x[6]);
}

/* Whatever the call: arguments it does not have must be 0, and privilege comes before what it would do. */
static void check_table(void)
{
	for (unsigned int i = 0; i < CALL_COUNT; i++) {
		bool targets = calls[i].privilege == SELF || calls[i].privilege == OTHER;
		uint64_t self = targets ? AV_VM_SELF : 0;

		for (unsigned int at = calls[i].arity + 1; at <= 6; at++)
			if (calls[i].privilege != CONTROL && calls[i].privilege != OTHER)
				expect(calls[i].name,
				       raw(calls[i].number, at == 1 ? 0 : self, at).status,
				       AV_E_INVALID);
		if (calls[i].privilege == CONTROL)
			expect(calls[i].name, raw(calls[i].number, 0, 0).status, AV_E_DENIED);
		if (targets)
			expect(calls[i].name, raw(calls[i].number, 0, 0).status, AV_E_DENIED);
		if (calls[i].privilege == OTHER)
			expect(calls[i].name, raw(calls[i].number, AV_VM_SELF, 0).status,
			       AV_E_DENIED);
	}
}

static void check_unknown(void)
{
	static const uint32_t functions[] = {0xc6000fff, 0xc60000ff, 0xc600ffff,
					     0x86000000, 0x84001234, 0xc4001234,
					     0x0,        0x12345678, 0xffffffff};

	for (unsigned int i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		expect("unknown function", hvc_call(functions[i], 0, 0, 0, 0, 0, 0).status,
		       AV_E_NOT_SUPPORTED);
}

static void check_smccc(void)
{
	struct hvc_result result = hvc_call(AV_SMCCC_CALL_UID, 0, 0, 0, 0, 0, 0);

	expect("uid word 0", result.status, AV_UID_0);
	expect("uid word 1", (int64_t)result.value[0], AV_UID_1);
	expect("uid word 2", (int64_t)result.value[1], AV_UID_2);
	expect("uid word 3", (int64_t)result.value[2], AV_UID_3);
	result = hvc_VERSION();
	expect("VERSION", result.status, AV_OK);
	expect("version", (int64_t)result.value[0], AV_ABI_MAJOR << 16 | AV_ABI_MINOR);
	expect("FEATURES", hvc_FEATURES().status, AV_OK);
	expect("snapshots are a feature", (int64_t)(hvc_FEATURES().value[0] & AV_FEATURE_SNAPSHOT),
	       AV_FEATURE_SNAPSHOT);
	expect("SMCCC_VERSION >= 1.1", hvc_call(0x80000000, 0, 0, 0, 0, 0, 0).status >= 0x10001, 1);
	expect("PSCI_VERSION 1.1", psci_hvc(PSCI_VERSION, 0, 0, 0), 0x10001);
	expect("PSCI_VERSION by smc", psci_smc(PSCI_VERSION, 0, 0, 0), 0x10001);
	expect("PSCI_FEATURES(SYSTEM_OFF)", psci_hvc(PSCI_FEATURES, PSCI_SYSTEM_OFF, 0, 0), 0);
	expect("PSCI_FEATURES(nothing)", psci_hvc(PSCI_FEATURES, 0x84000fff, 0, 0), -1);
	expect("AFFINITY_INFO of itself", psci_hvc(PSCI_AFFINITY_INFO, 0, 0, 0), 0);
	expect("AFFINITY_INFO of nobody", psci_hvc(PSCI_AFFINITY_INFO, 0x77, 0, 0), -2);
	expect("CPU_ON of itself", psci_hvc(PSCI_CPU_ON, 0, GUEST_RAM_BASE, 0), -4);
	expect("CPU_ON of nobody", psci_hvc(PSCI_CPU_ON, 0x77, GUEST_RAM_BASE, 0), -2);
	expect("MIGRATE_INFO_TYPE", psci_hvc(PSCI_MIGRATE_INFO_TYPE, 0, 0, 0), 2);
}

/* A structure goes where the buffer is, as far as the buffer reaches, and nowhere else. */
static void check_buffers(void)
{
	const uint64_t size = sizeof(struct av_vm_info);
	struct av_vm_info *info = (struct av_vm_info *)BUFFER;
	volatile uint8_t *bytes = (volatile uint8_t *)BUFFER;

	memset((void *)BUFFER, 0xaa, 8192);
	expect("VM_INFO", hvc_VM_INFO(AV_VM_SELF, BUFFER, size).status, AV_OK);
	expect("size in x1", (int64_t)hvc_VM_INFO(AV_VM_SELF, BUFFER, size).value[0],
	       (int64_t)size);
	expect("vCPUs", info->vcpu_count, 1);
	expect("RAM base", (int64_t)info->ram_base, GUEST_RAM_BASE);
	expect("state", info->state, AV_STATE_RUNNING);
	expect("the byte behind", bytes[size], 0xaa);
	memset((void *)BUFFER, 0xaa, 8192);
	expect("half of it", hvc_VM_INFO(AV_VM_SELF, BUFFER, 8).status, AV_OK);
	expect("the byte behind the half", bytes[8], 0xaa);
	expect("over a page", hvc_VM_INFO(AV_VM_SELF, BUFFER + 4096 - 20, size).status, AV_OK);
	expect("behind the end", bytes[4096 - 20 + size], 0xaa);
	hvc_VM_INFO(AV_VM_SELF, BUFFER, size);
	expect("its own index", hvc_VM_INFO(info->index, BUFFER, size).status, AV_OK);
	expect("no memory there", hvc_VM_INFO(AV_VM_SELF, NOWHERE, size).status, AV_E_BAD_ADDRESS);
	expect("a device there", hvc_VM_INFO(AV_VM_SELF, GUEST_UART, size).status,
	       AV_E_BAD_ADDRESS);
	expect("end of addresses", hvc_VM_INFO(AV_VM_SELF, ~7ul, size).status, AV_E_BAD_ADDRESS);
	hvc_VM_INFO(AV_VM_SELF, BUFFER, size);
	expect("end of RAM",
	       hvc_VM_INFO(AV_VM_SELF, info->ram_base + info->ram_size - 8, size).status,
	       AV_E_BAD_ADDRESS);
	expect("VM_STATS", hvc_VM_STATS(AV_VM_SELF, BUFFER, sizeof(struct av_vm_stats)).status,
	       AV_OK);
	expect("another VM", hvc_VM_INFO(0, BUFFER, size).status, AV_E_DENIED);
	expect("a VM that is not there", hvc_VM_INFO(1000, BUFFER, size).status < 0, 1);
	expect("PRINT nowhere", hvc_PRINT(NOWHERE, 10).status, AV_E_BAD_ADDRESS);
	memcpy((void *)BUFFER, "abi: printed by PRINT", 21);
	expect("PRINT", hvc_PRINT(BUFFER, 21).status, AV_OK);
	expect("a region that is not there", hvc_REGION_INFO(1000, BUFFER, 512).status,
	       AV_E_NOT_FOUND);
	expect("VM_YIELD", hvc_VM_YIELD().status, AV_OK);
}

static void check_snapshots(void)
{
	struct av_snapshot_info *info = (struct av_snapshot_info *)BUFFER;
	uint64_t generation = guest_generation(), first = hvc_IDENTITY().value[0];
	struct hvc_result result;
	uint64_t id;

	expect("latest of none", hvc_SNAPSHOT_RESTORE(AV_VM_SELF, AV_SNAPSHOT_LATEST, 0).status,
	       AV_E_NOT_FOUND);
	expect("reserved flags", hvc_SNAPSHOT_RESTORE(AV_VM_SELF, 0, 0x100).status, AV_E_INVALID);
	expect("undo is control's",
	       hvc_SNAPSHOT_RESTORE(AV_VM_SELF, AV_SNAPSHOT_BOOT, AV_RESTORE_UNDO).status,
	       AV_E_DENIED);
	expect("take x4", hvc_SNAPSHOT_TAKE(AV_VM_SELF, 0, 0, 1).status, AV_E_INVALID);
	expect("take name nowhere", hvc_SNAPSHOT_TAKE(AV_VM_SELF, NOWHERE, 0, 0).status,
	       AV_E_BAD_ADDRESS);
	memset((void *)BUFFER, 0, 64);
	memcpy((void *)BUFFER, "Bad Name", 8);
	expect("take bad name", hvc_SNAPSHOT_TAKE(AV_VM_SELF, BUFFER, 0, 0).status, AV_E_INVALID);
	memcpy((void *)BUFFER, "mine\0\0\0\0", 8);
	result = hvc_SNAPSHOT_TAKE(AV_VM_SELF, BUFFER, 0, 0);
	expect("take", result.status, AV_OK);
	if (result.value[1] != 0) {
		expect("second timeline", (int64_t)result.value[1], (int64_t)generation + 1);
		expect("the generation", (int64_t)guest_generation(), (int64_t)generation + 1);
		expect("another identity", hvc_IDENTITY().value[0] == first, 0);
		print("abi: came back from the snapshot\n");
		return;
	}
	id = result.value[0];
	expect("take the name again", hvc_SNAPSHOT_TAKE(AV_VM_SELF, BUFFER, 0, 0).status,
	       AV_E_EXISTS);
	expect("info", hvc_SNAPSHOT_INFO(AV_VM_SELF, id, BUFFER, sizeof(*info)).status, AV_OK);
	expect("info id", (int64_t)info->id, (int64_t)id);
	expect("info name", memcmp(info->name, "mine", 5), 0);
	expect("info beyond", hvc_SNAPSHOT_INFO(AV_VM_SELF, id + 1, BUFFER, sizeof(*info)).status,
	       AV_E_NOT_FOUND);
	expect("pin", hvc_SNAPSHOT_SET(AV_VM_SELF, id, AV_SNAPSHOT_SET_PINNED, 1, 0).status, AV_OK);
	expect("delete pinned", hvc_SNAPSHOT_DELETE(AV_VM_SELF, id).status, AV_E_PINNED);
	expect("unpin", hvc_SNAPSHOT_SET(AV_VM_SELF, id, AV_SNAPSHOT_SET_PINNED, 0, 0).status,
	       AV_OK);
	expect("set nothing", hvc_SNAPSHOT_SET(AV_VM_SELF, id, 7, 0, 0).status, AV_E_INVALID);
	expect("delete boot", hvc_SNAPSHOT_DELETE(AV_VM_SELF, AV_SNAPSHOT_BOOT).status,
	       AV_E_PINNED);
	expect("delete what is not there", hvc_SNAPSHOT_DELETE(AV_VM_SELF, 12345).status,
	       AV_E_NOT_FOUND);
	expect("drain", hvc_MEMORY_DRAIN(AV_VM_SELF).status, AV_OK);
	expect("restore what is not there", hvc_SNAPSHOT_RESTORE(AV_VM_SELF, 12345, 0).status,
	       AV_E_NOT_FOUND);
	hvc_SNAPSHOT_RESTORE(AV_VM_SELF, id, 0);
	expect("restore came back", 1, 0);
}

void guest_main(uint64_t dtb)
{
	(void)dtb;
	interrupts_init();
	print("abi: start\n");
	if (!guest_has_hypervisor())
		guest_panic("needs the hypervisor");
	check_unknown();
	check_smccc();
	check_table();
	check_buffers();
	check_snapshots();
	print("abi: done, %u wrong\n", wrong);
	for (uint64_t count = 0;; count++) {
		print("abi: alive %lu\n", count);
		sleep_us(500000);
	}
}
