/* SPDX-License-Identifier: MIT */
/*
 * errors.c - reaches each error that abi/README.md documents, and says `errors: CALL ERROR` when it was that one.
 * As an ordinary VM (snapshots: {keep: 4, when-full: refuse}, little memory for them, member of one region) it says so on
 * its console. In place of the control VM it says so in the hypervisor's log and then serves as the agent: what needs the
 * privilege is reached there, with VM 1 as the target, which must be one that nobody else commands; VM 3 has more RAM than the two
 * spare slots, 4 and 5, take. Never ends.
 */
#include "errors/errors.h"
#include "baremetal/serve.h"

#include <avisor/manifest.h>

static bool control;
static unsigned int wrong;

static const char *const names[] = {
	"OK",        "NOT_SUPPORTED", "INVALID",   "DENIED", "NOT_FOUND", "WRONG_STATE",
	"NO_MEMORY", "BAD_ADDRESS",   "EXISTS",    "PINNED", "LIMIT",     "INTEGRITY",
	"MISMATCH",  "NOT_ATTACHED",  "EXHAUSTED", "IN_USE",
};

static const char *name_of(int64_t status)
{
	uint64_t at = (uint64_t)-status;

	return at < sizeof(names) / sizeof(names[0]) ? names[at] : "?";
}

/* The control VM has no console; the log takes 50 lines a second of a VM. */
static void say(const char *call, const char *what, bool good)
{
	static unsigned int lines;
	char text[128] = "errors: ";
	size_t at = strlen(text);

	if (!control) {
		print("errors: %s%s %s\n", good ? "" : "WRONG ", call, what);
		return;
	}
	for (const char *part = good ? "" : "WRONG "; *part; part++)
		text[at++] = *part;
	for (; *call; call++)
		text[at++] = *call;
	text[at++] = ' ';
	for (; *what; what++)
		text[at++] = *what;
	text[at] = '\0';
	if (++lines % 40 == 0)
		sleep_us(1100000); /* a control VM that never waits is restarted */
	hvc_print(text);
}

void expect(const char *call, int64_t found, int64_t wanted)
{
	if (found != wanted)
		wrong++;
	say(call, name_of(found), found == wanted);
}

void put_name(const char *name)
{
	memset((void *)NAME, 0, AV_NAME_SIZE);
	memcpy((void *)NAME, name, strlen(name));
}

/* --- what every call has */

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

static int64_t ask(uint32_t number, uint64_t x1, uint64_t x6)
{
	return hvc_call(AV_HVC_ID(number), x1, 0, 0, 0, 0, x6).status;
}

static void general(void)
{
	expect("any", ask(0xfff, 0, 0), AV_E_NOT_SUPPORTED);
	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		bool targets = calls[i].privilege == SELF || calls[i].privilege == OTHER;

		expect("any", ask(calls[i].number, targets ? AV_VM_SELF : 0, 1), AV_E_INVALID);
		if (control && targets)
			expect("any", ask(calls[i].number, 1000, 0), AV_E_NOT_FOUND);
		if (!control && targets)
			expect("any", ask(calls[i].number, 1000, 0), AV_E_DENIED);
		if (!control && (calls[i].privilege == CONTROL || calls[i].privilege == OTHER))
			expect("any", ask(calls[i].number, targets ? AV_VM_SELF : 0, 0),
			       AV_E_DENIED);
	}
}

/* --- as an ordinary VM */

static void info(void)
{
	expect("VM_INFO", hvc_VM_INFO(AV_VM_SELF, NOWHERE, 8).status, AV_E_BAD_ADDRESS);
	expect("VM_STATS", hvc_VM_STATS(AV_VM_SELF, NOWHERE, 8).status, AV_E_BAD_ADDRESS);
	expect("REGION_INFO", hvc_REGION_INFO(0, NOWHERE, 8).status, AV_E_BAD_ADDRESS);
	expect("REGION_INFO", hvc_REGION_INFO(1, BUFFER, 8).status,
	       AV_E_NOT_FOUND); /* not a member */
	expect("REGION_INFO", hvc_REGION_INFO(9, BUFFER, 8).status, AV_E_NOT_FOUND);
	expect("PRINT", hvc_PRINT(BUFFER, 257).status, AV_E_INVALID);
	expect("PRINT", hvc_PRINT(NOWHERE, 1).status, AV_E_BAD_ADDRESS);
	expect("VM_RESTART", hvc_VM_RESTART(AV_VM_SELF, 2).status, AV_E_INVALID);
	expect("TEST_HOOK", hvc_TEST_HOOK(0, 1).status, AV_E_INVALID);
	expect("TEST_HOOK", hvc_TEST_HOOK(77, 0).status, AV_E_INVALID);
	expect("TEST_HOOK", hvc_TEST_HOOK(AV_HOOK_BUG, 0).status, AV_E_DENIED);
}

