/* SPDX-License-Identifier: MIT */
/*
 * dtb.c - the device tree a guest gets: QEMU's virt board, cut down to what the hypervisor emulates (DESIGN 5).
 * Never describes a device that is not there.
 */
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <avisor/region.h>
#include "bundle.h"
#include "place.h"

#define PHANDLE_CLOCK 0x8000
#define PHANDLE_INTC 0x8002
#define PHANDLE_CPU 0x8010

#define GIC_SPI 0
#define GIC_PPI 1
#define IRQ_EDGE 1
#define IRQ_LEVEL 4

#define FLASH_BANK (AV_FLASH_SIZE / 2)
#define GICD_BASE 0x08000000
#define GICD_SIZE 0x10000
#define GICR_BASE 0x080a0000
#define GICR_SIZE (0x20000 * AV_VCPU_MAX)
#define UART_BASE 0x09000000
#define UART_SIZE 0x1000
#define UART_SPI 1
#define RTC_BASE 0x09010000
#define RTC_SPI 2
#define VIRTIO_BASE 0x0a000000
#define VIRTIO_SIZE 0x200
#define VIRTIO_SPI 16
#define VIRTIO_COUNT 32

/* The first failure stays in status; what follows it does nothing. */
struct writer {
	void *fdt;
	int status;
};

static void begin(struct writer *w, const char *name)
{
	if (!w->status)
		w->status = fdt_begin_node(w->fdt, name);
}

static void end(struct writer *w)
{
	if (!w->status)
		w->status = fdt_end_node(w->fdt);
}

static void put(struct writer *w, const char *name, const void *value, size_t size)
{
	if (!w->status)
		w->status = fdt_property(w->fdt, name, value, (int)size);
}

static void put_string(struct writer *w, const char *name, const char *value)
{
	put(w, name, value, strlen(value) + 1);
}

static void put_cells(struct writer *w, const char *name, const uint32_t *cells, size_t count)
{
	fdt32_t big[16];

	for (size_t i = 0; i < count; i++)
		big[i] = cpu_to_fdt32(cells[i]);
	put(w, name, big, count * sizeof(big[0]));
}
#define CELLS(w, name, ...)                                 \
	put_cells(w, name, (const uint32_t[]){__VA_ARGS__}, \
		  sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void put_u64(struct writer *w, const char *name, uint64_t value)
{
	CELLS(w, name, (uint32_t)(value >> 32), (uint32_t)value);
}

static void put_reg(struct writer *w, uint64_t base, uint64_t size)
{
	CELLS(w, "reg", (uint32_t)(base >> 32), (uint32_t)base, (uint32_t)(size >> 32),
	      (uint32_t)size);
}

static void write_cpus(struct writer *w, const struct set *set, const struct set_vm *vm)
{
	char compatible[64] = "arm,armv8";

	if (!strncmp(set->cpu_model, "cortex-", 7) || !strncmp(set->cpu_model, "neoverse-", 9))
		snprintf(compatible, sizeof(compatible), "arm,%.*s",
			 (int)strcspn(set->cpu_model, ","), set->cpu_model);
	begin(w, "cpus");
	CELLS(w, "#address-cells", 1);
	CELLS(w, "#size-cells", 0);
	begin(w, "cpu-map");
	begin(w, "socket0");
	begin(w, "cluster0");
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		char name[16];

		snprintf(name, sizeof(name), "core%u", i);
		begin(w, name);
		CELLS(w, "cpu", PHANDLE_CPU + i);
		end(w);
	}
	end(w);
	end(w);
	end(w);
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		char name[16];

		snprintf(name, sizeof(name), "cpu@%x", i);
		begin(w, name);
		put_string(w, "device_type", "cpu");
		put_string(w, "compatible", compatible);
		if (vm->vcpu_count > 1)
			put_string(w, "enable-method", "psci");
		CELLS(w, "reg", i);
		CELLS(w, "phandle", PHANDLE_CPU + i);
		end(w);
	}
	end(w);
}

