/* SPDX-License-Identifier: MIT */
/* vm.c - VMs as the manifest describes them: creation, time, identity, state, and stopping all vCPUs at one cut. */
#include "core/vm.h"
#include "arch/sysreg.h"
#include "core/boot.h"
#include "core/bug.h"
#include "core/clock.h"
#include "core/cpu.h"
#include "core/devices.h"
#include "core/event.h"
#include "core/flash.h"
#include "core/log.h"
#include "core/ports.h"
#include "core/region.h"
#include "core/sched.h"
#include "core/string.h"
#include "core/time.h"
#include "core/vcpu.h"
#include "core/vm_state.h"
#include "drivers/gicv3.h"
#include "platform/qemu-virt/platform.h"

#define HOLD_BOUND_NS 20000000000u

struct vm *vms[AV_VM_MAX + 1];
unsigned vm_count;
struct spinlock op_lock;

uint64_t vm_counter(const struct vm *vm)
{
	return vm->clock_stopped ? vm->stopped_at : counter_now() - vm->cntvoff;
}

uint64_t vm_uptime(const struct vm *vm)
{
	return vm_counter(vm) - clock_origin;
}

void vm_clock_stop(struct vm *vm)
{
	if (vm->clock_stopped)
		return;
	vm->stopped_at = counter_now() - vm->cntvoff;
	vm->clock_stopped = true;
}

void vm_clock_start(struct vm *vm)
{
	if (!vm->clock_stopped)
		return;
	if (!(vm->flags & AV_VM_FLAG_CLOCK_FOLLOW))
		vm->cntvoff = counter_now() - vm->stopped_at;
	vm->clock_stopped = false;
}

void vm_clock_set(struct vm *vm, uint64_t counter)
{
	BUG_ON(!vm->clock_stopped);
	vm->stopped_at = counter;
}

void vm_new_identity(struct vm *vm)
{
	vm->generation++; /* the identity is derived from it when it is asked for */
}

void vm_set_state(struct vm *vm, uint32_t state)
{
	if (vm->state == state)
		return;
	event_add(AV_EVENT_STATE, vm->index, vm->state, state, NULL);
	if (state != AV_STATE_RUNNING)
		vm_clock_stop(vm);
	else
		__atomic_store_n(&vm->ending, false, __ATOMIC_RELEASE);
	region_set_state(vm, state);
	/* It ended itself: its other vCPUs leave their CPUs, too. */
	for (unsigned i = 0; !vm->held && state != AV_STATE_RUNNING && i < vm->vcpu_count; i++)
		if (vm->vcpus[i].cpu != cpu_this())
			sched_kick(&vm->vcpus[i], 0);
}

bool vm_may_end(struct vm *vm)
{
	return vm->state == AV_STATE_RUNNING &&
	       !__atomic_exchange_n(&vm->ending, true, __ATOMIC_ACQ_REL);
}

__attribute__((cold)) void vm_starve(struct vm *vm, uint64_t address)
{
	sched_yield();
	if (!vm_may_end(vm))
		return;
	vm_set_state(vm, AV_STATE_STARVED);
	event_add(AV_EVENT_STARVED, vm->index, address, 0, NULL);
	log_vm(vm, "starved: its budget of %lu frames is used up", vm->mem.budget.limit);
}

/* Nobody else ends the VM meanwhile. */
__attribute__((cold)) static void crash(struct vcpu *vcpu, const char *reason, uint64_t far,
					uint32_t word)
{
	struct vm *vm = vcpu->vm;

	memset(&vm->crash, 0, sizeof(vm->crash));
	vm->crash.pc = vcpu->pc;
	vm->crash.esr = vcpu->loaded ? sysreg_read(esr_el2) : 0;
	vm->crash.far = far;
	vm->crash.word = word;
	memcpy(vm->crash.reason, reason, strnlen(reason, sizeof(vm->crash.reason) - 1));
	log_vm(vm, "crashed: %s (PC 0x%lx, instruction 0x%08x)", reason, vm->crash.pc, word);
	event_add(AV_EVENT_CRASH, vm->index, vm->crash.pc, vm->crash.esr, reason);
	vm_set_state(vm, AV_STATE_CRASHED);
	region_leave(vm);
}

__attribute__((cold)) void vm_crash(struct vcpu *vcpu, const char *reason, uint64_t far,
				    uint32_t word)
{
	sched_yield();
	if (vm_may_end(vcpu->vm))
		crash(vcpu, reason, far, word);
}

__attribute__((cold)) void vm_crash_held(struct vm *vm, const char *reason)
{
	sched_yield();
	crash(&vm->vcpus[0], reason, 0, 0);
}

/* Until the CPUs that were asked have given up the vCPUs of vm. */
__attribute__((cold)) static void wait_for_cpus(const struct vm *vm)
{
	const struct cpu *here = cpu_this();
	uint64_t bound = counter_now() + ns_to_ticks(HOLD_BOUND_NS);

	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		const struct vcpu *vcpu = &vm->vcpus[i];

		while (vcpu->cpu != here && __atomic_load_n(&vcpu->loaded, __ATOMIC_ACQUIRE)) {
			if (counter_now() > bound) {
				log_line("CPU %u does not give up a vCPU of %s", vcpu->cpu->id,
					 vm->name);
				BUG("a CPU does not answer");
			}
			wfe();
		}
	}
}