static void doorbells(uint64_t region)
{
	expect("DOORBELL_RING", hvc_DOORBELL_RING(region, 0, AV_DOORBELL_PEER).status,
	       AV_E_INVALID);
	expect("DOORBELL_RING", hvc_DOORBELL_RING(region, 23, 1).status, AV_E_NOT_FOUND);
	expect("DOORBELL_RING", hvc_DOORBELL_RING(region, ~0ul, 1).status, AV_E_NOT_FOUND);
	expect("DOORBELL_RING", hvc_DOORBELL_RING(1, 0, 1).status, AV_E_NOT_ATTACHED);
	expect("DOORBELL_STATUS", hvc_DOORBELL_STATUS(1, 0).status, AV_E_NOT_ATTACHED);
	expect("DOORBELL_MASK", hvc_DOORBELL_MASK(~0ul, 0, 0).status, AV_E_NOT_ATTACHED);
	expect("DOORBELL_MASK", hvc_DOORBELL_MASK(region, 0, 1).status, AV_E_INVALID);
	expect("DOORBELL_WAIT", hvc_DOORBELL_WAIT(AV_REGION_NUMBERS, 1, ~0ul).status,
	       AV_E_NOT_ATTACHED);
	expect("DOORBELL_CALL", hvc_DOORBELL_CALL(AV_REGION_NUMBERS, 1, ~0ul, 0, 0).status,
	       AV_E_NOT_ATTACHED);
	expect("DOORBELL_CALL", hvc_DOORBELL_CALL(region, 1, 0, 23, 1).status, AV_E_NOT_FOUND);
	expect("DOORBELL_CALL", hvc_DOORBELL_CALL(region, 1, 0, 0, AV_DOORBELL_PEER).status,
	       AV_E_INVALID);
}

static void regions(void)
{
	uint64_t count = 0, region;

	expect("REGION_GET", hvc_REGION_GET(0, 4096, 0).status, AV_E_INVALID);
	expect("REGION_GET", hvc_REGION_GET(1, 0, 0).status, AV_E_INVALID);
	expect("REGION_GET", hvc_REGION_GET(1, ~0ul, 0).status, AV_E_INVALID);
	expect("REGION_GET", hvc_REGION_GET(1, 4096, 2).status, AV_E_INVALID);
	expect("REGION_GET", hvc_REGION_GET(1, 1ul << 30, 0).status, AV_E_EXHAUSTED);
	region = hvc_REGION_GET(1, 1, AV_REGION_GET_RO).value[1];
	expect("REGION_GET", hvc_REGION_GET(1, 4097, 0).status, AV_E_MISMATCH);
	expect("REGION_GET", hvc_REGION_GET(1, 4096, 0).status, AV_E_EXISTS);
	while (hvc_REGION_GET(2 + count, 4096, 0).status == AV_OK)
		count++;
	expect("REGION_GET", hvc_REGION_GET(2 + count, 4096, 0).status, AV_E_LIMIT);
	doorbells(region);
	expect("REGION_DETACH", hvc_REGION_DETACH(region).status, AV_OK);
	expect("REGION_DETACH", hvc_REGION_DETACH(region).status, AV_E_NOT_ATTACHED);
	expect("REGION_DETACH", hvc_REGION_DETACH(1).status, AV_E_NOT_ATTACHED);
	expect("REGION_DETACH", hvc_REGION_DETACH(0).status, AV_E_INVALID);
	doorbells(0);
}

