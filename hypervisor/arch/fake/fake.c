/* SPDX-License-Identifier: MIT */
/*
 * fake.c - the memory of the fake machine and its TLBs.
 * A TLB may forget anything at any time (here: when two entries meet in a slot), but never by
 * itself what a test needs: invalidation removes exactly what the architecture says it must,
 * nothing more.
 */
#include <arch/fake.h>
#include <arch/lock.h>
#include <arch/mem.h>
#include <arch/tlb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/bug.h"
#include "mm/stage2.h"

#define SLOTS 512
#define IGNORED (0xFUL << 55)
#define ADDRESS_AND_TYPE (S2_ADDRESS | 0x3UL)

const uint64_t arch_zero_page[512];

struct cached {
	uint64_t vmid; /* 0: empty */
	uint32_t level;
	uint64_t number; /* IPA >> shift of the level */
	const uint64_t *entry;
	uint64_t descriptor;
};

static struct {
	uint8_t *ram;
	uint64_t base, size;
	uint32_t pe;
	uint64_t loaded[FAKE_PE_COUNT];
	struct cached tlb[FAKE_PE_COUNT][SLOTS];
	uint32_t watched[4096]; /* cached copies by hash of the entry's address: 0 = none */
	struct {
		const uint64_t *entry;
		uint64_t vttbr;
	} seen[4096];            /* entries a VM has walked, whether still cached or not */
	uint8_t *not_executable; /* per page: filled by EL2 since the last arch_exec_sync() */
	uint32_t skip;
	uint32_t random;
	uint64_t violations;
	char first[160];
	bool expected;
} fake;

uint64_t fake_exec_syncs, fake_tlb_all_count;

static const uint32_t shift_of[4] = {0, S2_ROOT_SHIFT, S2_L2_SHIFT, PAGE_SHIFT};

static void violation(const char *what, uint64_t address)
{
	if (!fake.violations++)
		snprintf(fake.first, sizeof(fake.first), "%s (0x%llx)", what,
			 (unsigned long long)address);
	if (fake.expected)
		return;
	fprintf(stderr, "fake machine: %s (0x%llx)\n", what, (unsigned long long)address);
	abort();
}

_Noreturn void bug_report(const char *file, int line, const char *what)
{
	fprintf(stderr, "BUG %s:%d: %s\n", file, line, what);
	abort();
}

void fake_lock_misused(const struct spinlock *lock)
{
	violation("a lock is taken twice or released twice", (uint64_t)(uintptr_t)lock);
}

void fake_machine(uint64_t base, uint64_t size)
{
	fake_machine_end();
	memset(&fake, 0, sizeof(fake));
	fake.ram = aligned_alloc(PAGE_SIZE, size);
	if (!fake.ram)
		abort();
	fake.not_executable = malloc(size / PAGE_SIZE);
	if (!fake.not_executable)
		abort();
	memset(fake.ram, 0xa5, size);
	memset(fake.not_executable, 1, size / PAGE_SIZE);
	fake.base = base;
	fake.size = size;
	fake.random = 1;
}

void fake_machine_end(void)
{
	free(fake.ram);
	free(fake.not_executable);
	fake.ram = NULL;
	fake.not_executable = NULL;
}

/* ---- memory ------------------------------------------------------------------------------ */

void *pa_ptr(pa_t address)
{
	if (address.value - fake.base >= fake.size)
		violation("EL2 access outside RAM", address.value);
	return fake.ram + (address.value - fake.base);
}

pa_t ptr_pa(const void *pointer)
{
	uint64_t offset = (uint64_t)((const uint8_t *)pointer - fake.ram);

	if (offset >= fake.size)
		violation("a pointer that is not in RAM", offset);
	return pa(fake.base + offset);
}

static uint8_t *filled(const void *page)
{
	return &fake.not_executable[(ptr_pa(page).value - fake.base) >> PAGE_SHIFT];
}

void arch_exec_sync(void *page)
{
	if (fake.skip & FAKE_SKIP_EXEC)
		return;
	*filled(page) = 0;
	if (ptr_pa(page).value & PAGE_MASK)
		violation("arch_exec_sync on half a page", 0);
	fake_exec_syncs++;
}