/* A vCPU that is not the one whose trap is being handled here. True: it is another CPU's, which is asked for it. */
static __attribute__((cold, noinline)) bool hold_other(struct vcpu *vcpu, const struct cpu *here)
{
	if (vcpu->cpu != here) {
		__atomic_store_n(&vcpu->cpu->resched, true, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&vcpu->loaded, __ATOMIC_SEQ_CST))
			gicv3_send_sgi(vcpu->cpu->id, SGI_KICK);
		return true;
	}
	if (here->loaded == vcpu) {
		devices_flush_output(vcpu->vm);
		vcpu_unload(vcpu);
	}
	return false;
}

static __attribute__((noinline)) void hold(struct vm *vm, bool keep)
{
	struct cpu *here = cpu_this();
	struct vcpu *vcpu = vm->vcpus, *end = vcpu + vm->vcpu_count;
	bool elsewhere = false;

	BUG_ON(vm->held);
	__atomic_store_n(&vm->held, true, __ATOMIC_SEQ_CST);
	for (; vcpu != end; vcpu++) {
		if (here->current == vcpu && here->loaded == vcpu)
			vcpu_store(vcpu, keep);
		else if (hold_other(vcpu, here))
			elsewhere = true;
	}
	if (elsewhere)
		wait_for_cpus(vm);
	if (vm->state == AV_STATE_RUNNING)
		vm_clock_stop(vm);
}

void vm_hold(struct vm *vm)
{
	hold(vm, true);
}

void vm_hold_to_replace(struct vm *vm)
{
	hold(vm, false);
}

/* The vCPU whose trap is being handled here does not go on at once. */
static __attribute__((cold, noinline)) void give_up_current(struct vcpu *vcpu)
{
	struct cpu *here = cpu_this();

	devices_flush_output(vcpu->vm);
	vcpu_unload(vcpu);
	spin_lock(&here->lock);
	here->current = NULL;
	spin_unlock(&here->lock);
	sched_kick(vcpu, 0);
}

void vm_release(struct vm *vm)
{
	struct cpu *here = cpu_this();
	struct vcpu *vcpu = vm->vcpus, *end = vcpu + vm->vcpu_count;
	bool runs = vm->state == AV_STATE_RUNNING;

	if (runs)
		vm_clock_start(vm);
	__atomic_store_n(&vm->held, false, __ATOMIC_SEQ_CST);
	for (; vcpu != end; vcpu++) {
		if (vcpu != here->current) {
			if (runs)
				sched_kick(vcpu, 0);
			continue;
		}
		BUG_ON(here->loaded != vcpu);
		if (runs && vcpu->power == VCPU_ON && !vcpu->waiting)
			vcpu_resume(vcpu);
		else
			give_up_current(vcpu);
	}
}

__attribute__((cold)) static void evicted(void *ctx, uint64_t id)
{
	struct vm *vm = ctx;

	event_add(AV_EVENT_EVICT, vm->index, id, 0, NULL);
	log_vm(vm, "snapshot %ld evicted", (long)id);
}

/* Where a vCPU lives that the manifest does not place: with the fewest of its own VM, then with the fewest of all. */
static struct cpu *least_taken(const struct vm *vm, unsigned created)
{
	static unsigned taken[AV_CPU_MAX]; /* vCPUs, the placed ones of all VMs from the start */
	static bool counted;
	unsigned own[AV_CPU_MAX] = {0}, best = 0;

	for (unsigned i = 0; !counted && i < boot_manifest.head->vm_count; i++)
		for (unsigned n = 0; n < boot_manifest.vms[i].vcpu_count; n++)
			if (boot_manifest.vms[i].vcpu_cpu[n] != 0xff)
				taken[boot_manifest.vms[i].vcpu_cpu[n]]++;
	counted = true;
	for (unsigned i = 0; i < created; i++)
		own[vm->vcpus[i].cpu->id]++;
	for (unsigned i = 1; i < cpu_count; i++)
		if (own[i] < own[best] || (own[i] == own[best] && taken[i] < taken[best]))
			best = i;
	taken[best]++;
	return &cpus[best];
}

void vm_placed(struct vm *vm)
{
	struct vcpu *vcpu = vm->vcpus, *end = vcpu + vm->vcpu_count;

	vm->wide = false;
	for (; vcpu != end; vcpu++) {
		vm->wide |= vcpu->cpu != vm->vcpus->cpu;
		vcpu->shares = false;
		for (const struct vcpu *other = vm->vcpus; other != end; other++)
			vcpu->shares |= other != vcpu && other->cpu == vcpu->cpu;
	}
}