static void snapshots(void)
{
	uint64_t id;

	expect("SNAPSHOT_RESTORE", hvc_SNAPSHOT_RESTORE(AV_VM_SELF, AV_SNAPSHOT_LATEST, 0).status,
	       AV_E_NOT_FOUND);
	expect("SNAPSHOT_RESTORE", hvc_SNAPSHOT_RESTORE(AV_VM_SELF, 7, 0).status, AV_E_NOT_FOUND);
	expect("SNAPSHOT_RESTORE", hvc_SNAPSHOT_RESTORE(AV_VM_SELF, AV_SNAPSHOT_UNDO, 0).status,
	       AV_E_NOT_FOUND);
	expect("SNAPSHOT_RESTORE", hvc_SNAPSHOT_RESTORE(AV_VM_SELF, AV_SNAPSHOT_BOOT, 4).status,
	       AV_E_INVALID);
	expect("SNAPSHOT_RESTORE",
	       hvc_SNAPSHOT_RESTORE(AV_VM_SELF, AV_SNAPSHOT_BOOT, AV_RESTORE_UNDO).status,
	       AV_E_DENIED);
	expect("SNAPSHOT_TAKE", hvc_SNAPSHOT_TAKE(AV_VM_SELF, 0, 0, 1).status, AV_E_INVALID);
	expect("SNAPSHOT_TAKE", hvc_SNAPSHOT_TAKE(AV_VM_SELF, NOWHERE, 0, 0).status,
	       AV_E_BAD_ADDRESS);
	put_name("No Name");
	expect("SNAPSHOT_TAKE", hvc_SNAPSHOT_TAKE(AV_VM_SELF, NAME, 0, 0).status, AV_E_INVALID);
	put_name("one");
	id = hvc_SNAPSHOT_TAKE(AV_VM_SELF, NAME, 0, 0).value[0];
	expect("SNAPSHOT_TAKE", hvc_SNAPSHOT_TAKE(AV_VM_SELF, NAME, 0, 0).status, AV_E_EXISTS);
	expect("SNAPSHOT_DELETE", hvc_SNAPSHOT_DELETE(AV_VM_SELF, id + 7).status, AV_E_NOT_FOUND);
	expect("SNAPSHOT_DELETE", hvc_SNAPSHOT_DELETE(AV_VM_SELF, AV_SNAPSHOT_UNDO).status,
	       AV_E_NOT_FOUND);
	expect("SNAPSHOT_DELETE", hvc_SNAPSHOT_DELETE(AV_VM_SELF, AV_SNAPSHOT_BOOT).status,
	       AV_E_PINNED);
	expect("SNAPSHOT_INFO", hvc_SNAPSHOT_INFO(AV_VM_SELF, id + 1, BUFFER, 8).status,
	       AV_E_NOT_FOUND);
	expect("SNAPSHOT_INFO", hvc_SNAPSHOT_INFO(AV_VM_SELF, AV_SNAPSHOT_UNDO, BUFFER, 8).status,
	       AV_E_NOT_FOUND);
	expect("SNAPSHOT_INFO", hvc_SNAPSHOT_INFO(AV_VM_SELF, id, NOWHERE, 8).status,
	       AV_E_BAD_ADDRESS);
}

static int64_t set(uint64_t id, uint64_t what, uint64_t x4, uint64_t x5)
{
	return hvc_SNAPSHOT_SET(AV_VM_SELF, id, what, x4, x5).status;
}

static void settings(void)
{
	put_name("two");
	hvc_SNAPSHOT_TAKE(AV_VM_SELF, NAME, 0, 0);
	expect("SNAPSHOT_SET", set(0, 3, 0, 0), AV_E_INVALID);
	expect("SNAPSHOT_SET", set(0, AV_SNAPSHOT_SET_PINNED, 2, 0), AV_E_INVALID);
	expect("SNAPSHOT_SET", set(0, AV_SNAPSHOT_SET_PINNED, 1, 1), AV_E_INVALID);
	expect("SNAPSHOT_SET", set(AV_SNAPSHOT_BOOT, AV_SNAPSHOT_SET_PINNED, 0, 0), AV_E_INVALID);
	expect("SNAPSHOT_SET", set(0, AV_SNAPSHOT_SET_NAME, NOWHERE, 0), AV_E_BAD_ADDRESS);
	expect("SNAPSHOT_SET", set(77, AV_SNAPSHOT_SET_PINNED, 1, 0), AV_E_NOT_FOUND);
	expect("SNAPSHOT_SET", set(0, AV_SNAPSHOT_SET_NAME, NAME, 0), AV_E_EXISTS);
	put_name("-two");
	expect("SNAPSHOT_SET", set(0, AV_SNAPSHOT_SET_NAME, NAME, 0), AV_E_INVALID);
	set(0, AV_SNAPSHOT_SET_PINNED, 1, 0);
	expect("SNAPSHOT_DELETE", hvc_SNAPSHOT_DELETE(AV_VM_SELF, 0).status, AV_E_PINNED);
}