/* ---- TLB --------------------------------------------------------------------------------- */

static uint64_t vmid_of(uint64_t vttbr)
{
	return vttbr >> 48;
}

static const uint64_t *root_of(uint64_t vttbr)
{
	return pa_ptr(pa(vttbr & 0xFFFFFFFFFFFE));
}

static uint32_t hash(const uint64_t *entry)
{
	return ((uintptr_t)entry >> 3) * 2654435761U >> 7 & 4095;
}

static uint32_t *watch(const uint64_t *entry)
{
	return &fake.watched[hash(entry)];
}

static struct cached *slot(uint32_t pe, uint64_t vmid, uint32_t level, uint64_t address)
{
	uint64_t number = address >> shift_of[level];

	return &fake.tlb[pe][(number * 7 + vmid * 131 + level * 257) % SLOTS];
}

static void forget(struct cached *c)
{
	if (c->vmid && c->entry)
		(*watch(c->entry))--;
	c->vmid = 0;
}

static struct cached *find(uint32_t pe, uint64_t vmid, uint32_t level, uint64_t address)
{
	struct cached *c = slot(pe, vmid, level, address);

	if (c->vmid == vmid && c->level == level && c->number == address >> shift_of[level])
		return c;
	return NULL;
}

/* The entry a walk reads at this level, from memory alone; NULL when the walk ends above it. */
static const uint64_t *true_entry(uint64_t vttbr, uint64_t address, uint32_t level)
{
	const uint64_t *entry = &root_of(vttbr)[s2_root_index(address)];

	for (uint32_t at = 1; at < level; at++) {
		if (!(*entry & S2_VALID))
			return NULL;
		entry = pa_ptr(s2_pa(*entry));
		entry += at == 1 ? s2_l2_index(address) : s2_l3_index(address);
	}
	return entry;
}

static void check_cached(uint32_t pe, const struct cached *c)
{
	uint64_t address = c->number << shift_of[c->level];
	const uint64_t *entry = true_entry(fake.loaded[pe], address, c->level);
	uint64_t now = entry ? *entry & ~IGNORED : 0;
	uint64_t then = c->descriptor & ~IGNORED;

	if (now == then)
		return;
	if (c->level == 3 && !((now ^ then) & ~(S2_WRITE | S2_XN)) && !(then & ~now & S2_WRITE) &&
	    !(now & ~then & S2_XN))
		return;
	violation(c->level == 3 ? "a stale translation is still cached"
				: "a stale table is still cached",
		  address);
}

static void check_pe(uint32_t pe)
{
	uint64_t vmid = vmid_of(fake.loaded[pe]);

	if (!vmid)
		return;
	for (uint32_t i = 0; i < SLOTS; i++)
		if (fake.tlb[pe][i].vmid == vmid)
			check_cached(pe, &fake.tlb[pe][i]);
}

void fake_check(void)
{
	for (uint32_t pe = 0; pe < FAKE_PE_COUNT; pe++)
		check_pe(pe);
}

void fake_vm_gone(uint64_t vttbr)
{
	for (uint32_t i = 0; i < sizeof(fake.seen) / sizeof(fake.seen[0]); i++)
		if (!((fake.seen[i].vttbr ^ vttbr) & 0xFFFFFFFFFFFE))
			fake.seen[i].entry = NULL;
}

void fake_set_pe(uint32_t pe)
{
	fake.pe = pe;
}

void fake_load(uint32_t pe, uint64_t vttbr)
{
	fake.loaded[pe] = vttbr;
	check_pe(pe);
}

uint64_t arch_tlb_select(uint64_t vttbr)
{
	uint64_t was = fake.loaded[fake.pe];

	fake_load(fake.pe, vttbr);
	return was;
}

