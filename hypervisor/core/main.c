/* SPDX-License-Identifier: MIT */
/*
 * main.c - from the first C line to the first guest: check the machine, check the manifest, build the VMs, start the other
 * CPUs. Refuses with one line what it cannot run.
 */
#include "arch/features.h"
#include "arch/mmu.h"
#include "arch/sysreg.h"
#include "core/boot.h"
#include "core/bug.h"
#include "core/clock.h"
#include "core/counters.h"
#include "core/cpu.h"
#include "core/cpu_offsets.h"
#include "core/event.h"
#include "core/flash.h"
#include "core/log.h"
#include "core/psci.h"
#include "core/random.h"
#include "core/region.h"
#include "core/set.h"
#include "core/sched.h"
#include "core/string.h"
#include "core/time.h"
#include "core/vm.h"
#include "drivers/gicv3.h"
#include "drivers/virtio_serial.h"
#include "mm/frame.h"

#define PORTS_BOUND_NS 50000000u
#define START_BOUND_NS 20000000000u

struct cpu cpus[AV_CPU_MAX];
unsigned cpu_count;
struct counters counters;
uint64_t counter_hz, counter_start;
struct manifest_view boot_manifest;
const char *boot_missing;

/* In the image's first 2 MiB, so that mmu_guard() reaches them. */
char cpu_stacks[AV_CPU_MAX][CPU_STACK_SIZE] __attribute__((section(".bss.stacks"), aligned(4096)));

static uint64_t boot_next;
static uint32_t cpus_ready, vms_ready;

void *boot_alloc(size_t size)
{
	void *at = (void *)boot_next;

	BUG_ON(!boot_next);
	boot_next += (size + 63) & ~63UL;
	memset(at, 0, size);
	return at;
}

_Noreturn void boot_refuse(const char *text, ...)
{
	char line[256];
	va_list list;

	va_start(list, text);
	format_list(line, sizeof(line), text, list);
	va_end(list);
	log_emergency("avisor: refused: ");
	log_emergency(line);
	log_emergency("\n");
	for (;;)
		wfi();
}

static void need(const char *missing)
{
	if (missing)
		boot_refuse("this machine lacks %s", missing);
}

static void manifest_read(void)
{
	const struct av_manifest *manifest = (const struct av_manifest *)AV_BUNDLE_PA;
	const char *wrong;

	/* The machine's memory is known from the manifest alone: it is checked before anything is used. */
	wrong = manifest_check(manifest, AV_MANIFEST_SIZE_MAX, &boot_manifest);
	if (wrong)
		boot_refuse("manifest: %s", wrong);
}

/* The last word of RAM is there, or the access faults. */
static void memory_probe(uint64_t size)
{
	static char what[64];

	format(what, sizeof(what), "memory: machine.memory is %lu MiB", size >> 20);
	__atomic_store_n(&boot_missing, what, __ATOMIC_SEQ_CST);
	(void)*(volatile uint64_t *)(AV_RAM_PA + size - sizeof(uint64_t));
	dsb(sy);
	__atomic_store_n(&boot_missing, NULL, __ATOMIC_SEQ_CST);
}

static void cpu_start(struct cpu *cpu)
{
	need(gicv3_cpu_init(cpu->id));
	features_apply();
	cpu->hcr = features.hcr;
	features.lr_count = ((unsigned)read_reg(ICH_VTR_EL2) & 0x1f) + 1;
	cpu->online = 1;
}

static void start_others(void)
{
	uint64_t bound;

	for (unsigned i = 1; i < cpu_count; i++) {
		cpus[i].id = i;
		cpus[i].stack = (uint64_t)cpu_stacks[i + 1];
		if (psci_start_cpu(i, &cpus[i]))
			boot_refuse("this machine lacks CPU %u (machine.cpus is %u)", i, cpu_count);
	}
	bound = sysreg_read(cntpct_el0) + ns_to_ticks(START_BOUND_NS);
	while (__atomic_load_n(&cpus_ready, __ATOMIC_ACQUIRE) != cpu_count - 1) {
		if (sysreg_read(cntpct_el0) > bound)
			boot_refuse("%u of %u CPUs start",
				    1 + __atomic_load_n(&cpus_ready, __ATOMIC_ACQUIRE), cpu_count);
		wfe();
	}
}

