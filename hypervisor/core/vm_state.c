/* SPDX-License-Identifier: MIT */
/* vm_state.c - {save, load} of each part. All vCPUs are unloaded: everything is in memory. Reset is a load of `boot`. */
#include "core/vm_state.h"
#include "core/bug.h"
#include "core/flash.h"
#include "core/region.h"
#include "core/string.h"

#define VCPU_SAVED offsetof(struct vcpu, vm)
_Static_assert(VCPU_SAVED <= VMEM_PART_SIZE_MAX, "a vCPU fits a record");
_Static_assert(VCPU_SAVED % 8 == 0, "copied by words");

static void vcpu_save(void *ctx, void *to)
{
	memcpy(to, ctx, VCPU_SAVED);
}

static void vcpu_load_part(void *ctx, const void *from)
{
	memcpy(ctx, from, VCPU_SAVED);
}

static void gic_save(void *ctx, void *to)
{
	vgic_save(&((struct vm *)ctx)->gic, to);
}

static void gic_load(void *ctx, const void *from)
{
	vgic_load(&((struct vm *)ctx)->gic, from);
}

static void gic_cpu_save(void *ctx, void *to)
{
	struct vcpu *vcpu = ctx;

	vgic_cpu_save(&vcpu->vm->gic, vcpu->index, to);
}

static void gic_cpu_load(void *ctx, const void *from)
{
	struct vcpu *vcpu = ctx;

	vgic_cpu_load(&vcpu->vm->gic, vcpu->index, from);
}

static void uart_save(void *ctx, void *to)
{
	vpl011_save(&((struct vm *)ctx)->uart, to);
}

static void uart_load(void *ctx, const void *from)
{
	vpl011_load(&((struct vm *)ctx)->uart, from);
}

static void console_save(void *ctx, void *to)
{
	vconsole_save(&((struct vm *)ctx)->console, to);
}

static void console_load(void *ctx, const void *from)
{
	vconsole_load(&((struct vm *)ctx)->console, from);
}

static void clock_save(void *ctx, void *to)
{
	*(uint64_t *)to = vm_counter(ctx);
}

static void clock_load(void *ctx, const void *from)
{
	vm_clock_set(ctx, *(const uint64_t *)from);
}

static void add(struct vm *vm, struct state_part part)
{
	BUG_ON(vm->part_count == ARRAY_SIZE(vm->parts));
	vm->parts[vm->part_count++] = part;
}

void vm_state_parts(struct vm *vm)
{
	add(vm, (struct state_part){"clock", sizeof(uint64_t), clock_save, clock_load, vm});
	/* The distributor before the devices: their lines are loaded into it. */
	add(vm, (struct state_part){"gic", sizeof(struct vgic_dist_state), gic_save, gic_load, vm});
	add(vm, (struct state_part){"uart", sizeof(struct vpl011_state), uart_save, uart_load, vm});
	add(vm, (struct state_part){"console", sizeof(struct vconsole_state), console_save, console_load, vm});
	flash_parts(vm, add);
	add(vm, (struct state_part){"regions", (uint32_t)region_state_size(vm), region_state_save,
				    region_state_load, vm});
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		struct vcpu *vcpu = &vm->vcpus[i];

		add(vm, (struct state_part){"gic-cpu", sizeof(struct vgic_cpu_state), gic_cpu_save, gic_cpu_load,
					    vcpu});
		add(vm, (struct state_part){"vcpu", VCPU_SAVED, vcpu_save, vcpu_load_part, vcpu});
	}
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

/* saved: a struct vcpu up to VCPU_SAVED. */
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

void vm_state_describe(const struct vm *vm, uint32_t part, const void *saved, struct av_state_part *to)
{
	const struct state_part *about = &vm->parts[part];

	memset(to, 0, sizeof(*to));
	for (unsigned i = 0; i + 1 < sizeof(to->name) && about->name[i]; i++)
		to->name[i] = about->name[i];
	to->vcpu = ~0u;
	to->size = about->size;
	to->checksum = checksum(saved, about->size);
	if (about->save == clock_save)
		to->value = *(const uint64_t *)saved;
	if (about->save == gic_cpu_save || about->save == vcpu_save)
		to->vcpu = ((const struct vcpu *)about->ctx)->index;
	if (about->save == vcpu_save)
		describe_vcpu(saved, to);
}
