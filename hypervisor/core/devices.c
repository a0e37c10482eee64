/* SPDX-License-Identifier: MIT */
/* devices.c - a VM's devices on their lines, addresses and host ports. Never blocks on the host: a full port keeps or drops. */
#include "core/devices.h"
#include "arch/features.h"
#include "core/doorbell.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/guest_copy.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/vcpu.h"
#include "drivers/gicv3.h"
#include "drivers/virtio_serial.h"
#include "platform/qemu-virt/platform.h"

#define OUTPUT_CAP_PER_SECOND (1024 * 1024)
#define INPUT_CHUNK 256
#define GICD_IROUTER 0x6000

/* Before anything that may change what a snapshot holds of uart, clock and console: vm_state.c relies on it. VM's lock held. */
static void changed(struct vm *vm)
{
	vm->device_version = ++vm->device_versions;
}

/* --- lines */

static void uart_line(void *ctx, bool level)
{
	struct vm *vm = ctx;

	vgic_set_line(&vm->gic, 0, PLAT_UART_INTID, level);
}

static void clock_line(void *ctx, bool level)
{
	struct vm *vm = ctx;

	vgic_set_line(&vm->gic, 0, PLAT_RTC_INTID, level);
}

static void console_line(void *ctx, bool level)
{
	struct vm *vm = ctx;

	vgic_set_line(&vm->gic, 0, PLAT_VIRTIO_INTID(PLAT_CONSOLE_SLOT), level);
}

/* --- output */

void devices_console_out(struct vm *vm, unsigned port, const uint8_t *bytes, size_t size)
{
	uint64_t second = counter_now() / counter_hz;
	size_t room, taken;

	if (vm->output_window != second) {
		vm->output_window = second;
		vm->output_bytes = 0;
	}
	room = OUTPUT_CAP_PER_SECOND - vm->output_bytes;
	taken = size < room ? size : room;
	if (port)
		taken = virtio_serial_write(port, bytes, taken);
	vm->output_bytes += taken;
	vm->stats.console_bytes += taken;
	vm->stats.console_dropped += size - taken;
}

static void uart_out(void *ctx, uint8_t byte)
{
	struct vm *vm = ctx;

	devices_console_out(vm, vm->port_console, &byte, 1);
	if (byte == '\n')
		virtio_serial_flush(vm->port_console);
	else
		sched_flush_soon(); /* a prompt, and then the guest polls for the answer */
}

static size_t console_out(void *ctx, unsigned port, const uint8_t *bytes, size_t size)
{
	struct vm *vm = ctx;

	if (port == 0) {
		devices_console_out(vm, vm->port_hvc0, bytes, size);
		virtio_serial_flush(vm->port_hvc0);
		return size;
	}
	if (!vm->port_agent)
		return size;
	/* Nobody connected: as with a port that is closed, bytes go nowhere. */
	if (!virtio_serial_host_open(vm->port_agent))
		return size;
	size = virtio_serial_write(vm->port_agent, bytes, size);
	virtio_serial_flush(vm->port_agent);
	return size;
}

void devices_flush_output(struct vm *vm)
{
	virtio_serial_flush(vm->port_console);
	virtio_serial_flush(vm->port_hvc0);
}

/* --- input */

static void uart_feed(struct vm *vm)
{
	uint8_t bytes[VPL011_FIFO_SIZE];
	size_t room;

	while (virtio_serial_has_input(vm->port_console) && (room = vpl011_room(&vm->uart)) > 0) {
		size_t size = virtio_serial_peek(vm->port_console, bytes, room);

		if (!size)
			break;
		virtio_serial_consume(vm->port_console, vpl011_input(&vm->uart, bytes, size));
	}
}

static void port_feed(struct vm *vm, unsigned guest_port, unsigned host_port)
{
	uint8_t bytes[INPUT_CHUNK];
	size_t size, taken;

	while (virtio_serial_has_input(host_port) &&
	       (size = virtio_serial_peek(host_port, bytes, sizeof(bytes))) > 0) {
		taken = vconsole_input(&vm->console, guest_port, bytes, size);
		if (!taken)
			break;
		virtio_serial_consume(host_port, taken);
	}
}

