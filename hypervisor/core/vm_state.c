/* SPDX-License-Identifier: MIT */
/* vm_state.c - {save, load} of each part. No vCPU runs. Reset is a load of `boot`. */
#include "core/vm_state.h"
#include "arch/mem.h"
#include "core/bug.h"
#include "core/flash.h"
#include "core/region.h"
#include "core/string.h"
#include "core/vcpu.h"

/* All that is the VM's in one part: most snapshots share it. All that is a vCPU's in another; the time is vCPU 0's. */
struct vm_saved {
	uint64_t device_version;
	struct vgic_dist_state gic;
	struct vpl011_state uart;
	struct vconsole_state console;
};

struct vcpu_saved {
	struct vgic_cpu_state gic;
	uint32_t reserved;
	uint64_t counter;
	uint64_t pad;
	uint8_t vcpu[offsetof(struct vcpu, vm)];
};

#define VCPU_MEMORY offsetof(struct vcpu, el1)
_Static_assert(sizeof(struct vm_saved) <= VMEM_PART_SIZE_MAX, "a part fits a frame");
_Static_assert(sizeof(struct vcpu_saved) <= VMEM_PART_SIZE_MAX, "a part fits a frame");
_Static_assert(offsetof(struct vcpu, vm) % 8 == 0 && VCPU_MEMORY % 8 == 0, "copied by words");
_Static_assert(offsetof(struct vcpu_saved, vcpu) % 16 == 0, "registers are stored in pairs");

static void vm_save(void *ctx, void *to)
{
	struct vm *vm = ctx;
	struct vm_saved *saved = to;

	saved->device_version = vm->device_version;
	vgic_save(&vm->gic, &saved->gic);
	vpl011_save(&vm->uart, &saved->uart);
	vconsole_save(&vm->console, &saved->console);
}

static void vm_load(void *ctx, const void *from)
{
	struct vm *vm = ctx;
	const struct vm_saved *saved = from;

	vm->device_version = saved->device_version;
	/* The distributor before the devices: their lines are loaded into it. */
	vgic_load(&vm->gic, &saved->gic);
	vpl011_load(&vm->uart, &saved->uart);
	vconsole_load(&vm->console, &saved->console);
}

static bool vm_same(void *ctx, const void *to)
{
	const struct vm *vm = ctx;
	const struct vm_saved *saved = to;

	return saved->device_version == vm->device_version &&
	       saved->gic.version == vm->gic.dist.version;
}

static void vcpu_save(void *ctx, void *to)
{
	struct vcpu *vcpu = ctx;
	struct vcpu_saved *saved = to;
	struct vcpu *copy = (struct vcpu *)saved->vcpu;

	vgic_cpu_save(&vcpu->vm->gic, vcpu->index, &saved->gic);
	saved->reserved = 0;
	saved->counter = vm_counter(vcpu->vm);
	saved->pad = 0;
	if (!vcpu->in_pe) {
		arch_copy_words(copy, vcpu, sizeof(saved->vcpu));
		return;
	}
	arch_copy_words(copy, vcpu, VCPU_MEMORY);
	el1_save(&copy->el1);
	fp_save(&copy->fp);
}

static void vcpu_load_part(void *ctx, const void *from)
{
	struct vcpu *vcpu = ctx;
	const struct vcpu_saved *saved = from;
	const struct vcpu *copy = (const struct vcpu *)saved->vcpu;

	vgic_cpu_load(&vcpu->vm->gic, vcpu->index, &saved->gic);
	if (!vcpu->index)
		vm_clock_set(vcpu->vm, saved->counter);
	if (!vcpu->in_pe) {
		arch_copy_words(vcpu, copy, sizeof(saved->vcpu));
		return;
	}
	arch_copy_words(vcpu, copy, VCPU_MEMORY);
	vcpu_replace(vcpu, copy);
}

static void add(struct vm *vm, struct state_part part)
{
	BUG_ON(vm->part_count == ARRAY_SIZE(vm->parts));
	vm->parts[vm->part_count++] = part;
}

void vm_state_parts(struct vm *vm)
{
	add(vm,
	    (struct state_part){"devices", sizeof(struct vm_saved), vm_save, vm_load, vm, vm_same});
	flash_parts(vm, add);
	add(vm, (struct state_part){"regions", (uint32_t)region_state_size(vm), region_state_save,
				    region_state_load, vm, NULL});
	for (unsigned i = 0; i < vm->vcpu_count; i++)
		add(vm, (struct state_part){"vcpu", sizeof(struct vcpu_saved), vcpu_save,
					    vcpu_load_part, &vm->vcpus[i], NULL});
}

/* FNV-1a, by words: tells equal parts from others, no more. */
static uint64_t checksum(const void *bytes, size_t size)
{
	const uint64_t *words = bytes;
	uint64_t sum = 0xcbf29ce484222325u;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		sum = (sum ^ words[i]) * 0x100000001b3u;
	for (size_t i = size & ~(sizeof(*words) - 1); i < size; i++)
		sum = (sum ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
	return sum;
}

/* saved: a struct vcpu as far as a snapshot has it. */
static void describe_vcpu(const struct vcpu *saved, struct av_state_part *to)
{
	const struct el1_context *el1 = &saved->el1;

	memcpy(to->x, saved->x, sizeof(to->x));
	to->pc = saved->pc;
	to->pstate = saved->pstate;
	to->sp_el0 = el1->sp_el0;
	to->sp_el1 = el1->sp_el1;
	to->elr_el1 = el1->elr;
	to->spsr_el1 = el1->spsr;
	to->esr_el1 = el1->esr;
	to->far_el1 = el1->far;
	to->vbar_el1 = el1->vbar;
	to->sctlr_el1 = el1->sctlr;
	to->tcr_el1 = el1->tcr;
	to->ttbr0_el1 = el1->ttbr0;
	to->ttbr1_el1 = el1->ttbr1;
	to->mair_el1 = el1->mair;
	to->contextidr_el1 = el1->contextidr;
	to->tpidr_el0 = el1->tpidr_el0;
	to->tpidrro_el0 = el1->tpidrro_el0;
	to->tpidr_el1 = el1->tpidr_el1;
	to->cntv_ctl_el0 = saved->timer.cntv_ctl;
	to->cntv_cval_el0 = saved->timer.cntv_cval;
	to->cntp_ctl_el0 = saved->timer.cntp_ctl;
	to->cntp_cval_el0 = saved->timer.cntp_cval;
	to->fp_checksum = checksum(&saved->fp, sizeof(saved->fp));
	to->power = saved->power;
}

void vm_state_describe(const struct vm *vm, uint32_t part, const void *saved,
		       struct av_state_part *to)
{
	const struct state_part *about = &vm->parts[part];

	memset(to, 0, sizeof(*to));
	for (unsigned i = 0; i + 1 < sizeof(to->name) && about->name[i]; i++)
		to->name[i] = about->name[i];
	to->vcpu = ~0u;
	to->size = about->size;
	if (about->save == vm_save) {
		/* Without the versions: the same state may have been reached twice. */
		const struct vm_saved *devices = saved;

		to->checksum = devices->gic.ctlr +
			       checksum(devices->gic.bank,
					sizeof(*devices) - offsetof(struct vm_saved, gic.bank));
	} else {
		to->checksum = checksum(saved, about->size);
	}
	if (about->save == vcpu_save) {
		const struct vcpu_saved *vcpu = saved;

		to->vcpu = ((const struct vcpu *)about->ctx)->index;
		to->value = vcpu->counter;
		describe_vcpu((const struct vcpu *)vcpu->vcpu, to);
	}
}