/* Writes the pages once, but stops when the budget is used up: with one page more this VM would starve. */
static void fill(void)
{
	struct av_vm_info *self = (struct av_vm_info *)BUFFER;

	for (uint64_t i = 0; i < PAGE_COUNT; i++) {
		hvc_VM_INFO(AV_VM_SELF, BUFFER, sizeof(*self));
		if (self->frames_budget == self->frames_used)
			return;
		*(volatile uint64_t *)(PAGES + i * GUEST_PAGE_SIZE) = i;
	}
}

/* First there are too many snapshots, then, with fewer, too little memory for them. */
static void room(void)
{
	int64_t status = AV_OK;

	hvc_SNAPSHOT_TAKE(AV_VM_SELF, 0, 0, 0);
	hvc_SNAPSHOT_TAKE(AV_VM_SELF, 0, 0, 0);
	expect("SNAPSHOT_TAKE", hvc_SNAPSHOT_TAKE(AV_VM_SELF, 0, 0, 0).status, AV_E_LIMIT);
	for (uint64_t id = 1; id <= 3; id++)
		hvc_SNAPSHOT_DELETE(AV_VM_SELF, id);
	hvc_MEMORY_DRAIN(AV_VM_SELF);
	for (unsigned int i = 0; i < 4 && status == AV_OK; i++) {
		fill();
		status = hvc_SNAPSHOT_TAKE(AV_VM_SELF, 0, 0, 0).status;
	}
	expect("SNAPSHOT_TAKE", status, AV_E_NO_MEMORY);
}

/* --- in place of the control VM */

static int64_t differ(uint64_t vm, uint64_t id, uint64_t buffer)
{
	return hvc_SNAPSHOT_DIFF(vm, AV_SNAPSHOT_BOOT, id, 0, buffer).status;
}

static int64_t state_of(uint64_t vm, uint64_t id, uint64_t part, uint64_t buffer)
{
	return hvc_SNAPSHOT_STATE(vm, id, part, buffer, sizeof(struct av_state_part)).status;
}

static void comparisons(void)
{
	expect("comparison", differ(TARGET, AV_SNAPSHOT_LIVE, BUFFER), AV_OK);
	expect("SNAPSHOT_DIFF", differ(TARGET, 77, BUFFER), AV_E_NOT_FOUND);
	expect("SNAPSHOT_DIFF", differ(TARGET, AV_SNAPSHOT_LIVE, NOWHERE), AV_E_BAD_ADDRESS);
	expect("state", state_of(TARGET, AV_SNAPSHOT_LIVE, 0, BUFFER), AV_OK);
	expect("SNAPSHOT_STATE", state_of(TARGET, 77, 0, BUFFER), AV_E_NOT_FOUND);
	expect("SNAPSHOT_STATE", state_of(TARGET, AV_SNAPSHOT_BOOT, 99, BUFFER), AV_E_NOT_FOUND);
	expect("SNAPSHOT_STATE", state_of(TARGET, AV_SNAPSHOT_BOOT, 0, NOWHERE), AV_E_BAD_ADDRESS);
}

int64_t clone(uint64_t vm, uint64_t id, uint64_t name, uint64_t slot, uint64_t flags)
{
	return hvc_VM_CLONE(vm, id, name, slot, flags).status;
}