static void console_room(void *ctx, unsigned port)
{
	struct vm *vm = ctx;

	port_feed(vm, port, port ? vm->port_agent : vm->port_hvc0);
}

void devices_drop_input(struct vm *vm)
{
	uint64_t dropped = 0;

	const unsigned ports[] = {vm->port_console, vm->port_hvc0, vm->port_agent};

	if (!__atomic_exchange_n(&vm->input_waits, false, __ATOMIC_ACQUIRE))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(ports); i++)
		if (virtio_serial_has_input(ports[i]))
			dropped += virtio_serial_drop(ports[i]);
	vm->stats.input_dropped += dropped;
	if (dropped)
		event_add(AV_EVENT_INPUT_DROPPED, vm->index, dropped, 0, NULL);
}

static void feed(struct vm *vm)
{
	/* Cleared first: what comes meanwhile sets it again. */
	__atomic_store_n(&vm->input_waits, false, __ATOMIC_SEQ_CST);
	uart_feed(vm);
	port_feed(vm, 0, vm->port_hvc0);
	port_feed(vm, 1, vm->port_agent);
	if (virtio_serial_has_input(vm->port_console) || virtio_serial_has_input(vm->port_hvc0) ||
	    virtio_serial_has_input(vm->port_agent))
		__atomic_store_n(&vm->input_waits, true, __ATOMIC_RELEASE);
}

/* The console's rings could not be written for want of a frame: the VM starves, and the work is done when it is fed. */
static void starve_if_short(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	if (!vm->mem.host_starved)
		return;
	vm->mem.host_starved = false;
	vconsole_retry(&vm->console);
	__atomic_or_fetch(&vm->requests, REQUEST_DEVICE, __ATOMIC_RELEASE);
	vm_starve(vm, 0);
}

__attribute__((noinline)) void devices_serve(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	uint32_t requests = __atomic_exchange_n(&vm->requests, 0, __ATOMIC_ACQUIRE);

	spin_lock(&vm->lock);
	changed(vm);
	if (requests & REQUEST_BELLS)
		doorbell_lines(vm);
	if (requests & REQUEST_RESTORED)
		vconsole_after_restore(&vm->console);
	if (requests & (REQUEST_INPUT | REQUEST_RESTORED)) {
		if (vm->port_agent)
			vconsole_host_open(&vm->console, 1,
					   virtio_serial_host_open(vm->port_agent));
		if (__atomic_load_n(&vm->input_waits, __ATOMIC_ACQUIRE))
			feed(vm);
	}
	if (requests & REQUEST_OUTPUT)
		vconsole_kick_tx(&vm->console, 1);
	if (vconsole_has_work(&vm->console) && vconsole_work(&vm->console))
		__atomic_or_fetch(&vm->requests, REQUEST_DEVICE, __ATOMIC_RELEASE);
	starve_if_short(vcpu);
	vcpu_forward_kicks(vcpu);
	spin_unlock(&vm->lock);
}

/* --- addresses */

static inline __attribute__((always_inline)) bool gic_access(struct vcpu *vcpu,
							     enum vgic_frame frame, uint64_t offset,
							     unsigned size, bool write,
							     uint64_t *value)
{
	struct vm *vm = vcpu->vm;
	bool there;

	if (vgic_mmio_wants_fold(frame, offset, write))
		vcpu_fold_interrupts(vcpu);
	there = vgic_mmio(&vm->gic, vcpu->index, frame, offset, size, write, value);
	if (write)
		gicv3_ppis_deactivate(vgic_take_hw_release(&vm->gic, vcpu->index));
	return there;
}

void devices_route(struct vcpu *vcpu, unsigned intid, uint64_t target)
{
	gic_access(vcpu, VGIC_DIST, GICD_IROUTER + 8 * intid, 8, true, &target);
}