static void write_firmware(struct writer *w, bool pmu)
{
	static const char psci[] = "arm,psci-1.0\0arm,psci-0.2\0arm,psci";
	static const char timer[] = "arm,armv8-timer\0arm,armv7-timer";

	begin(w, "psci");
	put(w, "compatible", psci, sizeof(psci));
	put_string(w, "method", "hvc");
	CELLS(w, "cpu_suspend", 0xc4000001);
	CELLS(w, "cpu_off", 0x84000002);
	CELLS(w, "cpu_on", 0xc4000003);
	CELLS(w, "migrate", 0xc4000005);
	end(w);

	begin(w, "timer");
	put(w, "compatible", timer, sizeof(timer));
	put(w, "always-on", "", 0);
	CELLS(w, "interrupts", GIC_PPI, 13, IRQ_LEVEL, GIC_PPI, 14, IRQ_LEVEL, GIC_PPI, 11,
	      IRQ_LEVEL, GIC_PPI, 10, IRQ_LEVEL);
	end(w);

	if (pmu) {
		begin(w, "pmu");
		put_string(w, "compatible", "arm,armv8-pmuv3");
		CELLS(w, "interrupts", GIC_PPI, 7, IRQ_LEVEL);
		end(w);
	}

	begin(w, "apb-pclk");
	put_string(w, "compatible", "fixed-clock");
	CELLS(w, "#clock-cells", 0);
	CELLS(w, "clock-frequency", 24000000);
	put_string(w, "clock-output-names", "clk24mhz");
	CELLS(w, "phandle", PHANDLE_CLOCK);
	end(w);
}

static void write_devices(struct writer *w)
{
	static const char uart[] = "arm,pl011\0arm,primecell";
	static const char rtc[] = "arm,pl031\0arm,primecell";
	static const char clocks[] = "uartclk\0apb_pclk";

	begin(w, "intc@8000000");
	put_string(w, "compatible", "arm,gic-v3");
	put(w, "interrupt-controller", "", 0);
	CELLS(w, "#interrupt-cells", 3);
	CELLS(w, "#address-cells", 2);
	CELLS(w, "#size-cells", 2);
	put(w, "ranges", "", 0);
	CELLS(w, "#redistributor-regions", 1);
	CELLS(w, "reg", 0, GICD_BASE, 0, GICD_SIZE, 0, GICR_BASE, 0, GICR_SIZE);
	CELLS(w, "phandle", PHANDLE_INTC);
	end(w);

	begin(w, "pl011@9000000");
	put(w, "compatible", uart, sizeof(uart));
	put_reg(w, UART_BASE, UART_SIZE);
	CELLS(w, "interrupts", GIC_SPI, UART_SPI, IRQ_LEVEL);
	CELLS(w, "clocks", PHANDLE_CLOCK, PHANDLE_CLOCK);
	put(w, "clock-names", clocks, sizeof(clocks));
	end(w);

	begin(w, "pl031@9010000");
	put(w, "compatible", rtc, sizeof(rtc));
	put_reg(w, RTC_BASE, UART_SIZE);
	CELLS(w, "interrupts", GIC_SPI, RTC_SPI, IRQ_LEVEL);
	CELLS(w, "clocks", PHANDLE_CLOCK);
	put_string(w, "clock-names", "apb_pclk");
	end(w);

	for (unsigned i = 0; i < VIRTIO_COUNT; i++) {
		char name[32];

		snprintf(name, sizeof(name), "virtio_mmio@%x", VIRTIO_BASE + i * VIRTIO_SIZE);
		begin(w, name);
		put_string(w, "compatible", "virtio,mmio");
		put_reg(w, VIRTIO_BASE + i * VIRTIO_SIZE, VIRTIO_SIZE);
		CELLS(w, "interrupts", GIC_SPI, VIRTIO_SPI + i, IRQ_EDGE);
		put(w, "dma-coherent", "", 0);
		end(w);
	}
}

/* As QEMU's: two banks side by side, each of two 16-bit chips. */
static void write_flash(struct writer *w)
{
	begin(w, "flash@0");
	put_string(w, "compatible", "cfi-flash");
	CELLS(w, "reg", 0, 0, 0, FLASH_BANK, 0, FLASH_BANK, 0, FLASH_BANK);
	CELLS(w, "bank-width", 4);
	end(w);
}