static void clones(void)
{
	uint64_t id;

	hvc_VM_REMOVE(SECOND_SLOT); /* of a run before */
	hvc_VM_REMOVE(SLOT);
	put_name("twin");
	expect("any", hvc_VM_PAUSE(SLOT).status, AV_E_NOT_FOUND);
	expect("any", hvc_VM_REMOVE(SLOT).status, AV_E_NOT_FOUND);
	expect("VM_CLONE", clone(0, AV_SNAPSHOT_BOOT, NAME, SLOT, 0), AV_E_DENIED);
	expect("VM_CLONE", clone(TARGET, AV_SNAPSHOT_BOOT, NAME, SLOT, 2), AV_E_INVALID);
	expect("VM_CLONE", clone(TARGET, AV_SNAPSHOT_UNDO, NAME, SLOT, 0), AV_E_INVALID);
	expect("VM_CLONE", clone(TARGET, AV_SNAPSHOT_BOOT, NAME, TARGET, 0), AV_E_INVALID);
	expect("VM_CLONE", clone(TARGET, AV_SNAPSHOT_BOOT, NAME, 1000, 0), AV_E_INVALID);
	expect("VM_CLONE", clone(TARGET, AV_SNAPSHOT_BOOT, NOWHERE, SLOT, 0), AV_E_BAD_ADDRESS);
	expect("VM_CLONE", clone(TARGET, 7777, NAME, SLOT, 0), AV_E_NOT_FOUND);
	expect("VM_CLONE", clone(LARGE, AV_SNAPSHOT_BOOT, NAME, SLOT, 0), AV_E_LIMIT);
	put_name("target");
	expect("VM_CLONE", clone(TARGET, AV_SNAPSHOT_BOOT, NAME, SLOT, 0), AV_E_EXISTS);
	put_name("spare2");
	expect("VM_CLONE", clone(TARGET, AV_SNAPSHOT_BOOT, NAME, SLOT, 0), AV_E_EXISTS);
	put_name("");
	expect("VM_CLONE", clone(TARGET, AV_SNAPSHOT_BOOT, NAME, SLOT, 0), AV_E_INVALID);
	put_name("twin");
	id = hvc_SNAPSHOT_TAKE(TARGET, 0, 0, 0).value[0];
	expect("clone", clone(TARGET, id, NAME, SLOT, 0), AV_OK);
	expect("SNAPSHOT_DELETE", hvc_SNAPSHOT_DELETE(TARGET, id).status, AV_E_IN_USE);
	put_name("triplet");
	expect("VM_CLONE", clone(TARGET, id, NAME, SLOT, 0), AV_E_WRONG_STATE);
	expect("clone of a clone", clone(SLOT, AV_SNAPSHOT_BOOT, NAME, SECOND_SLOT, 0), AV_OK);
	expect("VM_REMOVE", hvc_VM_REMOVE(TARGET).status, AV_E_DENIED);
	expect("VM_REMOVE", hvc_VM_REMOVE(0).status, AV_E_DENIED);
	expect("VM_REMOVE", hvc_VM_REMOVE(SLOT).status, AV_E_IN_USE);
	expect("removal", hvc_VM_REMOVE(SECOND_SLOT).status, AV_OK);
	expect("removal", hvc_VM_REMOVE(SLOT).status, AV_OK);
	expect("delete", hvc_SNAPSHOT_DELETE(TARGET, id).status, AV_OK);
}

static int64_t place_of(uint64_t vm, uint64_t id, uint64_t part, uint64_t buffer)
{
	return hvc_SNAPSHOT_PLACE(vm, id, part, buffer, sizeof(struct av_part_place)).status;
}

static int64_t commit(const char *name)
{
	memset((void *)BUFFER, 0, sizeof(struct av_import));
	put_name(name);
	return hvc_IMPORT_COMMIT(TARGET, BUFFER, sizeof(struct av_import)).status;
}

/* The target keeps three: pinned, all of them. */
static void import_to_the_full(void)
{
	static const char *const three[] = {"one", "two", "three"};

	for (uint64_t id = 0; id < 64; id++) { /* of a run that the watchdog ended */
		hvc_SNAPSHOT_SET(TARGET, id, AV_SNAPSHOT_SET_PINNED, 0, 0);
		hvc_SNAPSHOT_DELETE(TARGET, id);
	}
	for (unsigned int i = 0; i < 3; i++) {
		put_name(three[i]);
		hvc_SNAPSHOT_SET(TARGET, hvc_SNAPSHOT_TAKE(TARGET, NAME, 0, 0).value[0],
				 AV_SNAPSHOT_SET_PINNED, 1, 0);
	}
	expect("IMPORT_COMMIT", commit("two"), AV_E_EXISTS);
	expect("IMPORT_COMMIT", commit("four"), AV_E_LIMIT);
	for (uint64_t id = 0; id < 64; id++)
		hvc_SNAPSHOT_SET(TARGET, id, AV_SNAPSHOT_SET_PINNED, 0, 0);
}