static void uart_access(struct vm *vm, uint64_t offset, unsigned size, bool write, uint64_t *value)
{
	if (write || !offset)
		changed(vm);
	vpl011_mmio(&vm->uart, offset, size, write, value);
	/* The guest read a byte, or LCR_H made the FIFO deeper: there is room. */
	if (write ? offset == 0x2c : !offset)
		uart_feed(vm);
}

/* The rest of devices_mmio(). */
static __attribute__((noinline)) bool other_access(struct vcpu *vcpu, uint64_t address,
						   unsigned size, bool write, uint64_t *value)
{
	struct vm *vm = vcpu->vm;

	if (address - PLAT_GICR < (uint64_t)PLAT_GICR_STRIDE * AV_VCPU_MAX)
		return gic_access(vcpu, VGIC_REDIST, address - PLAT_GICR, size, write, value);
	if (address - PLAT_RTC < VPL031_SIZE) {
		changed(vm);
		vpl031_mmio(&vm->rtc, address - PLAT_RTC, size, write, value, clock_wall());
		/* A match may have been set: vCPU 0's CPU, which looks at it, chooses its deadline anew. */
		sched_yield();
		if (vcpu->index)
			sched_kick(&vm->vcpus[0], 0);
		return true;
	}
	if (address - PLAT_VIRTIO < PLAT_VIRTIO_STRIDE * PLAT_VIRTIO_COUNT) {
		uint64_t slot = (address - PLAT_VIRTIO) / PLAT_VIRTIO_STRIDE;
		uint64_t offset = (address - PLAT_VIRTIO) % PLAT_VIRTIO_STRIDE;

		changed(vm);
		if (slot == PLAT_CONSOLE_SLOT)
			vconsole_mmio(&vm->console, offset, size, write, value);
		else
			virtio_mmio_empty(offset, size, write, value);
		if (vconsole_has_work(&vm->console))
			__atomic_or_fetch(&vm->requests, REQUEST_DEVICE, __ATOMIC_RELEASE);
		starve_if_short(vcpu);
		return true;
	}
	return false;
}

struct device_access devices_mmio(struct vcpu *vcpu, uint64_t address, unsigned size, bool write,
				  uint64_t value)
{
	struct vm *vm = vcpu->vm;
	bool there = true;

	spin_lock(&vm->lock);
	if (address - PLAT_UART < PLAT_UART_SIZE)
		uart_access(vm, address - PLAT_UART, size, write, &value);
	else if (address - PLAT_GICD < PLAT_GICD_SIZE)
		there = gic_access(vcpu, VGIC_DIST, address - PLAT_GICD, size, write, &value);
	else
		there = other_access(vcpu, address, size, write, &value);
	vcpu_forward_kicks(vcpu); /* the line that moved may be another vCPU's */
	spin_unlock(&vm->lock);
	return (struct device_access){.there = there, .value = value};
}

/* --- background */

bool devices_housekeeping(void)
{
	bool more = false;

	for (unsigned i = 0; i < vm_count; i++) {
		struct vm *vm = vms[i];

		if (!vm->mem.reap_first && vm->mem.budget.cached < 64)
			continue;
		if (!spin_trylock(&vm->lock))
			continue;
		more |= vmem_reap(&vm->mem, 64);
		spin_unlock(&vm->lock);
	}
	return more;
}

static const struct vconsole_ops console_ops = {
	.out = console_out,
	.room = console_room,
	.line = console_line,
};

__attribute__((cold)) void devices_init(struct vm *vm)
{
	const char *name =
		vm->flags & AV_VM_FLAG_CONTROL ? "org.avisor.control" : "org.avisor.agent";

	vgic_init(&vm->gic, vm->vcpu_count);
	vgic_set_hw(&vm->gic, PLAT_PPI_VIRT_TIMER);
	if (features.pmu_counters)
		vgic_set_hw(&vm->gic, PLAT_PPI_PMU);
	vpl031_init(&vm->rtc, vm, clock_line);
	vpl011_init(&vm->uart, vm, uart_out, uart_line);
	changed(vm);
	vconsole_init(&vm->console, guest_memory_of(vm), &console_ops, vm, name);
}