/* The regions the VM is a member of, as plain nodes outside RAM. */
static void write_regions(struct writer *w, const struct set *set, size_t vm)
{
	static const char compatible[] = "avisor,shared-memory\0avisor,shm";
	static const char names[] = "contents\0state";

	for (size_t i = 0; i < set->region_count; i++) {
		const struct set_region *region = &set->regions[i];
		uint64_t state = region->address + region->size;

		for (size_t j = 0; j < region->member_count; j++) {
			char name[48];

			if (region->members[j].vm != vm)
				continue;
			snprintf(name, sizeof(name), "avisor-shm@%" PRIx64, region->address);
			begin(w, name);
			put(w, "compatible", compatible, sizeof(compatible));
			CELLS(w, "reg", (uint32_t)(region->address >> 32),
			      (uint32_t)region->address, (uint32_t)(region->size >> 32),
			      (uint32_t)region->size, (uint32_t)(state >> 32), (uint32_t)state, 0,
			      AV_REGION_STATE_SIZE);
			put(w, "reg-names", names, sizeof(names));
			CELLS(w, "interrupts", GIC_SPI, AV_REGION_INTID((uint32_t)i) - 32,
			      IRQ_LEVEL);
			put_string(w, "label", region->name);
			CELLS(w, "avisor,region", (uint32_t)i);
			CELLS(w, "avisor,member", (uint32_t)j);
			if (region->output_size) {
				put_u64(w, "avisor,common-size",
					region->size - region->member_count * region->output_size);
				put_u64(w, "avisor,output-size", region->output_size);
			}
			put_string(w, "avisor,rights", region->members[j].write ? "rw" : "ro");
			end(w);
		}
	}
}

static void write_chosen(struct writer *w, const struct set_vm *vm, uint64_t initrd_start,
			 uint64_t initrd_end)
{
	uint8_t seed[40];

	begin(w, "aliases");
	put_string(w, "serial0", "/pl011@9000000");
	end(w);
	begin(w, "chosen");
	if (vm->bootargs)
		put_string(w, "bootargs", vm->bootargs);
	put_string(w, "stdout-path", "/pl011@9000000");
	if (initrd_end > initrd_start) {
		put_u64(w, "linux,initrd-start", initrd_start);
		put_u64(w, "linux,initrd-end", initrd_end);
	}
	if (getrandom(seed, sizeof(seed), 0) == (ssize_t)sizeof(seed)) {
		put(w, "kaslr-seed", seed, 8);
		put(w, "rng-seed", seed + 8, 32);
	}
	end(w);
}

static void write_tree(struct writer *w, const struct set *set, size_t index, uint64_t initrd_start,
		       uint64_t initrd_end)
{
	const struct set_vm *vm = &set->vms[index];
	char memory[32];

	begin(w, "");
	CELLS(w, "#address-cells", 2);
	CELLS(w, "#size-cells", 2);
	put_string(w, "compatible", "linux,dummy-virt");
	put_string(w, "model", "linux,dummy-virt");
	CELLS(w, "interrupt-parent", PHANDLE_INTC);
	write_chosen(w, vm, initrd_start, initrd_end);
	snprintf(memory, sizeof(memory), "memory@%" PRIx64, vm->ram_base);
	begin(w, memory);
	put_string(w, "device_type", "memory");
	put_reg(w, vm->ram_base, vm->ram_size);
	end(w);
	write_cpus(w, set, vm);
	write_firmware(w, !strstr(set->cpu_model, ",pmu=off"));
	write_devices(w);
	if (vm->flash)
		write_flash(w);
	write_regions(w, set, index);
	end(w);
}

void *bundle_make_dtb(const struct set *set, size_t vm, uint64_t initrd_start, uint64_t initrd_end,
		      size_t *size, struct bundle_error *error)
{
	struct writer w = {.fdt = malloc(PLACE_DTB_ROOM)};

	if (!w.fdt) {
		snprintf(error->message, sizeof(error->message), "out of memory");
		return NULL;
	}
	w.status = fdt_create(w.fdt, PLACE_DTB_ROOM);
	if (!w.status)
		w.status = fdt_finish_reservemap(w.fdt);
	write_tree(&w, set, vm, initrd_start, initrd_end);
	if (!w.status)
		w.status = fdt_finish(w.fdt);
	if (w.status) {
		snprintf(error->message, sizeof(error->message), "device tree of \"%s\": %s",
			 set->vms[vm].name, fdt_strerror(w.status));
		free(w.fdt);
		return NULL;
	}
	*size = fdt_totalsize(w.fdt);
	return w.fdt;
}