static void guard_stacks(void)
{
	for (unsigned i = 0; i < cpu_count; i++)
		mmu_guard(cpu_stacks[i]);
}

_Noreturn void hyp_secondary(struct cpu *cpu)
{
	cpu_start(cpu);
	__atomic_add_fetch(&cpus_ready, 1, __ATOMIC_RELEASE);
	sev();
	/* VMs start when the boot CPU says so. */
	while (!__atomic_load_n(&vms_ready, __ATOMIC_ACQUIRE))
		wfe();
	sched_start();
}

static void vms_build(void)
{
	uint64_t ram_size = boot_manifest.head->ram_size;
	uint64_t state = boot_next;
	const char *wrong;

	/* VMs and vCPUs lie behind the bundle, the frame array behind them. */
	boot_next += boot_manifest.head->vm_count * ((sizeof(struct vm) + 127) & ~63UL);
	for (uint32_t i = 0; i < boot_manifest.head->vm_count; i++)
		boot_next +=
			flash_room(boot_manifest.vms[i].flags) +
			((boot_manifest.vms[i].vcpu_count * sizeof(struct vcpu) + 127) & ~63UL);
	frame_init(pa(AV_RAM_PA), ram_size, pa((boot_next + PAGE_MASK) & ~PAGE_MASK));
	wrong = manifest_check_frames(&boot_manifest, frame_total());
	if (wrong)
		boot_refuse("manifest: %s: more than the %lu frames there are", wrong,
			    frame_total());
	boot_next = state;
	for (unsigned i = 0; i < boot_manifest.head->vm_count; i++)
		vm_create(i);
	region_init();
	set_init();
}

/* A guest's first byte must find its port. A machine started by hand may lack some. */
static void wait_for_ports(void)
{
	uint64_t bound = counter_now() + ns_to_ticks(PORTS_BOUND_NS);

	while (!virtio_serial_settled()) {
		if (counter_now() > bound) {
			log_line("not every VM has its ports: what it prints there is lost");
			return;
		}
	}
}

_Noreturn void hyp_main(void)
{
	const char *missing;

	cpu_count = 1;
	counter_hz = sysreg_read(cntfrq_el0);
	counter_start = sysreg_read(cntpct_el0);
	missing = features_init();
	need(missing);
	manifest_read();
	cpu_count = boot_manifest.head->cpu_count;
	mmu_init(boot_manifest.head->ram_size);
	memory_probe(boot_manifest.head->ram_size);
	need(gicv3_init());
	cpus[0].id = 0;
	cpu_start(&cpus[0]);
	guard_stacks();
	clock_init();
	log_line("Avisor " AV_VERSION "%s, ABI %u.%u: %u CPU, %lu MiB, %u VM, %u regions",
		 AV_DEBUG ? " (debug)" : "", AV_ABI_MAJOR, AV_ABI_MINOR, cpu_count,
		 boot_manifest.head->ram_size >> 20, boot_manifest.head->vm_count,
		 boot_manifest.head->region_count);
	random_seed(boot_manifest.head->entropy);
	boot_next = AV_BUNDLE_PA + boot_manifest.head->bundle_size;
	start_others();
	vms_build();
	need(virtio_serial_init(0));
	event_add(AV_EVENT_BOOT, VM_NONE, 0, 0, AV_VERSION);
	for (unsigned i = 0; i < vm_count; i++)
		vm_seal(vms[i]);
	wait_for_ports();
	log_line("running: %lu of %lu frames free", frame_free_count(), frame_total());
	__atomic_store_n(&vms_ready, 1, __ATOMIC_RELEASE);
	sev();
	sched_start();
}
