/* SPDX-License-Identifier: MIT */
/* guest_copy.c - page-wise copies into and out of a VM's memory. Never follows a guest pointer it has not checked. */
#include "core/guest_copy.h"
#include "arch/sysreg.h"
#include "core/string.h"
#include "platform/qemu-virt/platform.h"

/* Aligned 2, 4 and 8 bytes go in one access: another vCPU may be looking (ring indices). */
static void copy_part(void *to, const void *from, size_t size)
{
	uintptr_t both = (uintptr_t)to | (uintptr_t)from;

	if (size == 2 && !(both & 1))
		*(volatile uint16_t *)to = *(const volatile uint16_t *)from;
	else if (size == 4 && !(both & 3))
		*(volatile uint32_t *)to = *(const volatile uint32_t *)from;
	else if (size == 8 && !(both & 7))
		*(volatile uint64_t *)to = *(const volatile uint64_t *)from;
	else
		memcpy(to, from, size);
}

static bool copy(struct vm *vm, uint64_t address, void *host, size_t size, bool write)
{
	uint8_t *bytes = host;

	while (size) {
		uint64_t offset = address & PAGE_MASK;
		size_t part = size < PAGE_SIZE - offset ? size : PAGE_SIZE - offset;
		uint8_t *page;

		/* The store of flash lies below RAM: flash.c's own. */
		if (address < PLAT_RAM)
			return false;
		page = vmem_host_access(&vm->mem, ipa(address), write);
		if (!page)
			return false;
		page = (uint8_t *)((uintptr_t)page & ~PAGE_MASK);
		if (write)
			copy_part(page + offset, bytes, part);
		else
			copy_part(bytes, page + offset, part);
		bytes += part;
		size -= part;
		if (!sum_fits(address, part, &address) && size)
			return false;
	}
	return true;
}

bool guest_read(struct vm *vm, uint64_t address, void *to, size_t size)
{
	return copy(vm, address, to, size, false);
}

bool guest_write(struct vm *vm, uint64_t address, const void *from, size_t size)
{
	return copy(vm, address, (void *)(uintptr_t)from, size, true);
}

static bool read_callback(void *ctx, uint64_t address, void *to, size_t size)
{
	return guest_read(ctx, address, to, size);
}

static bool write_callback(void *ctx, uint64_t address, const void *from, size_t size)
{
	return guest_write(ctx, address, from, size);
}

static bool starved_callback(void *ctx)
{
	return ((const struct vm *)ctx)->mem.host_starved;
}

struct guest_memory guest_memory_of(struct vm *vm)
{
	return (struct guest_memory){.ctx = vm,
				     .read = read_callback,
				     .write = write_callback,
				     .starved = starved_callback};
}

bool guest_translate(uint64_t va, bool write, uint64_t *address)
{
	uint64_t saved = sysreg_read(par_el1), result;

	if (write)
		__asm__ volatile("at s1e1w, %0" ::"r"(va));
	else
		__asm__ volatile("at s1e1r, %0" ::"r"(va));
	isb();
	result = sysreg_read(par_el1);
	sysreg_write(par_el1, saved);
	if (result & 1)
		return false;
	*address = (result & 0x0000fffffffff000UL) | (va & PAGE_MASK);
	return true;
}
