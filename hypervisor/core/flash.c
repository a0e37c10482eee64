/* SPDX-License-Identifier: MIT */
/*
 * flash.c - where the contents of a VM's flash are. What was never written is the bundle's, or one page of ones for all
 * VMs; the rest lies in the VM's own memory at PLAT_FLASH_STORE, below its RAM, copied on write and part of snapshots as RAM
 * is. A view, tables of its own, shows all that at IPA 0. Must never let a view point to a page the VM has not now.
 */
#include "core/flash.h"
#include <arch/mem.h>
#include <arch/tlb.h>
#include "core/access.h"
#include "core/boot.h"
#include "core/string.h"
#include "platform/qemu-virt/platform.h"

#define BANK_PAGES (VFLASH_BANK_SIZE / PAGE_SIZE)

struct bank_saved {
	struct vflash_state state;
	uint64_t own[BANK_PAGES / 64]; /* pages that are in the VM's memory */
};
_Static_assert(sizeof(struct bank_saved) <= VMEM_PART_SIZE_MAX, "a bank fits a record");

struct bank {
	struct vflash model;
	struct vm *vm;
	uint64_t start; /* IPA */
	struct region_tables view;
	uint64_t *leaves; /* of view */
	uint64_t image, image_pages;
	uint64_t own[BANK_PAGES / 64];
};

struct flash {
	struct bank banks[VFLASH_BANK_COUNT];
};

static uint8_t erased[PAGE_SIZE] __attribute__((aligned(4096)));

static bool is_own(const struct bank *bank, uint64_t page)
{
	return bank->own[page / 64] >> page % 64 & 1;
}

static ipa_t store_of(const struct bank *bank, uint64_t page)
{
	return ipa(PLAT_FLASH_STORE + bank->start + page * PAGE_SIZE);
}

/* What is there as long as nobody has written to it. */
static uint64_t first_leaf(const struct bank *bank, uint64_t page)
{
	uint64_t at =
		page < bank->image_pages ? bank->image + page * PAGE_SIZE : ptr_pa(erased).value;

	return at | S2_PAGE | S2_XN;
}

static uint8_t *contents(const struct bank *bank, uint64_t page)
{
	return pa_ptr(s2_pa(bank->leaves[page]));
}

/* The page in the VM's memory, writable; what it holds is undefined when it was not there. NULL: no frame. */
static uint8_t *obtain(struct bank *bank, uint64_t page)
{
	return vmem_host_access(&bank->vm->mem, store_of(bank, page), true);
}

static void show(struct bank *bank, uint64_t page, const void *at)
{
	bank->own[page / 64] |= 1UL << page % 64;
	arch_entry_write(&bank->leaves[page], ptr_pa(at).value | S2_PAGE | S2_XN);
}

static void bank_read(void *ctx, uint64_t offset, void *to, size_t size)
{
	const struct bank *bank = ctx;

	memcpy(to, contents(bank, offset >> PAGE_SHIFT) + (offset & PAGE_MASK), size);
}

static bool bank_write(void *ctx, uint64_t offset, const void *from, size_t size)
{
	struct bank *bank = ctx;
	uint64_t page = offset >> PAGE_SHIFT;
	uint8_t *to = obtain(bank, page);

	if (!to)
		return false;
	if (!is_own(bank, page))
		arch_page_copy(to, contents(bank, page));
	memcpy(to + (offset & PAGE_MASK), from, size);
	show(bank, page, to);
	return true;
}

static bool is_blank(const struct bank *bank, uint64_t page)
{
	return !is_own(bank, page) && page >= bank->image_pages;
}

static bool bank_erase(void *ctx, uint64_t block)
{
	struct bank *bank = ctx;
	uint64_t first = block >> PAGE_SHIFT, end = first + VFLASH_BLOCK_SIZE / PAGE_SIZE;

	/* What the guest sees is the store at each step: a snapshot's page may be freed before all pages are there. */
	for (uint64_t page = first; page < end; page++) {
		uint8_t *to = is_blank(bank, page) ? NULL : obtain(bank, page);

		if (!to && !is_blank(bank, page))
			return false;
		if (to && is_own(bank, page))
			show(bank, page, to);
	}
	for (uint64_t page = first; page < end; page++) {
		uint8_t *to = is_blank(bank, page) ? NULL : obtain(bank, page);

		if (!to)
			continue;
		arch_page_copy(to, erased);
		show(bank, page, to);
	}
	return true;
}

static const struct vflash_ops ops = {.read = bank_read, .write = bank_write, .erase = bank_erase};

size_t flash_room(uint32_t flags)
{
	return flags & AV_VM_FLAG_FLASH ? (sizeof(struct flash) + 127) & ~63UL : 0;
}

void flash_create(struct vm *vm)
{
	if (!(vm->flags & AV_VM_FLAG_FLASH))
		return;
	memset(erased, 0xff, sizeof(erased));
	vm->flash = boot_alloc(sizeof(*vm->flash));
	for (unsigned i = 0; i < VFLASH_BANK_COUNT; i++) {
		struct bank *bank = &vm->flash->banks[i];

		bank->vm = vm;
		bank->start = i * VFLASH_BANK_SIZE;
		vflash_init(&bank->model, &ops, bank);
	}
}