static void imports(void)
{
	uint64_t first = GUEST_RAM_BASE;

	hvc_IMPORT_ABORT();
	expect("SNAPSHOT_SHAPE", hvc_SNAPSHOT_SHAPE(TARGET, NOWHERE, 8).status, AV_E_BAD_ADDRESS);
	expect("SNAPSHOT_PLACE", place_of(TARGET, 77, 0, BUFFER), AV_E_NOT_FOUND);
	expect("SNAPSHOT_PLACE", place_of(TARGET, AV_SNAPSHOT_IMPORT, 0, BUFFER), AV_E_NOT_FOUND);
	expect("SNAPSHOT_PLACE", place_of(TARGET, AV_SNAPSHOT_BOOT, 99, BUFFER), AV_E_NOT_FOUND);
	expect("SNAPSHOT_PLACE", place_of(TARGET, AV_SNAPSHOT_BOOT, 0, NOWHERE), AV_E_BAD_ADDRESS);
	expect("IMPORT_PAGES", hvc_IMPORT_PAGES(TARGET, first, 1, BUFFER).status, AV_E_NOT_FOUND);
	expect("IMPORT_COMMIT", commit("four"), AV_E_NOT_FOUND);
	expect("import", hvc_IMPORT_BEGIN(TARGET).status, AV_OK);
	expect("IMPORT_PAGES", hvc_IMPORT_PAGES(TARGET, first, 1, NOWHERE).status,
	       AV_E_BAD_ADDRESS);
	expect("IMPORT_PAGES", hvc_IMPORT_PAGES(TARGET, 4096, 1, BUFFER).status, AV_E_INVALID);
	expect("IMPORT_PAGES", hvc_IMPORT_PAGES(TARGET, first + 8, 1, BUFFER).status, AV_E_INVALID);
	expect("IMPORT_PAGES", hvc_IMPORT_PAGES(TARGET, first, 0, BUFFER).status, AV_E_INVALID);
	expect("import", hvc_IMPORT_PAGES(TARGET, first, 5, BUFFER).status, AV_OK);
	expect("IMPORT_PAGES", hvc_IMPORT_PAGES(TARGET, first, 1, BUFFER).status, AV_E_INVALID);
	expect("place of import", place_of(TARGET, AV_SNAPSHOT_IMPORT, 0, BUFFER), AV_OK);
	expect("IMPORT_COMMIT", hvc_IMPORT_COMMIT(TARGET, BUFFER, 8).status, AV_E_INVALID);
	expect("IMPORT_COMMIT", hvc_IMPORT_COMMIT(TARGET, NOWHERE, 64).status, AV_E_BAD_ADDRESS);
	expect("IMPORT_COMMIT", commit("No Name"), AV_E_INVALID);
	import_to_the_full();
	/* Of zeros: a counter that stood still since before its start. */
	expect("IMPORT_COMMIT", commit("four"), AV_E_INTEGRITY);
	expect("dropped", (int64_t)hvc_IMPORT_ABORT().value[0] - 1, 0);
}

/* What each does to the control VM itself, and with bits it does not know. */
static void denied(void)
{
	static const uint64_t itself[] = {0, AV_VM_SELF};

	for (unsigned int i = 0; i < 2; i++) {
		expect("VM_PAUSE", hvc_VM_PAUSE(itself[i]).status, AV_E_DENIED);
		expect("VM_RESUME", hvc_VM_RESUME(itself[i]).status, AV_E_DENIED);
		expect("VM_STOP", hvc_VM_STOP(itself[i]).status, AV_E_DENIED);
		expect("VM_START", hvc_VM_START(itself[i], 0).status, AV_E_DENIED);
		expect("VM_RESTART", hvc_VM_RESTART(itself[i], 0).status, AV_E_DENIED);
		expect("AUDIT", hvc_AUDIT(itself[i]).status, AV_E_DENIED);
		expect("SNAPSHOT_TAKE", hvc_SNAPSHOT_TAKE(itself[i], 0, 0, 0).status, AV_E_DENIED);
		expect("SNAPSHOT_RESTORE",
		       hvc_SNAPSHOT_RESTORE(itself[i], AV_SNAPSHOT_BOOT, 0).status, AV_E_DENIED);
		expect("SNAPSHOT_DIFF", differ(itself[i], 0, BUFFER), AV_E_DENIED);
		expect("SNAPSHOT_STATE", state_of(itself[i], 0, 0, BUFFER), AV_E_DENIED);
		expect("SNAPSHOT_SHAPE", hvc_SNAPSHOT_SHAPE(itself[i], BUFFER, 8).status,
		       AV_E_DENIED);
		expect("SNAPSHOT_PLACE", place_of(itself[i], 0, 0, BUFFER), AV_E_DENIED);
		expect("IMPORT_BEGIN", hvc_IMPORT_BEGIN(itself[i]).status, AV_E_DENIED);
		expect("IMPORT_PAGES", hvc_IMPORT_PAGES(itself[i], 0, 1, BUFFER).status,
		       AV_E_DENIED);
		expect("IMPORT_COMMIT", hvc_IMPORT_COMMIT(itself[i], BUFFER, 64).status,
		       AV_E_DENIED);
	}
	expect("REGION_GET", hvc_REGION_GET(1, 4096, 0).status, AV_E_DENIED);
	expect("VM_START", hvc_VM_START(TARGET, 2).status, AV_E_INVALID);
	expect("VM_RESTART", hvc_VM_RESTART(TARGET, AV_RESTORE_UNDO).status, AV_E_INVALID);
}