/* Of spare slots the first vCPUs are spread: most clones have no more. */
static struct cpu *cpu_of(const struct vm *vm, unsigned index)
{
	if (vm->manifest->vcpu_cpu[index] != 0xff)
		return &cpus[vm->manifest->vcpu_cpu[index]];
	return vm->slot ? &cpus[(vm->index + index) % cpu_count] : least_taken(vm, index);
}

__attribute__((cold)) static void create_vcpus(struct vm *vm)
{
	const struct av_manifest_vm *m = vm->manifest;

	vm->vcpu_count = m->vcpu_count;
	vm->vcpus = boot_alloc(sizeof(struct vcpu) * m->vcpu_count);
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		struct vcpu *vcpu = &vm->vcpus[i];

		vcpu->vm = vm;
		vcpu->index = i;
		vcpu->cpu = cpu_of(vm, i);
		vcpu_reset(vcpu, m->entry, m->x0);
		vcpu->power = i == 0 && !vm->slot ? VCPU_ON : VCPU_OFF;
	}
	vm_placed(vm);
}

/* What the bundle has for this VM, in its place. */
__attribute__((cold)) static int map_segment(struct vm *vm, const struct av_manifest_segment *s)
{
	uint64_t pages = (s->size + PAGE_MASK) >> PAGE_SHIFT;

	if (s->ipa >= PLAT_RAM)
		return vmem_map_bundle(&vm->mem, ipa(s->ipa), pa(AV_BUNDLE_PA + s->offset), pages);
	flash_image(vm, s->ipa, pa(AV_BUNDLE_PA + s->offset), pages);
	return 0;
}

__attribute__((cold)) static void create_memory(struct vm *vm, unsigned vmid_share)
{
	const struct av_manifest_vm *m = vm->manifest;
	struct vmem_config config = {
		.owner = (uint8_t)(vm->index + 1),
		.ram_base = m->ram_base,
		.ram_size = m->ram_size,
		.frame_limit = m->frame_budget,
		.vmid_first = 1 + vm->index * vmid_share,
		.vmid_count = vmid_share,
		.snapshot_keep = m->snapshot_keep,
		.refuse = m->flags & AV_VM_FLAG_REFUSE,
		.copy_back = m->flags & AV_VM_FLAG_COPY_BACK,
		.parts = vm->parts,
		.part_count = vm->part_count,
		.evicted = evicted,
		.evicted_ctx = vm,
	};
	int error;

	if (vm->flash) {
		config.ram_size += config.ram_base - PLAT_FLASH_STORE;
		config.ram_base = PLAT_FLASH_STORE;
	}
	error = vm->slot ? vmem_init_spare(&vm->mem, &config) : vmem_init(&vm->mem, &config);
	if (error)
		boot_refuse("vm[%u] (%s): memory: error %d (frame_budget %lu)", vm->index, vm->name,
			    error, m->frame_budget);
	for (uint32_t i = 0; i < m->segment_count; i++) {
		const struct av_manifest_segment *s = &boot_manifest.segments[m->segment_first + i];

		error = map_segment(vm, s);
		if (error)
			boot_refuse("vm[%u] (%s): segment %u: error %d", vm->index, vm->name, i,
				    error);
	}
	flash_map(vm);
}

__attribute__((cold)) void vm_create(unsigned index)
{
	const struct av_manifest_vm *m = &boot_manifest.vms[index];
	struct vm *vm = boot_alloc(sizeof(*vm));

	vm->manifest = m;
	vm->slot = m->flags & AV_VM_FLAG_SPARE ? m : NULL;
	vm->index = index;
	vm->flags = m->flags;
	memcpy(vm->name, m->name, sizeof(vm->name));
	vm->slice = ns_to_ticks(m->slice_ns ? m->slice_ns : SCHED_SLICE_NS);
	vm->state = vm->slot ? AV_STATE_EMPTY : AV_STATE_RUNNING;
	create_vcpus(vm);
	devices_init(vm);
	ports_claim(vm);
	flash_create(vm);
	vm_state_parts(vm);
	create_memory(vm, 255 / boot_manifest.head->vm_count);
	vm->cntvoff = counter_now() - clock_origin;
	vm_clock_stop(vm);
	vms[index] = vm;
	vm_count = index + 1;
}

__attribute__((cold)) void vm_seal(struct vm *vm)
{
	struct snapshot_facts facts;
	int error;

	if (vm->slot)
		return;
	memset(&facts, 0, sizeof(facts));
	facts.taken = counter_now() - counter_start;
	facts.state = vm->flags & AV_VM_FLAG_PAUSED ? AV_STATE_PAUSED : AV_STATE_RUNNING;
	error = snapshot_seal_boot(&vm->mem, &facts);
	if (error)
		boot_refuse("vm[%u] (%s): boot snapshot: error %d", vm->index, vm->name, error);
	if (facts.state == AV_STATE_PAUSED) {
		vm_set_state(vm, AV_STATE_PAUSED);
		return;
	}
	vm_clock_start(vm);
	sched_kick(&vm->vcpus[0], 0);
}