static void map(struct bank *bank)
{
	struct vm *vm = bank->vm;
	int error =
		region_tables_init(&bank->view, &vm->mem.budget, pa(0), VFLASH_BANK_SIZE, false);

	if (!error)
		error = vmem_attach_region(&vm->mem, ipa(bank->start), &bank->view);
	if (error)
		boot_refuse("vm[%u] (%s): flash: error %d", vm->index, vm->name, error);
	bank->leaves = pa_ptr(bank->view.tables);
	for (uint64_t page = 0; page < BANK_PAGES; page++)
		arch_entry_write(&bank->leaves[page], first_leaf(bank, page));
}

void flash_map(struct vm *vm)
{
	for (unsigned i = 0; vm->flash && i < VFLASH_BANK_COUNT; i++)
		map(&vm->flash->banks[i]);
}

void flash_image(struct vm *vm, uint64_t offset, pa_t memory, uint64_t pages)
{
	struct bank *bank = &vm->flash->banks[offset / VFLASH_BANK_SIZE];

	if (offset % VFLASH_BANK_SIZE || pages > BANK_PAGES)
		boot_refuse("vm[%u] (%s): an image inside a flash bank", vm->index, vm->name);
	bank->image = memory.value;
	bank->image_pages = pages;
}

/* The page may be executed from now on. */
static void make_executable(struct bank *bank, uint64_t page)
{
	arch_exec_sync(contents(bank, page));
	arch_entry_write(&bank->leaves[page], bank->leaves[page] & ~S2_XN);
}

bool flash_fault(struct vcpu *vcpu, uint64_t address, bool write, bool fetch)
{
	struct vm *vm = vcpu->vm;
	struct bank *bank = &vm->flash->banks[address / VFLASH_BANK_SIZE];
	uint64_t page = (address - bank->start) >> PAGE_SHIFT;
	bool served;

	spin_lock(&vm->lock);
	served = !write && vflash_shows_array(&bank->model);
	if (served) {
		if (fetch && bank->leaves[page] & S2_XN)
			make_executable(bank, page);
		if (vmem_fault(&vm->mem, ipa(address), false, vm->vcpu_count > 1) == VMEM_STARVED)
			vm_starve(vm, address);
	}
	spin_unlock(&vm->lock);
	return served;
}

bool flash_access(struct vcpu *vcpu, uint64_t address, const struct access *access, uint64_t *value)
{
	struct vm *vm = vcpu->vm;
	struct bank *bank = &vm->flash->banks[address / VFLASH_BANK_SIZE];
	uint64_t offset = (address - bank->start) & ~(uint64_t)(access->size - 1);
	bool done = true;

	spin_lock(&vm->lock);
	if (access->write) {
		/* Before the contents change, and for as long as it shows something else. */
		vmem_unlink(&vm->mem, ipa(bank->start));
		done = vflash_write(&bank->model, offset, access->size, *value);
		if (!done) {
			vm->mem.host_starved = false;
			vm_starve(vm, address);
		}
	} else {
		*value = vflash_read(&bank->model, offset, access->size);
	}
	spin_unlock(&vm->lock);
	return done;
}

/* --- snapshots */

static void bank_save(void *ctx, void *to)
{
	const struct bank *bank = ctx;
	struct bank_saved *saved = to;

	saved->state = bank->model.state;
	memcpy(saved->own, bank->own, sizeof(saved->own));
}

/* The VM's memory is already what it is to be. */
static void bank_load(void *ctx, const void *from)
{
	struct bank *bank = ctx;
	const struct bank_saved *saved = from;

	for (uint64_t word = 0; word < ARRAY_SIZE(bank->own); word++) {
		uint64_t bits = bank->own[word] | saved->own[word];

		bank->own[word] = saved->own[word];
		for (; bits; bits &= bits - 1) {
			uint64_t page = word * 64 + (unsigned)__builtin_ctzll(bits);

			if (is_own(bank, page))
				show(bank, page,
				     vmem_host_access(&bank->vm->mem, store_of(bank, page), false));
			else
				arch_entry_write(&bank->leaves[page], first_leaf(bank, page));
		}
	}
	bank->model.state = saved->state;
	if (!vflash_shows_array(&bank->model))
		vmem_unlink(&bank->vm->mem, ipa(bank->start));
}

/* What was never written lies in the bundle, and which bundle that was no file says. */
static bool bank_adopt(void *ctx, void *saved)
{
	(void)ctx;
	(void)saved;
	return false;
}

void flash_parts(struct vm *vm, void (*add)(struct vm *vm, struct state_part part))
{
	for (unsigned i = 0; vm->flash && i < VFLASH_BANK_COUNT; i++)
		add(vm, (struct state_part){"flash", sizeof(struct bank_saved), bank_save,
					    bank_load, &vm->flash->banks[i], NULL, bank_adopt});
}