static void states(void)
{
	expect("VM_RESUME", hvc_VM_RESUME(TARGET).status, AV_E_WRONG_STATE);
	expect("VM_START", hvc_VM_START(TARGET, 0).status, AV_E_WRONG_STATE);
	hvc_VM_PAUSE(TARGET);
	expect("VM_PAUSE", hvc_VM_PAUSE(TARGET).status, AV_E_WRONG_STATE);
	expect("VM_START", hvc_VM_START(TARGET, 0).status, AV_E_WRONG_STATE);
	expect("crash of paused", hvc_VM_CRASH(TARGET, 1).status, AV_OK);
	expect("VM_CRASH", hvc_VM_CRASH(TARGET, 1).status, AV_E_WRONG_STATE);
	expect("VM_PAUSE", hvc_VM_PAUSE(TARGET).status, AV_E_WRONG_STATE);
	expect("VM_RESUME", hvc_VM_RESUME(TARGET).status, AV_E_WRONG_STATE);
	hvc_VM_STOP(TARGET);
	expect("VM_STOP", hvc_VM_STOP(TARGET).status, AV_E_WRONG_STATE);
	expect("VM_CRASH", hvc_VM_CRASH(TARGET, 1).status, AV_E_WRONG_STATE);
	hvc_VM_START(TARGET, 0);
	expect("crash of running", hvc_VM_CRASH(TARGET, 2).status, AV_OK);
	hvc_VM_START(TARGET, 0);
}

static void buffers(void)
{
	expect("MACHINE_INFO", hvc_MACHINE_INFO(NOWHERE, 8).status, AV_E_BAD_ADDRESS);
	expect("EVENT_READ", hvc_EVENT_READ(0, BUFFER, 0).status, AV_E_INVALID);
	expect("EVENT_READ", hvc_EVENT_READ(0, BUFFER, sizeof(struct av_event) + 1).status,
	       AV_E_INVALID);
	expect("EVENT_READ", hvc_EVENT_READ(0, NOWHERE, sizeof(struct av_event)).status,
	       AV_E_BAD_ADDRESS);
	expect("LOG_READ", hvc_LOG_READ(0, NOWHERE, 16).status, AV_E_BAD_ADDRESS);
	expect("REGION_INFO", hvc_REGION_INFO(2, BUFFER, 8).status, AV_E_NOT_FOUND);
	expect("region of others", hvc_REGION_INFO(1, BUFFER, 8).status, AV_OK);
}

/* The test hook of control.c: nothing here needs it. */
static void crash(void *context)
{
	(void)context;
	guest_panic("asked to crash");
}

/* The watchdog may have restarted a control VM that its host kept waiting: what was done before does not count. */
static void check_control(void)
{
	sleep_us(1100000);
	say("start", "", true);
	hvc_VM_RESTART(TARGET, 0);
	general();
	denied();
	states();
	comparisons();
	clones();
	imports();
	buffers();
	check_sets();
	say("done", wrong ? "WRONG" : "ok", true);
	serve_control(crash, crash);
}

void guest_main(uint64_t dtb)
{
	struct av_vm_info *self = (struct av_vm_info *)BUFFER;

	(void)dtb;
	interrupts_init();
	if (!guest_has_hypervisor())
		guest_panic("needs the hypervisor");
	hvc_VM_INFO(AV_VM_SELF, BUFFER, sizeof(*self));
	control = self->flags & AV_VM_FLAG_CONTROL;
	if (control)
		check_control();
	print("errors: start\n");
	general();
	info();
	regions();
	snapshots();
	settings();
	room();
	say("done", wrong ? "WRONG" : "ok", true);
	hvc_VM_STOP(AV_VM_SELF); /* who is in the control VM's place waits for it */
	guest_stop();
}