/* One step: from what is cached, else from memory, and then it is cached. */
static uint64_t step(uint32_t pe, const uint64_t *entry, uint32_t level, uint64_t address)
{
	uint64_t vmid = vmid_of(fake.loaded[pe]);
	struct cached *c = find(pe, vmid, level, address);

	if (c) {
		check_cached(pe, c);
		return c->descriptor;
	}
	if (!(*entry & S2_VALID))
		return 0;
	c = slot(pe, vmid, level, address);
	forget(c);
	*c = (struct cached){vmid, level, address >> shift_of[level], entry, *entry};
	(*watch(entry))++;
	fake.seen[hash(entry)].entry = entry;
	fake.seen[hash(entry)].vttbr = fake.loaded[pe];
	return *entry;
}

static uint64_t translate(uint32_t pe, uint64_t address)
{
	struct cached *leaf = find(pe, vmid_of(fake.loaded[pe]), 3, address);
	uint64_t descriptor;

	if (leaf) {
		check_cached(pe, leaf);
		return leaf->descriptor;
	}
	descriptor = step(pe, &root_of(fake.loaded[pe])[s2_root_index(address)], 1, address);
	if (!descriptor)
		return 0;
	descriptor =
		step(pe, (uint64_t *)pa_ptr(s2_pa(descriptor)) + s2_l2_index(address), 2, address);
	if (!descriptor)
		return 0;
	return step(pe, (uint64_t *)pa_ptr(s2_pa(descriptor)) + s2_l3_index(address), 3, address);
}

enum fake_access fake_guest_access(uint32_t pe, ipa_t address, bool write, uint8_t **page)
{
	uint64_t descriptor;

	if (!vmid_of(fake.loaded[pe])) {
		violation("a guest runs without VTTBR", address.value);
		return FAKE_TRANSLATION_FAULT;
	}
	descriptor = translate(pe, address.value);
	fake.random = fake.random * 1664525 + 1013904223;
	if (fake.random >> 31)
		translate(pe, address.value ^ (fake.random >> 20 & 7) << PAGE_SHIFT);
	if (!descriptor)
		return FAKE_TRANSLATION_FAULT;
	if (write && !(descriptor & S2_WRITE))
		return FAKE_PERMISSION_FAULT;
	if (page)
		*page = pa_ptr(s2_pa(descriptor));
	return FAKE_GOOD;
}

/* A page that is filled as a whole is a new table, if it is one: no VM walks it yet. */
static void forget_seen(const uint64_t *page)
{
	for (uint32_t i = 0; i < S2_TABLE_ENTRIES; i++)
		if (fake.seen[hash(&page[i])].entry == &page[i])
			fake.seen[hash(&page[i])].entry = NULL;
	/* What was cached from the table that this page was before is still judged by check_cached(), but it says
	 * nothing about the descriptors that are written here now. */
	for (uint32_t pe = 0; pe < FAKE_PE_COUNT; pe++) {
		for (uint32_t i = 0; i < SLOTS; i++) {
			struct cached *c = &fake.tlb[pe][i];

			if (!c->vmid || c->entry < page || c->entry >= page + S2_TABLE_ENTRIES)
				continue;
			(*watch(c->entry))--;
			c->entry = NULL;
		}
	}
}

void arch_page_copy(void *to, const void *from)
{
	memcpy(to, from, PAGE_SIZE);
	*filled(to) = 1;
}

void arch_page_zero(void *page)
{
	memset(page, 0, PAGE_SIZE);
	*filled(page) = 1;
	forget_seen(page);
}

void arch_table_copy(uint64_t *to, const uint64_t *from, uint64_t clear)
{
	for (uint32_t i = 0; i < S2_TABLE_ENTRIES; i++)
		to[i] = from[i] & ~clear;
	forget_seen(to);
}

enum fake_access fake_guest_fetch(uint32_t pe, ipa_t address)
{
	uint64_t descriptor = translate(pe, address.value);

	if (!descriptor)
		return FAKE_TRANSLATION_FAULT;
	if (descriptor & S2_XN)
		return FAKE_PERMISSION_FAULT;
	if (*filled(pa_ptr(s2_pa(descriptor))))
		violation("a page is executed that was not made fit for it", address.value);
	return FAKE_GOOD;
}

uint64_t arch_entry_read(const uint64_t *entry)
{
	return *(const volatile uint64_t *)entry;
}

/* A valid descriptor is overwritten where a loaded VM walks. */
static void check_overwrite(const uint64_t *entry, uint64_t value)
{
	uint32_t h = hash(entry);

	if (fake.seen[h].entry != entry)
		return;
	for (uint32_t pe = 0; pe < FAKE_PE_COUNT; pe++)
		if (fake.loaded[pe] && fake.loaded[pe] == fake.seen[h].vttbr)
			violation("a valid descriptor is overwritten by another", value);
}

/* A new descriptor goes where a loaded VMID still has another one cached. */
static void check_break(const uint64_t *entry, uint64_t value)
{
	for (uint32_t pe = 0; pe < FAKE_PE_COUNT; pe++) {
		for (uint32_t i = 0; i < SLOTS; i++) {
			const struct cached *c = &fake.tlb[pe][i];

			if (c->vmid && c->vmid == vmid_of(fake.loaded[pe]) && c->entry == entry &&
			    (c->descriptor ^ value) & ADDRESS_AND_TYPE)
				violation("a descriptor is replaced without break-before-make",
					  c->number << shift_of[c->level]);
		}
	}
}

void arch_entry_write(uint64_t *entry, uint64_t value)
{
	if (!value && fake.skip & FAKE_SKIP_BREAK)
		return;
	if (value & *entry & S2_VALID && (value ^ *entry) & ADDRESS_AND_TYPE)
		check_overwrite(entry, value);
	if (value & S2_VALID && *watch(entry))
		check_break(entry, value);
	*(volatile uint64_t *)entry = value;
}

void arch_entries_copy(uint64_t *to, const uint64_t *from, uint64_t clear)
{
	for (uint32_t i = 0; i < 4; i++)
		arch_entry_write(&to[i], from[i] & ~clear);
}

void arch_table_barrier(void)
{
}

static void invalidate(ipa_t address, bool wide, uint32_t first_level)
{
	uint64_t vmid = vmid_of(fake.loaded[fake.pe]);

	if (!vmid)
		violation("a TLBI by IPA with no VM loaded", address.value);
	if (fake.skip & FAKE_LOCAL_ONLY)
		wide = false;
	for (uint32_t pe = 0; pe < FAKE_PE_COUNT; pe++) {
		if (pe != fake.pe && !wide)
			continue;
		for (uint32_t level = first_level; level <= 3; level++) {
			struct cached *c = find(pe, vmid, level, address.value);

			if (c)
				forget(c);
		}
	}
}

void arch_tlb_leaves(ipa_t address, uint64_t count, bool wide)
{
	for (uint64_t i = 0; i < count && !(fake.skip & FAKE_SKIP_LEAF); i++)
		invalidate(ipa(address.value + (i << PAGE_SHIFT)), wide, 3);
}

/* The fake guest's VAs are its IPAs. */
void arch_tlb_relaxed(ipa_t address)
{
	if (!(fake.skip & FAKE_SKIP_LEAF))
		invalidate(address, false, 3);
}

void arch_tlb_table(ipa_t address, bool wide)
{
	if (!(fake.skip & FAKE_SKIP_TABLE))
		invalidate(address, wide, fake.skip & FAKE_LEAF_FOR_TABLE ? 3 : 1);
}

/* What is valid may stay cached. */
void arch_tlb_vm(void)
{
}

void arch_tlb_all(void)
{
	fake_tlb_all_count++;
	if (fake.skip & FAKE_SKIP_ALL)
		return;
	for (uint32_t pe = 0; pe < FAKE_PE_COUNT; pe++)
		for (uint32_t i = 0; i < SLOTS; i++)
			forget(&fake.tlb[pe][i]);
}

void fake_skip(uint32_t what)
{
	fake.skip = what;
}

uint64_t fake_violations(void)
{
	return fake.violations;
}

const char *fake_first_violation(void)
{
	return fake.first;
}

void fake_expect_violations(bool expected)
{
	fake.expected = expected;
	fake.violations = 0;
	fake.first[0] = 0;
}
